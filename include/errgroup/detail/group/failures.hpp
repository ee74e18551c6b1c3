// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_FAILURES_HPP
#define ERRGROUP_DETAIL_GROUP_FAILURES_HPP

#include <algorithm>
#include <cstddef>
#include <vector>

#include <errgroup/error.hpp>

namespace errgroup::detail {

/// Remembers what went wrong in a group: the first error, with the round that it is of, and as many others as the
/// user wants to have. The group's mutex guards it.
class failures {
 public:
  explicit failures(std::size_t most_errors) noexcept : most_errors_(most_errors) {}

  /// Returns the first error; empty if there is none.
  const error& first() const noexcept { return first_; }
  /// Returns what a wait() for this round returns: once a group has failed, later rounds have, too.
  error outcome_of(unsigned long long round) const { return failed_round_ <= round ? first_ : error(); }
  /// True if the first error is of this round.
  bool began_in(unsigned long long round) const noexcept { return failed_round_ == round; }

  /// Notes an error of this round, if it is the first.
  void report(const error& e, unsigned long long round) noexcept {
    if (first_) return;
    first_ = e;
    failed_round_ = round;
  }

  /// Makes room for the errors of `tasks` tasks. Throws: std::bad_alloc.
  void reserve(std::size_t tasks) {
    const std::size_t wanted = list_.size() + tasks;
    if (list_.capacity() < wanted) list_.reserve(std::min(most_errors_, 2 * wanted));
  }
  /// True if reserve() may still have to make room.
  bool may_grow() const noexcept { return most_errors_ > list_.capacity(); }
  /// Lists an error, if it is wanted. Preconditions: room was reserved for it.
  void add(const error& e) noexcept {
    if (list_.size() < std::min(most_errors_, list_.capacity())) list_.push_back(e);
  }
  const std::vector<error>& list() const noexcept { return list_; }

  /// Drops all errors, which may run the user's code.
  void clear() noexcept {
    std::vector<error>().swap(list_);
    first_ = {};
  }

 private:
  const std::size_t most_errors_;        // Constant.
  error first_;                          // Guarded by the group's mutex, as all that follows.
  unsigned long long failed_round_ = 0;  // Of first_.
  std::vector<error> list_;              // In time order.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_FAILURES_HPP
