// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_GROUP_CORE_LINE_HPP
#define ERRGROUP_DETAIL_GROUP_GROUP_CORE_LINE_HPP

// How group_core gives places at the limit, in the order of arrival. Included by group_core.hpp.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>

#include <errgroup/detail/group/group_core.hpp>

namespace errgroup::detail {

/// A thread's place in line, left however the wait ends.
class group_core::place_in_line {
 public:
  place_in_line(group_core& core, lock_type& lock) noexcept : core_(core), lock_(lock) {
    core.line_.push_back(me);
  }
  place_in_line(const place_in_line&) = delete;
  place_in_line& operator=(const place_in_line&) = delete;
  ~place_in_line() {
    if (!lock_.owns_lock()) lock_patiently(lock_);
    if (me.spot) core_.spots_.give(*me.spot);
    if (is(caller::waiting)) core_.line_.take_first([this](const queue_entry& e) { return &e == &me; });
    if (is(caller::granted) && !taken_) core_.give_back(lock_);
  }

  bool is(caller::state s) const noexcept { return me.now.load(std::memory_order_relaxed) == s; }
  /// Takes the place that was granted, if one was.
  bool take() noexcept { return taken_ = is(caller::granted); }
  /// Sleeps until it is woken, or `until`. Throws: std::bad_alloc.
  void sleep(clock::time_point until) {
    if (!me.spot) me.spot = &core_.spots_.take();
    const counted sleeps(core_.blocked_);
    (void)detail::wait_until(me.spot->wake, lock_, until);
  }

  caller me;  // Guarded by mutex_, but for `now`.

 private:
  group_core& core_;    // Constant.
  lock_type& lock_;     // Constant.
  bool taken_ = false;  // The thread itself only.
};

// True if the limit lets no other task in. With a limit above 0, looks whether tasks in the handoff have ended.
inline bool group_core::full_at_limit() noexcept {
  while (places_taken() >= static_cast<std::size_t>(limit_)) {
    if (!handoff_.look()) return true;
  }
  return false;
}

// True if a task may be taken in at once.
inline bool group_core::may_enter() noexcept {
  return open_ && line_.empty() && !context_.done() && !full() && thread_frame::none();
}

// Finds a place for a task, whatever that takes. Granted: it counts as a reservation already. Full or refused: the
// lock is not held on return.
ERRGROUP_NOINLINE inline group_core::admission group_core::find_place(lock_type& lock, bool may_block,
                                                                      error* why_not) {
  bool placed = false;
  for (;;) {
    // Not if an executor has run a task of the next round inside the callback.
    const bool between_rounds = thread_frame::innermost_is(thread_frame::kind::ending, &context_);
    if (!open_ && !between_rounds) open_round();
    if (between_rounds || context_.done()) {
      error cause = between_rounds ? errc::canceled : context_.cause();
      if (!between_rounds) fail(cause);
      if (placed) give_back(lock);
      lock.unlock();
      if (why_not) *why_not = std::move(cause);
      return admission::refused;
    }
    if (placed) return admission::granted;
    if (!line_.empty()) grant_and_wake();
    if (line_.empty() && !full()) return admission::reserved;
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
// lent it, and the tasks that hold the places may need it.
inline bool group_core::must_queue() const noexcept {
  if (thread_frame::none()) return false;
  const executor_ref& ex = settings_.executor;
  const void* const lender = ex.object ? ex.object : ex.pool->bounded() ? ex.pool.get() : nullptr;
  return (lender && thread_frame::is_in(thread_frame::kind::lent, lender)) || is_inside();
}

// Grants the free places to those who wait for them, in their order. Once the context is done all leave the line:
// the callers to be refused, the tasks to the queue, to be dropped. Returns where the first caller sleeps that is
// to be woken, by notify_one() after the lock is let go or before; wakes the others.
ERRGROUP_NOINLINE inline parking_spot* group_core::grant_places() noexcept {
  if (line_.empty() || !open_) return nullptr;
  const bool done = context_.done();
  parking_spot* first = nullptr;
  while (!line_.empty() && (done || !full())) {
    queue_entry& e = line_.pop_front();
    if (e.is_task) {
      e.sent_back = false;
      --beyond_;
      add(pending_, 1);
      push(static_cast<task&>(e));
      continue;
    }
    caller& c = static_cast<caller&>(e);
    if (!done) add(pending_, 1);
    c.now.store(done ? caller::dismissed : caller::granted, std::memory_order_relaxed);
    if (!c.spot) continue;
    if (first) {
      c.spot->wake.notify_one();
    } else {
      first = c.spot;
    }
  }
  return first;
}

// Gives a place back that was granted, and not used. The lock is held on entry and on return.
ERRGROUP_NOINLINE inline void group_core::give_back(lock_type& lock) noexcept {
  finish(lock, 1);
  cover(lock);
}

// Sends queued tasks that are too many for the limit back to the front of the line: they have come before all
// there.
inline void group_core::leave_line_to_the_limit() noexcept {
  if (limit_ < 0) return;
  const std::size_t limit = static_cast<std::size_t>(limit_), taken = places_taken();
  const std::size_t n = taken > limit ? std::min(taken - limit, queued()) : 0;
  if (n == 0) return;
  line_.take_tail(queue_, queued() - n);
  add(queued_, -n);
  add(pending_, -n);
  beyond_ += n;
  withdraw_job();
}

// Wakes the callers in line that sleep and for which `which(caller)` is true.
template <class Which>
void group_core::wake_callers(Which which) noexcept {
  for (queue_entry* e = line_.front(); e; e = e->next) {
    if (e->is_task) continue;
    caller& c = static_cast<caller&>(*e);
    if (c.spot && which(c)) c.spot->wake.notify_one();
  }
}

// Waits for a place; first awake, since a runner may be about to end its task. True if there is one, which counts
// as a reservation; false if the context is done. The lock is held on entry and on return.
//
// An executor may destroy runners unrun, or the system may have no thread for a while. Then this thread, which
// nobody else may come to help, asks for another one; ever more slowly, should that be in vain.
ERRGROUP_NOINLINE inline bool group_core::wait_in_line(lock_type& lock) {
  constexpr clock::duration longest_pause = std::chrono::milliseconds(100);
  place_in_line here(*this, lock);
  if (limit_ > 0) {
    const bool handed = line_.front() == &here.me && handoff_.busy() != 0;
    const handoff::watch first = handoff_.first();
    const int core = handoff_.server_core();
    lock.unlock();
    (void)spin_beside(core, short_look, [&] { return !here.is(caller::waiting) || (handed && first.ended()); });
    lock_patiently(lock);
  }
  clock::duration pause = std::chrono::milliseconds(1);
  clock::time_point next_try = clock::time_point::min();
  for (;;) {
    if (!open_) open_round();
    grant_and_wake();
    if (!here.is(caller::waiting) || context_.done()) break;
    if (!watch_context()) continue;
    handoff_.ask();
    if (!full()) continue;
    if (nobody_comes()) {
      if (clock::now() >= next_try) {
        if (settings_.executor.object) {
          hand_runner(lock, 0);
          lock_patiently(lock);
        } else {
          pass_on();
        }
        next_try = clock::now() + pause;
        pause = std::min(2 * pause, longest_pause);
        continue;
      }
    } else {
      next_try = never;
    }
    here.sleep(next_try);
    if (next_try == never) next_try = clock::time_point::min();
  }
  return here.take();
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_GROUP_CORE_LINE_HPP
