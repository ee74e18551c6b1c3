// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_CORE_RUN_HPP
#define ERRGROUP_DETAIL_GROUP_CORE_RUN_HPP

// How group_core runs tasks. Included by group_core.hpp.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

#include <errgroup/detail/group_core.hpp>

namespace errgroup::detail {

// A worker's run. The pool gives the job's reference back by release().
inline void group_core::run(std::atomic<std::uint32_t>& ticks) {
  lock_type lock = locked();
  job_queued_ = false;
  run_queued(lock, &ticks);
}

inline void group_core::begin_runner(bool accepted) {
  lock_type lock(mutex_);
  if (accepted) --unbegun_;
  run_queued(lock, nullptr);
}

inline void group_core::drop_runner() noexcept {
  const std::lock_guard lock(mutex_);
  --unbegun_;
  if (queued() != 0) wake_waiter();
}

// A worker of the pool, which has `ticks`, looks out for more tasks before it leaves: longer, if a blocked go()
// was woken and is about to bring one. A custom executor's thread may be the one that is in go(), so it does not.
inline void group_core::run_queued(lock_type& lock, std::atomic<std::uint32_t>* ticks) {
  for (;;) {
    if (queued() == 0) {
      if (!ticks || !open_ || context_.done()) return;
      if (limit_ > 0 && handoff_.open()) {
        serve(lock, *ticks);
      } else {
        seek(lock, blocked_ != 0 ? long_look : short_look);
      }
      if (queued() == 0) return;
    }
    if (context_.done()) {
      drop_queued(lock);
      continue;
    }
    task& t = pop();
    if (ticks) {
      ticks->fetch_add(1, std::memory_order_relaxed);
      if (queued() != 0 && !job_queued_ && !covered()) {
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
      core.dispose(t, lock);
      core.finish(1);
    }
  };
  lock.unlock();
  const inside_frame frame(this);
  ending guard{*this, lock, t};
  error e = t.run(context_.get());
  guard.returned = true;
  if (e) settle(std::move(e));
}

// Runs tasks from the handoff until none has come for a while, or some are queued. The lock is held on entry and
// on return. The queue is looked at now and then only: its line is busy with those who add tasks.
inline void group_core::serve(lock_type& lock, std::atomic<std::uint32_t>& ticks) {
  int tries = blocked_ != 0 ? long_look : short_look;
  lock.unlock();
  for (;;) {
    task* t = nullptr;
    int i = 0;
    spin(tries, [&] { return (t = handoff_.take()) || (++i % 16 == 0 && queued() != 0); });
    if (!t) {
      lock_patiently(lock);
      if (handoff_.close()) return;
      lock.unlock();  // One has come in between.
      continue;
    }
    ticks.fetch_add(1, std::memory_order_relaxed);
    const bool asked = run_handed(*t);
    tries = asked ? long_look : short_look;
    if (asked) {
      lock_patiently(lock);
      finish(0);
      lock.unlock();
    }
  }
}

// Runs the task in the handoff, and ends it there. True if somebody has asked for that.
inline bool group_core::run_handed(task& t) {
  struct unwinding {  // A forced unwind ends the runner, too.
    group_core& core;
    task& t;
    bool returned = false;
    ~unwinding() {
      if (returned) return;
      core.settle(error(std::make_error_code(std::errc::owner_dead)));
      t.~task();
      core.handoff_.end(false);
      const std::lock_guard lock(core.mutex_);
      core.finish(0);
    }
  };
  {
    const inside_frame frame(this);
    unwinding guard{*this, t};
    if (context_.done()) {
      reject(t);
    } else if (error e = t.run(context_.get())) {
      settle(std::move(e));
    }
    guard.returned = true;
    t.~task();
  }
  return handoff_.end(true);
}

inline void group_core::reject(task& t) noexcept {
  lock_type lock(mutex_);
  const error cause = context_.cause();
  fail(cause);
  lock.unlock();
  t.reject(cause);
}

inline void group_core::run_in_place(task& t) {
  const inside_frame frame(this);
  error e = t.run(context_.get());
  if (e) settle(std::move(e));
}

inline task& group_core::pop() noexcept {
  task& t = *first_;
  first_ = t.next;
  add(queued_, -std::size_t{1});
  progress();
  if (queued() == 0) withdraw_job();
  return t;
}

// Looks, unlocked, for a queued task, or for the end of the last one.
inline void group_core::seek(lock_type& lock, int tries) noexcept {
  if (seekers_ > 1) return;
  const bool waits = pending() != 0;
  ++seekers_;
  lock.unlock();
  spin(tries, [&] { return queued() != 0 || (waits && pending() == 0); });
  lock_patiently(lock);
  --seekers_;
}

// Destroys what has not started, since the context is done. The lock is held on entry and on return.
inline void group_core::drop_queued(lock_type& lock) noexcept {
  const error cause = context_.cause();
  fail(cause);
  task* t = first_;
  const std::size_t n = queued();
  add(queued_, -n);
  withdraw_job();
  for (std::size_t i = 0; i != n; ++i) {
    task* const next = t->next;
    lock.unlock();
    {
      const inside_frame frame(this);
      t->reject(cause);
      dispose(*t, lock);
    }
    t = next;
  }
  finish(n);
}

// Destroys a task, unlocked; then locks, and keeps its memory.
inline void group_core::dispose(task& t, lock_type& lock) noexcept {
  const bool pooled = t.pooled;
  void* const block = &t;
  t.~task();
  if (!pooled) ::operator delete(block);
  lock_patiently(lock);
  if (pooled) blocks_.give(block);
}

// The end of `tasks` tasks, under the lock.
inline void group_core::finish(std::size_t tasks) noexcept {
  add(pending_, -tasks);
  if (blocked_ != 0 && !full()) {
    if (tasks == 1) {
      space_.notify_one();
    } else {
      space_.notify_all();
    }
  }
  if (pending() == 0) {
    if (idle_ != 0) helpers_.notify_all();
    if (watching_ != 0) done_.notify_all();
  }
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_CORE_RUN_HPP
