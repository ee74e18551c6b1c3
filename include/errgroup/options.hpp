// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_OPTIONS_HPP
#define ERRGROUP_OPTIONS_HPP

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <limits>
#include <memory>
#include <type_traits>

#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/group/executor_ref.hpp>
#include <errgroup/executor.hpp>

namespace errgroup {

/// What a group is built from. Options are functors over it; write your own in the same way:
///
///     auto for_databases() {
///       return [](errgroup::group_settings& s) { s.limit = 4; s.keep_going = true; };
///     }
struct group_settings {
  clock::duration timeout = clock::duration::max();  ///< Of each round, from its opening; max(): none.
  clock::time_point deadline = detail::never;        ///< Of all rounds; max(): none.
  std::ptrdiff_t limit = -1;                         ///< Tasks that run at a time; negative: no limit.
  bool keep_going = false;                           ///< An error does not cancel the others.
  std::size_t max_errors = 0;                        ///< How many errors() collects.
  detail::executor_ref executor;                     ///< Set by set_executor(); empty: thread_cache::shared().

  /// Makes tasks run on `ex`, which has `void execute(F)`. Preconditions: it outlives the group's last go() and
  /// set_limit().
  template <class Executor>
  void set_executor(Executor& ex);
};

/// An option: a functor over `group_settings`.
template <class F>
concept group_option = std::invocable<F, group_settings&> && !std::invocable<F>;

/// Cancels each round `d` after its opening, the first after the group's construction, with cause
/// errc::deadline_exceeded. Of several timeouts and deadlines the earliest wins.
template <class Rep, class Period>
auto with_timeout(std::chrono::duration<Rep, Period> d) {
  const clock::duration t = std::max(detail::clamped(d), clock::duration::zero());
  return [t](group_settings& s) { s.timeout = std::min(s.timeout, t); };
}

/// Cancels the group at `when` with cause errc::deadline_exceeded. As above.
inline auto with_deadline(clock::time_point when) {
  return [when](group_settings& s) { s.deadline = std::min(s.deadline, when); };
}

/// Runs at most `n` tasks at a time; as group::set_limit().
inline auto with_limit(std::ptrdiff_t n) {
  return [n](group_settings& s) { s.limit = n; };
}

/// Lets the others go on when a task fails, as a zero Group does in Go.
inline auto keep_going() {
  return [](group_settings& s) { s.keep_going = true; };
}

/// Collects up to `max` errors for group::errors().
inline auto collect_errors(std::size_t max = std::numeric_limits<std::size_t>::max()) {
  return [max](group_settings& s) { s.max_errors = max; };
}

/// Makes tasks run on `ex`: a thread_cache, or anything with `void execute(F)`, which is given small, copyable,
/// const-callable functions without parameters. It may run them at once, late, or never: then wait() runs the
/// tasks, and wait_for(), which runs none, gives up. Preconditions: `ex` outlives the group's last go() and
/// set_limit(). It need not outlive the group.
template <class Executor>
auto with_executor(Executor&& ex) {
  static_assert(std::is_lvalue_reference_v<Executor>,
                "errgroup: with_executor() keeps a reference, and the executor must outlive the group: pass a "
                "variable, not a temporary");
  return [&ex](group_settings& s) { s.set_executor(ex); };
}

// Implementation

template <class Executor>
void group_settings::set_executor(Executor& ex) {
  constexpr bool executes = requires(const detail::runner& r) { ex.execute(r); };
  static_assert(executes,
                "errgroup: an executor has a member function void execute(F), which takes copyable functions "
                "without parameters");
  if constexpr (std::derived_from<Executor, thread_cache>) {
    executor = {detail::cache_access::pool(ex), nullptr, nullptr};
  } else if constexpr (executes) {
    using object = std::remove_const_t<Executor>;
    executor = {{}, const_cast<object*>(std::addressof(ex)), [](void* p, const detail::runner& r) {
                  static_cast<Executor*>(p)->execute(r);
                }};
  }
}

}  // namespace errgroup

#endif  // ERRGROUP_OPTIONS_HPP
