// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_CORE_HPP
#define ERRGROUP_DETAIL_GROUP_CORE_HPP

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <errgroup/context.hpp>
#include <errgroup/detail/executor_ref.hpp>
#include <errgroup/detail/handoff.hpp>
#include <errgroup/detail/lazy_condition.hpp>
#include <errgroup/detail/ref.hpp>
#include <errgroup/detail/round_context.hpp>
#include <errgroup/detail/task.hpp>
#include <errgroup/detail/task_blocks.hpp>
#include <errgroup/detail/thread.hpp>
#include <errgroup/detail/time.hpp>
#include <errgroup/detail/worker_pool.hpp>
#include <errgroup/error.hpp>
#include <errgroup/options.hpp>

namespace errgroup::detail {

/// What a group and the runners of its tasks share.
///
/// A task is reserved (it counts against the limit; its callable is being stored), queued, running, and gone.
/// `pending_` counts all of these. Whoever takes a task from the queue is a runner: a worker of the pool, a
/// custom executor's call, or a thread inside wait(). Small tasks of a group with a limit pass the queue by, while
/// a worker serves the handoff; the handoff counts these, until it ends or they are recalled to the queue.
///
/// No wake-up is lost: everything that a thread waits for changes under `mutex_`, and is notified under it or
/// after it; but for the end of a task that was handed over, which tells whoever has asked for it before. A queued
/// task has somebody to come, who looks at the queue under `mutex_` before leaving: a seeker, a waiter that was
/// woken for it, an accepted runner, or the pool, in which the group's job is queued or just taken
/// (`job_queued_`). So has a task that was handed over: the server, if it has nothing else to run; else the pool,
/// whose worker recalls it. A stop of the context reaches a blocked thread by a stop callback that takes `mutex_`.
///
/// Seekers: waking a parked thread takes microseconds, so whoever runs out of work looks out for more for a moment
/// before it parks or leaves.
///
/// A round is open from its first use until a wait() finds nothing pending; tasks run in open rounds only, so the
/// context does not change while there is one.
class group_core final : private pool_job, private runner_host {
 public:
  enum class admission { reserved, handed, in_place, full, refused };
  using lock_type = std::unique_lock<std::mutex>;

  static ref<group_core> make(const context& parent, group_settings settings) {
    return ref<group_core>::adopt(new group_core(parent, std::move(settings)));
  }

  void retain() noexcept override { refs_.add(); }
  void release() noexcept override {
    if (refs_.drop()) delete this;
  }

  /// Decides about a new task. Reserved: `block` has room for it, if its shape is pooled. Handed: it is to be made
  /// in `block`, and then hand_over() called. `lock` is locked in these two cases only. Refused: `why_not`, if not
  /// null, is set to the cause.
  /// Blocks: while the group is full, if it may and the caller is not in a task.
  /// Throws: std::bad_alloc; what making a context does. Then nothing has changed.
  admission admit(lock_type& lock, bool may_block, const task_shape& shape, void*& block, error* why_not);
  /// Takes a reservation back, and the block.
  void unreserve(lock_type& lock, void* block) noexcept;
  /// Queues a task that was reserved, and sees to it that it will run. If that throws, the task is destroyed and
  /// the reservation taken back. `lock` may be locked.
  void enqueue(lock_type& lock, task& t);
  /// Gives a task that was made for the handoff.
  void hand_over() noexcept;
  /// Runs a task on the calling thread, inside another of the group's.
  void run_in_place(task& t);

  error wait();
  std::optional<error> wait_until(clock::time_point when);
  void cancel(error cause) noexcept;
  void set_limit(std::ptrdiff_t n);
  context current_context();
  std::vector<error> errors() const;

  /// Cancels, drops what has not started and waits for the rest.
  void close() noexcept;

 private:
  // In tries of about 20 ns: about as long as a tiny task takes; as it takes to wake a thread; as it may take that
  // thread to come.
  static constexpr int glance = 16;
  static constexpr int short_look = 150;
  static constexpr int long_look = 1280;
  static constexpr int misplaced = 32;  // Tasks that came only when this thread had made room for the one in go().

  group_core(const context& parent, group_settings settings);
  ~group_core() { assert(!job_queued_ && "errgroup: the pool must not be left with a group that is gone"); }

  // Adding tasks.
  bool full() noexcept;
  bool may_hand_over();
  bool anyone_sleeps() const noexcept { return idle_ + watching_ + blocked_ != 0; }
  void reserve_error();
  void wait_for_space(lock_type& lock);
  bool covered() const noexcept { return seekers_ + tokens_ >= queued(); }
  void pass_on() noexcept;
  void wake_waiter() noexcept;
  void submit_job();
  void withdraw_job() noexcept;
  void push(task& t) noexcept;
  void hand_runner(lock_type& lock);
  void take_back(lock_type& lock, task& t, std::uint32_t serial);

  // Running tasks.
  void run(pool_worker& self) override;
  void begin_runner(bool accepted) override;
  void drop_runner() noexcept override;
  void run_queued(lock_type& lock, pool_worker* self);
  void run_one(lock_type& lock, task& t);
  void serve(lock_type& lock, pool_worker& self);
  void run_handed(handoff::server& server, task& t, lock_type& lock);
  void recall() noexcept;
  bool end_handed(lock_type& lock, handoff::server::outcome outcome) noexcept;
  void reject(task& t) noexcept;
  task& pop() noexcept;
  void seek(lock_type& lock, int tries) noexcept;
  void drop_queued(lock_type& lock) noexcept;
  void dispose(task& t, lock_type& lock) noexcept;
  void finish(lock_type& lock, std::size_t tasks) noexcept;

  // Errors and rounds.
  void fail(const error& e) noexcept;
  void settle(error e) noexcept;
  void stop(lock_type& lock, error cause) noexcept;
  void wake_blocked() noexcept;
  callback waker() noexcept {
    return {[](void* core) { static_cast<group_core*>(core)->wake_blocked(); }, this};
  }
  void throw_if_inside() const;
  void open_round();
  clock::time_point round_deadline() const;
  error outcome_of(unsigned long long round) const { return failed_round_ <= round ? first_error_ : error(); }
  error end_round(unsigned long long round, lock_type& lock);

  lock_type locked() const noexcept {
    lock_type lock(mutex_, std::defer_lock);
    lock_patiently(lock);
    return lock;
  }

  // The counters are written under mutex_, and looked at without it as a hint only.
  std::size_t queued() const noexcept { return queued_.load(std::memory_order_relaxed); }
  std::size_t pending() noexcept {
    handoff_.look_at_all();
    return pending_.load(std::memory_order_relaxed) + handoff_.busy();
  }
  static void add(std::atomic<std::size_t>& n, std::size_t d) noexcept {
    n.store(n.load(std::memory_order_relaxed) + d, std::memory_order_relaxed);
  }

  const group_settings settings_;
  ref_count refs_;
  mutable std::mutex mutex_;
  std::atomic<std::size_t> pending_{0};  // Tasks reserved, queued or running, or recalled. Guarded by
  std::atomic<std::size_t> queued_{0};   //   mutex_, as is all that follows. Length of the queue.
  task* first_ = nullptr;                // The queue.
  task* last_ = nullptr;                 // Its end, if it is not empty.
  std::uint32_t serial_ = 0;             // Of the last task queued.
  bool open_ = true;                     // The round is.
  bool job_queued_ = false;              // Submitted to the pool, until a worker has taken the lock, or withdrawn:
                                         //   before the last task ends, or by the handoff's server when it leaves.
  std::ptrdiff_t limit_;
  std::size_t seekers_ = 0;   // Threads that look at the queue, unlocked, and will do so under the lock.
  std::size_t tokens_ = 0;    // Wake-ups given to waiters that they have not taken.
  std::size_t idle_ = 0;      // Threads that wait on helpers_, less the tokens.
  std::size_t blocked_ = 0;   // Threads that wait on space_.
  std::size_t watching_ = 0;  // Threads that wait on done_.
  std::size_t unbegun_ = 0;   // Runners that the executor has accepted, and neither begun nor dropped.
  unsigned long long round_ = 1;
  unsigned long long failed_round_ = 0;  // Of first_error_.
  error first_error_;
  error canceled_;  // The cause given to cancel(), for this and all rounds to come.
  round_context context_;
  unsigned long long ended_round_ = 0;  // Of ended_.
  context ended_;                       // Of the last round that has ended; it is done, or about to be.
  std::vector<error> errors_;           // Has room for an error of each pending task.
  task_blocks blocks_;
  handoff handoff_;
  lazy_condition helpers_;  // Waits on mutex_: wait(), for a task to run or for pending() == 0.
  lazy_condition space_;    // Waits on mutex_: go(), for the limit.
  lazy_condition done_;     // Waits on mutex_: wait_until() and close(), for pending() == 0.
};

}  // namespace errgroup::detail

#include <errgroup/detail/group_core_add.hpp>
#include <errgroup/detail/group_core_run.hpp>
#include <errgroup/detail/group_core_wait.hpp>

#endif  // ERRGROUP_DETAIL_GROUP_CORE_HPP
