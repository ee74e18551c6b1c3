// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_GROWTH_POLICY_HPP
#define ERRGROUP_DETAIL_POOL_GROWTH_POLICY_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/pool/call_site.hpp>

namespace errgroup::detail {

/// Decides how many workers a pool puts to work: from figures to a decision, and nothing else.
///
/// A worker that sleeps inside a task needs no core, and what it sleeps for may be a task that is still queued;
/// one that computes needs its core. So workers are added while fewer of them than cores are awake, and for any
/// number of tasks that are known to sleep.
class growth_policy {
 public:
  /// What the searcher knows of a queued job when it passes by.
  struct figures {
    std::size_t cores;          // Of the machine.
    std::size_t awake;          // Workers that run jobs, and do not count as asleep.
    bool just_woken;            // The searcher was woken for it, which takes as long as a nap.
    bool seen_before;           // The job was queued when the searcher last passed by.
    std::uint32_t taken;        // Tasks that were taken from it since then.
    std::uint32_t owner_steps;  // What a thread outside the pool did for it since then: tasks added or run.
    clock::duration stuck_for;  // For how long none was taken.
    bool has_runner;            // A worker runs it.
  };
  enum class decision : unsigned char {
    leave,  // Its workers, or its owner, get on well.
    take,   // It gets one more worker.
    check,  // Nobody gets on: find out who sleeps, and decide again. If nobody does, leave it.
  };

  /// Decides about a queued job that the searcher passes by.
  static decision at_search(const figures& f) noexcept {
    if (left_to_owner(f)) return decision::leave;
    const std::size_t outside = f.owner_steps == 0 ? 0 : 1;
    if (f.awake + outside < f.cores) return f.just_woken || f.seen_before ? decision::take : decision::leave;
    if (!f.just_woken && (!f.seen_before || f.taken != 0)) return decision::leave;
    return f.stuck_for < (f.has_runner ? longest_stuck : longest_alone) ? decision::check : decision::take;
  }

  /// True if the job has got on by no more than the one task that the last worker it was given has taken: these
  /// tasks may sleep, and where cores are free nobody would find out before there is a worker for each core.
  static bool may_sleep(const figures& f) noexcept { return f.seen_before && f.taken <= 1 && f.owner_steps == 0; }

  /// True if a job that gets a worker has waited for it in vain: its owner does not run it.
  static bool late(const figures& f) noexcept {
    return !f.just_woken && f.seen_before && f.taken == 0 && f.owner_steps == 0;
  }

  /// True if a worker is woken or started at once for a task of this kind.
  static bool at_once(task_kind kind, std::size_t awake, std::size_t cores) noexcept {
    if (kind == task_kind::blocking) return true;
    return kind != task_kind::quick && awake < cores;
  }

  /// True if a worker is woken or started at once for a task that nothing is known of, though all cores seem to be
  /// used: it is likely to sleep if none of its kind has ended by now. A new process would have to start its
  /// threads one search after the other. A pool that has threads enough knows more by a check, but for the rest of
  /// a burst.
  static bool at_once_unknown(std::size_t threads, bool in_burst, bool anyone_computes) noexcept {
    return threads < (in_burst ? 512 : 64) && !anyone_computes;
  }

  /// Returns for how long the searcher naps, after `quiet` passes in a row at which there was nothing to take. A
  /// job that nobody gets on with is found after two of the longest naps, at worst.
  static clock::duration nap(unsigned quiet) noexcept {
    return std::chrono::microseconds(20) * (1U << std::min(quiet, 3U));
  }

 private:
  // A job whose owner does that much is best left to it: tasks that take less than it costs two cores to share a
  // queue are run fastest by one thread. The owner may only add tasks for a while, and run none.
  static bool left_to_owner(const figures& f) noexcept {
    return f.owner_steps >= 64 && (f.taken != 0 || f.stuck_for < std::chrono::microseconds(300));
  }

  // How long no task may be taken though all workers are awake: they compute for that long, or wait for one
  // another in a loop.
  static constexpr clock::duration longest_stuck = std::chrono::milliseconds(10);
  static constexpr clock::duration longest_alone =
      std::chrono::microseconds(150);  // The same, if it has no runner.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_GROWTH_POLICY_HPP
