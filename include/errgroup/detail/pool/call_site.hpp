// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_POOL_CALL_SITE_HPP
#define ERRGROUP_DETAIL_POOL_CALL_SITE_HPP

#include <atomic>
#include <chrono>
#include <cstdint>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/time.hpp>

namespace errgroup::detail {

/// What tasks do that are given from one place in the program.
enum class task_kind : std::uint32_t {
  unknown,    // None has ended yet.
  quick,      // They end sooner than a thread could be woken for them.
  computing,  // They take longer, and want a core of their own.
  blocking,   // They sleep: any number of them may run at a time.
  awaited,    // They are quick, but somebody who does not run them waits for them.
};

/// Learns what the tasks of one type do: each lambda is a type of its own, so that is a place in the program.
///
/// A task that has slept is proof; one that has not is none, since it may have been lucky. So the site believes in
/// `blocking` at once, and gives it up only after some tasks in a row that did not sleep. What is believed is a
/// hint: a wrong one costs microseconds, and updates that are lost to other threads do not matter.
class call_site {
 public:
  constexpr call_site() noexcept = default;
  call_site(const call_site&) = delete;
  call_site& operator=(const call_site&) = delete;

  task_kind kind() const noexcept {
    return static_cast<task_kind>(word_.load(std::memory_order_relaxed) & kind_mask);
  }

  /// A task has ended, or was seen asleep, that was of this kind.
  void learn(task_kind seen) noexcept;

  /// Times one task of the site, however it ends.
  class timing {
   public:
    timing(call_site& site, task_kind believed) noexcept
        : site_(site), believed_(believed), sleeps_(believed == task_kind::quick ? 0 : thread_sleeps()),
          start_(clock::now()) {}
    timing(const timing&) = delete;
    timing& operator=(const timing&) = delete;
    ~timing() { site_.learn(seen()); }

   private:
    static constexpr clock::duration shortest_computing = std::chrono::nanoseconds(700);
    static constexpr clock::duration shortest_sleep = std::chrono::microseconds(3);

    task_kind seen() const noexcept;

    call_site& site_;  // Constant, as all that follows.
    const task_kind believed_;
    const long sleeps_;
    const clock::time_point start_;
  };

  /// Calls `f()`, a task of this site, and learns from it. Most of the quick ones are not timed.
  template <class F>
  decltype(auto) run(F&& f) {
    const task_kind believed = kind();
    const std::uint32_t mask = believed == task_kind::quick ? 63 : believed == task_kind::computing ? 7 : 0;
    if ((random() & mask) != 0) [[likely]]
      return f();
    const timing timed(*this, believed);
    return f();
  }

 private:
  // Which ones are timed: a count in the site would be a cache line that all threads write to, and one in the
  // thread would never time a site of which every other task is. The low bits of such a generator are not random
  // enough.
  static std::uint32_t random() noexcept {
    thread_local constinit std::uint32_t n = 1;
    n = n * 1664525 + 1013904223;  // Knuth and Lewis; see Press et al., Numerical Recipes, 7.1.
    return n >> 16;
  }

  static constexpr std::uint32_t kind_mask = 7;
  static constexpr std::uint32_t one_credit = 8;
  static constexpr std::uint32_t most_credits = 8;  // Tasks that do not sleep, before `blocking` is given up.
  static constexpr std::uint32_t few_credits = 2;   // The same for the other kinds.

  // The kind, and how many tasks of another kind it takes to give it up. Any thread, relaxed: a hint.
  std::atomic<std::uint32_t> word_{0};
};

/// The one site of all tasks of type Task.
template <class Task>
inline constinit call_site site_of{};

// Implementation

inline void call_site::learn(task_kind seen) noexcept {
  const std::uint32_t word = word_.load(std::memory_order_relaxed);
  const auto believed = static_cast<task_kind>(word & kind_mask);
  const bool at_once =
      seen == task_kind::blocking || (seen == task_kind::awaited && believed != task_kind::blocking);
  std::uint32_t next = word - one_credit;
  if (seen == believed || at_once || word / one_credit <= 1) {
    const bool lasting = seen == task_kind::blocking || seen == task_kind::awaited;
    next = static_cast<std::uint32_t>(seen) + one_credit * (lasting ? most_credits : few_credits);
  }
  if (next != word) word_.store(next, std::memory_order_relaxed);
}

// What takes longer than a thread takes to sleep and be woken may have slept; the system has counted that. Where
// the sleeps before were not counted, the next tasks are watched closely.
inline task_kind call_site::timing::seen() const noexcept {
  const clock::duration d = clock::now() - start_;
  if (d < shortest_computing) return task_kind::quick;
  if (d < shortest_sleep || believed_ == task_kind::quick) return task_kind::computing;
  return thread_sleeps() != sleeps_ ? task_kind::blocking : task_kind::computing;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_POOL_CALL_SITE_HPP
