// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_GROUP_CORE_ADD_HPP
#define ERRGROUP_DETAIL_GROUP_GROUP_CORE_ADD_HPP

// How group_core takes tasks in, and sees to it that somebody will run them. Included by group_core.hpp.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include <errgroup/detail/group/group_core.hpp>

namespace errgroup::detail {

inline group_core::admission group_core::admit(lock_type& lock, bool may_block, const task_shape& shape,
                                               void*& block, error* why_not) {
  lock = locked();
  admission how = may_enter() ? admission::reserved : find_place(lock, may_block, why_not);
  if (how == admission::reserved && shape.handy && limit_ > 0 && handoff_.crowded() && !is_inside()) {
    const handoff::watch first = handoff_.first();
    lock.unlock();
    spin(glance, [&] { return first.ended(); });
    lock_patiently(lock);
    if (!may_enter()) how = find_place(lock, may_block, why_not);
  }
  if (how == admission::full || how == admission::refused) return how;
  const bool placed = how == admission::granted;
  try {
    if (shape.needs_context) context_.make();
    reserve_error();
    if (shape.handy && limit_ > 0 && queued() == 0 && how != admission::beyond && !over_limit()) {
      block = handoff_.room();
      if (block && may_hand_over()) {
        if (placed) add(pending_, -std::size_t{1});  // The handoff counts it.
        return admission::handed;
      }
    }
    if (shape.pooled) block = blocks_.take();
  } catch (...) {
    if (placed) give_back(lock);
    throw;
  }
  if (how == admission::beyond) {
    ++beyond_;
    return how;
  }
  if (!placed) add(pending_, 1);
  return admission::reserved;
}

inline void group_core::reserve_error() {
  if (settings_.max_errors > errors_.capacity() && errors_.capacity() < errors_.size() + pending() + 1) {
    errors_.reserve(std::min(settings_.max_errors, 2 * (errors_.size() + pending() + 1)));
  }
}

// A task that is handed over behind another one waits for that one, which may be blocked: then the pool must know.
// False if it cannot, and enqueue() is to try and to report it; or if somebody is parked in wait(), and can come
// where the pool has no thread to spare.
inline bool group_core::may_hand_over() {
  if (handoff_.busy() == 0) return true;
  if (!job_queued_ || idle_ != 0) {
    handoff_.look_at_all();
    if (handoff_.busy() == 0) return true;
    if (idle_ != 0) return false;
    try {
      submit_job();
    } catch (...) {
      return false;
    }
  }
  outside_progress();
  return true;
}

inline void group_core::hand_over() noexcept { handoff_.give(anyone_sleeps()); }

inline void group_core::unreserve(lock_type& lock, admission how, void* block) noexcept {
  if (!lock.owns_lock()) lock_patiently(lock);
  if (block) blocks_.give(block);
  if (how == admission::beyond) {
    --beyond_;
    finish(lock, 0);
  } else {
    give_back(lock);
  }
}

inline void group_core::enqueue(lock_type& lock, admission how, task& t, task_kind kind) {
  if (!lock.owns_lock()) lock_patiently(lock);
  const std::uint32_t serial = t.serial = ++serial_;
  if (limit_ < 0 && how == admission::reserved) {
    push(t);
  } else {
    enqueue_at_limit(how, t);
  }
  if (covered()) return;
  wake_waiter();
  if (covered()) return;
  outside_progress();
  if (kind != task_kind::quick && settings_.executor.pool) {
    // One task that computes is as well run by the wait() that follows.
    const bool worth_it = kind != task_kind::computing || queued() > 1;
    if (worth_it && (!job_queued_ || kind == task_kind::blocking) && send_workers(lock, kind, 1) != 0) return;
    if (covered()) return;
  }
  if (!job_queued_) start_runner(lock, serial);
}

// Has up to `n` workers sent, unlocked; returns how many. The lock is held on entry and on return, unless the
// first one is sent and no other was wanted.
ERRGROUP_NOINLINE inline std::size_t group_core::send_workers(lock_type& lock, task_kind kind,
                                                              std::size_t n) noexcept {
  coming_ += n;
  lock.unlock();
  std::size_t sent = 0;
  try {
    while (sent != n && settings_.executor.pool->send(*this, kind)) ++sent;
  } catch (...) {  // Whoever is awake may come.
  }
  if (sent == n && n == 1) return sent;
  lock_patiently(lock);
  coming_ -= n - sent;
  return sent;
}

// By a worker that is about to take a task: sees to it that somebody comes for the rest. If the tasks sleep, a
// worker is sent, unlocked; the queue may be another one then.
ERRGROUP_NOINLINE inline void group_core::call_workers(lock_type& lock) noexcept {
  if (covered()) return;
  wake_waiter();
  if (covered()) return;
  if (static_cast<task*>(queue_.front())->site().kind() == task_kind::blocking) {
    // Each of these calls two more, if the tasks go on to sleep: few threads are started for a wrong guess.
    const std::size_t n = std::min<std::size_t>(queued() - (seekers_ + tokens_ + coming_), 2);
    send_workers(lock, task_kind::blocking, n);
    if (!lock.owns_lock()) lock_patiently(lock);
  }
  pass_on();
}

// Sees to it that somebody comes for a task that was queued or put in line; if that throws, takes it back.
ERRGROUP_NOINLINE inline void group_core::start_runner(lock_type& lock, std::uint32_t serial) {
  try {
    if (!settings_.executor.object) {
      submit_job();
    } else if (needs_runner()) {
      hand_runner(lock, serial);
    }
  } catch (...) {
    take_back(lock, serial);
    if (!std::current_exception()) throw;  // A forced unwind, out of the executor.
  }
}

// What was reserved while the limit was lowered is beyond it now. Whoever holds a place in the handoff must tell
// of its end then, since there is somebody in line for it.
ERRGROUP_NOINLINE inline void group_core::enqueue_at_limit(admission how, task& t) noexcept {
  if (how == admission::beyond) {
    line_.push_back(t);
  } else if (over_limit()) {
    add(pending_, -std::size_t{1});
    ++beyond_;
    line_.send_back(t);
  } else {
    recall();  // Else what is there might wait for as long as more is queued.
    push(t);
  }
  if (line_.empty()) return;
  (void)watch_context();
  handoff_.ask();
  grant_and_wake();
}

inline void group_core::push(task& t) noexcept {
  queue_.push_back(t);
  add(queued_, 1);
}

// Sees to it that somebody comes for what is queued, if the tasks run in a pool. If nobody can, a wait() takes it.
inline void group_core::pass_on() noexcept {
  if (covered()) return;
  wake_waiter();
  if (covered() || job_queued_ || settings_.executor.object) return;
  try {
    submit_job();
  } catch (...) {
    wake_callers([](const caller&) { return true; });  // Who is blocked in go() tries again, now and then.
  }
}

// The same for any executor, which must be alive: in go(), set_limit() and on a thread that it has lent. The lock
// is held on entry and on return.
ERRGROUP_NOINLINE inline void group_core::cover(lock_type& lock) noexcept {
  pass_on();
  if (!needs_runner()) return;
  const cancellation_disabled whole;
  try {
    for (std::size_t n = queued(); n != 0 && needs_runner(); --n) {
      hand_runner(lock, 0);
      lock_patiently(lock);
    }
  } catch (...) {
    if (!lock.owns_lock()) lock_patiently(lock);
    wake_callers([](const caller&) { return true; });
  }
}

// True if a task is queued and no runner is sure to come for it.
inline bool group_core::nobody_comes() noexcept {
  if (settings_.executor.object) return needs_runner();
  if (job_queued_) settings_.executor.pool->urge();
  return !covered() && !job_queued_;
}

// Gives a task to a thread that is parked in wait(), if there is one.
inline void group_core::wake_waiter() noexcept {
  if (idle_ == 0) return;
  --idle_;
  ++tokens_;
  helpers_->notify_one();
}

// In a handler: rethrows, unless somebody has taken the task meanwhile.
ERRGROUP_NOINLINE inline void group_core::take_back(lock_type& lock, std::uint32_t serial) {
  if (!lock.owns_lock()) lock_patiently(lock);
  const auto is_it = [serial](const queue_entry& e) { return e.is_task && e.serial == serial; };
  queue_entry* e = queue_.take_first(is_it);
  const bool had_place = e != nullptr;
  if (had_place) add(queued_, -std::size_t{1});
  if (!had_place) e = line_.take_first(is_it);
  if (!e) {  // Others may have counted on whom this call was to bring.
    pass_on();
    if (needs_runner()) wake_callers([](const caller&) { return true; });
    return;
  }
  lock.unlock();
  {
    const thread_frame frame(thread_frame::kind::task, &context_);
    dispose(static_cast<task&>(*e), lock);
  }
  if (!had_place) --beyond_;
  finish(lock, had_place ? 1 : 0);
  cover(lock);
  lock.unlock();
  throw;
}

// Hands a runner to the executor, which is called unlocked: it may run the tasks at once, and its own code is not
// ours. Unlocks.
ERRGROUP_NOINLINE inline void group_core::hand_runner(lock_type& lock, std::uint32_t serial) {
  struct call {
    call(group_core& c, lock_type& l, std::uint32_t s) noexcept : core(c), lock(l) {
      me.serial = s;
      core.handing_.push_back(me);
      lock.unlock();
    }
    call(const call&) = delete;
    call& operator=(const call&) = delete;
    ~call() {
      lock_patiently(lock);
      core.handing_.erase(me);
    }
    group_core& core;
    lock_type& lock;
    handing me;
  };
  std::optional<runner> r;  // Destroyed unlocked: it may have been dropped.
  {
    const call under_way(*this, lock, serial);
    r.emplace(static_cast<runner_host&>(*this), serial);
    settings_.executor.execute(settings_.executor.object, *r);
  }
  if (r->accept()) ++unbegun_;
  lock.unlock();
}

inline void group_core::submit_job() {
  settings_.executor.pool->submit(*this);
  job_queued_ = true;
}

// If there is nothing left for it.
inline void group_core::withdraw_job() noexcept {
  if (!job_queued_ || queued() != 0 || handoff_.backlog() || !settings_.executor.pool->withdraw(*this)) return;
  job_queued_ = false;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_GROUP_CORE_ADD_HPP
