// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_WORKER_POOL_HPP
#define ERRGROUP_DETAIL_WORKER_POOL_HPP

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <errgroup/detail/intrusive_list.hpp>
#include <errgroup/detail/pool_job.hpp>
#include <errgroup/detail/ref.hpp>
#include <errgroup/detail/thread.hpp>
#include <errgroup/detail/thread_frame.hpp>
#include <errgroup/detail/time.hpp>

namespace errgroup::detail {

/// For a `catch (...)` around what users run on a thread of the pool: an exception terminates the program. glibc's
/// forced unwind (pthread_exit, pthread_cancel), which is no C++ exception, goes on.
[[noreturn]] inline void terminate_unless_unwound() {
  if (!std::current_exception()) throw;
  std::terminate();
}

/// Runs jobs on threads that it starts as needed and keeps for a while.
///
/// The threads have the signal mask of the thread that made the pool, whichever thread makes one start.
///
/// Invariant: while a job is queued, one worker has the duty to look (it is awake, napping, being woken or being
/// started), or else max_threads workers run jobs and the next to finish looks. A looker that takes a job
/// passes the duty on if more is queued. So a queued job never waits for a running one to end. A worker leaves
/// only when it is idle, when its place is taken, or when its stop token tells it to. Then it takes what is queued
/// without patience, so that nothing waits for a look, and it leaves when nothing is.
///
/// Patience: in a storm of tiny tasks a thread for each queued job would mean hundreds. While fewer workers
/// than cores are busy, a job is taken as soon as it has been queued for one short nap, by which time the group's
/// own wait() has run most small groups. Beyond that, a job is taken only if nothing was taken from it during a
/// nap, which means that all who work on it are blocked, or if few workers are seen to get on with their tasks.
/// A group whose owner is brisk is left alone: tasks that take less than it costs two cores to share a queue are
/// run fastest by the one that is there. (10,000 tiny tasks: 60 ns each, and 117 ns with a worker at the same
/// queue.) While it only adds tasks, and runs none, that holds for some tens of microseconds.
class worker_pool {
 public:
  struct options {
    clock::duration idle_timeout;
    std::size_t max_threads;
    std::string thread_name;
    bool immortal;  // Never destroyed, so threads are detached.
    std::function<void()> on_thread_start;
  };

  explicit worker_pool(options o) : options_(std::move(o)) {}
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  void retain() noexcept {
    if (!options_.immortal) refs_.add();
  }
  void release() noexcept {
    if (!options_.immortal && refs_.drop()) delete this;
  }

  /// True if the number of threads has a limit.
  bool bounded() const noexcept { return options_.max_threads != 0; }

  /// Queues `job`. Throws: std::system_error if no thread can be started and none is idle or looking, or if
  /// shut_down() has returned; std::bad_alloc. Then the job is not queued. Preconditions: `job` is not queued.
  void submit(pool_job& job);

  /// Takes `job` back out of the queue. False if it is not there: a worker has it.
  bool withdraw(pool_job& job) noexcept;

  /// Makes sure that someone looks, in case a thread could not be started when the duty was passed on.
  void urge() noexcept;

  /// Runs what is queued, then joins, and destroys on_thread_start. Preconditions: not immortal; not called from a
  /// worker.
  void shut_down() noexcept;

 private:
  struct worker : list_node<worker>, pool_worker {
    explicit worker(worker_pool& p) noexcept : pool(p) {}
    void run() { pool.work(*this); }
    worker_pool& pool;             // Constant.
    std::jthread thread;           // Guarded by mutex_.
    std::stop_token stop;          // The thread's: it is to leave. Set under mutex_ at the start, then constant.
    std::condition_variable wake;  // Waits on mutex_.
    bool summoned = false;         // Has been given the duty. Guarded by mutex_.
    bool parked = false;           // In parked_, else in running_. Guarded by mutex_.
    std::uint32_t seen_ticks = 0;  // Guarded by mutex_.
  };
  class leaving;
  enum class stage : unsigned char { open, closing, closed };
  using lock_type = std::unique_lock<std::mutex>;

  static constexpr clock::duration nap_time = std::chrono::microseconds(20);
  static constexpr clock::duration patience = std::chrono::microseconds(50);
  static constexpr std::uint32_t brisk_pace = 64;                                // Tasks a nap.
  static constexpr std::uint32_t max_deferred = 4;                               // Naps.
  static constexpr clock::duration retire_pause = std::chrono::milliseconds(5);  // Between two that retire.
  static constexpr int longest_nap = 8;     // Times nap_time, where workers get on well with all jobs.
  static constexpr int jobs_per_look = 64;  // Bounds the time for which a look holds the mutex.

  void work(worker& self);
  void begin_thread(lock_type& lock, worker& self);
  pool_job* find(lock_type& lock, worker& self);
  pool_job* look(lock_type& lock, worker& self, bool fresh);
  static bool known(const pool_job& job) noexcept;
  pool_job* choose(bool fresh, bool& all_brisk);
  bool may_retire(worker& self) noexcept;
  bool park(lock_type& lock, worker& self);
  bool nap(lock_type& lock, worker& self, clock::duration d);
  pool_job* take(pool_job& job) noexcept;
  void summon();
  worker& start();
  static void tell_to_leave(worker& w) noexcept;
  void run_here(lock_type& lock, pool_job& job) noexcept;
  void pass_on() noexcept;
  std::size_t active() noexcept;

  options options_;         // Constant, but that shut_down() destroys on_thread_start when all threads have ended.
  const signal_mask mask_;  // Of the thread that made the pool.
  ref_count refs_;
  const std::size_t cores_ = std::max(1U, std::thread::hardware_concurrency());
  std::mutex mutex_;
  std::condition_variable ended_;   // Waits on mutex_; for threads_ == 0.
  intrusive_list<pool_job> queue_;  // Guarded by mutex_, as is all that follows.
  intrusive_list<worker> parked_;   // The last to park is first, and the first to be woken: its cache is warm.
  intrusive_list<worker> running_;  // All others.
  std::size_t threads_ = 0;         // Workers, from before their start until they leave.
  std::size_t busy_ = 0;            // Workers inside a job.
  bool duty_ = false;               // Someone looks.
  worker* napper_ = nullptr;        // Who takes a long nap meanwhile, and is to be woken for a new job.
  stage stage_ = stage::open;       // From open to closing and to closed by shut_down().
  std::uint64_t submissions_ = 0;
  std::size_t active_ = 0;  // Workers that got on with their tasks, at scanned_ at the latest.
  clock::time_point scanned_;
  clock::time_point retired_;  // When a misplaced worker left last.
  std::jthread left_;          // The last worker that left; it joins the one before it.
};

// Implementation

// Leaves the pool on every way out of work(): a forced unwind (pthread_exit, pthread_cancel) may come from what
// users run, with the lock not held, and from every wait for wake, with the lock held.
class worker_pool::leaving {
 public:
  leaving(worker_pool& pool, lock_type& lock, worker& self) : pool_(pool), lock_(lock), self_(self) {}
  leaving(const leaving&) = delete;
  leaving& operator=(const leaving&) = delete;

  void begin(pool_job& job) noexcept { job_ = &job; }

  /// The job's run has ended; gives it back unlocked.
  void end() noexcept {
    lock_.lock();
    --job_->runners_;
    --pool_.busy_;
    lock_.unlock();
    job_->release();
    job_ = nullptr;
    lock_.lock();
  }

  ~leaving() {
    ignore_cancellation();
    if (job_) {
      end();
    } else if (!lock_.owns_lock()) {
      lock_.lock();
    }
    std::jthread before;
    (self_.parked ? pool_.parked_ : pool_.running_).erase(self_);
    if (self_.summoned) pool_.duty_ = false;  // It was cancelled as it looked, or as it was woken to.
    if (pool_.napper_ == &self_) pool_.napper_ = nullptr;
    if (!pool_.options_.immortal) {
      before = std::move(pool_.left_);
      pool_.left_ = std::move(self_.thread);
    }
    --pool_.threads_;  // First, since the place may be needed at max_threads.
    if (!pool_.queue_.empty() && !pool_.duty_) pool_.pass_on();
    if (pool_.threads_ == 0) pool_.ended_.notify_all();
    lock_.unlock();
    delete &self_;
    if (before.joinable()) before.join();
  }

 private:
  worker_pool& pool_;
  lock_type& lock_;
  worker& self_;
  pool_job* job_ = nullptr;
};

inline void worker_pool::submit(pool_job& job) {
  const std::lock_guard lock(mutex_);
  if (stage_ == stage::closed) {
    throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                            "errgroup: the thread_cache was destroyed");
  }
  job.stamp_ = ++submissions_;
  queue_.push_back(job);
  if (duty_) {
    if (napper_) napper_->wake.notify_one();
    return;
  }
  try {
    summon();
  } catch (...) {
    if (threads_ != 0 && busy_ < threads_) return;  // Someone awake is about to look.
    queue_.erase(job);
    throw;
  }
}

inline bool worker_pool::withdraw(pool_job& job) noexcept {
  const std::lock_guard lock(mutex_);
  if (!queue_.contains(job)) return false;
  queue_.erase(job);
  return true;
}

inline void worker_pool::urge() noexcept {
  const std::lock_guard lock(mutex_);
  if (!queue_.empty() && !duty_) pass_on();
}

// The last thread is joined unlocked, since the destructors of its thread_local objects may use the pool.
inline void worker_pool::shut_down() noexcept {
  const cancellation_disabled whole;
  lock_type lock(mutex_);
  stage_ = stage::closing;
  for (worker* w = parked_.front(); w; w = parked_.next(*w)) tell_to_leave(*w);
  for (worker* w = running_.front(); w; w = running_.next(*w)) {
    assert(w->thread.get_id() != std::this_thread::get_id() &&
           "errgroup: a thread_cache must not be destroyed on one of its own threads");
    tell_to_leave(*w);
  }
  for (;;) {
    ended_.wait(lock, [this] { return threads_ == 0; });
    if (pool_job* const job = queue_.front()) {
      run_here(lock, *take(*job));  // No thread could be started for it.
    } else if (left_.joinable()) {
      std::jthread last = std::move(left_);
      lock.unlock();
      last.join();
      lock.lock();
    } else {
      break;
    }
  }
  stage_ = stage::closed;
  lock.unlock();
  options_.on_thread_start = nullptr;
}

inline void worker_pool::run_here(lock_type& lock, pool_job& job) noexcept {
  pool_worker nobody;
  lock.unlock();
  job.run(nobody);
  lock.lock();
  --busy_;
  --job.runners_;
  lock.unlock();
  job.release();
  lock.lock();
}

inline void worker_pool::work(worker& me) {
  mask_.apply();
  name_this_thread(options_.thread_name.c_str());
  std::optional<thread_frame> lent;
  if (bounded()) lent.emplace(thread_frame::kind::lent, this);
  lock_type lock(mutex_);
  leaving guard(*this, lock, me);
  begin_thread(lock, me);
  while (pool_job* const job = find(lock, me)) {
    guard.begin(*job);
    lock.unlock();
    me.in_the_way = false;
    job->run(me);
    guard.end();
    if (me.misplaced && may_retire(me)) return;
  }
}

inline void worker_pool::begin_thread(lock_type& lock, worker& self) {
  if (options_.immortal) self.thread.detach();
  if (!options_.on_thread_start) return;
  lock.unlock();
  try {
    options_.on_thread_start();
  } catch (...) {
    terminate_unless_unwound();
  }
  lock.lock();
}

// Finds the next job, with or without the duty; null when it is time to leave. What a worker takes in place of the
// job that it has just finished needs no patience, unless others are at it, or it is a group that nobody has
// looked at: its owner may be brisk.
inline pool_job* worker_pool::find(lock_type& lock, worker& self) {
  for (;;) {
    if (self.stop.stop_requested()) {
      if (self.summoned) self.summoned = duty_ = false;
      pool_job* const job = queue_.front();
      return job ? take(*job) : nullptr;
    }
    const bool summoned = self.summoned;
    if (!summoned) {
      if (pool_job* const job = queue_.front(); job && known(*job) && (job->runners_ == 0 || busy_ < cores_)) {
        return take(*job);
      }
      if (!duty_ && !(self.in_the_way && queue_.empty())) duty_ = self.summoned = true;
    }
    if (self.summoned) {
      pool_job* const job = look(lock, self, summoned);
      self.summoned = duty_ = false;
      if (job) return take(*job);
    }
    if (!park(lock, self)) return nullptr;
  }
}

inline bool worker_pool::known(const pool_job& job) noexcept {
  return job.seen_stamp_ == job.stamp_ || job.outside_.load(std::memory_order_relaxed) == 0;
}

// Looks until there is a job to take; null if it has been quiet for a nap, or it is to leave. The queue may be
// long and full of jobs that get on well: those go to the back. `fresh`: it took some microseconds to wake up,
// which is a nap.
inline pool_job* worker_pool::look(lock_type& lock, worker& self, bool fresh) {
  for (int naps = 1;; fresh = false) {
    if (self.stop.stop_requested()) return queue_.front();
    bool all_brisk = true;
    if (pool_job* const job = choose(fresh, all_brisk)) return job;
    naps = all_brisk && !queue_.empty() ? std::min(2 * naps, longest_nap) : 1;
    const std::uint64_t before = submissions_;
    if (naps != 1) napper_ = &self;
    const bool over =
        nap(lock, self, queue_.empty() || busy_ >= cores_ ? std::max(patience, naps * nap_time) : naps * nap_time);
    // What is brisk must not be judged by a nap that was cut short.
    if (napper_ == &self && !over) {
      napper_ = nullptr;
      (void)nap(lock, self, nap_time);
    }
    napper_ = nullptr;
    if (queue_.empty() && submissions_ == before) return nullptr;
  }
}

inline pool_job* worker_pool::choose(bool fresh, bool& all_brisk) {
  pool_job* const first = queue_.front();
  if (!first) return nullptr;
  pool_job* job = first;
  for (int i = 0; i != jobs_per_look; ++i) {
    const std::uint32_t version = job->version_.load(std::memory_order_relaxed);
    const std::uint32_t outside = job->outside_.load(std::memory_order_relaxed);
    const bool here_before = job->seen_stamp_ == job->stamp_;
    const bool stuck = job->seen_version_ == version;
    const std::uint32_t pace = outside - job->seen_outside_;
    job->seen_stamp_ = job->stamp_;
    job->seen_version_ = version;
    job->seen_outside_ = outside;
    const std::size_t others = pace == 0 ? 0 : 1;
    if (!here_before) job->deferred_ = 0;
    const bool brisk = pace >= brisk_pace && (!stuck || ++job->deferred_ <= max_deferred);
    if (!brisk && (fresh ? busy_ + others < cores_ : here_before && (stuck || active() + others < cores_))) {
      return job;
    }
    all_brisk = all_brisk && brisk && job->runners_ != 0;
    queue_.erase(*job);
    queue_.push_back(*job);
    job = queue_.front();
    if (job == first) break;
  }
  return nullptr;
}

// A worker on the core of the thread it works for gets in that thread's way, and an operating system that knows of
// no cache that the cores share (such as Linux on some virtual machines) may leave it there for a second: each
// task of a stream through a limit of 1 takes 4 µs then instead of 0.5. A new thread, for which an idle core is
// looked for, takes its place. Now and then is enough, since there may be no other core.
inline bool worker_pool::may_retire(worker& self) noexcept {
  self.misplaced = false;
  const clock::time_point now = clock::now();
  const bool room = options_.max_threads == 0 || threads_ < options_.max_threads;
  if (self.stop.stop_requested() || cores_ == 1 || !room || now - retired_ < retire_pause ||
      (!queue_.empty() && !duty_))
    return false;
  retired_ = now;
  try {
    start();
  } catch (...) {
    return false;
  }
  return true;
}

// Waits to be summoned or told to leave. False: idle for too long.
inline bool worker_pool::park(lock_type& lock, worker& self) {
  running_.erase(self);
  parked_.push_front(self);
  self.parked = true;
  const clock::time_point until = deadline_after(options_.idle_timeout);
  while (!self.summoned && !self.stop.stop_requested() && wait_until(self.wake, lock, until)) {
  }
  if (self.parked) {
    parked_.erase(self);
    running_.push_back(self);
    self.parked = false;
  }
  return self.summoned || self.stop.stop_requested();
}

// False if somebody has cut it short.
inline bool worker_pool::nap(lock_type& lock, worker& self, clock::duration d) {
  return !wait_until(self.wake, lock, clock::now() + d);
}

inline pool_job* worker_pool::take(pool_job& job) noexcept {
  queue_.erase(job);
  job.retain();
  ++job.runners_;
  ++busy_;
  ++active_;
  if (!queue_.empty() && !duty_) pass_on();
  return &job;
}

// Gives the duty to a parked worker, or to a new one. At max_threads nobody gets it.
inline void worker_pool::summon() {
  if (worker* const w = parked_.front()) {
    parked_.erase(*w);
    running_.push_back(*w);
    w->parked = false;
    w->summoned = duty_ = true;
    w->wake.notify_one();
    return;
  }
  if (options_.max_threads != 0 && threads_ >= options_.max_threads) return;
  worker& fresh = start();
  fresh.summoned = duty_ = true;
}

inline worker_pool::worker& worker_pool::start() {
  auto* const w = new worker(*this);
  running_.push_back(*w);
  try {
    const signals_blocked quiet;  // Until the thread has its own mask.
    w->thread = std::jthread(callback{[](void* me) { static_cast<worker*>(me)->run(); }, w});
  } catch (...) {
    running_.erase(*w);
    delete w;
    throw;
  }
  w->stop = w->thread.get_stop_token();
  if (stage_ != stage::open) tell_to_leave(*w);
  ++threads_;
  return *w;
}

inline void worker_pool::tell_to_leave(worker& w) noexcept {
  w.thread.request_stop();
  w.wake.notify_one();
}

inline void worker_pool::pass_on() noexcept {
  try {
    summon();
  } catch (...) {  // The next to finish a job, to submit one or to wait for one tries again.
  }
}

// A worker that began no task since the last scan is taken to be blocked.
inline std::size_t worker_pool::active() noexcept {
  const clock::time_point now = clock::now();
  if (now - scanned_ < 2 * patience) return active_;
  scanned_ = now;
  active_ = 0;
  for (worker* w = running_.front(); w; w = running_.next(*w)) {
    const std::uint32_t ticks = w->ticks.load(std::memory_order_relaxed);
    if (w->seen_ticks != ticks) ++active_;
    w->seen_ticks = ticks;
  }
  return active_;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_WORKER_POOL_HPP
