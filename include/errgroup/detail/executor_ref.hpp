// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_EXECUTOR_REF_HPP
#define ERRGROUP_DETAIL_EXECUTOR_REF_HPP

#include <memory>
#include <utility>

#include <errgroup/detail/ref.hpp>
#include <errgroup/detail/worker_pool.hpp>

namespace errgroup::detail {

/// What stands behind the runners that a group hands to an executor.
class runner_ticket {
 public:
  virtual void retain() noexcept = 0;
  virtual void release() noexcept = 0;
  /// Runs the group's queued tasks until there are none. Only the first call does anything.
  virtual void begin() = 0;

 protected:
  ~runner_ticket() = default;
};

/// What an executor is given: copyable and const-callable, so that a `std::function` takes it.
class runner {
 public:
  explicit runner(ref<runner_ticket> ticket) noexcept : ticket_(std::move(ticket)) {}
  void operator()() const {
    const ref<runner_ticket> keep = ticket_;  // The executor may destroy its copy meanwhile.
    if (keep) keep->begin();
  }

 private:
  ref<runner_ticket> ticket_;  // This object's owner only.
};

/// Refers to where a group's tasks run: a thread_cache's pool, or any object with `void execute(F)`.
struct executor_ref {
  std::shared_ptr<worker_pool> pool;  // Null: a custom executor.
  void* object = nullptr;
  void (*execute)(void* object, const runner& r) = nullptr;
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_EXECUTOR_REF_HPP
