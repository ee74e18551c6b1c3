// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_LIMITER_HPP
#define ERRGROUP_DETAIL_GROUP_LIMITER_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/group/entry_list.hpp>
#include <errgroup/detail/group/handoff_ring.hpp>
#include <errgroup/detail/group/parking.hpp>
#include <errgroup/detail/group/task_queue.hpp>

namespace errgroup::detail {

/// A thread in go() that waits in line.
struct arrival : queue_entry {
  enum state : std::uint32_t { waiting, granted, dismissed };
  bool is(state s) const noexcept { return now.load(std::memory_order_relaxed) == s; }

  // Written under the group's mutex when it is taken from the line; its own thread may read it without: relaxed,
  // since it takes the mutex before it acts on it.
  std::atomic<std::uint32_t> now{waiting};
  parking_spot* spot = nullptr;  // Where it sleeps, once it has slept. Guarded by the group's mutex.
};

/// Gives places at a group's limit, in the order of arrival.
///
/// A task has a place from when it is reserved (its callable is being stored) until it is gone; those in the
/// handoff ring are counted by the ring, all others here. Who finds no place waits in line for one: a thread
/// blocked in go(), or a task that was given from inside and is beyond the limit. Places that become free are
/// granted in the order of the line, and a newcomer who finds a line goes to its end. A limit that is lowered
/// sends queued tasks back to the front of the line. The group's mutex guards all of this.
class limiter {
 public:
  /// A negative limit is none.
  explicit limiter(std::ptrdiff_t limit) noexcept : limit_(limit) {}
  limiter(const limiter&) = delete;
  limiter& operator=(const limiter&) = delete;

  std::ptrdiff_t limit() const noexcept { return limit_; }
  void set_limit(std::ptrdiff_t n) noexcept { limit_ = n; }
  handoff_ring& ring() noexcept { return ring_; }

  /// True if no other task may have a place. Notes which tasks in the ring have ended, as far as it matters.
  bool full() noexcept { return limit_ >= 0 && full_at_limit(); }
  /// True if more tasks have a place than the limit lets in.
  bool exceeded() const noexcept { return limit_ >= 0 && places() > static_cast<std::size_t>(limit_); }

  /// Returns how many tasks have a place, as far as it is known.
  std::size_t places() const noexcept { return own_places() + ring_.busy(); }
  /// The same without those in the ring; may be asked without the mutex, as a hint.
  std::size_t own_places() const noexcept { return places_.load(std::memory_order_relaxed); }
  /// Returns how many tasks have been given that have not ended.
  ERRGROUP_ALWAYS_INLINE std::size_t pending() noexcept {
    if (ring_.busy() != 0) ring_.note_ends();
    return own_places() + ring_.busy() + beyond_;
  }
  /// Returns how many tasks are in line, or on their way there.
  std::size_t beyond() const noexcept { return beyond_; }

  void add_places(std::size_t n) noexcept { places_.store(own_places() + n, std::memory_order_relaxed); }
  void remove_places(std::size_t n) noexcept { add_places(-n); }
  /// Counts a task that is to be put in line, or does not count it any more.
  void add_beyond() noexcept { ++beyond_; }
  void remove_beyond() noexcept { --beyond_; }

  bool line_empty() const noexcept { return line_.empty(); }
  bool is_first(const arrival& a) const noexcept { return line_.front() == &a; }
  void arrive(queue_entry& e) noexcept { line_.push_back(e); }
  void leave(arrival& a) noexcept {
    line_.take_first([&a](const queue_entry& e) { return &e == &a; });
  }
  /// Takes the task with this serial out of the line; null if it is not there.
  queue_entry* take(std::uint32_t serial) noexcept {
    return line_.take_first([serial](const queue_entry& e) { return e.is_task && e.serial == serial; });
  }
  /// Calls `f(arrival&)` for each caller in line.
  template <class F>
  void for_each_caller(F f) {
    for (queue_entry* e = line_.front(); e; e = e->next) {
      if (!e->is_task) f(static_cast<arrival&>(*e));
    }
  }

  /// Takes the first out of the line if there is a place for it, and counts that; null if there is none. Once
  /// `dismiss` is true each one is taken, callers without a place.
  queue_entry* grant_next(bool dismiss) noexcept;

  /// Sends `t` back, which has a place and is not queued yet.
  void send_back(queue_entry& t) noexcept {
    remove_places(1);
    add_beyond();
    line_.send_back(t);
  }
  /// Sends back what is queued and too much for the limit; false if nothing is.
  bool send_back_excess(task_queue& queue) noexcept;

 private:
  bool full_at_limit() noexcept;

  std::ptrdiff_t limit_;  // Guarded by the group's mutex, as all that follows.
  // Tasks reserved, queued, running, or recalled from the ring. Read without the mutex as a hint, so relaxed.
  std::atomic<std::size_t> places_{0};
  std::size_t beyond_ = 0;
  entry_list line_;
  handoff_ring ring_;
};

// Implementation

inline bool limiter::full_at_limit() noexcept {
  while (places() >= static_cast<std::size_t>(limit_)) {
    if (!ring_.note_end()) return true;
  }
  return false;
}

inline queue_entry* limiter::grant_next(bool dismiss) noexcept {
  if (line_.empty() || (!dismiss && full())) return nullptr;
  queue_entry& e = line_.pop_front();
  if (e.is_task) {
    e.sent_back = false;
    remove_beyond();
  } else {
    static_cast<arrival&>(e).now.store(dismiss ? arrival::dismissed : arrival::granted, std::memory_order_relaxed);
    if (dismiss) return &e;
  }
  add_places(1);
  return &e;
}

// They have come before all that are in line.
inline bool limiter::send_back_excess(task_queue& queue) noexcept {
  if (!exceeded() || queue.empty()) return false;
  const std::size_t n = std::min(places() - static_cast<std::size_t>(limit_), queue.size());
  queue.send_back_last(n, line_);
  remove_places(n);
  beyond_ += n;
  return true;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_LIMITER_HPP
