// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_GROUP_CORE_HPP
#define ERRGROUP_DETAIL_GROUP_GROUP_CORE_HPP

#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <errgroup/context.hpp>
#include <errgroup/detail/base/intrusive_list.hpp>
#include <errgroup/detail/base/lazy_condition.hpp>
#include <errgroup/detail/base/ref.hpp>
#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/group/executor_ref.hpp>
#include <errgroup/detail/group/handoff_ring.hpp>
#include <errgroup/detail/group/parking.hpp>
#include <errgroup/detail/group/round_context.hpp>
#include <errgroup/detail/group/task.hpp>
#include <errgroup/detail/group/task_blocks.hpp>
#include <errgroup/detail/group/task_queue.hpp>
#include <errgroup/detail/pool/worker_pool.hpp>
#include <errgroup/error.hpp>
#include <errgroup/options.hpp>

namespace errgroup::detail {

/// What a group and the runners of its tasks share.
///
/// A task is reserved (its callable is being stored), queued, running, and gone. `pending_` counts all of these,
/// and each of them has a place at the limit. Who finds no place waits in line for one: a thread blocked in go(),
/// or a task that was given from inside and is beyond the limit (`beyond_` counts these). Places that become free
/// are granted in the order of the line, and a newcomer who finds a line goes to its end. A limit that is lowered
/// sends queued tasks back to the front of the line.
///
/// Whoever takes a task from the queue is a runner: a worker of the pool, a custom executor's call, or a thread
/// inside wait(). Small tasks of a group with a limit pass the queue by, while a worker serves the handoff; the
/// handoff counts these, until it ends or they are recalled to the queue.
///
/// No wake-up is lost: everything that a thread waits for changes under `mutex_`, and is notified under it or
/// after it; but for the end of a task that was handed over, which tells whoever has asked for it before. A queued
/// task has somebody to come, who looks at the queue under `mutex_` before leaving: a seeker, a waiter that was
/// woken for it, an accepted runner, or the pool, in which the group's job is queued or just taken
/// (`job_queued_`). So has a task that was handed over: the server, if it has nothing else to run; else the pool,
/// whose worker recalls it. A task in line has those that hold the places: each grants its own when it ends.
/// Whoever sleeps until something of a round happens has had the round's context watched, under `mutex_`, before:
/// a stop from outside comes by on_done(), which takes `mutex_`.
///
/// Seekers: waking a parked thread takes microseconds, so whoever runs out of work looks out for more for a moment
/// before it parks or leaves.
///
/// A round is open from its first use until a wait() finds nothing pending; tasks run in open rounds only, so the
/// context does not change while there is one.
class group_core final : private pool_job, private runner_host, private done_watcher {
 public:
  enum class admission { reserved, granted, beyond, handed, full, refused };
  using lock_type = std::unique_lock<std::mutex>;

  static ref<group_core> make(const context& parent, group_settings settings) {
    return ref<group_core>::adopt(new group_core(parent, std::move(settings)));
  }

  void retain() noexcept override { refs_.add(); }
  void release() noexcept override {
    if (refs_.drop()) delete this;
  }

  /// Decides about a new task. Reserved, or beyond the limit: `block` has room for it, if its shape is pooled.
  /// Handed: it is to be made in `block`, and then hand_over() called. `lock` is locked in these three cases only.
  /// Refused: `why_not`, if not null, is set to the cause. (Granted is not returned.)
  /// Blocks: while the group is full, if it may and the caller is not inside.
  /// Throws: std::bad_alloc; what making a context does. Then nothing has changed.
  admission admit(lock_type& lock, bool may_block, const task_shape& shape, void*& block, error* why_not);
  /// Takes a reservation back, and the block.
  void unreserve(lock_type& lock, admission how, void* block) noexcept;
  /// Queues a task that was reserved, or puts it in line, and sees to it that it will run. If that throws, the
  /// task is destroyed and the reservation taken back. `lock` may be locked.
  void enqueue(lock_type& lock, admission how, task& t, task_kind kind);
  /// Gives a task that was made for the handoff.
  void hand_over() noexcept;

  error wait();
  std::optional<error> wait_until(clock::time_point when);
  void cancel(error cause) noexcept;
  void set_limit(std::ptrdiff_t n);
  context current_context();
  std::vector<error> errors() const;

  /// Cancels, drops what has not started, waits for the rest, and lets go of all that is the user's.
  void close() noexcept;

 private:
  // In tries of about 20 ns: about as long as a tiny task takes; as it takes to wake a thread; as it may take that
  // thread to come.
  static constexpr int glance = 16;
  static constexpr int short_look = 150;
  static constexpr int long_look = 1280;
  static constexpr int misplaced = 32;  // Tasks that came only when this thread had made room for the one in go().

  /// A thread that waits in line.
  struct caller : queue_entry {
    enum state : std::uint32_t { waiting, granted, dismissed };
    // Written under mutex_ by whoever takes it from the line; the caller may look without.
    std::atomic<std::uint32_t> now{waiting};
    parking_spot* spot = nullptr;  // Where it sleeps, once it has slept. Guarded by mutex_.
  };
  class place_in_line;
  class parked_helper;
  class abrupt_end;
  /// A call of the executor's execute() that is under way: the task is not for other runners yet, which would be
  /// missing for another one if this call throws.
  struct handing : list_node<handing> {
    std::uint32_t serial;  // The task's; 0: of no certain one, or its runner has begun. Guarded by mutex_.
  };
  /// Counts a thread while it sleeps, however that ends.
  class counted {
   public:
    explicit counted(std::size_t& n) noexcept : n_(n) { ++n_; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --n_; }

   private:
    std::size_t& n_;  // Guarded by mutex_.
  };

  group_core(const context& parent, group_settings settings);
  ~group_core() { assert(!job_queued_ && "errgroup: the pool must not be left with a group that is gone"); }

  // Places at the limit.
  bool full() noexcept { return limit_ >= 0 && full_at_limit(); }
  bool full_at_limit() noexcept;
  bool over_limit() const noexcept { return limit_ >= 0 && places_taken() > static_cast<std::size_t>(limit_); }
  bool is_inside() const noexcept {
    return thread_frame::runs_task_of([this](const round_context& c) { return context_.is_above(c); });
  }
  bool must_queue() const noexcept;
  bool may_enter() noexcept;
  admission find_place(lock_type& lock, bool may_block, error* why_not);
  bool wait_in_line(lock_type& lock);
  [[nodiscard]] parking_spot* grant_places() noexcept;
  void grant_and_wake() noexcept {
    if (parking_spot* const spot = grant_places()) spot->wake.notify_one();
  }
  void give_back(lock_type& lock) noexcept;
  void leave_line_to_the_limit() noexcept;
  template <class Which>
  void wake_callers(Which which) noexcept;

  // Adding tasks.
  bool may_hand_over();
  bool anyone_sleeps() const noexcept { return idle_ + watching_ + blocked_ + beyond_ != 0; }
  void reserve_error();
  bool covered() const noexcept { return seekers_ + tokens_ + coming_ >= queued(); }
  bool needs_runner() const noexcept {
    return settings_.executor.object && queued() > unbegun_ + seekers_ + tokens_;
  }
  bool nobody_comes() noexcept;
  void pass_on() noexcept;
  void cover(lock_type& lock) noexcept;
  std::size_t send_workers(lock_type& lock, task_kind kind, std::size_t n) noexcept;
  void call_workers(lock_type& lock) noexcept;
  void wake_waiter() noexcept;
  void submit_job();
  void withdraw_job() noexcept;
  void push(task& t) noexcept;
  void enqueue_at_limit(admission how, task& t) noexcept;
  void start_runner(lock_type& lock, std::uint32_t serial);
  void hand_runner(lock_type& lock, std::uint32_t serial);
  void take_back(lock_type& lock, std::uint32_t serial);

  // Running tasks.
  void run(pool_worker& self) override;
  void not_coming() noexcept override;
  void begin_runner(bool accepted, std::uint32_t serial) override;
  void drop_runner() noexcept override;
  void run_queued(lock_type& lock, pool_worker& self);
  void run_one(lock_type& lock, task& t, pool_worker* self = nullptr);
  void call_workers_for_the_rest(lock_type& lock) noexcept;
  void serve(lock_type& lock, pool_worker& self);
  void run_handed(handoff::server& server, task& t, lock_type& lock);
  void recall() noexcept;
  bool end_handed(lock_type& lock, handoff::server::outcome outcome) noexcept;
  void reject(task& t) noexcept;
  void failed(task& t, error e) noexcept;
  task& pop() noexcept { return popped(queue_.pop_front()); }
  task& popped(queue_entry& e) noexcept;
  void seek(lock_type& lock, int tries) noexcept;
  void drop_queued(lock_type& lock) noexcept;
  void dispose(task& t, lock_type& lock) noexcept;
  void finish(lock_type& lock, std::size_t tasks) noexcept;
  void tell_of_end(lock_type& lock) noexcept;

  // Errors and rounds.
  void fail(const error& e) noexcept;
  void settle(error& e) noexcept;
  void stop(lock_type& lock, const error& cause) noexcept;
  bool watch_context() noexcept;
  bool try_retain() noexcept override { return refs_.try_add(); }
  void on_done() noexcept override;
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
  std::size_t places_taken() const noexcept { return pending_.load(std::memory_order_relaxed) + handoff_.busy(); }
  std::size_t pending() noexcept {
    handoff_.look_at_all();
    return places_taken() + beyond_;
  }
  static void add(std::atomic<std::size_t>& n, std::size_t d) noexcept {
    n.store(n.load(std::memory_order_relaxed) + d, std::memory_order_relaxed);
  }

  const group_settings settings_;
  ref_count refs_;
  mutable std::mutex mutex_;
  std::atomic<std::size_t> pending_{0};  // Tasks reserved, queued or running, or recalled. Guarded by
  std::atomic<std::size_t> queued_{0};   //   mutex_, as is all that follows. Length of the queue.
  entry_queue queue_;                    // Tasks that have a place, and have not begun.
  entry_queue line_;                     // Callers and tasks that wait for a place.
  std::size_t beyond_ = 0;               // Tasks in line, or on their way there.
  std::uint32_t serial_ = 0;             // Of the last task queued.
  bool open_ = true;                     // The round is.
  bool stopped_ = false;                 // The round was stopped from inside: a hint for the workers.
  bool job_queued_ = false;              // Submitted to the pool, until a worker has taken the lock, or withdrawn:
                                         //   before the last task ends, or by the handoff's server when it leaves.
  std::ptrdiff_t limit_;
  std::size_t seekers_ = 0;          // Threads that look at the queue, unlocked, and will do so under the lock.
  std::size_t coming_ = 0;           // Workers that the pool has been asked to send, and that have not come yet.
  std::size_t tokens_ = 0;           // Wake-ups given to waiters that they have not taken.
  std::size_t idle_ = 0;             // Threads that wait on helpers_, less the tokens.
  std::size_t blocked_ = 0;          // Threads in line that sleep.
  std::size_t watching_ = 0;         // Threads that wait on done_.
  std::size_t unbegun_ = 0;          // Runners that the executor has accepted, and neither begun nor dropped.
  intrusive_list<handing> handing_;  // Calls of execute() that are under way.
  unsigned long long round_ = 1;
  unsigned long long failed_round_ = 0;   // Of first_error_.
  unsigned long long watched_round_ = 0;  // Of which the context is watched.
  error first_error_;
  error canceled_;  // The cause given to cancel(), for this and all rounds to come.
  round_context context_;
  std::vector<error> errors_;  // Has room for an error of each pending task.
  task_blocks blocks_;
  handoff handoff_;
  parking spots_;           // Of the callers in line.
  lazy_condition helpers_;  // Waits on mutex_: wait(), for a task to run or for pending() == 0.
  lazy_condition done_;     // Waits on mutex_: wait_until() and close(), for pending() == 0.
};

}  // namespace errgroup::detail

#include <errgroup/detail/group/group_core_add.hpp>
#include <errgroup/detail/group/group_core_line.hpp>
#include <errgroup/detail/group/group_core_run.hpp>
#include <errgroup/detail/group/group_core_wait.hpp>

#endif  // ERRGROUP_DETAIL_GROUP_GROUP_CORE_HPP
