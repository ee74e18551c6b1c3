// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_SUBMISSION_HPP
#define ERRGROUP_DETAIL_GROUP_SUBMISSION_HPP

#include <cstdint>
#include <exception>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/group/group_state.hpp>
#include <errgroup/detail/group/place_finder.hpp>
#include <errgroup/detail/group/recruiting.hpp>
#include <errgroup/detail/group/task.hpp>
#include <errgroup/detail/group/task_ending.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

/// Takes a task into a group: decides about it, gets memory for it, queues it or hands it over, and sees to it
/// that somebody will run it.
class submission {
 public:
  using lock_type = group_state::lock_type;

  explicit submission(group_state& g) noexcept : group_(g) {}

  /// Decides about a new task. Reserved, or beyond the limit: `block` has room for it, if its shape is pooled.
  /// Handed: it is to be made in `block`, and then hand_over() called. `lock` is locked in these three cases only.
  /// Refused: `why_not`, if not null, is set to the cause. (Granted is not returned.)
  /// Blocks: while the group is full, if it may and the caller is not inside.
  /// Throws: std::bad_alloc; what making a context does. Then nothing has changed.
  admission admit(lock_type& lock, bool may_block, const task_shape& shape, void*& block, error* why_not);
  /// Takes a reservation back, and the block.
  void undo_admit(lock_type& lock, admission how, void* block) noexcept;
  /// Queues a task that was reserved, or puts it in line, and sees to it that it will run. If that throws, the
  /// task is destroyed and the reservation taken back. `lock` may be locked.
  void enqueue(lock_type& lock, admission how, task& t, task_kind kind);
  /// Gives a task that was made for the handoff ring.
  void hand_over() noexcept { group_.limits.ring().give(group_.anyone_waits()); }

 private:
  // In tries of about 20 ns: as long as a tiny task takes.
  static constexpr int one_task = 16;

  bool may_hand_over();
  void enqueue_at_limit(admission how, task& t) noexcept;
  void start_runner(lock_type& lock, std::uint32_t serial);
  void undo_enqueue(lock_type& lock, std::uint32_t serial);

  group_state& group_;  // Constant.
};

// Implementation

inline admission submission::admit(lock_type& lock, bool may_block, const task_shape& shape, void*& block,
                                   error* why_not) {
  group_state& g = group_;
  place_finder places(g);
  lock = g.locked();
  admission how = places.may_enter() ? admission::reserved : places.find(lock, may_block, why_not);
  const auto suits_ring = [&] { return shape.handy && g.limits.limit() > 0; };
  if (how == admission::reserved && suits_ring() && g.limits.ring().crowded() && !g.is_inside()) {
    const handoff_ring::probe first = g.limits.ring().first();
    lock.unlock();
    spin(one_task, [&] { return first.ended(); });
    lock_awake(lock);
    if (!places.may_enter()) how = places.find(lock, may_block, why_not);
  }
  if (how == admission::full || how == admission::refused) return how;
  const bool placed = how == admission::granted;
  try {
    if (shape.needs_context) g.history.current().make();
    if (g.history.failed().may_grow()) g.history.failed().reserve(g.limits.pending() + 1);
    if (suits_ring() && g.queue.empty() && how != admission::beyond && !g.limits.exceeded()) {
      block = g.limits.ring().room();
      if (block && may_hand_over()) {
        if (placed) g.limits.remove_places(1);  // The ring counts it.
        return admission::handed;
      }
    }
    if (shape.pooled) block = g.blocks.take();
  } catch (...) {
    if (placed) recruiting(g).give_place_back(lock);
    throw;
  }
  if (how == admission::beyond) {
    g.limits.add_beyond();
    return how;
  }
  if (!placed) g.limits.add_places(1);
  return admission::reserved;
}

// A task that is handed over behind another one waits for that one, which may be blocked: then the pool must know.
// False if it cannot, and enqueue() is to try and to report it; or if somebody is parked in wait(), and can come
// where the pool has no thread to spare.
inline bool submission::may_hand_over() {
  handoff_ring& ring = group_.limits.ring();
  if (ring.busy() == 0) return true;
  const bool helper_parked = group_.supply.helpers().parked() != 0;
  if (!group_.supply.job_queued() || helper_parked) {
    ring.note_ends();
    if (ring.busy() == 0) return true;
    if (helper_parked) return false;
    try {
      group_.supply.submit(group_);
    } catch (...) {
      return false;
    }
  }
  group_.outside_progress();
  return true;
}

inline void submission::undo_admit(lock_type& lock, admission how, void* block) noexcept {
  if (!lock.owns_lock()) lock_awake(lock);
  if (block) group_.blocks.give(block);
  if (how == admission::beyond) {
    group_.limits.remove_beyond();
    task_ending(group_).end_tasks(lock, 0);
  } else {
    recruiting(group_).give_place_back(lock);
  }
}

inline void submission::enqueue(lock_type& lock, admission how, task& t, task_kind kind) {
  group_state& g = group_;
  if (!lock.owns_lock()) lock_awake(lock);
  g.queue.number(t);
  const std::uint32_t serial = t.serial;
  if (g.limits.limit() < 0 && how == admission::reserved) {
    g.queue.push(t);
  } else {
    enqueue_at_limit(how, t);
  }
  if (g.covered_with_helper()) return;
  g.outside_progress();
  if (kind != task_kind::quick && !g.supply.custom()) {
    // One task that computes is as well run by the wait() that follows.
    const bool worth_it = kind != task_kind::computing || g.queue.size() > 1;
    const bool may_send = !g.supply.job_queued() || kind == task_kind::blocking;
    if (worth_it && may_send && recruiting(g).send_workers(lock, kind, 1) != 0) return;
    if (g.covered()) return;
  }
  if (!g.supply.job_queued()) start_runner(lock, serial);
}

// What was reserved while the limit was lowered is beyond it now. A thread that holds a place in the ring must
// tell of its end then, since there is somebody in line for it. What is in the ring goes to the queue first: there
// it might wait for as long as more is queued.
ERRGROUP_NOINLINE inline void submission::enqueue_at_limit(admission how, task& t) noexcept {
  if (how == admission::beyond) {
    group_.limits.arrive(t);
  } else if (group_.limits.exceeded()) {
    group_.limits.send_back(t);
  } else {
    group_.recall();
    group_.queue.push(t);
  }
  if (group_.limits.line_empty()) return;
  (void)group_.history.watch(group_);
  group_.limits.ring().ask();
  group_.grant_and_wake();
}

// Sees to it that somebody comes for a task that was queued or put in line; if that throws, takes it back.
ERRGROUP_NOINLINE inline void submission::start_runner(lock_type& lock, std::uint32_t serial) {
  try {
    if (!group_.supply.custom()) {
      group_.supply.submit(group_);
    } else if (group_.lacks_runner()) {
      recruiting(group_).hand_runner(lock, serial);
    }
  } catch (...) {
    undo_enqueue(lock, serial);
    if (!std::current_exception()) throw;  // A forced unwind, out of the executor.
  }
}

// In a handler: rethrows, unless somebody has taken the task meanwhile.
ERRGROUP_NOINLINE inline void submission::undo_enqueue(lock_type& lock, std::uint32_t serial) {
  group_state& g = group_;
  if (!lock.owns_lock()) lock_awake(lock);
  queue_entry* e = g.queue.take_first([serial](const queue_entry& q) { return q.serial == serial; });
  const bool had_place = e != nullptr;
  if (!had_place) e = g.limits.take(serial);
  if (!e) {  // Others may have counted on the runner that this call was to bring.
    g.ensure_runner();
    if (g.lacks_runner()) g.wake_callers();
    return;
  }
  lock.unlock();
  {
    const thread_frame frame(thread_frame::kind::task, &g);
    task_ending(g).destroy(static_cast<task&>(*e), lock);
  }
  if (!had_place) g.limits.remove_beyond();
  task_ending(g).end_tasks(lock, had_place ? 1 : 0);
  recruiting(g).ensure_runners(lock);
  lock.unlock();
  throw;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_SUBMISSION_HPP
