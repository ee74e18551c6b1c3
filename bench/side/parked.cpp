// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <memory>
#include <vector>

#include "side.hpp"
#include "tasks.hpp"

namespace {

/// A thread that is parked until it is given a task.
class parked_thread {
 public:
  ~parked_thread() { go(nullptr); }

  /// Wakes the thread for the task; an empty one ends it. Preconditions: the last one has ended.
  void go(std::function<void()> task) {
    {
      const std::lock_guard lock(mutex_);
      task_ = std::move(task);
      given_ = true;
    }
    wake_.notify_one();
  }
  /// Blocks until the task has ended.
  void wait() {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return !given_; });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return given_; });
      if (!task_) return;
      lock.unlock();
      task_();
      lock.lock();
      given_ = false;
      ended_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;   // Waits on mutex_; for given_.
  std::condition_variable ended_;  // Waits on mutex_; for !given_.
  std::function<void()> task_;     // Written under mutex_ while !given_; read by the thread.
  bool given_ = false;             // Guarded by mutex_.
  std::jthread thread_{[this] { run(); }};
};

/// What the machine can do at best: the threads are there, each is woken for its task.
class parked_tasks {
 public:
  template <class F>
  void go(F&& f) {
    if (used_ == threads_.size()) threads_.push_back(std::make_unique<parked_thread>());
    threads_[used_++]->go(std::forward<F>(f));
  }
  void wait() {
    for (std::size_t i = 0; i != used_; ++i) threads_[i]->wait();
  }

 private:
  // Both are touched by the main thread alone.
  inline static std::vector<std::unique_ptr<parked_thread>> threads_;
  std::size_t used_ = 0;  // Threads that have tasks of this object: the first ones.
};

}  // namespace

int main() {
  return side::serve({{"start", side::start<parked_tasks>}, {"rested", side::start_rested<parked_tasks>}});
}
