// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_GROUP_CORE_WAIT_HPP
#define ERRGROUP_DETAIL_GROUP_GROUP_CORE_WAIT_HPP

// How group_core records errors, waits, and opens and ends its rounds. Included by group_core.hpp.

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <errgroup/detail/group/group_core.hpp>

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
ERRGROUP_NOINLINE inline void group_core::open_round() {
  if (first_error_ && !settings_.keep_going) return;
  if (canceled_) context_.stop_with(canceled_);
  if (const clock::time_point when = round_deadline(); when != never) context_.make(when);
  open_ = true;
  stopped_ = false;
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

// Before anybody sleeps in a round, or leaves a task in line: on_done() is called then, should the context be done
// for a reason from outside. A reason from inside comes by stop(). False: it is done.
inline bool group_core::watch_context() noexcept {
  if (watched_round_ == round_) return !context_.done();
  if (!context_.watch(*this)) return false;
  watched_round_ = round_;
  return true;
}

// With no lock held, by whoever has made the context done. The watch has kept the group.
inline void group_core::on_done() noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (open_) {
      grant_and_wake();
      if (watching_ != 0) done_->notify_all();
      pass_on();
    }
  }
  release();
}

inline void group_core::fail(const error& e) noexcept {
  if (first_error_) return;
  first_error_ = e;
  failed_round_ = round_;
}

// Stops the round, and runs the stop callbacks. Unlocks.
inline void group_core::stop(lock_type& lock, const error& cause) noexcept {
  const context keep = context_.get();
  cancellation callbacks = context_.stop(cause);
  stopped_ = true;
  grant_and_wake();
  if (watching_ != 0) done_->notify_all();
  lock.unlock();
  callbacks.run();
}

// A task has ended with `e`, which is set to the real reason if it says no more than that the task was stopped.
inline void group_core::settle(error& e) noexcept {
  error cause, before;  // Destroyed unlocked, as errors that the user has thrown may be.
  lock_type lock(mutex_);
  bool repeats = false;
  if (context_.done()) {
    cause = context_.cause();
    if (error_access::bare(e)) before = std::exchange(e, cause);
    repeats = error_access::repeats(e, cause);
  }
  fail(e);
  if (!repeats && errors_.size() < settings_.max_errors && errors_.size() < errors_.capacity())
    errors_.push_back(e);
  if (!settings_.keep_going) stop(lock, first_error_);
}

// Whether the context of this round is made, or that of a later one, does not show in its cause: what was first
// between rounds, this or the end of the parent or of the group's own deadline, is remembered.
inline void group_core::cancel(error cause) noexcept {
  if (!cause) cause = errc::canceled;
  lock_type lock(mutex_);
  if (!canceled_) {
    const context& parent = context_.parent();
    canceled_ = parent.done()                        ? parent.cause()
                : settings_.deadline <= clock::now() ? errc::deadline_exceeded
                                                     : cause;
  }
  if (!open_) return;
  stop(lock, cause);
  lock.lock();
  if (!context_.done()) return;
  recall();
  if (queued() != 0 || !line_.empty()) drop_queued(lock);
}

inline void group_core::set_limit(std::ptrdiff_t n) {
  lock_type lock(mutex_);
  limit_ = n;
  recall();
  leave_line_to_the_limit();
  if (line_.empty()) return;
  if (!open_) {
    wake_callers([](const caller&) { return true; });
    return;
  }
  (void)watch_context();
  handoff_.ask();
  grant_and_wake();
  cover(lock);
}

inline void group_core::throw_if_inside() const {
  if (thread_frame::none()) return;
  {
    const std::lock_guard lock(mutex_);
    if (!is_inside()) return;
  }
  throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                          "errgroup: wait() inside a task of the same group, or of one below it");
}

// Nothing is pending, or the round was ended by another waiter. Unlocks. The round's context is done before
// anybody can know that the round is over. After a failure it stays the group's, since there will be no other
// round.
inline error group_core::end_round(unsigned long long round, lock_type& lock) {
  error outcome = outcome_of(round);
  const bool over = outcome && !settings_.keep_going;
  context ended, watched;
  cancellation callbacks;
  if (open_ && round_ == round) {
    open_ = false;
    if (idle_ + tokens_ != 0) helpers_->notify_all();
    if (watching_ != 0) done_->notify_all();
    idle_ = tokens_ = seekers_ = 0;  // Whoever still waits or seeks in this round is leaving.
    blocks_.trim();
    wake_callers([](const caller&) { return true; });
    if (watched_round_ == round) watched = context_.unwatch(*this);
    ended = over ? context_.get() : context_.reset();
    callbacks = context_access::mark(ended, failed_round_ == round ? outcome : error());
  }
  lock.unlock();
  if (callbacks) {
    const thread_frame frame(thread_frame::kind::ending, &context_);
    callbacks.run();
  }
  return outcome;
}

/// A thread that sleeps in wait(). It may have been given a task when it is woken; when it is ended instead,
/// somebody else is.
class group_core::parked_helper {
 public:
  parked_helper(group_core& core, lock_type& lock) noexcept : core_(core), lock_(lock), round_(core.round_) {
    ++core_.idle_;
  }
  parked_helper(const parked_helper&) = delete;
  parked_helper& operator=(const parked_helper&) = delete;
  ~parked_helper() {
    if (!core_.open_ || core_.round_ != round_) return;
    --(core_.tokens_ != 0 ? core_.tokens_ : core_.idle_);
    if (woken_) return;
    core_.pass_on();
    core_.wake_callers([](const caller&) { return true; });
  }
  void sleep() {
    core_.helpers_->wait(lock_);
    woken_ = true;
  }

 private:
  group_core& core_;                // Constant.
  lock_type& lock_;                 // Constant.
  const unsigned long long round_;  // Constant.
  bool woken_ = false;              // The thread itself only.
};

inline error group_core::wait() {
  throw_if_inside();
  lock_type lock = locked();
  const unsigned long long round = round_;
  bool looked = false;
  while (open_ && round_ == round && pending() != 0) {
    recall();
    if ((queued() != 0 || !line_.empty()) && context_.done()) {
      drop_queued(lock);
      looked = false;
    } else if (queued() != 0) {
      outside_progress();
      run_one(lock, pop());
      looked = false;
    } else if (!looked) {
      seek(lock, short_look);
      looked = true;
    } else {
      handoff_.ask();
      if (pending() == 0) continue;
      parked_helper(*this, lock).sleep();
      looked = false;
    }
  }
  return end_round(round, lock);
}

inline std::optional<error> group_core::wait_until(clock::time_point when) {
  throw_if_inside();
  lock_type lock(mutex_);
  const unsigned long long round = round_;
  if (settings_.executor.pool) {
    pass_on();
    if (job_queued_) settings_.executor.pool->urge();
  }
  while (open_ && round_ == round && pending() != 0) {
    if (!watch_context()) {
      recall();
      if (queued() != 0 || !line_.empty()) {
        drop_queued(lock);
        continue;
      }
    }
    handoff_.ask();
    if (pending() == 0) continue;
    const counted watches(watching_);
    const bool in_time = detail::wait_until(*done_, lock, when);
    if (!in_time && open_ && round_ == round && pending() != 0) return std::nullopt;
  }
  return end_round(round, lock);
}

// No call to the group is under way but this one, and no round is opened by anyone else: open_ may be read
// unlocked, and what no runner looks at between rounds be let go of.
inline void group_core::close() noexcept {
  assert(!thread_frame::is_in(thread_frame::kind::task, &context_) &&
         "errgroup: a group is destroyed inside one of its own tasks, which it would wait for");
  if (open_) {
    const cancellation_disabled whole;
    cancel(errc::canceled);
    lock_type lock(mutex_);
    while (pending() != 0) {
      recall();
      if (queued() != 0 || !line_.empty()) {
        drop_queued(lock);
      } else {
        handoff_.ask();
        if (pending() == 0) continue;
        const counted watches(watching_);
        done_->wait(lock);
      }
    }
    open_ = false;
    const context watched = context_.unwatch(*this);
    lock.unlock();
  }
  if (refs_.is_one()) return;  // Then release() lets go of all.
  std::vector<error>().swap(errors_);
  first_error_ = canceled_ = {};
  context_.clear();
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_GROUP_CORE_WAIT_HPP
