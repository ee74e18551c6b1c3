// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_RING_CONSUMER_HPP
#define ERRGROUP_DETAIL_GROUP_RING_CONSUMER_HPP

#include <cstdint>
#include <utility>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/group/group_state.hpp>
#include <errgroup/detail/group/handoff_ring.hpp>
#include <errgroup/detail/group/task_ending.hpp>
#include <errgroup/detail/pool/job.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

/// A worker as the consumer of the handoff ring, until no task has come for a while, some are queued, or they are
/// recalled.
class ring_consumer {
 public:
  using lock_type = group_state::lock_type;

  /// Preconditions: the ring was opened for it, and the mutex is still held.
  ring_consumer(group_state& g, lock_type& lock) noexcept
      : group_(g), lock_(lock), ring_(g.limits.ring()), me_(ring_) {}
  ring_consumer(const ring_consumer&) = delete;
  ring_consumer& operator=(const ring_consumer&) = delete;

  /// Runs what comes. The mutex is held on entry and on return.
  void run(pool_worker& self);

 private:
  class abrupt_end;
  // Tasks that came only when this thread had made room for the one in go(), until it is believed to be in its
  // way.
  static constexpr int most_behind = 32;

  task* next(pool_worker& self, int tries, bool& waited);
  void run_one(task& t);
  bool end_task(handoff_ring::consumer::outcome outcome) noexcept;

  group_state& group_;         // Constant, as is all that follows.
  lock_type& lock_;            // The thread's.
  handoff_ring& ring_;         // The group's.
  handoff_ring::consumer me_;  // The thread itself only.
};

// Implementation

inline void ring_consumer::run(pool_worker& self) {
  int tries = group_.callers.sleeping() != 0 ? long_search : short_search;
  lock_.unlock();
  int behind = 0;
  for (std::uint32_t tasks = 0;;) {
    bool waited = false;
    task* const t = next(self, tries, waited);
    if (!t) {
      lock_awake(lock_);
      if (ring_.close()) return;
      lock_.unlock();  // One has come in between.
      continue;
    }
    if (me_.core() == no_core || me_.core() != this_core()) {
      behind = 0;
    } else if (waited && ++behind == most_behind) {
      self.misplaced = true;
    }
    self.begin_task(t->site());
    if (++tasks % 16 == 0) group_.progress();
    run_one(*t);
    self.end_task();
    const handoff_ring::consumer::outcome outcome = me_.end();
    tries = short_search;
    if (!outcome.asked && !outcome.recalled) continue;
    lock_awake(lock_);
    if (end_task(outcome)) return;
    lock_.unlock();
    tries = long_search;
  }
}

// Waits awake for the next task; null if none comes. The queue is asked now and then only: its line is busy with
// those who add tasks.
inline task* ring_consumer::next(pool_worker& self, int tries, bool& waited) {
  task* t = nullptr;
  int i = 0;
  spin_beside(me_.core(), self.misplaced ? 1 : tries,
              [&] { return (t = me_.begin()) || me_.recalled() || (++i % 64 == 0 && !group_.queue.empty()); });
  waited = i != 0;
  return t;
}

// Counts the end of a task, where somebody is to be told. True if the ring is closed: what came after the task was
// recalled. The mutex is held.
inline bool ring_consumer::end_task(handoff_ring::consumer::outcome outcome) noexcept {
  if (outcome.recalled) {
    ring_.close();
    task_ending(group_).end_tasks(lock_, 1);
    return true;
  }
  task_ending(group_).end_tasks(lock_, 0);
  if (!group_.queue.empty()) group_.ensure_runner();
  if (group_.anyone_waits()) ring_.ask();
  return false;
}

/// Destroys the task that was run. A forced unwind out of it ends the consumer, too.
class ring_consumer::abrupt_end {
 public:
  abrupt_end(ring_consumer& consumer, task& t) noexcept : consumer_(consumer), task_(t) {}
  abrupt_end(const abrupt_end&) = delete;
  abrupt_end& operator=(const abrupt_end&) = delete;
  ~abrupt_end() {
    if (!returned_) task_ending(consumer_.group_).fail(task_, error_access::owner_dead());
    task_.~task();
    if (!returned_) end_consumer();
  }
  void returned() noexcept { returned_ = true; }

 private:
  ERRGROUP_NOINLINE void end_consumer() noexcept {
    group_state& g = consumer_.group_;
    const handoff_ring::consumer::outcome outcome = consumer_.me_.end();
    consumer_.lock_.lock();
    if (!consumer_.end_task(outcome)) {
      g.recall();
      consumer_.ring_.close();
      g.ensure_runner();
    }
    g.withdraw_job();
  }

  ring_consumer& consumer_;  // Constant.
  task& task_;               // Constant.
  bool returned_ = false;    // The thread itself only.
};

// Runs a task that was begun, and destroys it.
inline void ring_consumer::run_one(task& t) {
  const thread_frame frame(thread_frame::kind::task, &group_);
  abrupt_end guard(*this, t);
  if (group_.history.done()) {
    task_ending(group_).reject(t);
  } else if (error e = t.run(group_.history.current().get())) [[unlikely]] {
    task_ending(group_).fail(t, std::move(e));
  }
  guard.returned();
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_RING_CONSUMER_HPP
