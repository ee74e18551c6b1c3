// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_WORKER_HPP
#define ERRGROUP_DETAIL_POOL_WORKER_HPP

#include <errgroup/detail/pool/call_site.hpp>
#include <errgroup/detail/pool/sleep_watch.hpp>

namespace errgroup::detail {

/// What a job knows of the worker that runs it, and tells it. Of that thread only.
class pool_worker : public watched_thread {
 public:
  explicit pool_worker(sleep_watch& watch) noexcept : watch_(watch) {}

  /// To be called before each task.
  void begin_task(call_site& site) noexcept {
    set_site(&site);
    if (counts_as_asleep() && site.kind() != task_kind::blocking) watch_.wake_up(*this);
  }
  /// To be called after each task, before anything that may wait for a lock of ours: that is no sleep of the
  /// task's.
  void end_task() noexcept { set_site(nullptr); }

  bool sent = false;        // It was sent to run this job, and counted as coming. Constant while the job runs.
  bool late = false;        // The job had waited for it, and nobody else was at it. The job resets it.
  bool misplaced = false;   // It is on the same core as the thread it works for. The job sets it, as also:
  bool in_the_way = false;  // The group whose job it has ended is stopping: others need the core to end soon.

 private:
  sleep_watch& watch_;  // Constant.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_WORKER_HPP
