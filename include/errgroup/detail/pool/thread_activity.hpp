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

  /// True if it has computed for most of the time since the last call of this or of look(), and that was 100 µs ago
  /// or more. Preconditions: as for look().
  bool computes(clock::time_point now) noexcept;

 private:
#if defined(__linux__)
  static clock::duration time_of(clockid_t id) noexcept;
  bool used_a_part(clock::time_point now, int part) noexcept;
  state read_state() const noexcept;

  clockid_t processor_time_ = 0;  // Set by begin(), then constant.
  long thread_ = 0;               // As above.
  clock::time_point looked_;      // Of the last look, or of begin(). Whoever looks.
  clock::duration used_{};        // Processor time then. As above.
#endif
};

// Implementation

#if defined(__linux__)

inline void thread_activity::begin() noexcept {
  thread_ = syscall(SYS_gettid);
  if (pthread_getcpuclockid(pthread_self(), &processor_time_) != 0) processor_time_ = CLOCK_MONOTONIC;
  looked_ = clock::now();
  used_ = time_of(processor_time_);
}

inline clock::duration thread_activity::time_of(clockid_t id) noexcept {
  timespec t{};
  clock_gettime(id, &t);
  return std::chrono::duration_cast<clock::duration>(std::chrono::seconds(t.tv_sec) +
                                                     std::chrono::nanoseconds(t.tv_nsec));
}

// True if it was on a core for more than that part of the time since the last look.
inline bool thread_activity::used_a_part(clock::time_point now, int part) noexcept {
  const clock::duration used = time_of(processor_time_);
  const bool result = used - used_ > (now - looked_) / part;
  looked_ = now;
  used_ = used;
  return result;
}

inline thread_activity::state thread_activity::look() noexcept {
  return used_a_part(clock::now(), 4) ? state::awake : read_state();
}

inline bool thread_activity::computes(clock::time_point now) noexcept {
  return now - looked_ >= std::chrono::microseconds(100) && used_a_part(now, 2);
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
inline bool thread_activity::computes(clock::time_point) noexcept { return false; }

#endif

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_THREAD_ACTIVITY_HPP
