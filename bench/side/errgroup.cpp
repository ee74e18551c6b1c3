// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <algorithm>
#include <array>
#include <cstdlib>
#include <latch>
#include <new>
#include <vector>

#include <errgroup/errgroup.hpp>

#include "side.hpp"
#include "tasks.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::error;
using errgroup::group;

std::atomic<long> allocations{0};
const error failure("failure");

struct group_tasks {
  template <class F>
  void go(F&& f) {
    tasks.go(std::forward<F>(f));
  }
  void wait() {
    if (tasks.wait()) std::abort();
  }
  group tasks;
};

double small_groups(long n, long reps) {
  const double t = side::time(reps, [n] {
    group g;
    for (long i = 0; i != n; ++i) g.go([] { side::tick(); });
    if (g.wait()) std::abort();
  });
  side::check(n * reps);
  return t;
}

double with_context(long n, long reps) {
  const context parent = context().with_cancel().first;
  const double t = side::time(reps, [&] {
    group g(parent);
    for (long i = 0; i != n; ++i) g.go([](const context&) { side::tick(); });
    if (g.wait()) std::abort();
  });
  side::check(n * reps);
  return t;
}

double with_deadline(long n, long reps) {
  const double t = side::time(reps, [n] {
    group g(errgroup::with_timeout(1h));
    for (long i = 0; i != n; ++i) g.go([] { side::tick(); });
    if (g.wait()) std::abort();
  });
  side::check(n * reps);
  return t;
}

double stream(long limit, long reps) {
  constexpr long tasks = 200'000;
  const double t = side::time(reps, [limit] {
    group g{errgroup::with_limit(limit)};
    for (long i = 0; i != tasks; ++i) g.go([] { side::tick(); });
    if (g.wait()) std::abort();
  });
  side::check(tasks * reps);
  return t / tasks;
}

// The longest that a single go() took, of 8 callers that submit 100 tasks of 20 us each while a hostile thread
// submits tiny ones in a loop. Where newcomers overtake blocked callers, the hostile thread may keep the callers
// out, so that it gives up after 2 s.
double longest_go(long limit) {
  constexpr long callers = 8, tasks = 100;
  group g{errgroup::with_limit(limit)};
  std::latch begin(callers + 1);
  std::atomic<long> unfinished{callers};  // Callers; written by each at its end, read by the hostile thread.
  std::array<double, callers> longest{};  // Of each caller, by that one alone; read after all are joined.
  long hostile_tasks = 0;                 // Written by the hostile thread; read after it is joined.
  {
    std::vector<std::jthread> threads;
    threads.emplace_back([&] {
      begin.arrive_and_wait();
      const auto end = errgroup::clock::now() + 2s;
      for (; unfinished != 0 && errgroup::clock::now() < end; ++hostile_tasks) {
        g.go([] { side::tick(); });
      }
    });
    for (double& longest_of_caller : longest) {
      threads.emplace_back([&] {
        begin.arrive_and_wait();
        for (long i = 0; i != tasks; ++i) {
          longest_of_caller = std::max(longest_of_caller, side::time(1, [&] { g.go([] { side::be_busy(); }); }));
        }
        --unfinished;
      });
    }
  }
  if (g.wait()) std::abort();
  side::check(callers * tasks + hostile_tasks);
  return *std::max_element(longest.begin(), longest.end());
}

double fair(long limit, long reps) {
  double total = 0;
  for (long r = 0; r != reps; ++r) total += longest_go(limit);
  return total / static_cast<double>(reps);
}

template <class Block>
double fail_fast(long n, long reps, Block block) {
  double total = 0;
  for (long r = 0; r != reps; ++r) {
    side::blocked all(n);
    group g;
    for (long i = 0; i != n; ++i) {
      g.go([&](const context& ctx) {
        all.arrive();
        block(ctx);
      });
    }
    g.go([&] {
      all.wait_to_fail();
      return failure;
    });
    std::this_thread::sleep_for(1ms);  // So that it is not wait() that runs the tasks.
    all.go();
    if (!g.wait()) std::abort();
    total += all.elapsed();
  }
  return total / static_cast<double>(reps);
}

double fail_fast_sleep(long n, long reps) {
  return fail_fast(n, reps, [](const context& ctx) { (void)ctx.sleep_for(1h); });
}

double fail_fast_wait(long n, long reps) {
  return fail_fast(n, reps, [](const context& ctx) {
    std::mutex mutex;
    std::condition_variable_any cv;
    std::unique_lock lock(mutex);
    (void)ctx.wait(cv, lock, [] { return false; });
  });
}

double fail_fast_token(long n, long reps) {
  return fail_fast(n, reps, [](const context& ctx) { side::block_on(ctx.get_stop_token()); });
}

// The median of how late a task is woken by a deadline of 5 ms.
double lateness(long, long reps) {
  std::vector<double> late;
  for (long r = 0; r != reps; ++r) {
    const auto when = errgroup::clock::now() + 5ms;
    group g(errgroup::with_deadline(when));
    g.go([&](const context& ctx) {
      (void)ctx.sleep_for(1h);
      late.push_back(std::chrono::duration<double, std::nano>(errgroup::clock::now() - when).count());
    });
    if (g.wait()) std::abort();
  }
  std::sort(late.begin(), late.end());
  return late[late.size() / 2];
}

// The most threads that there were above the blocked ones, while 1,000,000 tiny tasks ran beside them.
double storm(long blocked_tasks, long) {
  side::blocked all(blocked_tasks);
  group blocked;
  for (long i = 0; i != blocked_tasks; ++i) {
    blocked.go([&](const context& ctx) {
      all.arrive();
      (void)ctx.sleep_for(1h);
    });
  }
  all.all.acquire();
  const double before = 1;  // This thread.
  std::atomic<bool> ended{false};
  double most = 0;
  std::jthread watch([&] {
    while (!ended) {
      most = std::max(most, side::status("Threads"));
      std::this_thread::sleep_for(1ms);
    }
  });
  for (int i = 0; i != 100; ++i) {
    group g;
    for (long t = 0; t != 10'000; ++t) g.go([] { side::tick(); });
    if (g.wait()) std::abort();
  }
  side::check(1'000'000);
  ended = true;
  watch.join();
  return most - 1 - before - static_cast<double>(blocked_tasks);  // Without the one that watches.
}

double storm_time(long blocked_tasks, long reps) {
  return side::time(1, [&] { (void)storm(blocked_tasks, reps); }) / 1e6;
}

// Resident bytes for each of n blocked tasks.
double memory(long n, long) {
  const double before = side::status("VmRSS");
  side::blocked all(n);
  group g;
  for (long i = 0; i != n; ++i) {
    g.go([&](const context& ctx) {
      all.arrive();
      (void)ctx.sleep_for(1h);
    });
  }
  all.all.acquire();
  std::this_thread::sleep_for(20ms);
  return (side::status("VmRSS") - before) * 1024 / static_cast<double>(n);
}

// A cache line's way to another core and back: what a handover between two threads costs at least.
double round_trip(long, long reps) {
  constexpr int trips = 100'000;
  std::atomic<int> there{0}, back{0};
  std::jthread other([&] {
    for (int i = 1; i <= trips; ++i) {
      while (there.load(std::memory_order_acquire) != i) {
      }
      back.store(i, std::memory_order_release);
    }
  });
  return side::time(1,
                    [&] {
                      for (int i = 1; i <= trips; ++i) {
                        there.store(i, std::memory_order_release);
                        while (back.load(std::memory_order_acquire) != i) {
                        }
                      }
                    }) /
         (trips * static_cast<double>(reps));
}

// Allocations a task in steady state: the group's second round.
double allocated(long n, long) {
  group g;
  long before = 0;
  for (int round = 0; round != 2; ++round) {
    before = allocations;
    for (long i = 0; i != n; ++i) g.go([] { side::tick(); });
    if (g.wait()) std::abort();
  }
  side::check(2 * n);
  return static_cast<double>(allocations - before) / static_cast<double>(n);
}

}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }

int main() {
  return side::serve({{"group", small_groups},
                      {"context", with_context},
                      {"deadline", with_deadline},
                      {"stream", stream},
                      {"fair", fair},
                      {"sleep", fail_fast_sleep},
                      {"wait", fail_fast_wait},
                      {"token", fail_fast_token},
                      {"lateness", lateness},
                      {"start", side::start<group_tasks>},
                      {"rested", side::start_rested<group_tasks>},
                      {"cold", side::start<group_tasks>},
                      {"gather-200us", side::gather<group_tasks, 200>},
                      {"gather-2ms", side::gather<group_tasks, 2000>},
                      {"mixed", side::mixed<group_tasks>},
                      {"compute-1us", side::compute<group_tasks, 1>},
                      {"compute-10us", side::compute<group_tasks, 10>},
                      {"compute-100us", side::compute<group_tasks, 100>},
                      {"compute-1ms", side::compute<group_tasks, 1000>},
                      {"changed", side::changed<group_tasks>},
                      {"late", side::late<group_tasks>},
                      {"storm", storm},
                      {"storm-time", storm_time},
                      {"memory", memory},
                      {"round-trip", round_trip},
                      {"allocations", allocated}});
}
