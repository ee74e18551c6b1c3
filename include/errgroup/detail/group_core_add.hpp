// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_CORE_ADD_HPP
#define ERRGROUP_DETAIL_GROUP_CORE_ADD_HPP

// How group_core takes tasks in, and sees to it that somebody will run them. Included by group_core.hpp.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <utility>

#include <errgroup/detail/group_core.hpp>

namespace errgroup::detail {

inline group_core::admission group_core::admit(lock_type& lock, bool may_block, const task_shape& shape,
                                               void*& block, error* why_not) {
  lock = locked();
  bool glanced = false;
  for (;;) {
    if (!open_) open_round();
    if (context_.done()) {
      error cause = context_.cause();
      fail(cause);
      lock.unlock();
      if (why_not) *why_not = std::move(cause);
      return admission::refused;
    }
    if (full()) {
      if (may_block && !inside_frame::is_inside(this)) {
        wait_for_space(lock);
        continue;
      }
      if (may_block && shape.needs_context) context_.make();
      lock.unlock();
      return may_block ? admission::in_place : admission::full;
    }
    if (glanced || !shape.handy || limit_ <= 0 || !handoff_.crowded() || inside_frame::is_inside(this)) break;
    const handoff::watch first = handoff_.first();
    lock.unlock();
    spin(glance, [&] { return first.ended(); });
    lock_patiently(lock);
    glanced = true;
  }
  try {
    if (shape.needs_context) context_.make();
    reserve_error();
    if (shape.handy && limit_ > 0 && queued() == 0) {
      block = handoff_.room();
      if (block && may_hand_over()) return admission::handed;
    }
    if (shape.pooled) block = blocks_.take();
  } catch (...) {
    if (blocked_ != 0) space_->notify_one();  // The wake-up for this place may have come here.
    throw;
  }
  add(pending_, 1);
  return admission::reserved;
}

inline void group_core::reserve_error() {
  if (settings_.max_errors > errors_.capacity() && errors_.capacity() < errors_.size() + pending() + 1) {
    errors_.reserve(std::min(settings_.max_errors, 2 * (errors_.size() + pending() + 1)));
  }
}

// Waits for the limit to let another task in, or for the end of the round; first awake, since a runner may be
// about to end its task. The callback is registered and destroyed unlocked, since it takes the mutex; what it may
// report in between is looked at under the lock.
inline void group_core::wait_for_space(lock_type& lock) {
  const bool hopeful = limit_ > 0, handed = handoff_.busy() != 0;
  const handoff::watch first = handoff_.first();
  const std::size_t before = pending_.load(std::memory_order_relaxed);
  const int core = handoff_.server_core();
  lock.unlock();
  const bool space = hopeful && spin_beside(core, short_look, [&] {
                       return (handed && first.ended()) || pending_.load(std::memory_order_relaxed) < before;
                     });
  lock_patiently(lock);
  if (space || !full() || !open_ || context_.done()) return;
  const unsigned long long round = round_;
  const std::stop_token token = context_.token();
  lock.unlock();
  {
    const std::stop_callback on_stop(token, waker());
    lock.lock();
    ++blocked_;
    for (;;) {
      handoff_.ask();
      if (!full() || context_.done() || !open_ || round_ != round) break;
      space_->wait(lock);
    }
    --blocked_;
    lock.unlock();
  }
  lock_patiently(lock);
  if (full()) return;
  // The wake-up may have been meant for one that still waits, should this one have no use for it.
  if (context_.done() || !open_ || round_ != round) space_->notify_all();
}

inline bool group_core::full() noexcept {
  if (limit_ < 0) return false;
  while (pending_.load(std::memory_order_relaxed) + handoff_.busy() >= static_cast<std::size_t>(limit_)) {
    if (!handoff_.look()) return true;
  }
  return false;
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

inline void group_core::unreserve(lock_type& lock, void* block) noexcept {
  if (!lock.owns_lock()) lock_patiently(lock);
  if (block) blocks_.give(block);
  finish(lock, 1);
}

inline void group_core::enqueue(lock_type& lock, task& t) {
  if (!lock.owns_lock()) lock_patiently(lock);
  recall();  // Else what is there might wait for as long as more is queued.
  push(t);
  const std::uint32_t serial = t.serial;
  if (covered()) return;
  wake_waiter();
  if (covered()) return;
  outside_progress();
  try {
    if (settings_.executor.object) {
      if (queued() > unbegun_ + seekers_ + tokens_) hand_runner(lock);
    } else if (!job_queued_) {
      submit_job();
    }
  } catch (...) {
    take_back(lock, t, serial);
  }
}

inline void group_core::push(task& t) noexcept {
  t.serial = ++serial_;
  (queued() != 0 ? last_->next : first_) = &t;
  last_ = &t;
  add(queued_, 1);
}

// Sees to it that somebody comes for what is queued. If nobody can, a wait() takes it.
inline void group_core::pass_on() noexcept {
  if (covered()) return;
  wake_waiter();
  if (covered() || job_queued_) return;
  try {
    submit_job();
  } catch (...) {
  }
}

// Gives a task to a thread that is parked in wait(), if there is one.
inline void group_core::wake_waiter() noexcept {
  if (idle_ == 0) return;
  --idle_;
  ++tokens_;
  helpers_->notify_one();
}

// In a handler: rethrows, unless somebody has run the task meanwhile.
inline void group_core::take_back(lock_type& lock, task& t, std::uint32_t serial) {
  if (!lock.owns_lock()) lock_patiently(lock);
  task* before = nullptr;
  task* at = queued() != 0 ? first_ : nullptr;
  while (at && at->serial != serial) {
    before = at;
    at = at == last_ ? nullptr : at->next;
  }
  if (!at) return;
  if (at == last_) last_ = before;
  (before ? before->next : first_) = at->next;
  add(queued_, -std::size_t{1});
  lock.unlock();
  dispose(t, lock);
  finish(lock, 1);
  lock.unlock();
  throw;
}

// The executor is called unlocked: it may run the tasks at once, and its own code is not ours.
inline void group_core::hand_runner(lock_type& lock) {
  lock.unlock();
  const runner r(*this);
  settings_.executor.execute(settings_.executor.object, r);
  lock_patiently(lock);
  if (r.accept()) ++unbegun_;
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

#endif  // ERRGROUP_DETAIL_GROUP_CORE_ADD_HPP
