// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_TIMER_HPP
#define ERRGROUP_DETAIL_TIMER_HPP

#include <condition_variable>
#include <cstddef>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <errgroup/detail/immortal.hpp>
#include <errgroup/detail/thread.hpp>
#include <errgroup/detail/time.hpp>

namespace errgroup::detail {

/// What the timer fires: something counted, that may be about to die when its time comes.
class timer_client {
 public:
  timer_client() = default;
  timer_client(const timer_client&) = delete;
  timer_client& operator=(const timer_client&) = delete;

 protected:
  ~timer_client() = default;

 private:
  friend class timer;
  static constexpr std::size_t absent = std::numeric_limits<std::size_t>::max();

  /// Adds a reference unless the last one is gone. Called with the timer's lock held.
  virtual bool try_retain() noexcept = 0;
  /// Does what was to be done, then gives that reference back. Called with no lock held.
  virtual void fire() noexcept = 0;

  std::size_t index_ = absent;  // Place in the heap. Guarded by timer::mutex_.
};

/// Fires clients at their time, on one thread for the whole process that starts at first use.
///
/// The heap points at clients without owning them: a client removes itself in its destructor, under the same
/// lock under which the thread takes a reference. The thread sleeps until `wake_at_`, so that only a deadline
/// earlier than that has to wake it; a removed deadline never does.
class timer {
 public:
  static timer& shared() {
    static immortal<timer> instance;
    return instance.get();
  }

  /// Fires `client` at `when`, once. Throws: std::system_error if the thread cannot be started, std::bad_alloc;
  /// then nothing has changed.
  void add(timer_client& client, clock::time_point when);

  /// Forgets `client`; does nothing if it has been fired.
  void remove(timer_client& client) noexcept;

 private:
  struct slot {
    clock::time_point when;
    timer_client* client;
  };

  void run() noexcept;
  void place(std::size_t i, slot s) noexcept;
  void sift_up(std::size_t i, slot s) noexcept;
  void sift_down(std::size_t i, slot s) noexcept;
  void erase(std::size_t i) noexcept;

  std::mutex mutex_;
  std::condition_variable cv_;                            // Waits on mutex_; only the timer's thread waits.
  std::vector<slot> heap_;                                // A binary heap, the earliest first. Guarded by mutex_.
  clock::time_point wake_at_ = clock::time_point::min();  // min: the thread is awake. Guarded by mutex_.
  bool started_ = false;                                  // Guarded by mutex_.
};

// Implementation

inline void timer::add(timer_client& client, clock::time_point when) {
  const std::lock_guard lock(mutex_);
  heap_.reserve(heap_.size() + 1 > heap_.capacity() ? 2 * heap_.size() + 16 : 0);
  if (!started_) {
    const signals_blocked quiet;
    start_thread([](void* self) { static_cast<timer*>(self)->run(); }, this).detach();
    started_ = true;
  }
  heap_.push_back({when, &client});
  sift_up(heap_.size() - 1, heap_.back());
  if (when < wake_at_) cv_.notify_one();
}

inline void timer::remove(timer_client& client) noexcept {
  const std::lock_guard lock(mutex_);
  if (client.index_ != timer_client::absent) erase(client.index_);
}

inline void timer::run() noexcept {
  name_this_thread("errgroup-timer");
  punctual_this_thread();
  std::unique_lock lock(mutex_);
  for (;;) {
    if (heap_.empty() || clock::now() < heap_.front().when) {
      wake_at_ = heap_.empty() ? never : heap_.front().when;
      wait_until(cv_, lock, wake_at_);
      wake_at_ = clock::time_point::min();
      continue;
    }
    timer_client& due = *heap_.front().client;
    erase(0);
    if (!due.try_retain()) continue;
    lock.unlock();
    due.fire();
    lock.lock();
  }
}

inline void timer::place(std::size_t i, slot s) noexcept {
  heap_[i] = s;
  s.client->index_ = i;
}

inline void timer::sift_up(std::size_t i, slot s) noexcept {
  while (i != 0 && s.when < heap_[(i - 1) / 2].when) {
    place(i, heap_[(i - 1) / 2]);
    i = (i - 1) / 2;
  }
  place(i, s);
}

inline void timer::sift_down(std::size_t i, slot s) noexcept {
  for (;;) {
    std::size_t child = 2 * i + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].when < heap_[child].when) ++child;
    if (!(heap_[child].when < s.when)) break;
    place(i, heap_[child]);
    i = child;
  }
  place(i, s);
}

inline void timer::erase(std::size_t i) noexcept {
  heap_[i].client->index_ = timer_client::absent;
  const slot last = heap_.back();
  heap_.pop_back();
  if (i == heap_.size()) return;
  if (i != 0 && last.when < heap_[(i - 1) / 2].when) {
    sift_up(i, last);
  } else {
    sift_down(i, last);
  }
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_TIMER_HPP
