// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_PARKING_HPP
#define ERRGROUP_DETAIL_GROUP_PARKING_HPP

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include <errgroup/detail/base/lazy_condition.hpp>
#include <errgroup/detail/base/time.hpp>

namespace errgroup::detail {

/// Counts a thread while it sleeps, however that ends.
class counted_sleep {
 public:
  explicit counted_sleep(std::size_t& n) noexcept : n_(n) { ++n_; }
  counted_sleep(const counted_sleep&) = delete;
  counted_sleep& operator=(const counted_sleep&) = delete;
  ~counted_sleep() { --n_; }

 private:
  std::size_t& n_;  // Guarded by the group's mutex, as all that follows in this file.
};

/// Where one thread sleeps, so that it can be woken alone.
struct parking_spot {
  std::condition_variable wake;  // Waits on the group's mutex.
  parking_spot* next = nullptr;  // Of all spots that are free.
};

/// Where callers sleep that are blocked in go(), each on a spot of its own. The lot keeps its spots until its end:
/// a thread may notify a spot after it let go of the mutex, when the sleeper may be gone. A spot that was lent
/// anew meanwhile is woken for nothing.
class caller_lot {
 public:
  caller_lot() noexcept = default;
  caller_lot(const caller_lot&) = delete;
  caller_lot& operator=(const caller_lot&) = delete;
  /// Preconditions: all spots were given back.
  ~caller_lot() {
    while (parking_spot* const s = free_) {
      free_ = s->next;
      delete s;
    }
  }

  /// Throws: std::bad_alloc.
  parking_spot& take() {
    if (!free_) return *new parking_spot;
    parking_spot& s = *free_;
    free_ = s.next;
    return s;
  }
  void give(parking_spot& s) noexcept {
    s.next = free_;
    free_ = &s;
  }

  /// Blocks until the spot is notified, spuriously, or until `when`.
  void sleep(parking_spot& s, std::unique_lock<std::mutex>& lock, clock::time_point when) {
    const counted_sleep sleeps(sleeping_);
    (void)detail::wait_until(s.wake, lock, when);
  }
  /// Returns how many threads sleep.
  std::size_t sleeping() const noexcept { return sleeping_; }

 private:
  parking_spot* free_ = nullptr;
  std::size_t sleeping_ = 0;
};

/// Where threads sleep in wait(), until there is a task for them to run, or the round ends. A wake-up for a task
/// is promised to the lot, not to one of the threads: the first that leaves takes it. A round's end takes all
/// promises back; who leaves after that counts no more.
class helper_lot {
 public:
  /// Returns how many threads are parked, less the promised wake-ups.
  std::size_t parked() const noexcept { return parked_; }
  std::size_t promised_wakeups() const noexcept { return promised_wakeups_; }

  void enter() noexcept { ++parked_; }
  void leave() noexcept { --(promised_wakeups_ != 0 ? promised_wakeups_ : parked_); }
  /// Blocks until it is notified, or spuriously. The caller has entered.
  void sleep(std::unique_lock<std::mutex>& lock) { wake_->wait(lock); }

  /// Promises a wake-up to one that is parked, if there is any, and wakes it.
  void wake_one() noexcept {
    if (parked_ == 0) return;
    --parked_;
    ++promised_wakeups_;
    wake_->notify_one();
  }
  /// Wakes all, since there is nothing left to wait for. May be called without the mutex if one was parked.
  void wake_all() noexcept { wake_->notify_all(); }
  void end_round() noexcept {
    if (parked_ + promised_wakeups_ != 0) wake_all();
    parked_ = promised_wakeups_ = 0;
  }

 private:
  std::size_t parked_ = 0;
  std::size_t promised_wakeups_ = 0;
  lazy_condition wake_;
};

/// Where threads sleep that run no tasks: in wait_until(), and in the group's destructor.
class watcher_lot {
 public:
  std::size_t sleeping() const noexcept { return sleeping_; }

  /// Blocks until notified, spuriously, or until `when`; false then.
  bool sleep_until(std::unique_lock<std::mutex>& lock, clock::time_point when) {
    const counted_sleep sleeps(sleeping_);
    return detail::wait_until(*wake_, lock, when);
  }
  /// Wakes all. May be called without the mutex if one was asleep.
  void notify_all() noexcept { wake_->notify_all(); }
  void wake_all() noexcept {
    if (sleeping_ != 0) notify_all();
  }

 private:
  std::size_t sleeping_ = 0;
  lazy_condition wake_;
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_PARKING_HPP
