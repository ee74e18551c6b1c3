// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_BASE_TIME_HPP
#define ERRGROUP_DETAIL_BASE_TIME_HPP

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <type_traits>

namespace errgroup {

/// The clock of every deadline: it is not moved when the time of day is set.
using clock = std::chrono::steady_clock;

namespace detail {

/// Stands for "no deadline".
inline constexpr clock::time_point never = clock::time_point::max();

/// Returns `count` units of `num / den` seconds in the clock's unit, rounded up, exactly; the clock's longest or
/// shortest duration for what it cannot hold.
clock::duration clamped_units(std::int64_t count, std::uint64_t num, std::uint64_t den) noexcept;
clock::duration clamped_units(std::uint64_t count, std::uint64_t num, std::uint64_t den) noexcept;

/// Returns `d` in the clock's unit, rounded up; the clock's longest duration, which means "no deadline", for what
/// is too long for it or not a number, and its shortest for what is as far below zero. A duration of integers is
/// converted exactly, and one of floating-point numbers in their own precision.
template <class Rep, class Period>
clock::duration clamped(std::chrono::duration<Rep, Period> d) {
  constexpr std::uint64_t num = Period::num, den = Period::den;
  if constexpr (std::is_integral_v<Rep> && sizeof(Rep) <= sizeof(std::int64_t)) {
    using wide = std::conditional_t<std::is_signed_v<Rep>, std::int64_t, std::uint64_t>;
    return clamped_units(static_cast<wide>(d.count()), num, den);
  } else {
    using real = std::conditional_t<std::is_floating_point_v<Rep>, Rep, long double>;
    constexpr auto unit = static_cast<real>(static_cast<long double>(num) * clock::period::den / den);
    constexpr auto end = static_cast<real>(9223372036854775808.0);  // 2^63
    const real ticks = static_cast<real>(d.count()) * unit;
    if (!(ticks < end - 1)) return clock::duration::max();
    if (ticks < -end) return clock::duration::min();
    const auto whole = static_cast<std::int64_t>(ticks);
    return clock::duration(whole + (static_cast<real>(whole) < ticks ? 1 : 0));
  }
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

// Implementation

static_assert(clock::period::num == 1 && sizeof(clock::rep) == sizeof(std::int64_t));

/// A quotient, held at `max` if it is larger, and the remainder.
struct quotient {
  static constexpr std::uint64_t max = std::uint64_t{1} << 63;
  std::uint64_t value;
  std::uint64_t rest;
};

/// Divides `a * b` by `c`, bit by bit as by hand, since the product has up to 127 bits and not every compiler has
/// an integer for it. Preconditions: `b` and `c` are less than 2^63, and `c` is not 0.
inline quotient multiply_divide(std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
  const std::uint64_t whole = b / c, part = b % c;
  quotient q{0, 0};
  for (std::uint64_t bit = std::uint64_t{1} << 63; bit != 0; bit >>= 1) {
    std::uint64_t add = 0;
    const auto add_to_rest = [&](std::uint64_t x) {  // Both are less than 2^63.
      q.rest += x;
      if (q.rest < c) return;
      q.rest -= c;
      ++add;
    };
    add_to_rest(q.rest);
    if ((a & bit) != 0) {
      add_to_rest(part);
      add += whole;
    }
    const bool fits = q.value < quotient::max / 2 && add < quotient::max - 2 * q.value;
    q.value = fits ? 2 * q.value + add : quotient::max;
  }
  return q;
}

/// Returns the ticks of the clock in `count` units, at most `quotient::max`.
inline std::uint64_t ticks_in(std::uint64_t count, std::uint64_t num, std::uint64_t den, bool round_up) noexcept {
  constexpr std::uint64_t second = clock::period::den;
  if (second % den == 0) {  // Hours to nanoseconds.
    const std::uint64_t unit = second / den;
    return count > (quotient::max - 1) / num / unit ? quotient::max : count * num * unit;
  }
  const quotient seconds = multiply_divide(count, num, den);
  if (seconds.value > (quotient::max - 1) / second) return quotient::max;
  const quotient ticks = multiply_divide(second, seconds.rest, den);
  const std::uint64_t sum = seconds.value * second + ticks.value;  // Less than 2^63 + 10^9.
  return sum < quotient::max ? sum + (round_up && ticks.rest != 0 ? 1U : 0U) : quotient::max;
}

inline clock::duration clamped_units(std::uint64_t count, std::uint64_t num, std::uint64_t den) noexcept {
  const std::uint64_t ticks = ticks_in(count, num, den, true);
  return ticks < quotient::max ? clock::duration(static_cast<clock::rep>(ticks)) : clock::duration::max();
}

inline clock::duration clamped_units(std::int64_t count, std::uint64_t num, std::uint64_t den) noexcept {
  const auto bits = static_cast<std::uint64_t>(count);
  if (count >= 0) return clamped_units(bits, num, den);
  const std::uint64_t ticks = ticks_in(0 - bits, num, den, false);
  return ticks < quotient::max ? clock::duration(-static_cast<clock::rep>(ticks)) : clock::duration::min();
}

}  // namespace detail
}  // namespace errgroup

#endif  // ERRGROUP_DETAIL_BASE_TIME_HPP
