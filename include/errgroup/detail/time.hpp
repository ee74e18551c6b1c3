// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_TIME_HPP
#define ERRGROUP_DETAIL_TIME_HPP

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace errgroup {

/// The clock of every deadline: it is not moved when the time of day is set.
using clock = std::chrono::steady_clock;

namespace detail {

/// Stands for "no deadline".
inline constexpr clock::time_point never = clock::time_point::max();

/// Returns the time `d` from now, rounded up; `never` if the clock cannot hold it (or `d` is not a number), and
/// the clock's first time point for one that far in the past. The comparison is in floating point, since
/// `hours::max()` in nanoseconds overflows; what is within an hour of the end counts as beyond it, so that
/// rounding cannot matter.
template <class Rep, class Period>
clock::time_point deadline_after(std::chrono::duration<Rep, Period> d) {
  using seconds = std::chrono::duration<long double>;
  const clock::time_point now = clock::now();
  const seconds wanted(d);
  if (!(wanted < seconds(never - now) - std::chrono::hours(1))) return never;
  if (wanted < seconds(clock::time_point::min().time_since_epoch()) + std::chrono::hours(1)) {
    return clock::time_point::min();
  }
  return now + std::chrono::ceil<clock::duration>(d);
}

/// Blocks until notified, spuriously woken, or `when`. False at `when`. `never` must not reach the standard
/// library's own arithmetic, which may overflow on it.
inline bool wait_until(std::condition_variable& cv, std::unique_lock<std::mutex>& lock, clock::time_point when) {
  if (when == never) {
    cv.wait(lock);
    return true;
  }
  return cv.wait_until(lock, when) == std::cv_status::no_timeout;
}

}  // namespace detail
}  // namespace errgroup

#endif  // ERRGROUP_DETAIL_TIME_HPP
