// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_BENCH_SIDE_TASKS_HPP
#define ERRGROUP_BENCH_SIDE_TASKS_HPP

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <latch>
#include <limits>
#include <vector>

#include "side.hpp"

/// Works of tasks that block or compute. They are the same for all programs: `Tasks` has `go(f)`, which gives it a
/// task, and `wait()`, which returns when all tasks have ended. Each work gives its tasks in one place, since a
/// library may learn from what the tasks of that place did before.
namespace side {

/// Lets n tasks meet: none goes on before all have begun. Its time runs from the construction on.
class meeting {
 public:
  explicit meeting(long n) : left_(n), met_(n) {}

  /// Called by each task.
  void arrive() {
    tick();
    if (left_.fetch_sub(1) == 1) {
      end_ = std::chrono::steady_clock::now();
      all_.release();
    }
    met_.arrive_and_wait();
  }
  /// Blocks until all have begun.
  void wait() { all_.acquire(); }

  /// Returns the nanoseconds until all had begun. Preconditions: all have.
  double elapsed() const { return std::chrono::duration<double, std::nano>(end_ - start_).count(); }

 private:
  std::atomic<long> left_;                     // Tasks that have not begun; counted down by each.
  std::latch met_;                             // What they block on.
  std::binary_semaphore all_{0};               // Told by the last one.
  std::chrono::steady_clock::time_point end_;  // Written by the last one before it tells.
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Returns the time from the first go() until n tasks that meet have all begun, while their owner does not help.
template <class Tasks>
double start_once(long n) {
  Tasks tasks;
  meeting all(n);
  for (long i = 0; i != n; ++i) tasks.go([&all] { all.arrive(); });
  all.wait();
  tasks.wait();
  check(n);
  return all.elapsed();
}

template <class Tasks>
double start(long n, long reps) {
  double total = 0;
  for (long r = 0; r != reps; ++r) total += start_once<Tasks>(n);
  return total / static_cast<double>(reps);
}

/// Measures the same where nothing was to be done for 500 us before: the mean of eight times.
template <class Tasks>
double start_rested(long n, long reps) {
  const long times = 8 * reps;
  double total = 0;
  for (long i = 0; i != times; ++i) {
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    total += start_once<Tasks>(n);
  }
  return total / static_cast<double>(times);
}

inline void sleep(std::chrono::microseconds d) {
  std::this_thread::sleep_for(d);
  tick();
}

/// Measures n tasks that each sleep for `microseconds`.
template <class Tasks, long microseconds>
double gather(long n, long reps) {
  const double t = time(reps, [n] {
    Tasks tasks;
    for (long i = 0; i != n; ++i) tasks.go([] { sleep(std::chrono::microseconds(microseconds)); });
    tasks.wait();
  });
  check(n * reps);
  return t;
}

/// Measures n tasks of one type, every other one of which sleeps for 2 ms.
template <class Tasks>
double mixed(long n, long reps) {
  const double t = time(reps, [n] {
    std::vector<std::function<void()>> functions;
    for (long i = 0; i != n; ++i) {
      if (i % 2 == 0) {
        functions.emplace_back([] { sleep(std::chrono::milliseconds(2)); });
      } else {
        functions.emplace_back(tick);
      }
    }
    Tasks tasks;
    for (auto& f : functions) tasks.go(std::move(f));
    tasks.wait();
  });
  check(n * reps);
  return t;
}

/// Does a chain of multiplications: each waits for the one before, so that they take as long in every language and
/// beside every neighbour on the core. Returns true, which the compiler does not know.
inline bool multiply(long times) {
  std::uint64_t x = 1;
  for (; times != 0; --times) x = x * 6364136223846793005U + 1442695040888963407U;
  return x != 0;
}

/// Returns how many multiplications take a microsecond on a core of their own.
inline double multiplications() {
  static const double result = [] {
    constexpr long times = 20'000;
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i != 200; ++i) {
      least = std::min(least, time(1, [] {
                         if (!multiply(times)) std::abort();
                       }));
    }
    return 1e3 * times / least;
  }();
  return result;
}

/// Measures n tasks that each have `microseconds` of work. It is counted and not timed, so that a task that was
/// preempted still has the rest to do.
template <class Tasks, long microseconds>
double compute(long n, long reps) {
  const long times = static_cast<long>(static_cast<double>(microseconds) * multiplications());
  const double t = time(reps, [n, times] {
    Tasks tasks;
    for (long i = 0; i != n; ++i) {
      tasks.go([times] {
        if (multiply(times)) tick();
      });
    }
    tasks.wait();
  });
  check(n * reps);
  return t;
}

/// Measures a group of n tiny tasks: the mean of the first 200 groups after 20 whose tasks slept.
template <class Tasks>
double changed(long n, long reps) {
  constexpr long sleeping = 20, tiny = 200;
  const auto run = [n](bool slow) {
    Tasks tasks;
    for (long i = 0; i != n; ++i) {
      tasks.go([slow] {
        if (slow) std::this_thread::sleep_for(std::chrono::microseconds(200));
        tick();
      });
    }
    tasks.wait();
  };
  double total = 0;
  for (long r = 0; r != reps; ++r) {
    for (long i = 0; i != sleeping; ++i) run(true);
    total += time(tiny, [&] { run(false); });
  }
  check((sleeping + tiny) * n * reps);
  return total / static_cast<double>(reps);
}

/// Measures the longest time, of ten, until n tasks that meet have all begun, where 5,000 tasks before them were
/// tiny. Their owner helps, and blocks in the first one.
template <class Tasks>
double late(long n, long reps) {
  constexpr long times = 10, groups = 50, tiny = 100;
  const auto run = [](long tasks_left, meeting* all) {
    Tasks tasks;
    for (; tasks_left != 0; --tasks_left) {
      tasks.go([all] {
        if (all == nullptr) {
          tick();
        } else {
          all->arrive();
        }
      });
    }
    tasks.wait();
  };
  double total = 0;
  for (long r = 0; r != reps; ++r) {
    double longest = 0;
    for (long i = 0; i != times; ++i) {
      for (long j = 0; j != groups; ++j) run(tiny, nullptr);
      meeting all(n);
      run(n, &all);
      longest = std::max(longest, all.elapsed());
    }
    total += longest;
  }
  check((groups * tiny + n) * times * reps);
  return total / static_cast<double>(reps);
}

}  // namespace side

#endif  // ERRGROUP_BENCH_SIDE_TASKS_HPP
