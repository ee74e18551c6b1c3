// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_PLACE_FINDER_HPP
#define ERRGROUP_DETAIL_GROUP_PLACE_FINDER_HPP

#include <algorithm>
#include <chrono>
#include <utility>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/group/group_state.hpp>
#include <errgroup/detail/group/recruiting.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

/// What becomes of a task that is offered to a group.
enum class admission {
  reserved,  // It has a place, or may have one at once.
  granted,   // The same, after a wait in line: the place counts already.
  beyond,    // It is given from inside, and waits in line for a place.
  handed,    // It goes to the handoff ring.
  full,      // There is no place, and the caller must not block.
  refused,   // The context is done.
};

/// Finds a place for a new task. The mutex is held on entry, and on return but for full and refused.
class place_finder {
 public:
  using lock_type = group_state::lock_type;

  explicit place_finder(group_state& g) noexcept : group_(g) {}

  /// True if a task may be taken in at once.
  bool may_enter() noexcept {
    group_state& g = group_;
    return g.history.is_open() && g.limits.line_empty() && !g.history.done() && !g.limits.full() &&
           thread_frame::none();
  }
  /// Finds a place, whatever that takes: reserved, granted, beyond, full or refused. Refused: `why_not`, if not
  /// null, is set to the cause. Blocks: while the group is full, if it may and the caller is not inside.
  admission find(lock_type& lock, bool may_block, error* why_not);

 private:
  class place_in_line;

  bool must_queue() const noexcept;
  bool wait_in_line(lock_type& lock);
  void wait_awake(lock_type& lock, const arrival& me) noexcept;
  void ask_for_runner(lock_type& lock);

  group_state& group_;  // Constant.
};

// Implementation

ERRGROUP_NOINLINE inline admission place_finder::find(lock_type& lock, bool may_block, error* why_not) {
  rounds& history = group_.history;
  bool placed = false;
  for (;;) {
    // Not if an executor has run a task of the next round inside the callback.
    const bool between_rounds = thread_frame::innermost_is(thread_frame::kind::ending, &group_);
    if (!history.is_open() && !between_rounds) history.open();
    if (between_rounds || history.done()) {
      error cause = between_rounds ? errc::canceled : history.current().cause();
      if (!between_rounds) history.report_failure(cause);
      if (placed) recruiting(group_).give_place_back(lock);
      lock.unlock();
      if (why_not) *why_not = std::move(cause);
      return admission::refused;
    }
    if (placed) return admission::granted;
    group_.grant_and_wake();
    if (group_.limits.line_empty() && !group_.limits.full()) return admission::reserved;
    if (may_block && must_queue()) return admission::beyond;
    if (!may_block) {
      lock.unlock();
      return admission::full;
    }
    placed = wait_in_line(lock);
  }
}

// True if the caller must not block at the limit, and its task is queued beyond it: the thread runs a task of this
// group, or of one below it, and the place may be its own; or an executor with a bounded number of threads has
// lent it, and the tasks that hold the places may need it. (A pool that is not bounded notes no such frames.)
inline bool place_finder::must_queue() const noexcept {
  if (thread_frame::none()) return false;
  const executor_ref& ex = group_.supply.executor();
  const void* const lender = ex.object ? ex.object : ex.pool.get();
  return thread_frame::is_in(thread_frame::kind::lent, lender) || group_.is_inside();
}

/// A thread's place in line, left however the wait ends.
class place_finder::place_in_line {
 public:
  place_in_line(group_state& g, lock_type& lock) noexcept : group_(g), lock_(lock) { g.limits.arrive(me); }
  place_in_line(const place_in_line&) = delete;
  place_in_line& operator=(const place_in_line&) = delete;
  ~place_in_line() {
    if (!lock_.owns_lock()) lock_awake(lock_);
    if (me.spot) group_.callers.give(*me.spot);
    if (me.is(arrival::waiting)) group_.limits.leave(me);
    if (me.is(arrival::granted) && !taken_) recruiting(group_).give_place_back(lock_);
  }

  /// Takes the place that was granted, if one was.
  bool take() noexcept { return taken_ = me.is(arrival::granted); }
  /// Sleeps until it is woken, or `until`. Throws: std::bad_alloc.
  void sleep(clock::time_point until) {
    if (!me.spot) me.spot = &group_.callers.take();
    group_.callers.sleep(*me.spot, lock_, until);
  }

  arrival me;  // See there.

 private:
  group_state& group_;  // Constant.
  lock_type& lock_;     // Constant.
  bool taken_ = false;  // The thread itself only.
};

// Waits for a place; first awake, since a runner may be about to end its task. True if there is one, which counts
// as a reservation; false if the context is done. The mutex is held on entry and on return.
//
// An executor may destroy runners unrun, or the system may have no thread for a while. Then this thread, which
// nobody else may come to help, asks for another one; ever more slowly, should that be in vain.
ERRGROUP_NOINLINE inline bool place_finder::wait_in_line(lock_type& lock) {
  constexpr clock::duration longest_pause = std::chrono::milliseconds(100);
  group_state& g = group_;
  place_in_line here(g, lock);
  if (g.limits.limit() > 0) wait_awake(lock, here.me);
  clock::duration pause = std::chrono::milliseconds(1);
  clock::time_point next_try = clock::time_point::min();
  for (;;) {
    if (!g.history.is_open()) g.history.open();
    g.grant_and_wake();
    if (!here.me.is(arrival::waiting) || g.history.done()) break;
    if (!g.history.watch(g)) continue;
    g.limits.ring().ask();
    if (!g.limits.full()) continue;
    if (!recruiting(g).nobody_comes()) {
      next_try = never;
    } else if (clock::now() >= next_try) {
      ask_for_runner(lock);
      next_try = clock::now() + pause;
      pause = std::min(2 * pause, longest_pause);
      continue;
    }
    here.sleep(next_try);
    if (next_try == never) next_try = clock::time_point::min();
  }
  return here.take();
}

inline void place_finder::wait_awake(lock_type& lock, const arrival& me) noexcept {
  handoff_ring& ring = group_.limits.ring();
  const bool handed = group_.limits.is_first(me) && ring.busy() != 0;
  const handoff_ring::probe first = ring.first();
  const int core = ring.consumer_core();
  lock.unlock();
  (void)spin_beside(core, short_search, [&] { return !me.is(arrival::waiting) || (handed && first.ended()); });
  lock_awake(lock);
}

inline void place_finder::ask_for_runner(lock_type& lock) {
  if (!group_.supply.custom()) return group_.ensure_runner();
  recruiting(group_).hand_runner(lock, 0);
  lock_awake(lock);
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_PLACE_FINDER_HPP
