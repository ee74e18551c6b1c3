// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_CORE_WAIT_HPP
#define ERRGROUP_DETAIL_GROUP_CORE_WAIT_HPP

// How group_core records errors, waits, and opens and ends its rounds. Included by group_core.hpp.

#include <algorithm>
#include <optional>
#include <stop_token>
#include <system_error>
#include <utility>
#include <vector>

#include <errgroup/detail/group_core.hpp>

namespace errgroup::detail {

inline group_core::group_core(const context& parent, group_settings settings)
    : settings_(std::move(settings)), limit_(settings_.limit), context_(parent) {
  if (const clock::time_point when = round_deadline(); when != never) context_.make(when);
}

inline clock::time_point group_core::round_deadline() const {
  if (settings_.timeout == clock::duration::max()) return settings_.deadline;
  return std::min(settings_.deadline, deadline_after(settings_.timeout));
}

// The context of the round before was dropped when it ended, unlocked.
inline void group_core::open_round() {
  if (first_error_ && !settings_.keep_going) return;
  if (canceled_) context_.stop(canceled_);
  if (const clock::time_point when = round_deadline(); when != never) context_.make(when);
  open_ = true;
  ++round_;
}

inline context group_core::current_context() {
  const std::lock_guard lock(mutex_);
  if (!open_) open_round();
  return context_.make();
}

inline std::vector<error> group_core::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

inline void group_core::wake_blocked() noexcept {
  const std::lock_guard lock(mutex_);
  if (blocked_ != 0) space_->notify_all();
  if (watching_ != 0) done_->notify_all();
}

inline void group_core::fail(const error& e) noexcept {
  if (first_error_) return;
  first_error_ = e;
  failed_round_ = round_;
}

// Stops the round. Who is blocked may have registered with the parent's token, before the context was made, so a
// stop callback alone would miss some.
inline void group_core::stop(lock_type& lock, error cause) noexcept {
  context_.stop(cause);
  const context ctx = context_.get();
  const bool wake = blocked_ != 0 || watching_ != 0;
  lock.unlock();
  context_access::cancel(ctx, std::move(cause));
  if (wake) wake_blocked();
}

inline void group_core::settle(error e) noexcept {
  error cause;
  lock_type lock(mutex_);
  bool repeats = false;
  if (context_.done()) {
    cause = context_.cause();
    if (error_access::bare(e)) std::swap(e, cause);  // Destroyed unlocked: it may own an exception.
    repeats = error_access::repeats(e, context_.cause());
  }
  fail(e);
  if (!repeats && errors_.size() < settings_.max_errors && errors_.size() < errors_.capacity())
    errors_.push_back(e);
  if (settings_.keep_going) {
    lock.unlock();
  } else {
    stop(lock, first_error_);
  }
}

inline void group_core::cancel(error cause) noexcept {
  if (!cause) cause = errc::canceled;
  lock_type lock(mutex_);
  if (!canceled_) canceled_ = cause;
  if (!open_) return;
  stop(lock, std::move(cause));
  lock.lock();
  if (!context_.done()) return;
  recall();
  if (queued() != 0) drop_queued(lock);
}

inline void group_core::set_limit(std::ptrdiff_t n) {
  const std::lock_guard lock(mutex_);
  limit_ = n;
  if (blocked_ != 0) space_->notify_all();
}

inline void group_core::throw_if_inside() const {
  if (inside_frame::is_inside(this)) {
    throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                            "errgroup: wait() inside a task of the same group");
  }
}

// Nothing is pending, or the round was ended by another waiter. Unlocks. After a failure the context stays the
// group's, since there will be no other round. Who ends the round cancels its context, and so does whoever waits
// for it once more: it might return before the first, or a deadline, has come to stop the token.
inline error group_core::end_round(unsigned long long round, lock_type& lock) {
  error outcome = outcome_of(round);
  const bool over = outcome && !settings_.keep_going;
  context ended, before;
  if (over) ended = context_.get();
  if (open_ && round_ == round) {
    open_ = false;
    if (idle_ + tokens_ != 0) helpers_->notify_all();
    if (watching_ != 0) done_->notify_all();
    idle_ = tokens_ = seekers_ = 0;  // Whoever still waits or seeks in this round is leaving.
    blocks_.trim();
    if (blocked_ != 0) space_->notify_all();
    if (!over) {
      ended = context_.reset();
      before = std::move(ended_);
      ended_ = ended;
      ended_round_ = round;
    }
  } else if (!over && ended_round_ == round) {
    ended = ended_;
  }
  lock.unlock();
  context_access::cancel(ended, outcome);
  if (!before.done()) context_access::cancel(before, {});  // Of a waiter that is that late.
  return outcome;
}

inline error group_core::wait() {
  throw_if_inside();
  lock_type lock = locked();
  const unsigned long long round = round_;
  bool looked = false;
  while (open_ && round_ == round && pending() != 0) {
    recall();
    if (queued() != 0) {
      if (context_.done()) {
        drop_queued(lock);
      } else {
        outside_progress();
        run_one(lock, pop());
      }
      looked = false;
    } else if (!looked) {
      seek(lock, short_look);
      looked = true;
    } else {
      handoff_.ask();
      if (pending() == 0) continue;
      ++idle_;
      helpers_->wait(lock);
      if (open_ && round_ == round) --(tokens_ != 0 ? tokens_ : idle_);
      looked = false;
    }
  }
  return end_round(round, lock);
}

inline std::optional<error> group_core::wait_until(clock::time_point when) {
  throw_if_inside();
  lock_type lock(mutex_);
  const unsigned long long round = round_;
  const std::stop_token token = context_.token();
  lock.unlock();
  const std::stop_callback on_stop(token, waker());  // Made and destroyed unlocked.
  lock.lock();
  if (settings_.executor.pool) {
    pass_on();
    if (job_queued_) settings_.executor.pool->urge();
  }
  while (open_ && round_ == round && pending() != 0) {
    if (context_.done()) recall();
    if (queued() != 0 && context_.done()) {
      drop_queued(lock);
      continue;
    }
    handoff_.ask();
    if (pending() == 0) continue;
    ++watching_;
    const bool in_time = detail::wait_until(*done_, lock, when);
    --watching_;
    if (!in_time && open_ && round_ == round && pending() != 0) {
      lock.unlock();
      return std::nullopt;
    }
  }
  return end_round(round, lock);
}

// No call to the group is under way but this one, and no round is opened by anyone else: open_ may be read
// unlocked.
inline void group_core::close() noexcept {
  if (!open_) return;
  lock_type lock(mutex_, std::defer_lock);
  cancel(errc::canceled);
  lock.lock();
  while (pending() != 0) {
    recall();
    if (queued() != 0) {
      drop_queued(lock);
    } else {
      handoff_.ask();
      if (pending() == 0) continue;
      ++watching_;
      done_->wait(lock);
      --watching_;
    }
  }
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_CORE_WAIT_HPP
