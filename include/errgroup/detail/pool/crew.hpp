// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_CREW_HPP
#define ERRGROUP_DETAIL_POOL_CREW_HPP

#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include <errgroup/detail/base/intrusive_list.hpp>
#include <errgroup/detail/base/lock_rank.hpp>
#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/pool/job.hpp>
#include <errgroup/detail/pool/parker.hpp>
#include <errgroup/detail/pool/sleep_watch.hpp>
#include <errgroup/detail/pool/worker.hpp>

namespace errgroup::detail {

class crew;

/// A thread of a crew. What follows `spot` is guarded by the pool's mutex. Who sends the worker writes `job` and
/// `on_its_way` before it wakes or starts it, so that the worker may then read them without.
struct worker final : list_node<worker>, pool_worker {
  worker(crew& c, sleep_watch& watch) noexcept : pool_worker(watch), of(c) {}

  crew& of;               // Constant.
  parker<pool_job> spot;  // Where it sleeps. Woken with the pool's mutex held, so that it cannot be gone.
  std::jthread thread;
  std::stop_token stop;     // The thread's: it is to leave.
  pool_job* job = nullptr;  // What it runs, or was sent to run.
  bool on_its_way = false;  // It was sent to run the job, and has not begun.
  bool searches = false;    // It is the searcher, or was woken to be.
  bool parked = false;      // It may be sent, or woken to search.
};

/// The threads of a pool: starts, parks and wakes them, gives them jobs, and sees them off. The pool's mutex
/// guards it, and is held where nothing else is said.
///
/// The threads have the signal mask of the thread that made the crew, whichever thread makes one start.
class crew {
 public:
  struct options {
    clock::duration idle_timeout;
    std::size_t max_threads;  // 0: no limit.
    std::string thread_name;
    bool never_destroyed;  // The pool is, so that the threads are detached.
    std::function<void()> on_thread_start;
  };
  /// What a worker does, with the mutex not held. It calls leave() at its end.
  using work_function = void (*)(void* pool, worker& self);

  crew(options o, sleep_watch& watch, void* pool, work_function work)
      : options_(std::move(o)), watch_(watch), pool_(pool), work_(work) {}
  crew(const crew&) = delete;
  crew& operator=(const crew&) = delete;

  /// Constant, but that forget_hook() destroys on_thread_start.
  const options& settings() const noexcept { return options_; }
  void forget_hook() noexcept { options_.on_thread_start = nullptr; }

  /// True if a worker, not counting the caller's own, runs no job and is not parked: it is about to search.
  bool anyone_free() const noexcept { return watch_.busy() < threads_; }
  /// Returns how many workers there are.
  std::size_t size() const noexcept { return threads_; }
  bool full() const noexcept { return options_.max_threads != 0 && threads_ >= options_.max_threads; }

  /// Wakes the worker that parked last, or starts a new one, and gives it `job`, if that is not null; `sleeps`:
  /// with tasks that do. Null if the crew is full. Throws: std::system_error if no thread can be started,
  /// std::bad_alloc.
  worker* wake_or_start(pool_job* job, bool sleeps = false);
  worker& start(pool_job* job, bool sleeps = false);

  void give(worker& w, pool_job& job, bool sleeps = false) noexcept;
  /// The worker's job has ended, or will not be run by it.
  void end_job(worker& w) noexcept;

  enum class reason : unsigned char { sent, told, idle };
  /// Waits until the worker is sent with a job, told to search or to leave, or has been idle for too long. The
  /// mutex is not held on return if the worker is sent.
  reason park(ranked_lock<lock_rank::pool>& lock, worker& self);
  /// Sleeps for `d` as the searcher; tell_to_leave() ends that. The mutex is held on entry and on return.
  static void nap(ranked_lock<lock_rank::pool>& lock, worker& self, clock::duration d);

  /// Takes a worker off the crew, for good. Returns the thread that left before it, to be joined unlocked; the
  /// last one stays for last_to_leave().
  [[nodiscard]] std::jthread leave(worker& w) noexcept;

  /// Tells all workers to leave, those that will be started, too. Preconditions: the caller is none of them.
  void tell_all_to_leave() noexcept;
  void wait_until_empty(ranked_lock<lock_rank::pool>& lock) {
    ended_.wait(lock, [this] { return threads_ == 0; });
  }
  /// Returns the thread that left last, to be joined unlocked, if it was not returned before.
  [[nodiscard]] std::jthread last_to_leave() noexcept { return std::move(left_); }

 private:
  void run(worker& self);
  static void tell_to_leave(worker& w) noexcept;
  void set_parked(worker& w, bool parked) noexcept;

  options options_;
  const signal_mask mask_;  // Of the thread that made the crew.
  sleep_watch& watch_;      // Constant, as are:
  void* const pool_;
  const work_function work_;
  std::condition_variable ended_;  // Waits on the pool's mutex; for threads_ == 0.
  intrusive_list<worker> parked_;  // The last to park is first: its cache is warm. Guarded by the mutex, as are:
  intrusive_list<worker> up_;      // All others.
  std::size_t threads_ = 0;        // Workers, from before their start until they leave.
  bool closing_ = false;           // All were told to leave.
  std::jthread left_;              // The last worker that left; it joins the one before it.
};

// Implementation

inline worker* crew::wake_or_start(pool_job* job, bool sleeps) {
  worker* const w = parked_.front();
  if (!w) return full() ? nullptr : &start(job, sleeps);
  set_parked(*w, false);
  if (job) give(*w, *job, sleeps);
  w->spot.wake(job);
  return w;
}

inline worker& crew::start(pool_job* job, bool sleeps) {
  auto* const w = new worker(*this, watch_);
  if (job) give(*w, *job, sleeps);
  try {
    const signals_blocked quiet;  // Until the thread has its own mask.
    w->thread = std::jthread(
        callback{[](void* self) { static_cast<worker*>(self)->of.run(*static_cast<worker*>(self)); }, w});
  } catch (...) {
    if (job) end_job(*w);
    delete w;
    throw;
  }
  up_.push_front(*w);
  ++threads_;
  w->stop = w->thread.get_stop_token();
  if (closing_) tell_to_leave(*w);
  if (options_.never_destroyed) w->thread.detach();
  return *w;
}

inline void crew::run(worker& self) {
  mask_.apply();
  name_this_thread(options_.thread_name.c_str());
  self.begin_activity();
  work_(pool_, self);
}

inline void crew::give(worker& w, pool_job& job, bool sleeps) noexcept {
  ++job.runners_;
  w.job = &job;
  w.on_its_way = true;
  watch_.begin_job(w, sleeps);
}

inline void crew::end_job(worker& w) noexcept {
  --w.job->runners_;
  w.job = nullptr;
  watch_.end_job(w);
}

// Who takes a worker from parked_ wakes it before the mutex is let go.
inline crew::reason crew::park(ranked_lock<lock_rank::pool>& lock, worker& self) {
  if (self.stop.stop_requested()) return reason::told;  // A nap may have taken that call.
  set_parked(self, true);
  lock.unlock();
  if (self.spot.park_until(deadline_after(options_.idle_timeout))) return reason::sent;
  lock.lock();
  const bool left_alone = self.parked;
  if (left_alone) {
    set_parked(self, false);
  } else {
    self.spot.forget();  // Its time was over as it was called.
  }
  if (self.job) return reason::sent;
  return left_alone && !self.stop.stop_requested() ? reason::idle : reason::told;
}

inline void crew::nap(ranked_lock<lock_rank::pool>& lock, worker& self, clock::duration d) {
  lock.unlock();
  {
    const punctual_naps on_time;
    (void)self.spot.park_until(clock::now() + d);
  }
  lock.lock();
}

inline std::jthread crew::leave(worker& w) noexcept {
  (w.parked ? parked_ : up_).erase(w);
  if (--threads_ == 0) ended_.notify_all();
  return options_.never_destroyed ? std::jthread() : std::exchange(left_, std::move(w.thread));
}

inline void crew::tell_all_to_leave() noexcept {
  closing_ = true;
  for (const intrusive_list<worker>* list : {&parked_, &up_}) {
    for (worker* w = list->front(); w; w = list->next(*w)) {
      assert(w->thread.get_id() != std::this_thread::get_id() &&
             "errgroup: a thread_cache must not be destroyed on one of its own threads");
      tell_to_leave(*w);
    }
  }
}

inline void crew::tell_to_leave(worker& w) noexcept {
  w.thread.request_stop();
  w.spot.wake();
}

inline void crew::set_parked(worker& w, bool parked) noexcept {
  (w.parked ? parked_ : up_).erase(w);
  w.parked = parked;
  (parked ? parked_ : up_).push_front(w);
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_CREW_HPP
