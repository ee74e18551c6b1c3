// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <chrono>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::error;
using errgroup::group;

void per_task(benchmark::State& state, long tasks) { state.SetItemsProcessed(state.iterations() * tasks); }

void group_of_tasks(benchmark::State& state) {
  for (auto _ : state) {
    group g;
    for (long i = 0; i != state.range(0); ++i) g.go([] {});
    benchmark::DoNotOptimize(g.wait());
  }
  per_task(state, state.range(0));
}
BENCHMARK(group_of_tasks)->RangeMultiplier(10)->Range(1, 10'000);

void rounds_of_one_group(benchmark::State& state) {
  group g;
  for (auto _ : state) {
    for (long i = 0; i != state.range(0); ++i) g.go([] {});
    benchmark::DoNotOptimize(g.wait());
  }
  per_task(state, state.range(0));
}
BENCHMARK(rounds_of_one_group)->RangeMultiplier(10)->Range(1, 10'000);

void group_with_deadline(benchmark::State& state) {
  for (auto _ : state) {
    group g(errgroup::with_timeout(1h));
    g.go([](const context&) {});
    benchmark::DoNotOptimize(g.wait());
  }
}
BENCHMARK(group_with_deadline);

void stream_through_limit(benchmark::State& state) {
  group g(errgroup::with_limit(state.range(0)));
  for (auto _ : state) g.go([] {});
  benchmark::DoNotOptimize(g.wait());
  per_task(state, 1);
}
BENCHMARK(stream_through_limit)->Arg(1)->Arg(2)->Arg(8)->Arg(64)->UseRealTime();

void spawn_and_get(benchmark::State& state) {
  for (auto _ : state) {
    group g;
    auto h = g.spawn([] { return 1; });
    benchmark::DoNotOptimize(g.wait());
    benchmark::DoNotOptimize(*h.get());
  }
}
BENCHMARK(spawn_and_get);

void move_only_task(benchmark::State& state) {
  for (auto _ : state) {
    group g;
    g.go([p = std::make_unique<int>(1)] { benchmark::DoNotOptimize(*p); });
    benchmark::DoNotOptimize(g.wait());
  }
}
BENCHMARK(move_only_task);

void failing_task(benchmark::State& state) {
  const error failure("failure");
  for (auto _ : state) {
    group g;
    g.go([&] { return failure; });
    benchmark::DoNotOptimize(g.wait());
  }
}
BENCHMARK(failing_task);

void context_with_cancel(benchmark::State& state) {
  const context parent = context().with_cancel().first;
  for (auto _ : state) {
    const auto [ctx, cancel] = parent.with_cancel();
    cancel();
  }
}
BENCHMARK(context_with_cancel);

// Cost must be linear: ten times the contexts is ten times the time.
void cancel_a_tree(benchmark::State& state) {
  for (auto _ : state) {
    const auto [root, cancel] = context().with_cancel();
    std::vector<context> children;
    for (long i = 0; i != state.range(0); ++i) children.push_back(root.with_timeout(1h));
    cancel();
  }
  per_task(state, state.range(0));
}
BENCHMARK(cancel_a_tree)->RangeMultiplier(10)->Range(10, 100'000);

void done_of_a_context(benchmark::State& state) {
  const context ctx = context().with_timeout(1h);
  for (auto _ : state) benchmark::DoNotOptimize(ctx.done());
}
BENCHMARK(done_of_a_context);

}  // namespace
