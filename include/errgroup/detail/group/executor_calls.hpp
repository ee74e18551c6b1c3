// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_EXECUTOR_CALLS_HPP
#define ERRGROUP_DETAIL_GROUP_EXECUTOR_CALLS_HPP

#include <cstddef>
#include <cstdint>

#include <errgroup/detail/base/intrusive_list.hpp>

namespace errgroup::detail {

/// Counts the runners that a custom executor has taken, and knows which of its calls are under way. The group's
/// mutex guards it.
class executor_calls {
 public:
  /// A call of execute(). Until it returns, its task is not for other runners: if the call throws, the task is
  /// taken back.
  struct call : list_node<call> {
    std::uint32_t serial = 0;  // The task's; 0: of no certain one, or its runner has begun.
  };

  void begin(call& c) noexcept { under_way_.push_back(c); }
  void end(call& c) noexcept { under_way_.erase(c); }

  /// Returns how many runners the executor has accepted, and neither begun nor dropped.
  std::size_t unbegun() const noexcept { return unbegun_; }
  /// Counts a runner that was accepted.
  void accept() noexcept { ++unbegun_; }
  /// Counts an accepted runner no more: it has begun, or was dropped.
  void end_unbegun() noexcept { --unbegun_; }

  /// The runner for this task has begun before it was accepted: the call need not keep the task for it any more.
  void release(std::uint32_t serial) noexcept {
    for (call* c = under_way_.front(); c; c = under_way_.next(*c)) {
      if (c->serial == serial) c->serial = 0;
    }
  }
  /// True if a call under way keeps the task for its own runner.
  bool keeps(std::uint32_t serial) const noexcept {
    for (const call* c = under_way_.front(); c; c = under_way_.next(*c)) {
      if (c->serial == serial) return true;
    }
    return false;
  }

 private:
  std::size_t unbegun_ = 0;         // Guarded by the group's mutex.
  intrusive_list<call> under_way_;  // As above.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_EXECUTOR_CALLS_HPP
