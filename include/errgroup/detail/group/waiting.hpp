// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_WAITING_HPP
#define ERRGROUP_DETAIL_GROUP_WAITING_HPP

#include <optional>
#include <system_error>

#include <errgroup/context.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/group/group_state.hpp>
#include <errgroup/detail/group/run_loop.hpp>
#include <errgroup/detail/group/task_ending.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

/// Waits until nothing of a round is left, and ends it.
class waiting {
 public:
  using lock_type = group_state::lock_type;

  explicit waiting(group_state& g) noexcept : group_(g) {}

  /// Waits, and runs the tasks that no thread has begun. Returns the outcome of the round that is open.
  /// Throws: std::system_error if the caller is inside.
  error wait();
  /// Waits until `when` at most, and runs no task. Throws: as above.
  std::optional<error> wait_until(clock::time_point when);
  /// Waits for the tasks that run, and drops the others, since the context is done. Ends the last round.
  void join() noexcept;

 private:
  class parked_helper;
  void throw_if_inside() const;
  error end_round(lock_type& lock, unsigned long long round);

  group_state& group_;  // Constant.
};

// Implementation

/// A thread that sleeps in wait(). It may have been given a task when it is woken; when it is ended instead,
/// somebody else is.
class waiting::parked_helper {
 public:
  parked_helper(group_state& g, lock_type& lock) noexcept : group_(g), lock_(lock), round_(g.history.number()) {
    g.supply.helpers().enter();
  }
  parked_helper(const parked_helper&) = delete;
  parked_helper& operator=(const parked_helper&) = delete;
  ~parked_helper() {
    if (!group_.history.is_open(round_)) return;
    group_.supply.helpers().leave();
    if (woken_) return;
    group_.ensure_runner();
    group_.wake_callers();
  }
  void sleep() {
    group_.supply.helpers().sleep(lock_);
    woken_ = true;
  }

 private:
  group_state& group_;              // Constant.
  lock_type& lock_;                 // Constant.
  const unsigned long long round_;  // Constant.
  bool woken_ = false;              // The thread itself only.
};

inline error waiting::wait() {
  throw_if_inside();
  group_state& g = group_;
  run_loop runs(g);
  lock_type lock = g.locked();
  const unsigned long long round = g.history.number();
  bool searched = false;
  while (g.history.is_open(round) && g.limits.pending() != 0) {
    g.recall();
    if (g.has_unstarted() && g.history.done()) {
      task_ending(g).drop_unstarted(lock);
      searched = false;
    } else if (!g.queue.empty()) {
      g.outside_progress();
      runs.run_one(lock, g.taken(g.queue.pop()));
      searched = false;
    } else if (!searched) {
      runs.search(lock, short_search);
      searched = true;
    } else {
      g.limits.ring().ask();
      if (g.limits.pending() == 0) continue;
      parked_helper(g, lock).sleep();
      searched = false;
    }
  }
  return end_round(lock, round);
}

inline std::optional<error> waiting::wait_until(clock::time_point when) {
  throw_if_inside();
  group_state& g = group_;
  lock_type lock(g.mutex);
  const unsigned long long round = g.history.number();
  if (!g.supply.custom()) {
    g.ensure_runner();
    if (g.supply.job_queued()) g.supply.executor().pool->ensure_searcher();
  }
  while (g.history.is_open(round) && g.limits.pending() != 0) {
    if (!g.history.watch(g)) {
      g.recall();
      if (g.has_unstarted()) {
        task_ending(g).drop_unstarted(lock);
        continue;
      }
    }
    g.limits.ring().ask();
    if (g.limits.pending() == 0) continue;
    const bool in_time = g.watchers.sleep_until(lock, when);
    if (!in_time && g.history.is_open(round) && g.limits.pending() != 0) return std::nullopt;
  }
  return end_round(lock, round);
}

inline void waiting::join() noexcept {
  group_state& g = group_;
  lock_type lock(g.mutex);
  while (g.limits.pending() != 0) {
    g.recall();
    if (g.has_unstarted()) {
      task_ending(g).drop_unstarted(lock);
    } else {
      g.limits.ring().ask();
      if (g.limits.pending() != 0) (void)g.watchers.sleep_until(lock, never);
    }
  }
  g.history.close();
  const context watched = g.history.unwatch(g);
  lock.unlock();  // First, since that may be the context's end.
}

inline void waiting::throw_if_inside() const {
  if (thread_frame::none()) return;
  {
    const group_state::guard_type lock(group_.mutex);
    if (!group_.is_inside()) return;
  }
  throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                          "errgroup: wait() inside a task of the same group, or of one below it");
}

// Nothing is pending, or the round was ended by another waiter. The mutex is held on entry only.
inline error waiting::end_round(lock_type& lock, unsigned long long round) {
  group_state& g = group_;
  error outcome = g.history.failed().outcome_of(round);
  context ended, watched;
  cancellation callbacks;
  if (g.history.is_open(round)) {
    g.supply.end_round();
    g.watchers.wake_all();
    g.blocks.trim();
    g.wake_callers();
    watched = g.history.unwatch(g);
    ended = g.history.end(outcome);
    callbacks = context_access::mark(ended, g.history.failed().began_in(round) ? outcome : error());
  }
  lock.unlock();
  if (callbacks) {
    const thread_frame frame(thread_frame::kind::ending, &g);
    callbacks.run();
  }
  return outcome;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_WAITING_HPP
