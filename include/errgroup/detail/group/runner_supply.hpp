// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_RUNNER_SUPPLY_HPP
#define ERRGROUP_DETAIL_GROUP_RUNNER_SUPPLY_HPP

#include <cstddef>

#include <errgroup/detail/group/executor_calls.hpp>
#include <errgroup/detail/group/executor_ref.hpp>
#include <errgroup/detail/group/parking.hpp>
#include <errgroup/detail/pool/worker_pool.hpp>

namespace errgroup::detail {

// How long a thread waits awake for more work, in tries of about 20 ns: as it takes to wake a thread; and as it
// may take that thread to come.
inline constexpr int short_search = 150;
inline constexpr int long_search = 1280;

/// Knows who will come to run what is queued. The group's mutex guards it.
///
/// Those who come are searchers, threads in wait() that were promised a wake-up, workers that the pool was asked
/// to send, and runners that a custom executor has accepted. Each of them checks the queue under the mutex before
/// it leaves. Apart from these the group's job may be queued in the pool: one worker will take it.
///
/// A searcher has run out of work and waits for more awake, for a moment: to wake a parked thread takes
/// microseconds.
class runner_supply {
 public:
  explicit runner_supply(const executor_ref& executor) noexcept : executor_(executor) {}
  runner_supply(const runner_supply&) = delete;
  runner_supply& operator=(const runner_supply&) = delete;

  /// Returns how many come that are certain to find the queue as it is.
  std::size_t coming() const noexcept { return searchers_ + helpers_.promised_wakeups() + coming_workers_; }
  /// True if that is enough for `queued` tasks.
  bool covers(std::size_t queued) const noexcept { return coming() >= queued; }
  /// True if a custom executor is to be given one more runner.
  bool lacks_runner(std::size_t queued) const noexcept {
    return custom() && queued > calls_.unbegun() + searchers_ + helpers_.promised_wakeups();
  }

  /// True if the tasks run on a custom executor.
  bool custom() const noexcept { return executor_.object != nullptr; }
  const executor_ref& executor() const noexcept { return executor_; }
  helper_lot& helpers() noexcept { return helpers_; }
  const helper_lot& helpers() const noexcept { return helpers_; }
  executor_calls& calls() noexcept { return calls_; }

  std::size_t searchers() const noexcept { return searchers_; }
  void begin_search() noexcept { ++searchers_; }
  void end_search() noexcept { --searchers_; }

  /// Counts workers that the pool is asked to send; and those that come, or will not come after all.
  void expect_workers(std::size_t n) noexcept { coming_workers_ += n; }
  void end_expecting(std::size_t n) noexcept { coming_workers_ -= n; }

  /// True if the job is queued in the pool, until a worker that has taken it has the group's mutex.
  bool job_queued() const noexcept { return job_queued_; }
  void job_taken() noexcept { job_queued_ = false; }
  /// Queues the group's job. Throws: as worker_pool::submit(). Preconditions: it is not queued.
  void submit(pool_job& job) {
    executor_.pool->submit(job);
    job_queued_ = true;
  }
  /// Takes it back, unless a worker has it. Preconditions: it is queued, as far as the group knows.
  void withdraw(pool_job& job) noexcept {
    if (executor_.pool->withdraw(job)) job_queued_ = false;
  }

  /// The round has ended: who searches or is parked in it is leaving, and counts no more.
  void end_round() noexcept {
    helpers_.end_round();
    searchers_ = 0;
  }

 private:
  const executor_ref& executor_;    // Constant.
  helper_lot helpers_;              // Guarded by the group's mutex, as all that follows.
  executor_calls calls_;            // Of a custom executor.
  std::size_t searchers_ = 0;       // Threads that watch the queue unlocked, and will check it under the mutex.
  std::size_t coming_workers_ = 0;  // Workers that the pool has been asked to send, and that have not come yet.
  bool job_queued_ = false;
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_RUNNER_SUPPLY_HPP
