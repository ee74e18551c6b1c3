// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_WORKER_POOL_HPP
#define ERRGROUP_DETAIL_POOL_WORKER_POOL_HPP

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

#include <errgroup/detail/base/intrusive_list.hpp>
#include <errgroup/detail/base/ref.hpp>
#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/pool/call_site.hpp>
#include <errgroup/detail/pool/growth_policy.hpp>
#include <errgroup/detail/pool/job.hpp>
#include <errgroup/detail/pool/parker.hpp>
#include <errgroup/detail/pool/thread_activity.hpp>

namespace errgroup::detail {

/// For a `catch (...)` around what users run on a thread of the pool: an exception terminates the program. glibc's
/// forced unwind (pthread_exit, pthread_cancel), which is no C++ exception, goes on.
[[noreturn]] inline void terminate_unless_unwound() {
  if (!std::current_exception()) throw;
  std::terminate();
}

/// Runs jobs on threads that it starts as needed and keeps for a while. How many work at a time, `growth_policy`
/// decides.
///
/// The threads have the signal mask of the thread that made the pool, whichever thread makes one start.
///
/// A worker gets a job in one of two ways. It is sent, which means woken or started with the job in its hands; or
/// the job is queued, and a worker takes it. Invariant: while a job is queued, one worker searches (it is awake,
/// napping, being woken or being started), or else max_threads workers run jobs and the next to finish searches. A
/// searcher that takes a job makes another one search if more is queued. So a queued job never waits for a running
/// one to end. A worker leaves only when it is idle, when its place is taken, or when its stop token tells it to.
/// Then it takes what is queued without patience, so that nothing waits for a look, and it leaves when nothing is.
///
/// A worker counts as asleep if it was sent for tasks that sleep, or was seen to sleep when nobody got on; until
/// it begins a task that is not of that kind.
class worker_pool {
 public:
  struct options {
    clock::duration idle_timeout;
    std::size_t max_threads;
    std::string thread_name;
    bool never_destroyed;  // Never destroyed, so threads are detached.
    std::function<void()> on_thread_start;
  };

  explicit worker_pool(options o) : options_(std::move(o)) {}
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  void retain() noexcept {
    if (!options_.never_destroyed) refs_.add();
  }
  void release() noexcept {
    if (!options_.never_destroyed && refs_.drop()) delete this;
  }

  /// True if the number of threads has a limit.
  bool bounded() const noexcept { return options_.max_threads != 0; }

  /// Sends a worker for `job`, for tasks of this kind, if the policy wants one at once. False: none is sent, and
  /// nothing has changed. Throws: std::system_error if no thread can be started, std::bad_alloc.
  bool send(pool_job& job, task_kind kind);

  /// Queues `job`. Throws: std::system_error if no thread can be started and none is idle or looking, or if
  /// shut_down() has returned; std::bad_alloc. Then the job is not queued. Preconditions: `job` is not queued.
  void submit(pool_job& job);

  /// The one, or else the other. Throws: as submit().
  void send_or_submit(pool_job& job, task_kind kind);

  /// Takes `job` back out of the queue. False if it is not there: a worker has it.
  bool withdraw(pool_job& job) noexcept;

  /// Makes sure that someone looks, in case a thread could not be started when the duty was passed on.
  void urge() noexcept;

  /// Runs what is queued, then joins, and destroys on_thread_start. Preconditions: not never_destroyed; not called
  /// from a worker.
  void shut_down() noexcept;

 private:
  struct worker final : list_node<worker>, pool_worker {
    worker(worker_pool& p, pool_job* f) noexcept : pool(p), first(f) {}
    void run() { pool.work(*this); }
    void wake_up() noexcept override { pool.count_as_awake(*this); }
    bool asleep() const noexcept { return counts_as_asleep_.load(std::memory_order_relaxed); }
    void set_asleep(bool a) noexcept { counts_as_asleep_.store(a, std::memory_order_relaxed); }
    call_site* site() const noexcept { return site_.load(std::memory_order_relaxed); }

    worker_pool& pool;        // Constant.
    pool_job* const first;    // Constant: the job that it was started for, or null.
    parker<pool_job> spot;    // Where it sleeps. Woken with the pool's mutex held, so that it cannot be gone.
    std::jthread thread;      // Guarded by mutex_, as is all that follows.
    std::stop_token stop;     // The thread's: it is to leave.
    pool_job* job = nullptr;  // What it runs, or was sent to run.
    bool summoned = false;    // Has been told to search.
    intrusive_list<worker>* in = nullptr;  // Its list: parked_, awake_ or asleep_.
    thread_activity activity;              // Begun by the thread before it has arrived.
    // It was sent, and has not begun the job. Set with the mutex held; reset by the worker, with release, when
    // `activity` has begun; read with acquire.
    std::atomic<bool> on_its_way{false};
  };
  class leaving;
  enum class stage : unsigned char { open, closing, closed };
  using lock_type = std::unique_lock<std::mutex>;

  static constexpr clock::duration retire_pause = std::chrono::milliseconds(5);  // Between two that retire.
  static constexpr int jobs_per_look = 64;  // Bounds the time for which a look holds the mutex, as does:
  static constexpr int checks_per_look = 8;

  void work(worker& self);
  void call_start_hook();
  pool_job* find(lock_type& lock, worker& self);
  pool_job* look(lock_type& lock, worker& self, bool fresh);
  static bool known(const pool_job& job) noexcept;
  pool_job* choose(worker& self, bool fresh);
  bool wanted(pool_job& job, worker& self, bool fresh);
  bool check_who_sleeps() noexcept;
  void count_as_awake(worker& w) noexcept;
  void count_as_asleep(worker& w) noexcept;
  void move(worker& w, intrusive_list<worker>& to) noexcept;
  std::size_t awake() const noexcept { return busy_ - dozing_; }
  bool may_retire(worker& self) noexcept;
  enum class reason : unsigned char { sent, told, idle };
  reason park(lock_type& lock, worker& self);
  pool_job* take(worker& self, pool_job& job) noexcept;
  void give(worker& w, pool_job& job) noexcept;
  void end_job(worker& w) noexcept;
  worker* idle_or_new(pool_job* job, bool sleeps = false);
  bool send_another(pool_job& job) noexcept;
  void summon();
  worker& start(pool_job* first, bool sleeps = false);
  static void tell_to_leave(worker& w) noexcept;
  void run_here(lock_type& lock, pool_job& job) noexcept;
  void pass_on() noexcept;

  options options_;         // Constant, but that shut_down() destroys on_thread_start when all threads have ended.
  const signal_mask mask_;  // Of the thread that made the pool.
  ref_count refs_;
  const std::size_t cores_ = std::max(1U, std::thread::hardware_concurrency());
  std::mutex mutex_;
  std::condition_variable ended_;   // Waits on mutex_; for threads_ == 0.
  intrusive_list<pool_job> queue_;  // Guarded by mutex_, as is all that follows.
  intrusive_list<worker> parked_;   // The last to park is first, and the first to be woken: its cache is warm.
  intrusive_list<worker> awake_;    // All others, but those that
  intrusive_list<worker> asleep_;   //   count as asleep inside a job.
  std::size_t threads_ = 0;         // Workers, from before their start until they leave.
  std::size_t busy_ = 0;            // Workers that have a job.
  std::size_t dozing_ = 0;          // Of these, those that count as asleep.
  bool duty_ = false;               // Someone searches.
  stage stage_ = stage::open;       // From open to closing and to closed by shut_down().
  std::uint64_t submissions_ = 0;
  clock::time_point checked_;  // When it was looked who sleeps.
  clock::time_point retired_;  // When a misplaced worker left last.
  std::jthread left_;          // The last worker that left; it joins the one before it.
};

// Implementation

// Leaves the pool on every way out of work(). A forced unwind (pthread_exit, pthread_cancel) may come from what
// users run, and from every place where the worker sleeps, with the lock not held.
class worker_pool::leaving {
 public:
  leaving(worker_pool& pool, lock_type& lock, worker& self) : pool_(pool), lock_(lock), self_(self) {}
  leaving(const leaving&) = delete;
  leaving& operator=(const leaving&) = delete;

  /// The job's run has ended; gives it back unlocked.
  void end() noexcept {
    lock_.lock();
    pool_job& job = *self_.job;
    pool_.end_job(self_);
    lock_.unlock();
    job.release();
    lock_.lock();
  }

  ~leaving() {
    ignore_cancellation();
    if (!lock_.owns_lock()) lock_.lock();
    pool_job* const job = self_.job;
    const bool was_sent = self_.on_its_way.load(std::memory_order_relaxed);
    if (job) pool_.end_job(self_);
    std::jthread before;
    self_.in->erase(self_);
    if (self_.summoned) pool_.duty_ = false;  // It was cancelled as it searched, or as it was woken to.
    if (!pool_.options_.never_destroyed) {
      before = std::move(pool_.left_);
      pool_.left_ = std::move(self_.thread);
    }
    --pool_.threads_;  // First, since the place may be needed at max_threads.
    const bool another_comes = was_sent && pool_.send_another(*job);
    if (!pool_.queue_.empty() && !pool_.duty_) pool_.pass_on();
    if (pool_.threads_ == 0) pool_.ended_.notify_all();
    lock_.unlock();
    delete &self_;
    if (job && !another_comes) {
      if (was_sent) job->not_coming();
      job->release();
    }
    if (before.joinable()) before.join();
  }

 private:
  worker_pool& pool_;
  lock_type& lock_;
  worker& self_;
};

inline bool worker_pool::send(pool_job& job, task_kind kind) {
  const std::lock_guard lock(mutex_);
  if (stage_ != stage::open) return false;
  if (!growth_policy::at_once(kind, awake(), cores_)) {
    // All cores seem to be used; but of tasks that nothing is known of the first ones may sleep.
    if (kind != task_kind::unknown || !check_who_sleeps()) return false;
  }
  if (!idle_or_new(&job, kind == task_kind::blocking)) return false;
  job.retain();  // In time: the worker needs the mutex to end the job.
  return true;
}

inline void worker_pool::send_or_submit(pool_job& job, task_kind kind) {
  try {
    if (send(job, kind)) return;
  } catch (...) {  // A worker that is awake may take it: submit() knows.
  }
  submit(job);
}

inline void worker_pool::submit(pool_job& job) {
  const std::lock_guard lock(mutex_);
  if (stage_ == stage::closed) {
    throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                            "errgroup: the thread_cache was destroyed");
  }
  job.stamp_ = ++submissions_;
  queue_.push_back(job);
  if (duty_) return;
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
  for (const intrusive_list<worker>* list : {&parked_, &awake_, &asleep_}) {
    for (worker* w = list->front(); w; w = list->next(*w)) {
      assert(w->thread.get_id() != std::this_thread::get_id() &&
             "errgroup: a thread_cache must not be destroyed on one of its own threads");
      tell_to_leave(*w);
    }
  }
  for (;;) {
    ended_.wait(lock, [this] { return threads_ == 0; });
    if (pool_job* const job = queue_.front()) {
      run_here(lock, *job);  // No thread could be started for it.
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
  struct : pool_worker {
  } nobody;
  queue_.erase(job);
  job.retain();
  lock.unlock();
  job.run(nobody);
  job.release();
  lock.lock();
}

// A worker that is sent needs no lock before it has run the job: there may be many at a time.
inline void worker_pool::work(worker& me) {
  mask_.apply();
  name_this_thread(options_.thread_name.c_str());
  std::optional<thread_frame> lent;
  if (bounded()) lent.emplace(thread_frame::kind::lent, this);
  lock_type lock(mutex_, std::defer_lock);
  leaving guard(*this, lock, me);
  me.activity.begin();
  call_start_hook();
  pool_job* job = me.first;
  if (!job) {
    lock.lock();
    job = find(lock, me);
  }
  while (job) {
    me.sent = me.on_its_way.load(std::memory_order_relaxed);
    me.on_its_way.store(false, std::memory_order_release);
    if (lock.owns_lock()) lock.unlock();
    me.in_the_way = false;
    job->run(me);
    guard.end();
    me.late = false;
    if (me.misplaced && may_retire(me)) return;
    job = find(lock, me);
  }
}

inline void worker_pool::call_start_hook() {
  if (!options_.on_thread_start) return;
  try {
    options_.on_thread_start();
  } catch (...) {
    terminate_unless_unwound();
  }
}

// Finds the next job: the one that it is sent for, or a queued one; null when it is time to leave. The lock is
// held on entry, and perhaps on return. What a worker takes in place of the job that it has just finished needs no
// patience, unless others are at it, or it is a group that nobody has looked at: its owner may be brisk.
inline pool_job* worker_pool::find(lock_type& lock, worker& self) {
  for (;;) {
    if (self.job) return self.job;
    if (self.stop.stop_requested()) {
      if (self.summoned) self.summoned = duty_ = false;
      pool_job* const job = queue_.front();
      return job ? take(self, *job) : nullptr;
    }
    const bool summoned = self.summoned;
    if (!summoned) {
      if (pool_job* const job = queue_.front(); job && known(*job) && (job->runners_ == 0 || awake() < cores_)) {
        return take(self, *job);
      }
      if (!duty_ && !(self.in_the_way && queue_.empty())) duty_ = self.summoned = true;
    }
    if (self.summoned) {
      pool_job* const job = look(lock, self, summoned);
      self.summoned = duty_ = false;
      if (job) return take(self, *job);
    }
    const reason why = park(lock, self);
    if (why == reason::sent) return self.job;
    if (why == reason::idle) return nullptr;
  }
}

inline bool worker_pool::known(const pool_job& job) noexcept {
  return job.seen_stamp_ == job.stamp_ || job.outside_.load(std::memory_order_relaxed) == 0;
}

// Looks until there is a job to take; null if it has been quiet for a nap, or it is to leave. The queue may be
// long and full of jobs that get on well: those go to the back. `fresh`: it took some microseconds to wake up,
// which is a nap.
inline pool_job* worker_pool::look(lock_type& lock, worker& self, bool fresh) {
  for (unsigned quiet = 0;; ++quiet, fresh = false) {
    if (self.stop.stop_requested()) return queue_.front();
    if (pool_job* const job = choose(self, fresh)) return job;
    const std::uint64_t before = submissions_;
    lock.unlock();
    {
      const punctual_naps on_time;
      (void)self.spot.park_until(clock::now() + growth_policy::nap(quiet));
    }
    lock.lock();
    if (queue_.empty() && submissions_ == before) return nullptr;
  }
}

inline pool_job* worker_pool::choose(worker& self, bool fresh) {
  const pool_job* moved = nullptr;
  pool_job* job = queue_.front();
  for (int i = 0; i != jobs_per_look && job && job != moved; ++i) {
    if (wanted(*job, self, fresh)) return job;
    pool_job* const next = queue_.next(*job);
    if (job->runners_ != 0 || job->outside_.load(std::memory_order_relaxed) != 0) {  // Others have not begun.
      queue_.erase(*job);
      queue_.push_back(*job);
      if (!moved) moved = job;
    }
    job = next;
  }
  return nullptr;
}

// Asks the policy whether a job gets one more worker, and notes what was seen.
inline bool worker_pool::wanted(pool_job& job, worker& self, bool fresh) {
  const clock::time_point now = clock::now();
  const std::uint32_t version = job.version_.load(std::memory_order_relaxed);
  const std::uint32_t outside = job.outside_.load(std::memory_order_relaxed);
  const bool here_before = known(job), progressed = job.seen_version_ != version;
  if (!here_before || progressed) {
    job.deferred_ = 0;
    job.stuck_since_ = now;
    if (version - job.seen_version_ > 1) job.given_up_ = 0;  // More than by the one worker that it was given.
  }
  growth_policy::figures f{cores_,        awake(),
                           fresh,         here_before,
                           progressed,    outside - job.seen_outside_,
                           job.deferred_, now - job.stuck_since_,
                           job.given_up_, job.runners_ == 0};
  job.seen_stamp_ = job.stamp_;
  job.seen_version_ = version;
  job.seen_outside_ = outside;
  if (growth_policy::brisk(f)) {
    ++job.deferred_;
    return false;
  }
  growth_policy::decision d = growth_policy::at_look(f);
  if (d == growth_policy::decision::check && check_who_sleeps()) {
    f.awake = awake();
    d = growth_policy::at_look(f);
  } else if (d == growth_policy::decision::take && f.awake >= cores_) {
    ++job.given_up_;
    job.stuck_since_ = now;
  }
  self.late = growth_policy::late(f);
  return d == growth_policy::decision::take;
}

// Finds workers that sleep inside a task, and lets the sites of these tasks know. True if there are any.
inline bool worker_pool::check_who_sleeps() noexcept {
  const clock::time_point now = clock::now();
  if (now - checked_ < growth_policy::shortest_nap / 2) return false;
  checked_ = now;
  bool any = false;
  const worker* first_awake = nullptr;
  worker* w = awake_.front();
  for (int checks = 0; w && w != first_awake && checks != checks_per_look;) {
    worker* const next = awake_.next(*w);
    call_site* const site = w->on_its_way.load(std::memory_order_acquire) ? nullptr : w->site();
    if (w->job && site) {
      ++checks;
      const thread_activity::state now_is = w->activity.look();
      if (now_is == thread_activity::state::awake) {  // The others are looked at first, the next time.
        awake_.erase(*w);
        awake_.push_back(*w);
        if (!first_awake) first_awake = w;
      } else {
        any = true;
        count_as_asleep(*w);
        if (now_is == thread_activity::state::asleep) site->learn(task_kind::blocking);
      }
    }
    w = next;
  }
  return any;
}

inline void worker_pool::count_as_asleep(worker& w) noexcept {
  ++dozing_;
  w.set_asleep(true);
  move(w, asleep_);
}

inline void worker_pool::count_as_awake(worker& w) noexcept {
  const std::lock_guard lock(mutex_);
  if (!w.asleep()) return;
  --dozing_;
  w.set_asleep(false);
  move(w, awake_);
}

inline void worker_pool::move(worker& w, intrusive_list<worker>& to) noexcept {
  w.in->erase(w);
  w.in = &to;
  to.push_front(w);
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
    start(nullptr);
  } catch (...) {
    return false;
  }
  return true;
}

// Waits to be sent, or told to search or to leave, or until it has been idle for too long. The lock is held on
// entry, and on return unless the worker is sent. Who takes it from parked_ wakes it before the mutex is let go.
inline worker_pool::reason worker_pool::park(lock_type& lock, worker& self) {
  if (self.stop.stop_requested()) return reason::told;  // A nap may have taken that call.
  move(self, parked_);
  lock.unlock();
  const bool sent = self.spot.park_until(deadline_after(options_.idle_timeout)) != nullptr;
  if (sent) return reason::sent;
  lock.lock();
  const bool left_alone = self.in == &parked_;
  if (left_alone) move(self, awake_);
  if (!left_alone) self.spot.forget();  // Its time was over as it was called.
  if (self.job) return reason::sent;
  return left_alone && !self.stop.stop_requested() ? reason::idle : reason::told;
}

inline void worker_pool::give(worker& w, pool_job& job) noexcept {
  ++job.runners_;
  ++busy_;
  w.job = &job;
  w.on_its_way.store(true, std::memory_order_relaxed);
}

// The worker's job has ended, or will not be run by it.
inline void worker_pool::end_job(worker& w) noexcept {
  --w.job->runners_;
  --busy_;
  w.job = nullptr;
  if (!w.asleep()) return;
  --dozing_;
  w.set_asleep(false);
  move(w, awake_);
}

inline pool_job* worker_pool::take(worker& self, pool_job& job) noexcept {
  queue_.erase(job);
  job.retain();
  give(self, job);
  self.on_its_way.store(false, std::memory_order_relaxed);
  if (!queue_.empty() && !duty_) pass_on();
  return &job;
}

// Wakes an idle worker, or starts a new one, and gives it `job`, if that is not null; `sleeps`: with tasks that
// do. Null at max_threads.
inline worker_pool::worker* worker_pool::idle_or_new(pool_job* job, bool sleeps) {
  worker* const w = parked_.front();
  if (!w) return options_.max_threads != 0 && threads_ >= options_.max_threads ? nullptr : &start(job, sleeps);
  move(*w, awake_);
  if (job) give(*w, *job);
  if (sleeps) count_as_asleep(*w);
  w->spot.wake(job);
  return w;
}

// In place of one that was sent, and leaves, whose reference goes over to it. False if there is none.
inline bool worker_pool::send_another(pool_job& job) noexcept {
  try {
    return idle_or_new(&job) != nullptr;
  } catch (...) {
    return false;
  }
}

// Makes a worker search. At max_threads nobody does.
inline void worker_pool::summon() {
  if (worker* const w = idle_or_new(nullptr)) w->summoned = duty_ = true;
}

inline worker_pool::worker& worker_pool::start(pool_job* first, bool sleeps) {
  auto* const w = new worker(*this, first);
  awake_.push_back(*w);
  w->in = &awake_;
  if (first) give(*w, *first);
  if (sleeps) count_as_asleep(*w);
  try {
    const signals_blocked quiet;  // Until the thread has its own mask.
    w->thread = std::jthread(callback{[](void* me) { static_cast<worker*>(me)->run(); }, w});
  } catch (...) {
    if (first) end_job(*w);
    awake_.erase(*w);
    delete w;
    throw;
  }
  w->stop = w->thread.get_stop_token();
  if (stage_ != stage::open) tell_to_leave(*w);
  if (options_.never_destroyed) w->thread.detach();
  ++threads_;
  return *w;
}

inline void worker_pool::tell_to_leave(worker& w) noexcept {
  w.thread.request_stop();
  w.spot.wake();
}

inline void worker_pool::pass_on() noexcept {
  try {
    summon();
  } catch (...) {  // The next to finish a job, to submit one or to wait for one tries again.
  }
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_WORKER_POOL_HPP
