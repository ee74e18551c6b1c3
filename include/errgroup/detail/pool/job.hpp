// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_JOB_HPP
#define ERRGROUP_DETAIL_POOL_JOB_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <errgroup/detail/base/intrusive_list.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/pool/call_site.hpp>

namespace errgroup::detail {

/// What a job knows of the worker that runs it, and tells it.
class pool_worker {
 public:
  pool_worker() = default;
  pool_worker(const pool_worker&) = delete;
  pool_worker& operator=(const pool_worker&) = delete;

  /// To be called before each task.
  void begin_task(call_site& site) noexcept {
    site_.store(&site, std::memory_order_relaxed);
    if (counts_as_asleep_.load(std::memory_order_relaxed) && site.kind() != task_kind::blocking) wake_up();
  }

  /// To be called after it, before anything that may wait for a lock of ours: that is no sleep of the task's.
  void end_task() noexcept { site_.store(nullptr, std::memory_order_relaxed); }

  bool sent = false;        // It was sent to run this job, and counted as coming. Constant while the job runs.
  bool late = false;        // The job had waited for it, and nobody else was at it. The worker only, as also:
  bool misplaced = false;   // It is on the same core as the thread it works for.
  bool in_the_way = false;  // The group whose job it has ended is stopping: others need the core to end soon.

 protected:
  ~pool_worker() = default;

  /// Counts as awake again.
  virtual void wake_up() noexcept {}

  std::atomic<call_site*> site_{
      nullptr};  // Of the task that it runs, or null. The worker; others look, for a hint: relaxed.
  std::atomic<bool> counts_as_asleep_{
      false};  // Written under the pool's mutex; read by the worker: relaxed, since
               //   it is only late by one task if it does not see the last value.
};

/// Something for workers to run. It may be queued in the pool once at a time, and be run by several workers. The
/// queue does not own it: it is there until it is taken or withdrawn.
class pool_job : public list_node<pool_job> {
 public:
  pool_job() = default;
  pool_job(const pool_job&) = delete;
  pool_job& operator=(const pool_job&) = delete;

  /// Runs on a worker. Lets only a forced unwind out.
  virtual void run(pool_worker& self) = 0;
  /// Called instead of run() when a worker that was sent will not come, and no other can.
  virtual void not_coming() noexcept = 0;
  /// Called first, when the job is taken to be run, with the pool's lock held.
  virtual void retain() noexcept = 0;
  /// Called last, with no lock held, when the pool is done with that run.
  virtual void release() noexcept = 0;

  /// To be called when part of the queued job is taken, by a worker or elsewhere. A hint: of several calls at a
  /// time some may be lost.
  void progress() noexcept { count(version_); }
  /// To be called when a thread that is no worker is seen at work on the job; one caller at a time.
  void outside_progress() noexcept { count(outside_); }

 protected:
  ~pool_job() = default;

 private:
  friend class worker_pool;
  static void count(std::atomic<std::uint32_t>& n) noexcept {
    n.store(n.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::atomic<std::uint32_t> version_{0};  // By progress(); read by who looks as a hint, so relaxed.
  std::atomic<std::uint32_t> outside_{0};  // By outside_progress(); as above.
  std::uint32_t seen_version_ = 0;         // version_ when last looked at. Guarded by the pool's mutex_, as are:
  std::uint32_t seen_outside_ = 0;         // outside_ when last looked at.
  std::uint64_t stamp_ = 0;                // Number of the submission.
  std::uint64_t seen_stamp_ = 0;           // stamp_ when last looked at.
  std::uint32_t deferred_ = 0;             // Looks in a row at which it was left to its owner, without progress.
  std::uint32_t given_up_ = 0;             // How often it was stuck for too long.
  clock::time_point stuck_since_;          // Of the first look since it has made no progress.
  std::size_t runners_ = 0;                // Workers that were given it.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_JOB_HPP
