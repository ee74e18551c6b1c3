// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_ROUND_CONTEXT_HPP
#define ERRGROUP_DETAIL_ROUND_CONTEXT_HPP

#include <stop_token>
#include <utility>

#include <errgroup/context.hpp>
#include <errgroup/detail/time.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

/// The context of a group's round, made when somebody asks for it: a group whose tasks take no context, and that
/// has no deadline, never needs one. Until then it is as done as its parent, or has been stopped with a cause.
/// The group's mutex guards it; running tasks may read get()'s result without, once it is made.
class round_context {
 public:
  explicit round_context(const context& parent) noexcept : parent_(parent) {}

  bool done() const noexcept { return made_ ? ctx_.done() : cause_ || parent_.done(); }
  error cause() const noexcept { return made_ ? ctx_.cause() : cause_ ? cause_ : parent_.cause(); }

  /// Returns the token that wakes whoever is blocked. stop() does not reach it before the context is made.
  std::stop_token token() const noexcept { return (made_ ? ctx_ : parent_).get_stop_token(); }

  /// Makes the context if it is not made. Throws: std::bad_alloc; std::system_error if there is a deadline and the
  /// timer's thread cannot be started.
  const context& make(clock::time_point deadline = never) {
    if (!made_) {
      context fresh = context_access::child(parent_, deadline);
      if (cause_) context_access::cancel(fresh, cause_);  // Nobody can have a callback on it yet.
      ctx_ = std::move(fresh);
      made_ = true;
    }
    return ctx_;
  }
  /// Returns the context if it is made, else the background.
  const context& get() const noexcept { return ctx_; }

  /// Remembers `cause` for a context made from now on. One that is made is to be cancelled by the caller,
  /// unlocked.
  void stop(const error& cause) noexcept {
    if (!made_ && !done()) cause_ = cause;
  }

  /// Starts anew, and returns the context of before, to be dropped unlocked.
  [[nodiscard]] context reset() noexcept {
    made_ = false;
    cause_ = {};
    return std::exchange(ctx_, {});
  }

 private:
  const context parent_;  // Constant.
  context ctx_;           // Guarded by the group's mutex, as is all that follows. The background until it is made.
  error cause_;           // Of a stop before the context was made.
  bool made_ = false;
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_ROUND_CONTEXT_HPP
