// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_JOB_HPP
#define ERRGROUP_DETAIL_POOL_JOB_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <errgroup/detail/base/intrusive_list.hpp>
#include <errgroup/detail/base/time.hpp>

namespace errgroup::detail {

class pool_worker;

/// Something for workers to run. It is in a queue once at a time, and several workers may run it at once. The
/// queue does not own it: its owner keeps it alive until it was taken or withdrawn.
class pool_job : public list_node<pool_job> {
 public:
  pool_job() = default;
  pool_job(const pool_job&) = delete;
  pool_job& operator=(const pool_job&) = delete;

  /// Runs on a worker. Lets only a forced unwind out.
  virtual void run(pool_worker& self) = 0;
  /// Called instead of run(), with no lock held, when a worker that was sent does not come and no other can.
  virtual void not_coming() noexcept = 0;
  /// True if the job is to be queued then, and not_coming() not called. For jobs whose retain() does nothing.
  virtual bool can_be_queued_again() const noexcept { return false; }
  /// Called first, when the job is taken to be run, with the pool's lock held.
  virtual void retain() noexcept = 0;
  /// Called last, with no lock held, when the pool is done with that run.
  virtual void release() noexcept = 0;

  /// Notes that a task was taken from the queued job, by a worker or another thread. A hint: of several calls at a
  /// time some may be lost.
  void progress() noexcept { count(taken_); }
  /// Notes that a thread that is no worker has done something for the job. One caller at a time.
  void outside_progress() noexcept { count(outside_); }

 protected:
  ~pool_job() = default;

 private:
  friend class crew;       // For runners_.
  friend class job_queue;  // For what the searcher notes.

  static void count(std::atomic<std::uint32_t>& n) noexcept {
    n.store(n.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  std::atomic<std::uint32_t> taken_{0};    // Written by progress(); the searcher reads it as a hint: relaxed.
  std::atomic<std::uint32_t> outside_{0};  // Written by outside_progress(); the searcher reads it as above.
  std::size_t runners_ = 0;                // Workers that were given it. Guarded by the pool's mutex.
  // What the searcher noted when it last passed by. All four are guarded by the pool's mutex.
  bool seen_ = false;  // It has passed by since the job was queued.
  std::uint32_t seen_taken_ = 0;
  std::uint32_t seen_outside_ = 0;
  clock::time_point stuck_since_;  // When it first passed by since a task was taken.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_JOB_HPP
