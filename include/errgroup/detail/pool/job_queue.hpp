// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_JOB_QUEUE_HPP
#define ERRGROUP_DETAIL_POOL_JOB_QUEUE_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <errgroup/detail/base/intrusive_list.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/pool/growth_policy.hpp>
#include <errgroup/detail/pool/job.hpp>
#include <errgroup/detail/pool/sleep_watch.hpp>
#include <errgroup/detail/pool/worker.hpp>

namespace errgroup::detail {

/// The jobs that wait for a worker, and what the searcher noted of each. The pool's mutex guards it.
class job_queue {
 public:
  job_queue(sleep_watch& watch, std::size_t cores) noexcept : watch_(watch), cores_(cores) {}
  job_queue(const job_queue&) = delete;
  job_queue& operator=(const job_queue&) = delete;

  bool empty() const noexcept { return jobs_.empty(); }
  pool_job* front() const noexcept { return jobs_.front(); }
  bool contains(const pool_job& job) const noexcept { return jobs_.contains(job); }
  void push(pool_job& job) noexcept;
  void erase(pool_job& job) noexcept { jobs_.erase(job); }

  /// Returns the first job, if a worker that has just ended another one may take it without a nap: nobody is at
  /// it, or a core is free. A job that has an owner at work is left to the searcher first.
  pool_job* ready() const noexcept;

  /// Passes by the jobs as the searcher. Returns the first one that gets it as a worker, or null.
  pool_job* choose(pool_worker& searcher, bool just_woken) noexcept;

  /// True if no job is queued, nor was one since choose() was called last.
  bool quiet() const noexcept { return jobs_.empty() && !pushed_; }

 private:
  static constexpr int most_passed = 64;  // Bounds the time for which choose() holds the mutex.

  static bool has_others(const pool_job& job) noexcept {
    return job.runners_ != 0 || job.outside_.load(std::memory_order_relaxed) != 0;
  }
  bool wants(pool_job& job, pool_worker& searcher, bool just_woken, clock::time_point now) noexcept;

  sleep_watch& watch_;             // Constant.
  const std::size_t cores_;        // Constant.
  intrusive_list<pool_job> jobs_;  // Guarded by the pool's mutex, as is:
  bool pushed_ = false;            // A job was queued since choose() was called last.
};

// Implementation

inline void job_queue::push(pool_job& job) noexcept {
  job.seen_ = false;
  pushed_ = true;
  jobs_.push_back(job);
}

inline pool_job* job_queue::ready() const noexcept {
  pool_job* const job = jobs_.front();
  if (!job) return nullptr;
  const bool known = job->seen_ || job->outside_.load(std::memory_order_relaxed) == 0;
  return known && (job->runners_ == 0 || watch_.awake() < cores_) ? job : nullptr;
}

// The queue may be long and full of jobs that get on well: those go to the back.
inline pool_job* job_queue::choose(pool_worker& searcher, bool just_woken) noexcept {
  pushed_ = false;
  const clock::time_point now = clock::now();
  const pool_job* moved = nullptr;
  pool_job* job = jobs_.front();
  for (int passed = 0; passed != most_passed && job && job != moved; ++passed) {
    if (wants(*job, searcher, just_woken, now)) return job;
    pool_job* const next = jobs_.next(*job);
    if (has_others(*job)) {
      jobs_.erase(*job);
      jobs_.push_back(*job);
      if (!moved) moved = job;
    }
    job = next;
  }
  return nullptr;
}

// Asks the policy whether a job gets one more worker, and notes what was seen.
inline bool job_queue::wants(pool_job& job, pool_worker& searcher, bool just_woken,
                             clock::time_point now) noexcept {
  using decision = growth_policy::decision;
  const std::uint32_t taken = job.taken_.load(std::memory_order_relaxed);
  const std::uint32_t outside = job.outside_.load(std::memory_order_relaxed);
  if (!job.seen_ || taken != job.seen_taken_) job.stuck_since_ = now;
  growth_policy::figures f{.cores = cores_,
                           .awake = watch_.awake(),
                           .just_woken = just_woken,
                           .seen_before = job.seen_,
                           .taken = taken - job.seen_taken_,
                           .owner_steps = outside - job.seen_outside_,
                           .stuck_for = now - job.stuck_since_,
                           .has_runner = job.runners_ != 0};
  job.seen_ = true;
  job.seen_taken_ = taken;
  job.seen_outside_ = outside;
  decision d = growth_policy::at_search(f);
  if ((d == decision::check || growth_policy::may_sleep(f)) && watch_.check(now)) {
    f.awake = watch_.awake();
    d = growth_policy::at_search(f);
  } else if (d == decision::take && f.awake >= cores_) {
    job.stuck_since_ = now;
  }
  searcher.late = growth_policy::late(f);
  return d == decision::take;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_JOB_QUEUE_HPP
