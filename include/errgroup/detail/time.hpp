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

/// Returns `d` in the clock's unit, rounded up; the clock's longest for what it cannot hold, or what is not a
/// number, and its shortest for what is as far below zero. The comparison is in floating point, since
/// `hours::max()` in nanoseconds overflows; what is within an hour of the end counts as beyond it, so that
/// rounding cannot matter.
template <class Rep, class Period>
clock::duration clamped(std::chrono::duration<Rep, Period> d) {
  constexpr long double hour = 3600;
  constexpr long double longest =
      static_cast<long double>(clock::duration::max().count()) * clock::period::num / clock::period::den;
  const long double seconds = static_cast<long double>(d.count()) * Period::num / Period::den;
  if (!(seconds < longest - hour)) return clock::duration::max();
  if (seconds < hour - longest) return clock::duration::min();
  return std::chrono::ceil<clock::duration>(d);
}

/// Returns the time `d` from now; `never` if the clock cannot hold it.
inline clock::time_point deadline_after(clock::duration d) {
  const clock::time_point now = clock::now();
  return d < never - now ? now + d : never;
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
