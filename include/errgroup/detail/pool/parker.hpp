// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_PARKER_HPP
#define ERRGROUP_DETAIL_POOL_PARKER_HPP

#include <condition_variable>
#include <mutex>
#include <utility>

#include <errgroup/detail/base/time.hpp>

namespace errgroup::detail {

/// Where one thread sleeps until another wakes it, perhaps with something in its hands. A call that comes before
/// the thread sleeps is not lost; several make one.
template <class T>
class parker {
 public:
  /// Wakes the thread, and gives it `what`, unless that is null.
  void wake(T* what = nullptr) {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    if (what) given_ = what;
    cv_.notify_one();
  }

  /// Sleeps until it is woken, or `when`. Returns what the thread was given, if anything. By that thread only.
  T* park_until(clock::time_point when) {
    std::unique_lock lock(mutex_);
    while (!woken_ && wait_until(cv_, lock, when)) {
    }
    woken_ = false;
    return std::exchange(given_, nullptr);
  }

  /// Forgets a call that has come already.
  void forget() {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    given_ = nullptr;
  }

 private:
  std::mutex mutex_;
  std::condition_variable cv_;  // Waits on mutex_.
  bool woken_ = false;          // Guarded by mutex_, as is:
  T* given_ = nullptr;
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_PARKER_HPP
