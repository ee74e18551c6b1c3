// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_THREAD_ACTIVITY_HPP
#define ERRGROUP_DETAIL_POOL_THREAD_ACTIVITY_HPP

#include <chrono>
#include <cstdio>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/time.hpp>

#if defined(__linux__)
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#endif

namespace errgroup::detail {

/// Tells whether a thread sleeps, to other threads.
///
/// A thread that has used the processor since the last look is awake (a look costs 0.3 µs). One that has not may
/// sleep, or wait for a core: then the system is asked for its state (7 µs). Elsewhere than on Linux, and where
/// /proc cannot be read, that is not known.
class thread_activity {
 public:
  /// Begins with the calling thread. To be called by it, before anyone looks.
  void begin() noexcept;

  enum class state : unsigned char { awake, asleep, not_known };

  /// Looks at the thread. Preconditions: it has not ended; one caller at a time.
  state look() noexcept;

  /// True if it has used the processor for 100 µs since begin(), or since the last look(): more than a task needs
  /// that goes to sleep at once. Preconditions: as for look().
  bool has_computed() const noexcept;

 private:
#if defined(__linux__)
  static clock::duration time_of(clockid_t id) noexcept;
  state read_state() const noexcept;

  clockid_t processor_time_ = 0;  // Set by begin(), then constant.
  long thread_ = 0;               // As above.
  clock::time_point looked_;      // Of the last look. Whoever looks.
  clock::duration used_{};        // Processor time then, or at begin(). As above.
#endif
};

// Implementation

#if defined(__linux__)

inline void thread_activity::begin() noexcept {
  thread_ = syscall(SYS_gettid);
  if (pthread_getcpuclockid(pthread_self(), &processor_time_) != 0) processor_time_ = CLOCK_MONOTONIC;
  used_ = time_of(processor_time_);
}

inline clock::duration thread_activity::time_of(clockid_t id) noexcept {
  timespec t{};
  clock_gettime(id, &t);
  return std::chrono::duration_cast<clock::duration>(std::chrono::seconds(t.tv_sec) +
                                                     std::chrono::nanoseconds(t.tv_nsec));
}

inline thread_activity::state thread_activity::look() noexcept {
  const clock::time_point now = clock::now();
  const clock::duration used = time_of(processor_time_);
  const bool was_awake = used - used_ > (now - looked_) / 4;
  looked_ = now;
  used_ = used;
  return was_awake ? state::awake : read_state();
}

inline bool thread_activity::has_computed() const noexcept {
  return time_of(processor_time_) - used_ >= std::chrono::microseconds(100);
}

// The state is the letter behind the name, which stands in parentheses and may hold others.
inline thread_activity::state thread_activity::read_state() const noexcept {
  const cancellation_disabled whole;  // To open a file is a cancellation point.
  char buffer[128];
  std::snprintf(buffer, sizeof buffer, "/proc/self/task/%ld/stat", thread_);
  const int file = open(buffer, O_RDONLY | O_CLOEXEC);
  if (file < 0) return state::not_known;
  const auto n = read(file, buffer, sizeof buffer - 1);
  close(file);
  for (auto i = n - 2; i > 0; --i) {
    if (buffer[i - 1] == ')' && buffer[i] == ' ') return buffer[i + 1] == 'R' ? state::awake : state::asleep;
  }
  return state::not_known;
}

#else

inline void thread_activity::begin() noexcept {}
inline thread_activity::state thread_activity::look() noexcept { return state::not_known; }
inline bool thread_activity::has_computed() const noexcept { return false; }

#endif

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_THREAD_ACTIVITY_HPP
