// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_RECRUITING_HPP
#define ERRGROUP_DETAIL_GROUP_RECRUITING_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/group/executor_ref.hpp>
#include <errgroup/detail/group/group_state.hpp>
#include <errgroup/detail/group/task_ending.hpp>

namespace errgroup::detail {

/// How a group gets runners: the steps that ask a pool or a custom executor for one, with no lock held. The mutex
/// is held on entry, and on return where a function does not say otherwise; the queue may be another one then.
class recruiting {
 public:
  using lock_type = group_state::lock_type;

  explicit recruiting(group_state& g) noexcept : group_(g) {}

  /// Has up to `n` workers sent, and returns how many. The mutex is not held on return if the first one is sent
  /// and no other was wanted.
  std::size_t send_workers(lock_type& lock, task_kind kind, std::size_t n) noexcept;
  /// Sees to it that somebody comes for all but the first of the queued tasks, which the caller is about to take.
  void call_workers_for_the_rest(lock_type& lock) noexcept;

  /// As group_state::ensure_runner(), for any executor, which must be alive: in go(), set_limit() and on a thread
  /// that it has lent.
  void ensure_runners(lock_type& lock) noexcept;
  /// True if a task is queued and no runner is sure to come for it.
  bool nobody_comes() noexcept;
  /// Hands the executor a runner for the task with this serial, or, if that is 0, for any. The mutex is not held
  /// on return. Throws: what the executor throws; std::bad_alloc. Then the mutex is held.
  void hand_runner(lock_type& lock, std::uint32_t serial);

  /// Gives a place back that was reserved or granted, and not used.
  ERRGROUP_NOINLINE void give_place_back(lock_type& lock) noexcept {
    task_ending(group_).end_tasks(lock, 1);
    ensure_runners(lock);
  }

 private:
  class executor_call;
  void call_workers(lock_type& lock) noexcept;

  group_state& group_;  // Constant.
};

// Implementation

ERRGROUP_NOINLINE inline std::size_t recruiting::send_workers(lock_type& lock, task_kind kind,
                                                              std::size_t n) noexcept {
  group_.supply.expect_workers(n);
  lock.unlock();
  std::size_t sent = 0;
  try {
    while (sent != n && group_.supply.executor().pool->send(group_, kind)) ++sent;
  } catch (...) {  // Those who are awake may come.
  }
  if (sent == n && n == 1) return sent;
  lock_awake(lock);
  group_.supply.end_expecting(n - sent);
  return sent;
}

// The caller counts as a searcher meanwhile: for the task that it is about to take.
inline void recruiting::call_workers_for_the_rest(lock_type& lock) noexcept {
  const unsigned long long round = group_.history.number();
  group_.supply.begin_search();
  call_workers(lock);
  if (group_.history.is_open(round)) group_.supply.end_search();
}

ERRGROUP_NOINLINE inline void recruiting::call_workers(lock_type& lock) noexcept {
  if (group_.covered_with_helper()) return;
  if (group_.queue.front().site().kind() == task_kind::blocking) {
    // Each of these calls two more, if the tasks go on to sleep: few threads are started for a wrong guess.
    const std::size_t n = std::min<std::size_t>(group_.queue.size() - group_.supply.coming(), 2);
    send_workers(lock, task_kind::blocking, n);
    if (!lock.owns_lock()) lock_awake(lock);
  }
  group_.ensure_runner();
}

ERRGROUP_NOINLINE inline void recruiting::ensure_runners(lock_type& lock) noexcept {
  group_.ensure_runner();
  if (!group_.lacks_runner()) return;
  const cancellation_disabled whole;
  try {
    for (std::size_t n = group_.queue.size(); n != 0 && group_.lacks_runner(); --n) {
      hand_runner(lock, 0);
      lock_awake(lock);
    }
  } catch (...) {
    if (!lock.owns_lock()) lock_awake(lock);
    group_.wake_callers();
  }
}

inline bool recruiting::nobody_comes() noexcept {
  if (group_.supply.custom()) return group_.lacks_runner();
  if (group_.supply.job_queued()) group_.supply.executor().pool->ensure_searcher();
  return !group_.covered() && !group_.supply.job_queued();
}

/// A call of execute(), with the mutex let go of, however it ends.
class recruiting::executor_call {
 public:
  executor_call(executor_calls& calls, lock_type& lock, std::uint32_t serial) noexcept
      : calls_(calls), lock_(lock) {
    call_.serial = serial;
    calls_.begin(call_);
    lock_.unlock();
  }
  executor_call(const executor_call&) = delete;
  executor_call& operator=(const executor_call&) = delete;
  ~executor_call() {
    lock_awake(lock_);
    calls_.end(call_);
  }

 private:
  executor_calls& calls_;      // Constant.
  lock_type& lock_;            // Constant.
  executor_calls::call call_;  // Guarded by the mutex.
};

// The executor is called unlocked: it may run the tasks at once, and its own code is not ours.
ERRGROUP_NOINLINE inline void recruiting::hand_runner(lock_type& lock, std::uint32_t serial) {
  executor_calls& calls = group_.supply.calls();
  std::optional<runner> r;  // Destroyed unlocked: it may have been dropped.
  {
    const executor_call under_way(calls, lock, serial);
    r.emplace(static_cast<runner_host&>(group_), serial);
    const executor_ref& executor = group_.supply.executor();
    executor.execute(executor.object, *r);
  }
  if (r->accept()) calls.accept();
  lock.unlock();
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_RECRUITING_HPP
