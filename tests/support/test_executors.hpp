// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_TESTS_TEST_EXECUTORS_HPP
#define ERRGROUP_TESTS_TEST_EXECUTORS_HPP

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

/// Destroys what it is given, unrun.
struct dropping_executor {
  template <class F>
  void execute(F) {}
};

/// Keeps what it is given, until the test runs it or destroys it.
class late_executor {
 public:
  void execute(std::function<void()> f) {
    const std::lock_guard lock(mutex_);
    given_.push_back(std::move(f));
  }
  /// Returns what was given since the last call.
  std::vector<std::function<void()>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(given_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> given_;  // Guarded by mutex_.
};

/// A pool with a fixed number of threads, as users have. Its destructor runs what is left.
class fixed_pool {
 public:
  explicit fixed_pool(int threads) {
    for (int i = 0; i != threads; ++i) threads_.emplace_back([this] { work(); });
  }
  fixed_pool(const fixed_pool&) = delete;
  fixed_pool& operator=(const fixed_pool&) = delete;
  ~fixed_pool() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    for (std::thread& t : threads_) t.join();
  }

  void execute(std::function<void()> f) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(f));
    }
    changed_.notify_one();
  }

 private:
  void work() {
    for (;;) {
      std::function<void()> f;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return closed_ || !queue_.empty(); });
        if (queue_.empty()) return;
        f = std::move(queue_.front());
        queue_.pop_front();
      }
      f();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;  // Guarded by mutex_, as is the next.
  bool closed_ = false;
  std::vector<std::thread> threads_;  // The constructor and the destructor only.
};

#endif  // ERRGROUP_TESTS_TEST_EXECUTORS_HPP
