// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_HANDLE_SLOT_HPP
#define ERRGROUP_DETAIL_GROUP_HANDLE_SLOT_HPP

#include <atomic>
#include <optional>

#include <errgroup/error.hpp>
#include <errgroup/result.hpp>

namespace errgroup::detail {

/// Carries a spawned task's result to its handle.
template <class T>
class handle_slot {
 public:
  /// Called once, by the thread that ran or dropped the task.
  void end() noexcept {
    if (!value) value.emplace(errgroup::error(errc::canceled));
    ended_.store(true, std::memory_order_release);
  }
  bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }

  std::optional<result<T>> value;  // Written by the task's thread before end(); read by handles after.

 private:
  std::atomic<bool> ended_{false};  // Release in end(), acquire in ended(): orders `value`.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_HANDLE_SLOT_HPP
