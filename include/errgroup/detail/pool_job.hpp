// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_JOB_HPP
#define ERRGROUP_DETAIL_POOL_JOB_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <errgroup/detail/intrusive_list.hpp>

namespace errgroup::detail {

/// What a job is told of the worker that runs it.
struct pool_worker {
  std::atomic<std::uint32_t> ticks{
      0};                   // The worker adds one for each task begun; others read it as a hint: relaxed.
  bool misplaced = false;   // It is on the same core as the thread it works for. The worker only, as also:
  bool in_the_way = false;  // The group whose job it has ended is stopping: others need the core to end soon.
};

/// Something for a worker to run, linked into the pool's queue; at most once at a time. The queue does not own it:
/// it is there until it is run or withdrawn.
class pool_job : public list_node<pool_job> {
 public:
  pool_job() = default;
  pool_job(const pool_job&) = delete;
  pool_job& operator=(const pool_job&) = delete;

  /// Runs on a worker. Lets only a forced unwind out.
  virtual void run(pool_worker& self) = 0;
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

  std::atomic<std::uint32_t> version_{0};  // By progress(); read by the looker as a hint, so relaxed.
  std::atomic<std::uint32_t> outside_{0};  // By outside_progress(); as above.
  std::uint32_t seen_version_ = 0;         // version_ when last looked at. Guarded by the pool's mutex_, as are:
  std::uint32_t seen_outside_ = 0;         // outside_ when last looked at.
  std::uint64_t stamp_ = 0;                // Number of the submission.
  std::uint64_t seen_stamp_ = 0;           // stamp_ when last looked at.
  std::uint32_t deferred_ = 0;             // Looks at which its owner was seen to be brisk, and nothing taken.
  std::size_t runners_ = 0;                // Workers inside run().
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_JOB_HPP
