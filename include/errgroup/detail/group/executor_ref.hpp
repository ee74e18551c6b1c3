// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_EXECUTOR_REF_HPP
#define ERRGROUP_DETAIL_GROUP_EXECUTOR_REF_HPP

#include <atomic>
#include <cstdint>
#include <utility>

#include <errgroup/detail/base/ref.hpp>
#include <errgroup/detail/pool/worker_pool.hpp>

namespace errgroup::detail {

/// What a runner belongs to: a group.
class runner_host {
 public:
  virtual void retain() noexcept = 0;
  virtual void release() noexcept = 0;
  /// Runs the group's queued tasks until there are none, first the one with this serial, which the runner was made
  /// for. On a thread that the executor lends.
  virtual void begin_runner(bool accepted, std::uint32_t serial) = 0;
  /// An accepted runner was destroyed before it was begun. Called on any thread, under the executor's locks
  /// perhaps.
  virtual void drop_runner() noexcept = 0;

 protected:
  ~runner_host() = default;
};

/// What an executor is given: copyable and const-callable, so that a `std::function` takes it. All copies are one
/// runner, of which the first call does something.
class runner {
 public:
  /// Throws: std::bad_alloc.
  runner(runner_host& host, std::uint32_t serial) : shared_(ref<shared>::adopt(new shared(host, serial))) {}
  void operator()() const {
    const ref<shared> keep = shared_;  // The executor may destroy its copy meanwhile.
    if (!keep) return;
    const auto before = keep->now.exchange(begun, std::memory_order_relaxed);
    if (before != begun) keep->host.begin_runner(before == accepted, keep->serial);
  }

  /// Notes that the executor has taken it. False: it has begun already.
  bool accept() const noexcept {
    std::uint32_t expected = fresh;
    return shared_->now.compare_exchange_strong(expected, accepted, std::memory_order_relaxed);
  }

 private:
  enum state : std::uint32_t { fresh, accepted, begun };

  struct shared {
    shared(runner_host& h, std::uint32_t s) noexcept : host(h), serial(s) { h.retain(); }
    shared(const shared&) = delete;
    shared& operator=(const shared&) = delete;
    ~shared() {
      if (now.load(std::memory_order_relaxed) == accepted) host.drop_runner();
      host.release();
    }
    void retain() noexcept { refs.add(); }
    void release() noexcept {
      if (refs.drop()) delete this;
    }

    ref_count refs;
    runner_host& host;                      // Constant; a reference is held.
    const std::uint32_t serial;             // Constant: of the task that it was made for.
    std::atomic<std::uint32_t> now{fresh};  // Any thread; decides who begins. The group's mutex orders the rest.
  };

  ref<shared> shared_;  // This object's owner only.
};

/// Refers to where a group's tasks run: a thread_cache's pool, or any object with `void execute(F)`.
struct executor_ref {
  ref<worker_pool> pool;  // Null: a custom executor.
  void* object = nullptr;
  void (*execute)(void* object, const runner& r) = nullptr;
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_EXECUTOR_REF_HPP
