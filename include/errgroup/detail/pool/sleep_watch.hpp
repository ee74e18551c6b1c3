// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_SLEEP_WATCH_HPP
#define ERRGROUP_DETAIL_POOL_SLEEP_WATCH_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>

#include <errgroup/detail/base/intrusive_list.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/pool/call_site.hpp>
#include <errgroup/detail/pool/thread_activity.hpp>

namespace errgroup::detail {

/// What a sleep_watch knows of one thread. Its functions are called by that thread.
class watched_thread : public list_node<watched_thread> {
 public:
  watched_thread() = default;
  watched_thread(const watched_thread&) = delete;
  watched_thread& operator=(const watched_thread&) = delete;

  /// To be called once, before the first task.
  void begin_activity() noexcept { activity_.begin(); }
  /// Notes that a task of that site begins. Null: it has ended, and what follows is no sleep of a task's.
  /// Memory ordering: who sees the site sees what begin_activity() has done.
  void set_site(call_site* site) noexcept { site_.store(site, std::memory_order_release); }
  bool counts_as_asleep() const noexcept { return counts_as_asleep_.load(std::memory_order_relaxed); }

 private:
  friend class sleep_watch;

  std::atomic<call_site*> site_{nullptr};  // Of the task that it runs. Written by the thread; read by check().
  // Written under the watch's mutex. The thread itself reads it relaxed: it is late by one task if it does not see
  // the last value.
  std::atomic<bool> counts_as_asleep_{false};
  thread_activity activity_;  // Begun by the thread; then of check() only.
};

/// Counts the threads that run jobs, and finds those of them that sleep inside a task: a thread that sleeps needs
/// no core. The user's mutex guards it.
class sleep_watch {
 public:
  explicit sleep_watch(std::mutex& mutex) noexcept : mutex_(mutex) {}
  sleep_watch(const sleep_watch&) = delete;
  sleep_watch& operator=(const sleep_watch&) = delete;

  /// Returns how many threads run jobs.
  std::size_t busy() const noexcept { return busy_; }
  /// Returns how many of them do not count as asleep.
  std::size_t awake() const noexcept { return busy_ - asleep_; }

  /// A thread is given a job. It counts as asleep at once, if the tasks of that job are known to sleep.
  void begin_job(watched_thread& t, bool sleeps) noexcept;
  void end_job(watched_thread& t) noexcept;

  /// Counts the calling thread as awake again. Unlike the others, it locks the mutex.
  void wake_up(watched_thread& t) noexcept;

  /// True if a thread has computed in a task. Asks some only: those that have begun first, but for those that
  /// check() has found.
  bool anyone_computes() const noexcept;

  /// Looks for threads that sleep inside a task, counts them as asleep, and lets the sites of their tasks know.
  /// True if there are any. Checks some threads only, the others the next time; none if the last check was less
  /// than 10 µs ago.
  bool check(clock::time_point now) noexcept;

 private:
  static constexpr clock::duration pause = std::chrono::microseconds(10);  // Between two checks.
  static constexpr int most_checked = 8;  // Bounds the time for which check() holds the mutex, as
  static constexpr int most_asked = 4;    //   this does for anyone_computes().

  void set_asleep(watched_thread& t, bool asleep) noexcept;

  std::mutex& mutex_;                     // Constant; locked by wake_up() only.
  intrusive_list<watched_thread> awake_;  // Threads that run jobs and count as awake. Guarded by mutex_, as are:
  std::size_t busy_ = 0;                  // Threads that run jobs.
  std::size_t asleep_ = 0;                // Of these, those that count as asleep.
  clock::time_point checked_;             // When check() last looked.
};

// Implementation

inline void sleep_watch::begin_job(watched_thread& t, bool sleeps) noexcept {
  ++busy_;
  awake_.push_back(t);
  if (sleeps) set_asleep(t, true);
}

inline void sleep_watch::end_job(watched_thread& t) noexcept {
  if (t.counts_as_asleep()) set_asleep(t, false);
  awake_.erase(t);
  --busy_;
}

inline void sleep_watch::set_asleep(watched_thread& t, bool asleep) noexcept {
  t.counts_as_asleep_.store(asleep, std::memory_order_relaxed);
  if (asleep) {
    ++asleep_;
    awake_.erase(t);
  } else {
    --asleep_;
    awake_.push_back(t);
  }
}

inline void sleep_watch::wake_up(watched_thread& t) noexcept {
  const std::lock_guard lock(mutex_);
  if (t.counts_as_asleep()) set_asleep(t, false);
}

inline bool sleep_watch::anyone_computes() const noexcept {
  const watched_thread* t = awake_.front();
  for (int asked = 0; t && asked != most_asked; ++asked, t = awake_.next(*t)) {
    if (t->site_.load(std::memory_order_acquire) && t->activity_.has_computed()) return true;
  }
  return false;
}

// A thread that is found awake goes to the back of the list, so that others are checked first the next time.
inline bool sleep_watch::check(clock::time_point now) noexcept {
  if (now - checked_ < pause) return false;
  checked_ = now;
  bool any = false;
  const watched_thread* first_awake = nullptr;
  watched_thread* t = awake_.front();
  for (int checked = 0; t && t != first_awake && checked != most_checked;) {
    watched_thread* const next = awake_.next(*t);
    if (call_site* const site = t->site_.load(std::memory_order_acquire)) {
      ++checked;
      const thread_activity::state now_is = t->activity_.look();
      if (now_is == thread_activity::state::awake) {
        awake_.erase(*t);
        awake_.push_back(*t);
        if (!first_awake) first_awake = t;
      } else {
        any = true;
        set_asleep(*t, true);
        if (now_is == thread_activity::state::asleep) site->learn(task_kind::blocking);
      }
    }
    t = next;
  }
  return any;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_SLEEP_WATCH_HPP
