// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_BENCH_SIDE_HPP
#define ERRGROUP_BENCH_SIDE_HPP

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <semaphore>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

/// What the programs that bench/compare sets side by side have in common: each reads lines "work n reps" and
/// answers with one figure a line, or "none" if it cannot do that work.
namespace side {

using work = std::function<double(long n, long reps)>;

/// Measures `f(reps)` in nanoseconds, for each of the `reps`.
template <class F>
double time(long reps, F f) {
  const auto start = std::chrono::steady_clock::now();
  for (long i = 0; i != reps; ++i) f();
  const std::chrono::duration<double, std::nano> t = std::chrono::steady_clock::now() - start;
  return t.count() / static_cast<double>(reps);
}

/// Serves until the input ends.
inline int serve(const std::map<std::string, work>& works) {
  std::string name;
  long n = 0, reps = 0;
  while (std::cin >> name >> n >> reps) {
    const auto w = works.find(name);
    if (w == works.end()) {
      std::cout << "none" << std::endl;
    } else {
      std::cout << w->second(n, reps) << std::endl;
    }
  }
  return 0;
}

/// A figure of /proc/self/status, or -1.
inline double status(const std::string& key) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key + ":")) return std::stod(line.substr(key.size() + 1));
  }
  return -1;
}

/// The tiny task: it counts, so that the work can be checked.
inline std::atomic<long> counter{0};
inline void tick() { counter.fetch_add(1, std::memory_order_relaxed); }

/// Ends the program if the tasks of a run were not all run.
inline void check(long want) {
  if (const long n = counter.exchange(0); n != want) {
    std::fprintf(stderr, "%ld tasks ran, not %ld\n", n, want);
    std::exit(1);
  }
}

/// A task that keeps its thread busy for 20 us.
inline void be_busy() {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
  while (std::chrono::steady_clock::now() < end) {
  }
  tick();
}

/// Siblings that block until they are stopped, and one that fails when it is told to.
struct blocked {
  explicit blocked(long n) : left(n) {}

  std::atomic<long> left;                       // Siblings that have not started.
  std::binary_semaphore all{0};                 // Told by the last sibling to start.
  std::binary_semaphore fail{0};                // Tells the failing task to fail.
  std::chrono::steady_clock::time_point start;  // Of the failure.

  void arrive() {
    if (left.fetch_sub(1) == 1) all.release();
  }
  /// Waits until all siblings have started, gives them time to block, and lets the one fail.
  void go() {
    all.acquire();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    fail.release();
  }
  /// Called by the one that fails: starts the clock when it is told to.
  void wait_to_fail() {
    fail.acquire();
    start = std::chrono::steady_clock::now();
  }
  double elapsed() const {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
  }
};

/// Blocks as code does that knows std::stop_token alone.
inline void block_on(const std::stop_token& token) {
  std::mutex mutex;
  std::condition_variable_any cv;
  std::unique_lock lock(mutex);
  cv.wait(lock, token, [] { return false; });
}

}  // namespace side

#endif  // ERRGROUP_BENCH_SIDE_HPP
