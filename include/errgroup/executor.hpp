// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_EXECUTOR_HPP
#define ERRGROUP_EXECUTOR_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <errgroup/detail/base/never_destroyed.hpp>
#include <errgroup/detail/base/ref.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/group/executor_ref.hpp>
#include <errgroup/detail/pool/worker_pool.hpp>

namespace errgroup {

namespace detail {
struct cache_access;
}  // namespace detail

struct thread_cache_options {
  clock::duration idle_timeout = std::chrono::seconds(10);  ///< How long an idle thread is kept.
  std::size_t max_threads = 0;                              ///< 0: no limit.
  std::string thread_name = "errgroup";                     ///< For debuggers; Linux keeps 15 characters.
  /// Called first on each new thread, which has its name and its signal mask by then, with no lock held; on
  /// several threads at a time. What the thread was started for waits until it returns. An exception that escapes
  /// from it terminates the program. Destroyed with the cache.
  std::function<void()> on_thread_start = nullptr;
};

/// Runs functions on threads that it starts when all it has are busy, and keeps for a while when idle. They are
/// `std::jthread`s, told to leave by their stop tokens when the cache is destroyed.
///
/// It learns what tasks do at each place in the program, by the type of the function (each lambda is one of its
/// own): where they sleep, a thread is woken or started for each at once; where they compute, there are no more
/// threads at work than cores; where they are quick, the wait() of their group runs most of them. A wrong guess
/// costs microseconds: while something is queued, one thread looks for who is blocked.
///
/// Guarantees: without max_threads, a function never waits for another to end. A thread that fails to start
/// once execute() has returned delays what was queued until a thread is free or the next execute(). All threads
/// have the signal mask of the thread that made the cache (of shared(): that first used it), whichever thread
/// makes one start; so has a child process that a function starts. A function that ends its thread (pthread_exit,
/// pthread_cancel) takes that thread from the cache, and nothing else.
///
/// A child process made by fork() has none of the threads: it must not use a cache that the parent has used. A
/// shared library that has used shared() must not be unloaded: idle threads would lose their code.
class thread_cache {
 public:
  thread_cache() : thread_cache(thread_cache_options()) {}
  explicit thread_cache(thread_cache_options options) : thread_cache(std::move(options), false) {}
  thread_cache(const thread_cache&) = delete;
  thread_cache& operator=(const thread_cache&) = delete;

  /// Runs what is queued, also by groups, then joins. Preconditions: not on one of its own threads (asserted).
  /// Blocks: until all is run.
  ~thread_cache();

  /// Runs `f()` on one of the threads; queues it while there are max_threads. An exception that escapes from
  /// `f` terminates the program. Throws: std::system_error if no thread can be started and none is idle;
  /// std::bad_alloc; what copying or moving `f` throws. Then `f` is not run.
  template <class F>
  void execute(F&& f);

  /// Returns the process-wide cache that groups use by default. Started lazily, never destroyed: its threads
  /// may still run while the process exits.
  static thread_cache& shared();

 private:
  friend struct detail::cache_access;
  friend class detail::never_destroyed<thread_cache>;

  thread_cache(thread_cache_options options, bool never_destroyed);

  // Constant. Shared with the groups that use it: they may take their work back after the cache is gone.
  const detail::ref<detail::worker_pool> pool_;
};

// Implementation

namespace detail {

template <class F>
class function_job final : public pool_job {
 public:
  template <class G>
  explicit function_job(G&& f) : f_(std::in_place, std::forward<G>(f)) {}

  void run(pool_worker& self) override {
    self.begin_task(site());
    call();
    self.end_task();
  }
  void not_coming() noexcept override {}
  bool can_be_queued_again() const noexcept override { return true; }
  void retain() noexcept override {}
  void release() noexcept override { delete this; }

  static call_site& site() noexcept { return site_of<function_job>; }

 private:
  void call() {
    try {
      site().run([this] {
        std::invoke(*std::move(f_));
        f_.reset();
      });
    } catch (...) {
      terminate_unless_unwound();
    }
  }

  std::optional<F> f_;  // The worker that runs the job.
};

struct cache_access {
  static const ref<worker_pool>& pool(const thread_cache& cache) noexcept { return cache.pool_; }
};

}  // namespace detail

inline thread_cache::thread_cache(thread_cache_options o, bool never_destroyed)
    : pool_(detail::ref<detail::worker_pool>::adopt(new detail::worker_pool(
          detail::worker_pool::options{o.idle_timeout, o.max_threads, std::move(o.thread_name), never_destroyed,
                                       std::move(o.on_thread_start)}))) {}

inline thread_cache::~thread_cache() { pool_->shut_down(); }

template <class F>
void thread_cache::execute(F&& f) {
  constexpr bool callable = std::invocable<std::decay_t<F>>;
  static_assert(callable, "errgroup: execute() takes a function without parameters");
  if constexpr (callable) {
    auto j = std::make_unique<detail::function_job<std::decay_t<F>>>(std::forward<F>(f));
    pool_->send_or_submit(
        *j, std::max(detail::function_job<std::decay_t<F>>::site().kind(), detail::task_kind::computing));
    j.release();
  }
}

inline thread_cache& thread_cache::shared() {
  static detail::never_destroyed<thread_cache> instance(thread_cache_options(), true);
  return instance.get();
}

}  // namespace errgroup

#endif  // ERRGROUP_EXECUTOR_HPP
