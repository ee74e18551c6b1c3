// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_CORE_HPP
#define ERRGROUP_DETAIL_GROUP_CORE_HPP

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <stop_token>
#include <system_error>
#include <utility>
#include <vector>

#include <errgroup/context.hpp>
#include <errgroup/detail/intrusive_list.hpp>
#include <errgroup/detail/ref.hpp>
#include <errgroup/detail/task.hpp>
#include <errgroup/detail/time.hpp>
#include <errgroup/detail/worker_pool.hpp>
#include <errgroup/error.hpp>
#include <errgroup/options.hpp>

namespace errgroup::detail {

/// What a group and the runners of its tasks share.
///
/// A task is reserved (it counts against the limit; its callable is being stored), queued, running, and gone.
/// `pending_` counts all of these. Whoever takes a task from the queue is a runner: a worker of the pool, a
/// ticket's call by a custom executor, or a thread inside wait().
///
/// No wake-up is lost: everything that a thread waits for changes under `mutex_`, and is notified under it or
/// after it. A queued task has a runner to come: the pool's job is queued or about to look (`job_queued_`), or
/// there are at least as many unbegun tickets and idle waiters as queued tasks. A stop of the context reaches
/// a blocked thread by a stop callback that takes `mutex_`.
///
/// A round is open from its first use until a wait() finds nothing pending; tasks run in open rounds only, so
/// `ctx_` does not change while there is one.
class group_core final : private pool_job {
 public:
  enum class admission { reserved, in_place, full, refused };

  static ref<group_core> make(const context& parent, group_settings settings) {
    return ref<group_core>::adopt(new group_core(parent, std::move(settings)));
  }

  void retain() noexcept { refs_.add(); }
  void release() noexcept override {
    if (refs_.drop()) delete this;
  }

  /// Decides about a new task. Blocks: while the group is full, if it may and the caller is not in a task.
  admission admit(bool may_block);
  /// Takes a reservation back.
  void unreserve() noexcept;
  /// Gives memory for a task of `size` bytes, and the true size. Throws: std::bad_alloc.
  void* allocate(std::size_t& size);
  void deallocate(void* block, std::size_t size) noexcept;

  /// Queues a task that was reserved, and sees to it that it will run. If that throws, the task is destroyed
  /// and the reservation taken back.
  void enqueue(task& t);
  /// Runs a task on the calling thread, inside another of the group's.
  void run_in_place(task& t);

  error wait();
  std::optional<error> wait_until(clock::time_point when);
  void cancel(error cause) noexcept;
  void set_limit(std::ptrdiff_t n);
  context current_context();
  /// Returns why the last task was refused: the cause of the context, which is done.
  error refusal() const {
    const std::lock_guard lock(mutex_);
    return ctx_.cause();
  }
  std::vector<error> errors() const;

  /// Cancels, drops what has not started and waits for the rest.
  void close() noexcept;

 private:
  using lock_type = std::unique_lock<std::mutex>;
  class ticket;
  struct wake_all {
    group_core* core;
    void operator()() const noexcept;
  };

  static constexpr std::size_t block_size = 128;  // Holds most tasks; larger ones get memory of their own.
  static constexpr std::size_t max_free_blocks = 256;
  struct free_block {
    free_block* next;
  };

  group_core(const context& parent, group_settings settings);
  ~group_core();

  void run(std::atomic<std::uint32_t>& ticks) override;
  void run_queued(lock_type& lock, std::atomic<std::uint32_t>* ticks);
  void run_one(lock_type& lock, task& t);
  void finish(std::size_t tasks) noexcept;
  bool recycle(void* block, std::size_t size) noexcept;
  void settle(error e) noexcept;
  void fail(const error& e) noexcept;
  void drop_queued(lock_type& lock) noexcept;
  task* pop() noexcept;
  [[nodiscard]] context open_round();
  context make_context() const;
  bool full() const noexcept { return limit_ >= 0 && pending_ >= static_cast<std::size_t>(limit_); }
  void wait_for_space(lock_type& lock, context before);
  void submit_job();
  void withdraw_job() noexcept;
  void hand_ticket(lock_type& lock);
  void throw_if_inside() const;
  error result_of(unsigned long long round) const { return failed_round_ <= round ? first_error_ : error(); }

  const context parent_;           // Constant.
  const group_settings settings_;  // Constant.
  ref_count refs_;                 // The group's, the queued or running job's, the tickets'.

  mutable std::mutex mutex_;
  std::condition_variable helpers_;  // Waits on mutex_; wait() for tasks to run, and for the end.
  std::condition_variable done_;     // Waits on mutex_; wait_until() and close() for the end.
  std::condition_variable space_;    // Waits on mutex_; blocked go()s.

  // All below are guarded by mutex_.
  intrusive_list<task> queue_;
  std::size_t queued_ = 0;   // Length of queue_.
  std::size_t pending_ = 0;  // Tasks reserved, queued or running.
  std::ptrdiff_t limit_;
  std::size_t idle_ = 0;     // Threads that wait on helpers_.
  std::size_t blocked_ = 0;  // Threads that wait on space_.
  std::size_t unbegun_ = 0;  // Tickets that the executor has accepted, and neither begun nor dropped.
  bool job_queued_ = false;  // Submitted to the pool; until a worker has taken the lock, or withdrawn.
  bool open_ = true;         // The round is.
  unsigned long long round_ = 1;
  unsigned long long failed_round_ = 0;  // Of first_error_.
  unsigned long long serial_ = 0;        // Of the last task queued.
  error first_error_;
  error canceled_;             // The cause given to cancel(), for this and all rounds to come.
  context ctx_;                // Also read without the lock by running tasks; see above.
  std::vector<error> errors_;  // Has room for an error of each pending task.
  free_block* free_ = nullptr;
  std::size_t free_count_ = 0;
};

// Implementation

/// A runner for a custom executor. Its state is guarded by the group's mutex.
class group_core::ticket final : public runner_ticket {
 public:
  explicit ticket(group_core& core) : core_(&core) { core.retain(); }
  void retain() noexcept override { refs_.add(); }
  void release() noexcept override {
    if (refs_.drop()) delete this;
  }

  void begin() override {
    lock_type lock(core_->mutex_);
    if (std::exchange(begun_, true)) return;
    if (counted_) --core_->unbegun_;
    core_->run_queued(lock, nullptr);
  }

  /// The executor has accepted it.
  void count() noexcept {
    if (begun_) return;
    counted_ = true;
    ++core_->unbegun_;
  }

 private:
  ~ticket() {
    if (counted_ && !begun_) {
      const std::lock_guard lock(core_->mutex_);
      --core_->unbegun_;
      if (core_->queued_ != 0) core_->helpers_.notify_one();
    }
    core_->release();
  }

  ref_count refs_;
  group_core* const core_;  // Constant; a reference.
  bool begun_ = false;      // Guarded by core_->mutex_.
  bool counted_ = false;    // As above.
};

inline void group_core::wake_all::operator()() const noexcept {
  const std::lock_guard lock(core->mutex_);
  core->space_.notify_all();
  core->done_.notify_all();
  core->helpers_.notify_all();
}

inline group_core::group_core(const context& parent, group_settings settings)
    : parent_(parent), settings_(std::move(settings)), limit_(settings_.limit), ctx_(make_context()) {}

inline group_core::~group_core() {
  while (free_) ::operator delete(std::exchange(free_, free_->next));
}

inline context group_core::make_context() const {
  const clock::time_point timeout =
      settings_.timeout == clock::duration::max() ? never : deadline_after(settings_.timeout);
  return context_access::child(parent_, std::min(settings_.deadline, timeout));
}

// Returns the context of the round before, to be dropped unlocked: its cause may own an exception of the user's.
inline context group_core::open_round() {
  if (open_ || (first_error_ && !settings_.keep_going)) return {};
  context fresh = make_context();
  if (canceled_) context_access::cancel(fresh, canceled_);  // Nobody can have a callback on it yet.
  open_ = true;
  ++round_;
  return std::exchange(ctx_, std::move(fresh));
}

inline group_core::admission group_core::admit(bool may_block) {
  context before;
  lock_type lock(mutex_);
  for (;;) {
    if (!open_) before = open_round();
    if (ctx_.done()) {
      fail(ctx_.cause());
      return admission::refused;
    }
    if (!full()) break;
    if (!may_block) return admission::full;
    if (inside_frame::is_inside(this)) return admission::in_place;
    wait_for_space(lock, std::move(before));
  }
  if (settings_.max_errors > errors_.capacity() && errors_.capacity() < errors_.size() + pending_ + 1) {
    errors_.reserve(std::min(settings_.max_errors, 2 * (errors_.size() + pending_ + 1)));
  }
  ++pending_;
  return admission::reserved;
}

// Waits for the limit to let another task in, or for the end of the round. The callback is registered and
// destroyed unlocked, since it takes the mutex; what it may report in between is looked at under the lock.
inline void group_core::wait_for_space(lock_type& lock, context before) {
  const context ctx = ctx_;
  const unsigned long long round = round_;
  lock.unlock();
  before = {};
  {
    const std::stop_callback on_stop(ctx.get_stop_token(), wake_all{this});
    lock.lock();
    ++blocked_;
    space_.wait(lock, [&] { return !full() || ctx.done() || !open_ || round_ != round; });
    --blocked_;
    lock.unlock();
  }
  lock.lock();
  if (full()) return;
  // The wake-up may have been meant for one that still waits, should this one have no use for it.
  if (ctx_.done() || !open_ || round_ != round) space_.notify_all();
}

inline void group_core::unreserve() noexcept {
  const std::lock_guard lock(mutex_);
  finish(1);
}

inline void* group_core::allocate(std::size_t& size) {
  if (size > block_size) return ::operator new(size);
  size = block_size;
  {
    const std::lock_guard lock(mutex_);
    if (free_) {
      --free_count_;
      return std::exchange(free_, free_->next);
    }
  }
  return ::operator new(block_size);
}

// Keeps the block, under the lock, or says no.
inline bool group_core::recycle(void* block, std::size_t size) noexcept {
  if (size != block_size || free_count_ >= max_free_blocks) return false;
  ++free_count_;
  free_ = ::new (block) free_block{free_};
  return true;
}

inline void group_core::deallocate(void* block, std::size_t size) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (recycle(block, size)) return;
  }
  ::operator delete(block);
}

inline void group_core::enqueue(task& t) {
  lock_type lock(mutex_);
  const unsigned long long serial = t.serial = ++serial_;
  queue_.push_back(t);
  ++queued_;
  if (idle_ != 0) helpers_.notify_one();
  if (idle_ >= queued_) return;
  try {
    if (settings_.executor.object) {
      if (queued_ > unbegun_ + idle_) hand_ticket(lock);
    } else if (!job_queued_) {
      submit_job();
    }
  } catch (...) {
    if (!lock.owns_lock()) lock.lock();
    task* mine = queue_.front();
    while (mine && mine->serial != serial) mine = queue_.next(*mine);
    if (!mine) return;  // Somebody else has run it.
    queue_.erase(t);
    --queued_;
    lock.unlock();
    const std::size_t size = t.size;
    t.~task();
    deallocate(&t, size);
    unreserve();
    throw;
  }
}

// The executor is called unlocked: it may run the ticket at once, and its own code is not ours.
inline void group_core::hand_ticket(lock_type& lock) {
  lock.unlock();
  auto* const t = new ticket(*this);
  const auto keep = ref<runner_ticket>::adopt(t);
  settings_.executor.execute(settings_.executor.object, runner(keep));
  lock.lock();
  t->count();
  lock.unlock();
}

inline void group_core::submit_job() {
  settings_.executor.pool->submit(*this);
  job_queued_ = true;
  retain();
}

inline task* group_core::pop() noexcept {
  task* const t = queue_.front();
  queue_.erase(*t);
  --queued_;
  progress();
  if (queued_ == 0) withdraw_job();
  return t;
}

inline void group_core::withdraw_job() noexcept {
  if (!job_queued_ || !settings_.executor.pool->withdraw(*this)) return;
  job_queued_ = false;
  refs_.drop();  // Not the last: the caller has one.
}

// A worker's run. The pool gives the job's reference back by release().
inline void group_core::run(std::atomic<std::uint32_t>& ticks) {
  lock_type lock(mutex_);
  job_queued_ = false;
  run_queued(lock, &ticks);
}

inline void group_core::run_queued(lock_type& lock, std::atomic<std::uint32_t>* ticks) {
  while (queued_ != 0) {
    if (ctx_.done()) {
      drop_queued(lock);
      continue;
    }
    task& t = *pop();
    if (ticks) {
      ticks->fetch_add(1, std::memory_order_relaxed);
      if (queued_ != 0 && !job_queued_) {
        try {
          submit_job();
        } catch (...) {  // This worker, or a wait(), takes the rest.
        }
      }
    }
    run_one(lock, t);
  }
}

// Runs a task that was taken. The lock is held on entry and on return.
inline void group_core::run_one(lock_type& lock, task& t) {
  struct ending {  // On a forced unwind, too.
    group_core& core;
    lock_type& lock;
    task& t;
    bool returned = false;
    ~ending() {
      if (!returned) core.settle(error(std::make_error_code(std::errc::owner_dead)));
      const std::size_t size = t.size;
      void* const block = &t;
      t.~task();
      lock.lock();
      if (!core.recycle(block, size)) ::operator delete(block);
      core.finish(1);
    }
  };
  lock.unlock();
  const inside_frame frame(this);
  ending guard{*this, lock, t};
  error e = t.run(ctx_);
  guard.returned = true;
  if (e) settle(std::move(e));
}

inline void group_core::run_in_place(task& t) {
  const inside_frame frame(this);
  error e = t.run(ctx_);
  if (e) settle(std::move(e));
}

// The end of `tasks` tasks, under the lock.
inline void group_core::finish(std::size_t tasks) noexcept {
  pending_ -= tasks;
  if (blocked_ != 0 && !full()) {
    if (tasks == 1) {
      space_.notify_one();
    } else {
      space_.notify_all();
    }
  }
  if (pending_ == 0) {
    done_.notify_all();
    helpers_.notify_all();
  }
}

inline void group_core::fail(const error& e) noexcept {
  if (first_error_) return;
  first_error_ = e;
  failed_round_ = round_;
}

inline void group_core::settle(error e) noexcept {
  error first, cause;
  {
    const std::lock_guard lock(mutex_);
    bool repeats = false;
    if (ctx_.done()) {
      cause = ctx_.cause();
      if (error_access::bare(e)) std::swap(e, cause);  // Destroyed unlocked: it may own an exception.
      repeats = error_access::repeats(e, ctx_.cause());
    }
    fail(e);
    if (!repeats && errors_.size() < settings_.max_errors && errors_.size() < errors_.capacity()) {
      errors_.push_back(e);
    }
    first = first_error_;
  }
  if (!settings_.keep_going) context_access::cancel(ctx_, std::move(first));
}

// Destroys what has not started, since the context is done. The lock is held on entry and on return.
inline void group_core::drop_queued(lock_type& lock) noexcept {
  const error cause = ctx_.cause();
  fail(cause);
  intrusive_list<task> dropped = std::exchange(queue_, {});
  const std::size_t n = std::exchange(queued_, 0);
  withdraw_job();
  lock.unlock();
  while (task* const t = dropped.front()) {
    dropped.erase(*t);
    const inside_frame frame(this);
    const std::size_t size = t->size;
    t->reject(cause);
    t->~task();
    deallocate(t, size);
  }
  lock.lock();
  finish(n);
}

inline void group_core::throw_if_inside() const {
  if (inside_frame::is_inside(this)) {
    throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                            "errgroup: wait() inside a task of the same group");
  }
}

inline error group_core::wait() {
  throw_if_inside();
  error outcome;
  context ctx;
  {
    lock_type lock(mutex_);
    const unsigned long long round = round_;
    ctx = ctx_;
    while (open_ && round_ == round && pending_ != 0) {
      if (queued_ != 0) {
        if (ctx_.done()) {
          drop_queued(lock);
        } else {
          run_one(lock, *pop());
        }
        continue;
      }
      ++idle_;
      helpers_.wait(lock);
      --idle_;
    }
    if (open_ && round_ == round) open_ = false;
    outcome = result_of(round);
  }
  context_access::cancel(ctx, outcome);
  return outcome;
}

inline std::optional<error> group_core::wait_until(clock::time_point when) {
  throw_if_inside();
  error outcome;
  context ctx = [this] {
    const std::lock_guard lock(mutex_);
    return ctx_;
  }();
  {
    const std::stop_callback on_stop(ctx.get_stop_token(), wake_all{this});
    lock_type lock(mutex_);
    const unsigned long long round = round_;
    if (queued_ != 0 && settings_.executor.pool) settings_.executor.pool->urge();
    while (open_ && round_ == round && pending_ != 0) {
      if (queued_ != 0 && ctx_.done()) {
        drop_queued(lock);
        continue;
      }
      if (detail::wait_until(done_, lock, when)) continue;
      if (open_ && round_ == round && pending_ != 0) {
        lock.unlock();
        return std::nullopt;
      }
    }
    if (open_ && round_ == round) {
      open_ = false;
      ctx = ctx_;
    }
    outcome = result_of(round);
    lock.unlock();
  }
  context_access::cancel(ctx, outcome);
  return outcome;
}

inline void group_core::cancel(error cause) noexcept {
  if (!cause) cause = errc::canceled;
  context ctx;
  {
    const std::lock_guard lock(mutex_);
    if (!canceled_) canceled_ = cause;
    ctx = ctx_;
  }
  context_access::cancel(ctx, std::move(cause));
  lock_type lock(mutex_);
  if (queued_ != 0 && ctx_.done()) drop_queued(lock);
}

inline void group_core::set_limit(std::ptrdiff_t n) {
  const std::lock_guard lock(mutex_);
  limit_ = n;
  space_.notify_all();
}

inline context group_core::current_context() {
  context before;
  const std::lock_guard lock(mutex_);
  before = open_round();
  return ctx_;
}

inline std::vector<error> group_core::errors() const {
  const std::lock_guard lock(mutex_);
  return errors_;
}

inline void group_core::close() noexcept {
  cancel(errc::canceled);
  lock_type lock(mutex_);
  while (pending_ != 0) {
    if (queued_ != 0) {
      drop_queued(lock);
    } else {
      done_.wait(lock);
    }
  }
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_CORE_HPP
