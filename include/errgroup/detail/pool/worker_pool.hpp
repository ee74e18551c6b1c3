// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_WORKER_POOL_HPP
#define ERRGROUP_DETAIL_POOL_WORKER_POOL_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <errgroup/detail/base/lock_rank.hpp>
#include <errgroup/detail/base/ref.hpp>
#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/pool/call_site.hpp>
#include <errgroup/detail/pool/crew.hpp>
#include <errgroup/detail/pool/growth_policy.hpp>
#include <errgroup/detail/pool/job.hpp>
#include <errgroup/detail/pool/job_queue.hpp>
#include <errgroup/detail/pool/sleep_watch.hpp>
#include <errgroup/detail/pool/worker.hpp>

namespace errgroup::detail {

/// For a `catch (...)` around what users run on a thread of the pool: an exception terminates the program. glibc's
/// forced unwind (pthread_exit, pthread_cancel), which is no C++ exception, goes on.
[[noreturn]] inline void terminate_unless_unwound() {
  if (!std::current_exception()) throw;
  std::terminate();
}

/// Runs jobs on the threads of a crew: one lock, and the queue. How many work at a time, `growth_policy` decides.
///
/// A worker gets a job in one of two ways. It is sent, which means woken or started with the job in its hands; or
/// the job is queued, and a worker takes it. Invariant: while a job is queued, there is a searcher (a worker that
/// is awake, napping, being woken or being started), or else max_threads workers run jobs and the next to finish
/// searches. A searcher that takes a job makes another worker search if more is queued. So a queued job never
/// waits for a running one to end. A worker leaves only when it is idle, when its place is taken, or when its stop
/// token tells it to. In the last case it takes what is queued without a nap before it leaves.
class worker_pool {
 public:
  using options = crew::options;

  explicit worker_pool(options o) : crew_(std::move(o), watch_, this, &enter) {}
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  void retain() noexcept {
    if (!crew_.settings().never_destroyed) refs_.add();
  }
  void release() noexcept {
    if (!crew_.settings().never_destroyed && refs_.drop()) delete this;
  }

  /// True if the number of threads has a limit.
  bool bounded() const noexcept { return crew_.settings().max_threads != 0; }

  /// Sends a worker for `job`, for tasks of this kind, if the policy wants one at once. False: none is sent, and
  /// nothing has changed. Throws: std::system_error if no thread can be started, std::bad_alloc.
  bool send(pool_job& job, task_kind kind);

  /// Queues `job`. Throws: std::system_error if no thread can be started and none is idle or searching, or if
  /// shut_down() has returned; std::bad_alloc. Then the job is not queued. Preconditions: `job` is not queued.
  void submit(pool_job& job);

  /// Sends a worker for `job`, or queues it. Throws: as submit().
  void send_or_submit(pool_job& job, task_kind kind);

  /// Takes `job` back out of the queue. False if it is not there: a worker has it.
  bool withdraw(pool_job& job) noexcept;

  /// Makes sure that there is a searcher, in case no thread could be started when the last one took a job.
  void ensure_searcher() noexcept;

  /// Runs what is queued, then joins, and destroys on_thread_start. Preconditions: not never_destroyed; not called
  /// from a worker.
  void shut_down() noexcept;

 private:
  class leaving;
  enum class stage : unsigned char { open, closing, closed };
  using lock_type = ranked_lock<lock_rank::pool>;
  using guard_type = ranked_guard<lock_rank::pool>;

  static constexpr clock::duration replace_pause = std::chrono::milliseconds(5);  // Between two that are replaced.

  static void enter(void* pool, worker& self) { static_cast<worker_pool*>(pool)->work(self); }
  bool wants_for_unknown(const pool_job& job) noexcept;
  void work(worker& self);
  void call_start_hook();
  pool_job* find(lock_type& lock, worker& self);
  pool_job* search(lock_type& lock, worker& self);
  void stop_searching(worker& self) noexcept;
  pool_job* take(worker& self, pool_job& job) noexcept;
  bool replace(const worker& self) noexcept;
  void wake_searcher();
  void search_for_the_rest() noexcept;
  bool bring_another(pool_job& job) noexcept;
  bool queue_again(pool_job& job) noexcept;
  void run_here(lock_type& lock, pool_job& job) noexcept;

  ref_count refs_;
  const std::size_t cores_ = std::max(1U, std::thread::hardware_concurrency());
  std::mutex mutex_;
  sleep_watch watch_{mutex_};  // Guarded by mutex_, as is all that follows.
  job_queue queue_{watch_, cores_};
  crew crew_;
  const pool_job* burst_of_ = nullptr;  // Of the last unknown task that got a worker at once. Compared only.
  bool searching_ = false;              // There is a searcher.
  stage stage_ = stage::open;           // From open to closing and to closed by shut_down().
  clock::time_point replaced_;          // When a worker on a shared core was replaced last.
};

// Implementation

// Leaves the pool on every way out of work(). A forced unwind (pthread_exit, pthread_cancel) may come from what
// users run, and from every place where the worker sleeps, with the lock not held.
class worker_pool::leaving {
 public:
  leaving(worker_pool& pool, lock_type& lock, worker& self) : pool_(pool), lock_(lock), self_(self) {}
  leaving(const leaving&) = delete;
  leaving& operator=(const leaving&) = delete;
  ~leaving() {
    ignore_cancellation();
    if (!lock_.owns_lock()) lock_.lock();
    pool_job* const job = self_.job;
    const bool was_sent = self_.on_its_way;
    if (job) pool_.crew_.end_job(self_);
    pool_.stop_searching(self_);                     // It was cancelled as it searched, or as it was woken to.
    std::jthread before = pool_.crew_.leave(self_);  // First, since the place may be needed at max_threads.
    const bool is_kept = was_sent && (pool_.bring_another(*job) || pool_.queue_again(*job));
    pool_.search_for_the_rest();
    lock_.unlock();
    delete &self_;
    if (job && !is_kept) {
      if (was_sent) job->not_coming();
      job->release();
    }
    if (before.joinable()) before.join();
  }

 private:
  worker_pool& pool_;  // Constant, as are:
  lock_type& lock_;
  worker& self_;
};

inline bool worker_pool::send(pool_job& job, task_kind kind) {
  const guard_type lock(mutex_);
  if (stage_ != stage::open) return false;
  if (!growth_policy::at_once(kind, watch_.awake(), cores_) &&
      (kind != task_kind::unknown || !wants_for_unknown(job))) {
    return false;
  }
  if (!crew_.wake_or_start(&job, kind == task_kind::blocking)) return false;
  job.retain();  // In time: the worker needs the mutex to end the job.
  return true;
}

// Out of line, or g++ takes the job of execute() for a group in a warning.
ERRGROUP_NOINLINE inline void worker_pool::send_or_submit(pool_job& job, task_kind kind) {
  try {
    if (send(job, kind)) return;
  } catch (...) {  // A worker that is awake may take it: submit() knows.
  }
  submit(job);
}

inline bool worker_pool::wants_for_unknown(const pool_job& job) noexcept {
  if (!growth_policy::at_once_unknown(crew_.size(), burst_of_ == &job, watch_.anyone_computes())) {
    return watch_.check(clock::now());
  }
  burst_of_ = &job;
  return true;
}

inline void worker_pool::submit(pool_job& job) {
  const guard_type lock(mutex_);
  if (stage_ == stage::closed) {
    throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                            "errgroup: the thread_cache was destroyed");
  }
  queue_.push(job);
  if (searching_) return;
  try {
    wake_searcher();
  } catch (...) {
    if (crew_.anyone_free()) return;
    queue_.erase(job);
    throw;
  }
}

inline bool worker_pool::withdraw(pool_job& job) noexcept {
  const guard_type lock(mutex_);
  if (!queue_.contains(job)) return false;
  queue_.erase(job);
  return true;
}

inline void worker_pool::ensure_searcher() noexcept {
  const guard_type lock(mutex_);
  search_for_the_rest();
}

// The last thread is joined unlocked, since the destructors of its thread_local objects may use the pool.
inline void worker_pool::shut_down() noexcept {
  const cancellation_disabled whole;
  lock_type lock(mutex_);
  stage_ = stage::closing;
  crew_.tell_all_to_leave();
  for (;;) {
    crew_.wait_until_empty(lock);
    if (pool_job* const job = queue_.front()) {
      run_here(lock, *job);  // No thread could be started for it.
    } else if (std::jthread last = crew_.last_to_leave(); last.joinable()) {
      lock.unlock();
      last.join();
      lock.lock();
    } else {
      break;
    }
  }
  stage_ = stage::closed;
  lock.unlock();
  crew_.forget_hook();
}

inline void worker_pool::run_here(lock_type& lock, pool_job& job) noexcept {
  pool_worker nobody(watch_);
  queue_.erase(job);
  job.retain();
  lock.unlock();
  job.run(nobody);
  job.release();
  lock.lock();
}

// A worker that is sent needs no lock before it has run the job: there may be many at a time.
inline void worker_pool::work(worker& self) {
  std::optional<thread_frame> lent;
  if (bounded()) lent.emplace(thread_frame::kind::lent, this);
  lock_type lock(mutex_, std::defer_lock);
  const leaving guard(*this, lock, self);
  call_start_hook();
  pool_job* job = self.job;
  if (!job) {
    lock.lock();
    job = find(lock, self);
  }
  while (job) {
    if (lock.owns_lock()) lock.unlock();
    self.sent = std::exchange(self.on_its_way, false);
    self.in_the_way = false;
    job->run(self);
    lock.lock();
    crew_.end_job(self);
    lock.unlock();
    job->release();
    lock.lock();
    self.late = false;
    if (std::exchange(self.misplaced, false) && replace(self)) return;
    job = find(lock, self);
  }
}

inline void worker_pool::call_start_hook() {
  if (!crew_.settings().on_thread_start) return;
  try {
    crew_.settings().on_thread_start();
  } catch (...) {
    terminate_unless_unwound();
  }
}

// Finds the next job: the one that it is sent for, or a queued one; null when it is time to leave. The lock is
// held on entry, and perhaps on return.
inline pool_job* worker_pool::find(lock_type& lock, worker& self) {
  while (!self.job) {
    if (self.stop.stop_requested()) {
      stop_searching(self);
      pool_job* const job = queue_.front();
      return job ? take(self, *job) : nullptr;
    }
    if (!self.searches) {
      if (pool_job* const job = queue_.ready()) return take(self, *job);
    }
    if (self.searches || (!searching_ && !(self.in_the_way && queue_.empty()))) {
      pool_job* const job = search(lock, self);
      if (job) return take(self, *job);
    }
    const crew::reason why = crew_.park(lock, self);
    if (why == crew::reason::sent) break;
    if (why == crew::reason::idle) return nullptr;
  }
  return self.job;
}

// Searches until there is a job to take; null if it has been quiet for a nap, or the worker is to leave. To be
// woken takes as long as a nap.
inline pool_job* worker_pool::search(lock_type& lock, worker& self) {
  bool just_woken = std::exchange(self.searches, true);
  searching_ = true;
  pool_job* job = nullptr;
  for (unsigned quiet = 0;; ++quiet, just_woken = false) {
    if (self.stop.stop_requested()) {
      job = queue_.front();
      break;
    }
    job = queue_.choose(self, just_woken);
    if (job) break;
    crew::nap(lock, self, growth_policy::nap(quiet));
    if (queue_.quiet()) break;
  }
  stop_searching(self);
  return job;
}

inline void worker_pool::stop_searching(worker& self) noexcept {
  if (std::exchange(self.searches, false)) searching_ = false;
}

inline pool_job* worker_pool::take(worker& self, pool_job& job) noexcept {
  queue_.erase(job);
  job.retain();
  crew_.give(self, job);
  self.on_its_way = false;
  search_for_the_rest();
  return &job;
}

// A worker on the core of the thread it works for gets in that thread's way, and an operating system that knows of
// no cache that the cores share (such as Linux on some virtual machines) may leave it there for a second: each
// task of a stream through a limit of 1 takes 4 µs then instead of 0.5. A new thread, for which an idle core is
// looked for, takes its place. Now and then is enough, since there may be no other core.
inline bool worker_pool::replace(const worker& self) noexcept {
  const clock::time_point now = clock::now();
  if (self.stop.stop_requested() || cores_ == 1 || crew_.full() || now - replaced_ < replace_pause ||
      (!queue_.empty() && !searching_)) {
    return false;
  }
  replaced_ = now;
  try {
    crew_.start(nullptr);
  } catch (...) {
    return false;
  }
  return true;
}

// At max_threads there is no searcher.
inline void worker_pool::wake_searcher() {
  if (worker* const w = crew_.wake_or_start(nullptr)) w->searches = searching_ = true;
}

// If no thread can be started, the next worker to finish a job searches, or the next submit() or ensure_searcher()
// tries again.
inline void worker_pool::search_for_the_rest() noexcept {
  if (queue_.empty() || searching_) return;
  try {
    wake_searcher();
  } catch (...) {
  }
}

// Brings a worker for a job in place of one that was sent, and leaves. The job's reference goes over to the other
// one. False if there is none.
inline bool worker_pool::bring_another(pool_job& job) noexcept {
  try {
    return crew_.wake_or_start(&job) != nullptr;
  } catch (...) {
    return false;
  }
}

inline bool worker_pool::queue_again(pool_job& job) noexcept {
  if (!job.can_be_queued_again()) return false;
  queue_.push(job);
  return true;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_WORKER_POOL_HPP
