// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_ROUND_CONTEXT_HPP
#define ERRGROUP_DETAIL_ROUND_CONTEXT_HPP

#include <atomic>
#include <stop_token>
#include <utility>

#include <errgroup/context.hpp>
#include <errgroup/detail/time.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

/// The context of a group's round, made when somebody asks for it: a group whose tasks take no context, and that
/// has no deadline, never needs one. Until then it is as done as its parent, or has been stopped with a cause.
/// The group's mutex guards it; done() may be called, and get()'s result used once it is made, without.
class round_context {
 public:
  explicit round_context(const context& parent) noexcept : parent_(parent) {}

  bool done() const noexcept {
    return made() ? ctx_.done() : stopped_.load(std::memory_order_acquire) || parent_.done();
  }
  error cause() const noexcept { return made() ? ctx_.cause() : cause_ ? cause_ : parent_.cause(); }

  /// Returns the token that wakes whoever is blocked. stop() does not reach it before the context is made.
  std::stop_token token() const noexcept { return (made() ? ctx_ : parent_).get_stop_token(); }

  /// Makes the context if it is not made. Throws: std::bad_alloc; std::system_error if there is a deadline and the
  /// timer's thread cannot be started.
  const context& make(clock::time_point deadline = never) {
    if (!made()) {
      context fresh = context_access::child(parent_, deadline);
      if (cause_) context_access::cancel(fresh, cause_);  // Nobody can have a callback on it yet.
      ctx_ = std::move(fresh);
      made_.store(true, std::memory_order_release);
    }
    return ctx_;
  }
  /// Returns the context if it is made, else the background.
  const context& get() const noexcept { return ctx_; }

  /// Remembers `cause` for a context made from now on. One that is made is to be cancelled by the caller,
  /// unlocked.
  void stop(const error& cause) noexcept {
    if (made() || done()) return;
    cause_ = cause;
    stopped_.store(true, std::memory_order_release);
  }

  /// Starts anew, and returns the context of before, to be dropped unlocked.
  [[nodiscard]] context reset() noexcept {
    made_.store(false, std::memory_order_relaxed);
    stopped_.store(false, std::memory_order_relaxed);
    cause_ = {};
    return std::move(ctx_);  // Which leaves the background.
  }

 private:
  bool made() const noexcept { return made_.load(std::memory_order_acquire); }

  const context parent_;  // Constant.
  context ctx_;           // The background until it is made. Guarded by the group's mutex, as is:
  error cause_;           // Of a stop before the context was made.
  // Written under the group's mutex, after ctx_ and cause_, with release; read anywhere with acquire.
  std::atomic<bool> made_{false};
  std::atomic<bool> stopped_{false};
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_ROUND_CONTEXT_HPP
