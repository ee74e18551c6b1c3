// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_RUN_LOOP_HPP
#define ERRGROUP_DETAIL_GROUP_RUN_LOOP_HPP

#include <cstddef>
#include <cstdint>
#include <utility>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/group/group_state.hpp>
#include <errgroup/detail/group/recruiting.hpp>
#include <errgroup/detail/group/ring_consumer.hpp>
#include <errgroup/detail/group/task_ending.hpp>
#include <errgroup/detail/pool/job.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

/// Takes tasks from the queue and runs them: on a worker of the pool, in a custom executor's call, or in wait().
/// Where a function takes the lock, the mutex is held on entry and on return, but not while a task runs.
class run_loop {
 public:
  using lock_type = group_state::lock_type;

  explicit run_loop(group_state& g) noexcept : group_(g) {}

  /// Runs what is queued or handed over, on a worker of the pool. (The pool gives the job's reference back.)
  void run_worker(pool_worker& self);
  /// Runs what is queued, in a custom executor's call: the task with this serial, for which the call was made, or
  /// any before it that another runner is sure to come for.
  void run_lent(bool accepted, std::uint32_t serial);

  /// Runs a task that was taken from the queue.
  void run_one(lock_type& lock, task& t, pool_worker* self = nullptr);
  /// Waits awake for a queued task, or for the end of the last one.
  void search(lock_type& lock, int tries) noexcept;

 private:
  class abrupt_end;
  void run_queued(lock_type& lock, pool_worker& self);
  void wait_for_more(lock_type& lock, pool_worker& self);

  group_state& group_;  // Constant.
};

// Implementation

inline void run_loop::run_worker(pool_worker& self) {
  lock_type lock = group_.locked();
  if (self.sent) {
    group_.supply.end_expecting(1);
  } else {
    group_.supply.job_taken();
  }
  group_.recall();
  run_queued(lock, self);
  self.in_the_way = group_.history.stopped();
}

inline void run_loop::run_queued(lock_type& lock, pool_worker& self) {
  group_state& g = group_;
  for (;;) {
    if (g.queue.empty()) {
      if (self.misplaced || !g.history.is_open() || g.history.done()) return;
      wait_for_more(lock, self);
      if (g.queue.empty()) return;
    }
    if (g.history.done()) {
      task_ending(g).drop_unstarted(lock);
      continue;
    }
    if (g.supply.coming() + 1 < g.queue.size()) {
      recruiting(g).call_workers_for_the_rest(lock);
      if (g.queue.empty() || g.history.done()) continue;
    }
    task& t = g.taken(g.queue.pop());
    if (std::exchange(self.late, false)) t.site().learn(task_kind::awaited);
    self.begin_task(t.site());
    run_one(lock, t, &self);
  }
}

// A worker waits for more tasks before it leaves: longer, if a blocked go() was woken and is about to bring one. A
// custom executor's thread may be the one that is in go(), so it does not wait.
inline void run_loop::wait_for_more(lock_type& lock, pool_worker& self) {
  const std::ptrdiff_t limit = group_.limits.limit();
  if (limit > 0 && group_.limits.ring().open(static_cast<std::size_t>(limit))) {
    ring_consumer(group_, lock).run(self);
    group_.withdraw_job();
  } else {
    search(lock, group_.callers.sleeping() != 0 ? long_search : short_search);
  }
}

inline void run_loop::run_lent(bool accepted, std::uint32_t serial) {
  group_state& g = group_;
  const thread_frame lent(thread_frame::kind::lent, g.supply.executor().object);
  lock_type lock(g.mutex);
  executor_calls& calls = g.supply.calls();
  if (accepted) {
    calls.end_unbegun();
  } else {
    calls.release(serial);
  }
  const auto free_to_run = [&](const queue_entry& e) { return e.serial == serial || !calls.keeps(e.serial); };
  while (!g.queue.empty()) {
    if (g.history.done()) {
      task_ending(g).drop_unstarted(lock);
    } else if (task* const t = g.queue.take_first(free_to_run)) {
      run_one(lock, g.taken(*t));
    } else {
      if (g.lacks_runner()) g.wake_callers();
      return;
    }
  }
}

/// Ends a task whose thread ends inside it, by pthread_exit() or pthread_cancel().
class run_loop::abrupt_end {
 public:
  abrupt_end(group_state& g, lock_type& lock, task& t) noexcept : group_(g), lock_(lock), task_(&t) {}
  abrupt_end(const abrupt_end&) = delete;
  abrupt_end& operator=(const abrupt_end&) = delete;
  ~abrupt_end() {
    if (!task_) return;
    task_ending ending(group_);
    ending.fail(*task_, error_access::owner_dead());
    ending.destroy(*task_, lock_);
    ending.end_tasks(lock_, 1);
    group_.ensure_runner();
    group_.wake_callers();
  }
  void returned() noexcept { task_ = nullptr; }

 private:
  group_state& group_;  // Constant.
  lock_type& lock_;     // Constant.
  task* task_;          // Null once the task has returned. The thread itself only.
};

inline void run_loop::run_one(lock_type& lock, task& t, pool_worker* self) {
  group_state& g = group_;
  lock.unlock();
  const thread_frame frame(thread_frame::kind::task, &g);
  {
    abrupt_end guard(g, lock, t);
    error e = t.run(g.history.current().get());
    if (self) self->end_task();
    if (e) [[unlikely]]
      task_ending(g).fail(t, std::move(e));
    guard.returned();
  }
  task_ending(g).destroy(t, lock);
  task_ending(g).end_tasks(lock, 1);
}

inline void run_loop::search(lock_type& lock, int tries) noexcept {
  group_state& g = group_;
  if (g.supply.searchers() > 1) return;
  const bool waits = g.limits.pending() != 0;
  const handoff_ring::probe last = g.limits.ring().last();
  const unsigned long long round = g.history.number();
  g.supply.begin_search();
  lock.unlock();
  spin(tries, [&] { return !g.queue.empty() || (waits && g.limits.own_places() == 0 && last.ended()); });
  lock_awake(lock);
  if (g.history.is_open(round)) g.supply.end_search();
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_RUN_LOOP_HPP
