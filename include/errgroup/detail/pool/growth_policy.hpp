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
  /// What is known of a queued job when a worker looks at it.
  struct figures {
    std::size_t cores;          // Of the machine.
    std::size_t awake;          // Workers that run jobs, and are not known to sleep.
    bool fresh;                 // The worker that looks has been woken for it, which takes as long as a nap.
    bool here_before;           // The job was queued at the last look.
    bool progressed;            // A task was taken from it since then.
    std::uint32_t pace;         // What a thread outside the pool did for it since then: tasks added or run.
    std::uint32_t deferred;     // Looks in a row at which it was left to that thread, and made no progress.
    clock::duration stuck_for;  // For how long it has made no progress.
    std::uint32_t given_up;     // How often that became too long.
    bool untouched;             // No worker has it.
  };
  enum class decision : unsigned char {
    leave,  // Its workers, or its owner, get on well.
    take,   // It gets one more worker.
    check,  // Nobody gets on: find out who sleeps, and decide again. If nobody does, leave it.
  };

  /// True if a job whose owner does that much is best left to it: tasks that take less than it costs two cores to
  /// share a queue are run fastest by one thread.
  static bool brisk(const figures& f) noexcept {
    return f.pace >= brisk_pace && (f.progressed || f.deferred < most_deferred);
  }

  /// True if a job that gets a worker has waited for it in vain: its owner does not run it.
  static bool late(const figures& f) noexcept { return !f.fresh && f.here_before && !f.progressed && f.pace == 0; }

  static decision at_look(const figures& f) noexcept {
    if (brisk(f)) return decision::leave;
    const std::size_t outside = f.pace == 0 ? 0 : 1;
    if (f.awake + outside < f.cores) return f.fresh || f.here_before ? decision::take : decision::leave;
    if (!f.fresh && (!f.here_before || f.progressed)) return decision::leave;
    return f.stuck_for < longest_stuck(f) ? decision::check : decision::take;
  }

  /// True if a worker is woken or started at once for a task of this kind.
  static bool at_once(task_kind kind, std::size_t awake, std::size_t cores) noexcept {
    if (kind == task_kind::blocking) return true;
    return kind != task_kind::quick && awake < cores;
  }

  /// Returns for how long nobody looks, after `quiet` looks in a row at which there was nothing to do. A job that
  /// nobody gets on with is found after two of the longest ones, at worst.
  static clock::duration nap(unsigned quiet) noexcept { return shortest_nap * (1U << std::min(quiet, 3U)); }

  /// How long a job may make no progress, though all workers are awake: they may compute for long, or wait for it
  /// in a loop.
  static clock::duration longest_stuck(const figures& f) noexcept {
    if (f.untouched) return std::chrono::microseconds(150);
    return std::chrono::microseconds(10'000 >> std::min<std::uint32_t>(f.given_up, 4));
  }

  static constexpr clock::duration shortest_nap = std::chrono::microseconds(20);

 private:
  static constexpr std::uint32_t brisk_pace = 64;
  static constexpr std::uint32_t most_deferred = 4;
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_GROWTH_POLICY_HPP
