// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <cstdlib>
#include <vector>

#include "side.hpp"
#include "tasks.hpp"

namespace {

using namespace std::chrono_literals;

struct thread_tasks {
  template <class F>
  void go(F&& f) {
    threads.emplace_back(std::forward<F>(f));
  }
  void wait() { threads.clear(); }
  std::vector<std::jthread> threads;
};

double small_groups(long n, long reps) {
  const double t = side::time(reps, [n] {
    std::vector<std::jthread> threads;
    threads.reserve(static_cast<std::size_t>(n));
    for (long i = 0; i != n; ++i) threads.emplace_back([] { side::tick(); });
  });
  side::check(n * reps);
  return t;
}

// Starts n threads that block until they are stopped.
template <class Block>
std::vector<std::jthread> start_blocked(long n, side::blocked& all, const std::stop_source& source, Block block) {
  std::vector<std::jthread> threads;
  for (long i = 0; i != n; ++i) {
    threads.emplace_back([&all, block, token = source.get_token()] {
      all.arrive();
      block(token);
    });
  }
  return threads;
}

template <class Block>
double fail_fast(long n, long reps, Block block) {
  double total = 0;
  for (long r = 0; r != reps; ++r) {
    side::blocked all(n);
    std::stop_source source;
    std::vector<std::jthread> threads = start_blocked(n, all, source, block);
    threads.emplace_back([&] {
      all.wait_to_fail();
      source.request_stop();
    });
    all.go();
    for (std::jthread& t : threads) t.join();
    total += all.elapsed();
  }
  return total / static_cast<double>(reps);
}

double fail_fast_sleep(long n, long reps) {
  return fail_fast(n, reps, [](const std::stop_token& token) {
    std::mutex mutex;
    std::condition_variable_any cv;
    std::unique_lock lock(mutex);
    cv.wait_for(lock, token, 1h, [] { return false; });
  });
}

double fail_fast_token(long n, long reps) { return fail_fast(n, reps, side::block_on); }

double memory(long n, long) {
  const double before = side::status("VmRSS");
  side::blocked all(n);
  std::stop_source source;
  const std::vector<std::jthread> threads = start_blocked(n, all, source, side::block_on);
  all.all.acquire();
  std::this_thread::sleep_for(20ms);
  const double bytes = (side::status("VmRSS") - before) * 1024 / static_cast<double>(n);
  source.request_stop();
  return bytes;
}

}  // namespace

int main() {
  return side::serve({{"group", small_groups},
                      {"context", small_groups},
                      {"sleep", fail_fast_sleep},
                      {"wait", fail_fast_token},
                      {"token", fail_fast_token},
                      {"start", side::start<thread_tasks>},
                      {"rested", side::start_rested<thread_tasks>},
                      {"cold", side::start<thread_tasks>},
                      {"gather-200us", side::gather<thread_tasks, 200>},
                      {"gather-2ms", side::gather<thread_tasks, 2000>},
                      {"mixed", side::mixed<thread_tasks>},
                      {"memory", memory}});
}
