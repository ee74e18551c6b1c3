// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_TASK_ENDING_HPP
#define ERRGROUP_DETAIL_GROUP_TASK_ENDING_HPP

#include <cstddef>
#include <new>
#include <utility>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/group/group_state.hpp>

namespace errgroup::detail {

/// How tasks of a group end: run, failed, or dropped. The mutex is held on entry and on return where a function
/// takes the lock, which it lets go of meanwhile; otherwise it is not held.
class task_ending {
 public:
  using lock_type = group_state::lock_type;

  explicit task_ending(group_state& g) noexcept : group_(g) {}

  /// Records that `t` has ended with `e`, or with the real reason if that says no more than that it was stopped.
  void fail(task& t, error e) noexcept;
  /// Records `e`, as above, and sets it to the real reason.
  void report_failure(error& e) noexcept;
  /// Refuses to start `t`, since the context is done.
  void reject(task& t) noexcept;

  /// Destroys a task, and keeps its memory. The mutex is held on return, but not on entry.
  void destroy(task& t, lock_type& lock) noexcept;
  /// Notes that `tasks` tasks have ended, and tells those who wait for it.
  void end_tasks(lock_type& lock, std::size_t tasks) noexcept {
    group_state& g = group_;
    g.limits.remove_places(tasks);
    if (!g.limits.line_empty() || g.supply.helpers().parked() + g.watchers.sleeping() != 0) tell_of_end(g, lock);
  }
  /// Destroys what has not started, in line or queued, since the context is done.
  void drop_unstarted(lock_type& lock) noexcept;

 private:
  static void tell_of_end(group_state& g, lock_type& lock) noexcept;

  group_state& group_;  // Constant.
};

// Implementation

ERRGROUP_NOINLINE inline void task_ending::fail(task& t, error e) noexcept {
  report_failure(e);
  t.tell_handle(e);
}

inline void task_ending::report_failure(error& e) noexcept {
  rounds::replaced old;  // Destroyed unlocked, as errors that the user has thrown may be.
  lock_type lock(group_.mutex);
  old = group_.history.record(e);
  if (group_.settings.keep_going) return;
  cancellation callbacks = group_.cancel_round(group_.history.failed().first());
  lock.unlock();
  callbacks.run();
}

ERRGROUP_NOINLINE inline void task_ending::reject(task& t) noexcept {
  lock_type lock(group_.mutex);
  const error cause = group_.history.current().cause();
  group_.history.report_failure(cause);
  lock.unlock();
  t.tell_handle(cause);
}

inline void task_ending::destroy(task& t, lock_type& lock) noexcept {
  const task_home home = t.home;
  void* const block = &t;
  t.~task();
  if (home == task_home::heap) ::operator delete(block);
  lock_awake(lock);
  if (home == task_home::block) group_.blocks.give(block);
  if (home == task_home::slot) handoff_ring::take_back(block);
}

// The mutex is not held while others are woken: one that is woken on this core may run at once, and would have to
// switch back for it.
ERRGROUP_NOINLINE inline void task_ending::tell_of_end(group_state& g, lock_type& lock) noexcept {
  parking_spot* const spot = g.grant_places();
  const bool over = g.limits.pending() == 0;
  const bool helpers = over && g.supply.helpers().parked() != 0;
  const bool watchers = over && g.watchers.sleeping() != 0;
  if (!spot && !helpers && !watchers) return;
  lock.unlock();
  if (spot) spot->wake.notify_one();
  if (helpers) g.supply.helpers().wake_all();
  if (watchers) g.watchers.notify_all();
  lock_awake(lock);
}

ERRGROUP_NOINLINE inline void task_ending::drop_unstarted(lock_type& lock) noexcept {
  group_.grant_and_wake();
  error cause = group_.history.current().cause();
  group_.history.report_failure(cause);
  const std::size_t n = group_.queue.size();
  entry_list dropped = group_.queue.take_all();
  group_.withdraw_job();
  while (!dropped.empty()) {
    task& t = static_cast<task&>(dropped.pop_front());
    lock.unlock();
    const thread_frame frame(thread_frame::kind::task, &group_);
    t.tell_handle(cause);
    destroy(t, lock);
  }
  cause = {};  // Before the end is told, since the group's owner may count on it; the group itself still has it.
  end_tasks(lock, n);
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_TASK_ENDING_HPP
