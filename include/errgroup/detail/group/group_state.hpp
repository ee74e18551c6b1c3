// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_GROUP_STATE_HPP
#define ERRGROUP_DETAIL_GROUP_GROUP_STATE_HPP

#include <cassert>
#include <cstddef>
#include <mutex>
#include <utility>

#include <errgroup/context.hpp>
#include <errgroup/detail/base/lock_rank.hpp>
#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/group/limiter.hpp>
#include <errgroup/detail/group/parking.hpp>
#include <errgroup/detail/group/rounds.hpp>
#include <errgroup/detail/group/runner_supply.hpp>
#include <errgroup/detail/group/task_blocks.hpp>
#include <errgroup/detail/group/task_queue.hpp>
#include <errgroup/detail/pool/worker_pool.hpp>
#include <errgroup/error.hpp>
#include <errgroup/options.hpp>

namespace errgroup::detail {

/// The parts of a group and the mutex that guards them, with the steps that touch several parts at once. All
/// functions want the mutex to be held, but where they say otherwise; none gives it up.
///
/// No wake-up is lost: everything that a thread waits for changes under the mutex, and is notified under it or
/// after it. (One thing does not: the end of a task that was handed over. The consumer tells of it if it was asked
/// to.) A queued task has somebody to come for it, as runner_supply counts them, or the job is queued in the pool.
/// So has a task that was handed over: the consumer, if it runs nothing else, or the pool, whose worker recalls
/// it. A task in line has those that hold the places: each grants its own when it ends. Before a thread sleeps
/// until something of a round happens, it has had the round's context watched: a stop from outside comes by
/// on_done().
class group_state : public pool_job, public runner_host, public done_watcher {
 public:
  using lock_type = ranked_lock<lock_rank::group>;
  using guard_type = ranked_guard<lock_rank::group>;

  /// Throws: as rounds::open().
  group_state(const context& parent, group_settings&& s)
      : settings(std::move(s)), limits(settings.limit), supply(settings.executor), history(parent, settings) {}

  /// Locks the mutex.
  lock_type locked() noexcept {
    lock_type lock(mutex, std::defer_lock);
    lock_awake(lock);
    return lock;
  }

  /// True if the calling thread runs a task of this group, or of one below it.
  bool is_inside() const noexcept {
    return thread_frame::is_in_any(thread_frame::kind::task, [this](const void* other) {
      return history.current().is_above(static_cast<const group_state*>(other)->history.current());
    });
  }
  /// True if a thread sleeps that waits for the end of a task, or a task does.
  bool anyone_waits() const noexcept {
    return supply.helpers().parked() + watchers.sleeping() + callers.sleeping() + limits.beyond() != 0;
  }
  /// True if enough come for what is queued.
  bool covered() const noexcept { return supply.covers(queue.size()); }
  /// The same, with one more thread that was parked in wait(), if it takes that.
  ERRGROUP_ALWAYS_INLINE bool covered_with_helper() noexcept {
    if (covered()) return true;
    supply.helpers().wake_one();
    return covered();
  }
  bool lacks_runner() const noexcept { return supply.lacks_runner(queue.size()); }
  /// True if there are tasks that have not begun and that need a place, or a runner.
  bool has_unstarted() const noexcept { return !queue.empty() || !limits.line_empty(); }

  /// Notes that a task was taken from the queue.
  task& taken(task& t) noexcept {
    progress();
    if (supply.job_queued() && queue.empty()) withdraw_job();
    return t;
  }

  /// Grants the free places to those who wait for them, in their order. Once the context is done all leave the
  /// line: the callers to be refused, the tasks to the queue, to be dropped. Returns where the first caller sleeps
  /// that is to be woken, which may be done after the mutex was let go of; wakes the others.
  [[nodiscard]] parking_spot* grant_places() noexcept;
  void grant_and_wake() noexcept {
    if (parking_spot* const spot = grant_places()) spot->wake.notify_one();
  }
  /// Wakes the callers in line: each tries again, and asks for another runner if there is none.
  void wake_callers() noexcept;

  /// Queues what the ring's consumer has not begun: it may be blocked, or the caller has time for it.
  void recall() noexcept {
    if (!limits.ring().backlog()) return;
    limits.add_places(limits.ring().recall([this](task& t) {
      queue.number(t);
      queue.push(t);
    }));
  }

  /// Sees to it that somebody comes for what is queued, if the tasks run in a pool. If nobody can, a wait() takes
  /// it, or a blocked go() tries again.
  void ensure_runner() noexcept;
  /// Takes the job back from the pool if there is nothing left for it.
  void withdraw_job() noexcept {
    if (supply.job_queued() && queue.empty() && !limits.ring().backlog()) supply.withdraw(*this);
  }

  /// Makes the context of the open round done. What it returns is to be run with no lock held.
  [[nodiscard]] cancellation cancel_round(const error& cause) noexcept {
    cancellation callbacks = history.cancel_round(cause);
    grant_and_wake();
    watchers.wake_all();
    return callbacks;
  }

  const group_settings settings;  // Constant.
  std::mutex mutex;               // Guards all that follows.
  limiter limits;                 // The places, the line for them, and the handoff ring.
  task_queue queue;               // Tasks that have a place, and have not begun.
  task_blocks blocks;             // Memory for these.
  runner_supply supply;           // Who comes to run them; wait() sleeps there.
  watcher_lot watchers;           // Where wait_until() sleeps, and the destructor.
  caller_lot callers;             // Where go() sleeps.
  rounds history;                 // The context, and the errors.

 protected:
  ~group_state() {
    assert(!supply.job_queued() && "errgroup: the pool must not be left with a group that is gone");
  }
};

// Implementation

ERRGROUP_NOINLINE inline parking_spot* group_state::grant_places() noexcept {
  if (limits.line_empty() || !history.is_open()) return nullptr;
  const bool done = history.done();
  parking_spot* first = nullptr;
  while (queue_entry* const e = limits.grant_next(done)) {
    if (e->is_task) {
      queue.push(static_cast<task&>(*e));
      continue;
    }
    parking_spot* const spot = static_cast<arrival*>(e)->spot;
    if (!spot) continue;
    if (first) {
      spot->wake.notify_one();
    } else {
      first = spot;
    }
  }
  return first;
}

inline void group_state::wake_callers() noexcept {
  limits.for_each_caller([](const arrival& a) {
    if (a.spot) a.spot->wake.notify_one();
  });
}

inline void group_state::ensure_runner() noexcept {
  if (covered_with_helper() || supply.job_queued() || supply.custom()) return;
  try {
    supply.submit(*this);
  } catch (...) {
    wake_callers();
  }
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_GROUP_STATE_HPP
