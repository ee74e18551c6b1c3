// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_GROUP_CORE_RUN_HPP
#define ERRGROUP_DETAIL_GROUP_GROUP_CORE_RUN_HPP

// How group_core runs tasks. Included by group_core.hpp.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

#include <errgroup/detail/group/group_core.hpp>

namespace errgroup::detail {

// A worker's run. The pool gives the job's reference back by release().
inline void group_core::run(pool_worker& self) {
  lock_type lock = locked();
  if (self.sent) {
    --coming_;
  } else {
    job_queued_ = false;
  }
  recall();
  run_queued(lock, self);
  self.in_the_way = stopped_;
}

inline void group_core::not_coming() noexcept {
  const std::lock_guard lock(mutex_);
  --coming_;
  pass_on();
}

// A worker of the pool, `self`, looks out for more tasks before it leaves: longer, if a blocked go()
// was woken and is about to bring one. A custom executor's thread may be the one that is in go(), so it does not.
inline void group_core::run_queued(lock_type& lock, pool_worker& self) {
  for (;;) {
    if (queued() == 0) {
      if (self.misplaced || !open_ || context_.done()) return;
      if (limit_ > 0 && handoff_.open(static_cast<std::size_t>(limit_))) {
        serve(lock, self);
        withdraw_job();
      } else {
        seek(lock, blocked_ != 0 ? long_look : short_look);
      }
      if (queued() == 0) return;
    }
    if (context_.done()) {
      drop_queued(lock);
      continue;
    }
    if (seekers_ + tokens_ + coming_ + 1 < queued()) {
      call_workers_for_the_rest(lock);
      if (queued() == 0 || context_.done()) continue;
    }
    task& t = pop();
    if (std::exchange(self.late, false)) t.site().learn(task_kind::awaited);
    self.begin_task(t.site());
    run_one(lock, t, &self);
  }
}

// A custom executor's runner takes its own task, or any before it that another runner is sure to come for.
inline void group_core::begin_runner(bool accepted, std::uint32_t serial) {
  const thread_frame lent(thread_frame::kind::lent, settings_.executor.object);
  lock_type lock(mutex_);
  if (accepted) {
    --unbegun_;
  } else {  // The call that hands it over is under way, and has no need any more to keep the task for it.
    for (handing* h = handing_.front(); h; h = handing_.next(*h)) {
      if (h->serial == serial) h->serial = 0;
    }
  }
  const auto free_to_run = [this, serial](const queue_entry& e) {
    if (e.serial == serial) return true;
    for (const handing* h = handing_.front(); h; h = handing_.next(*h)) {
      if (h->serial == e.serial) return false;
    }
    return true;
  };
  while (queued() != 0) {
    if (context_.done()) {
      drop_queued(lock);
    } else if (queue_entry* const e = queue_.take_first(free_to_run)) {
      run_one(lock, popped(*e));
    } else {
      if (needs_runner()) wake_callers([](const caller&) { return true; });
      return;
    }
  }
}

// Another one is to be handed over, if nobody comes for the task otherwise: by whoever is blocked until it has
// run.
inline void group_core::drop_runner() noexcept {
  const std::lock_guard lock(mutex_);
  --unbegun_;
  if (queued() == 0) return;
  wake_waiter();
  if (needs_runner()) wake_callers([](const caller&) { return true; });
}

/// Ends a task whose thread ends inside it, by pthread_exit() or pthread_cancel().
class group_core::abrupt_end {
 public:
  abrupt_end(group_core& core, lock_type& lock, task& t) noexcept : core_(core), lock_(lock), task_(&t) {}
  abrupt_end(const abrupt_end&) = delete;
  abrupt_end& operator=(const abrupt_end&) = delete;
  ~abrupt_end() {
    if (!task_) return;
    core_.failed(*task_, error_access::owner_dead());
    core_.dispose(*task_, lock_);
    core_.finish(lock_, 1);
    core_.pass_on();
    core_.wake_callers([](const caller&) { return true; });
  }
  void returned() noexcept { task_ = nullptr; }

 private:
  group_core& core_;  // Constant.
  lock_type& lock_;   // Constant.
  task* task_;        // Null once the task has returned. The thread itself only.
};

// Runs a task that was taken. The lock is held on entry and on return.
inline void group_core::run_one(lock_type& lock, task& t, pool_worker* self) {
  lock.unlock();
  const thread_frame frame(thread_frame::kind::task, &context_);
  {
    abrupt_end guard(*this, lock, t);
    error e = t.run(context_.get());
    if (self) self->end_task();
    if (e) [[unlikely]]
      failed(t, std::move(e));
    guard.returned();
  }
  dispose(t, lock);
  finish(lock, 1);
}

// A task has failed with `e`, or with the real reason if that says no more than that it was stopped.
ERRGROUP_NOINLINE inline void group_core::failed(task& t, error e) noexcept {
  settle(e);
  t.fail(e);
}

// Runs tasks from the handoff until none has come for a while, some are queued, or they are recalled. The lock is
// held on entry and on return. The queue is looked at now and then only: its line is busy with those who add
// tasks.
inline void group_core::serve(lock_type& lock, pool_worker& self) {
  handoff::server server(handoff_);
  int tries = blocked_ != 0 ? long_look : short_look;
  lock.unlock();
  int behind = 0;
  for (std::uint32_t tasks = 0;;) {
    task* t = nullptr;
    int i = 0;
    spin_beside(server.core(), self.misplaced ? 1 : tries,
                [&] { return (t = server.begin()) || server.recalled() || (++i % 64 == 0 && queued() != 0); });
    if (!t) {
      lock_patiently(lock);
      if (handoff_.close()) return;
      lock.unlock();  // One has come in between.
      continue;
    }
    if (server.core() == no_core || server.core() != this_core()) {
      behind = 0;
    } else if (i != 0 && ++behind == misplaced) {
      self.misplaced = true;
    }
    self.begin_task(t->site());
    if (++tasks % 16 == 0) progress();
    run_handed(server, *t, lock);
    self.end_task();
    const handoff::server::outcome outcome = server.end();
    tries = short_look;
    if (!outcome.asked && !outcome.recalled) continue;
    lock_patiently(lock);
    if (end_handed(lock, outcome)) return;
    lock.unlock();
    tries = long_look;
  }
}

// Counts the end of a task from the handoff, under the lock, where somebody is to be told. True if the handoff is
// closed: what came after the task was recalled.
inline bool group_core::end_handed(lock_type& lock, handoff::server::outcome outcome) noexcept {
  if (outcome.recalled) {
    handoff_.close();
    finish(lock, 1);
    return true;
  }
  finish(lock, 0);
  if (queued() != 0) pass_on();
  if (anyone_sleeps()) handoff_.ask();
  return false;
}

// Runs a task that the handoff has begun, and destroys it.
inline void group_core::run_handed(handoff::server& server, task& t, lock_type& lock) {
  struct ending {  // A forced unwind ends the server, too.
    group_core& core;
    handoff::server& server;
    task& t;
    lock_type& lock;
    bool returned = false;
    ~ending() {
      if (!returned) core.failed(t, error_access::owner_dead());
      t.~task();
      if (returned) return;
      const handoff::server::outcome outcome = server.end();
      lock.lock();
      if (!core.end_handed(lock, outcome)) {
        core.recall();
        core.handoff_.close();
        core.pass_on();
      }
      core.withdraw_job();
    }
  };
  const thread_frame frame(thread_frame::kind::task, &context_);
  ending guard{*this, server, t, lock};
  if (context_.done()) {
    reject(t);
    guard.returned = true;
    return;
  }
  if (error e = t.run(context_.get())) [[unlikely]]
    failed(t, std::move(e));
  guard.returned = true;
}

// Queues what the server of the handoff has not begun: it may be blocked, or the caller has time for it.
inline void group_core::recall() noexcept {
  if (!handoff_.backlog()) return;
  add(pending_, handoff_.recall([this](task& t) {
    t.serial = ++serial_;
    push(t);
  }));
}

ERRGROUP_NOINLINE inline void group_core::reject(task& t) noexcept {
  lock_type lock(mutex_);
  const error cause = context_.cause();
  fail(cause);
  lock.unlock();
  t.fail(cause);
}

inline task& group_core::popped(queue_entry& e) noexcept {
  add(queued_, -std::size_t{1});
  progress();
  if (job_queued_ && queued() == 0) withdraw_job();
  return static_cast<task&>(e);
}

// Counts as a seeker meanwhile: for the task that it is about to take.
inline void group_core::call_workers_for_the_rest(lock_type& lock) noexcept {
  const unsigned long long round = round_;
  ++seekers_;
  call_workers(lock);
  if (open_ && round_ == round) --seekers_;
}

// Looks, unlocked, for a queued task, or for the end of the last one.
inline void group_core::seek(lock_type& lock, int tries) noexcept {
  if (seekers_ > 1) return;
  const bool waits = pending() != 0;
  const handoff::watch last = handoff_.last();
  const unsigned long long round = round_;
  ++seekers_;
  lock.unlock();
  spin(tries,
       [&] { return queued() != 0 || (waits && pending_.load(std::memory_order_relaxed) == 0 && last.ended()); });
  lock_patiently(lock);
  if (open_ && round_ == round) --seekers_;
}

// Destroys what has not started, in line or queued, since the context is done. The lock is held on entry and on
// return.
ERRGROUP_NOINLINE inline void group_core::drop_queued(lock_type& lock) noexcept {
  grant_and_wake();
  error cause = context_.cause();
  fail(cause);
  entry_queue dropped = std::exchange(queue_, {});
  const std::size_t n = queued();
  add(queued_, -n);
  withdraw_job();
  while (!dropped.empty()) {
    task& t = static_cast<task&>(dropped.pop_front());
    lock.unlock();
    const thread_frame frame(thread_frame::kind::task, &context_);
    t.fail(cause);
    dispose(t, lock);
  }
  cause = {};  // Before the end is told, since the group's owner may count on it; the group itself still has it.
  finish(lock, n);
}

// Destroys a task, unlocked; then locks, and keeps its memory.
inline void group_core::dispose(task& t, lock_type& lock) noexcept {
  const task_home home = t.home;
  void* const block = &t;
  t.~task();
  if (home == task_home::heap) ::operator delete(block);
  lock_patiently(lock);
  if (home == task_home::block) blocks_.give(block);
  if (home == task_home::slot) handoff::take_back(block);
}

// The end of `tasks` tasks. The lock is held on entry and on return.
inline void group_core::finish(lock_type& lock, std::size_t tasks) noexcept {
  add(pending_, -tasks);
  if (!line_.empty() || idle_ + watching_ != 0) tell_of_end(lock);
}

// The lock is held on entry and on return, but not while others are woken: one that is woken on this core may run
// at once, and would have to switch back for the lock.
ERRGROUP_NOINLINE inline void group_core::tell_of_end(lock_type& lock) noexcept {
  parking_spot* const spot = grant_places();
  const bool over = pending() == 0;
  const bool helpers = over && idle_ != 0;
  const bool watchers = over && watching_ != 0;
  if (!spot && !helpers && !watchers) return;
  lock.unlock();
  if (spot) spot->wake.notify_one();
  if (helpers) helpers_->notify_all();
  if (watchers) done_->notify_all();
  lock_patiently(lock);
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_GROUP_CORE_RUN_HPP
