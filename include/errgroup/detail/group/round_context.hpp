// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_ROUND_CONTEXT_HPP
#define ERRGROUP_DETAIL_GROUP_ROUND_CONTEXT_HPP

#include <atomic>
#include <cstdint>
#include <utility>

#include <errgroup/context.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

/// The context of a group's round, made when somebody asks for it: a group whose tasks take no context, and that
/// has no deadline, never needs one. Until then it is as done as its parent, or has been stopped with a cause;
/// when it is made, and whether it is, does not show in its cause. The group's mutex guards it; done() may be
/// called, and get()'s result used once it is made, without.
class round_context {
 public:
  explicit round_context(const context& parent) noexcept : parent_(parent) {}

  const context& parent() const noexcept { return parent_; }

  bool done() const noexcept {
    return made() ? ctx_.done() : stopped_.load(std::memory_order_acquire) || parent_.done();
  }
  error cause() const noexcept { return made() ? ctx_.cause() : cause_ ? cause_ : parent_.cause(); }

  /// Makes the context if it is not made. Throws: std::bad_alloc; std::system_error if there is a deadline and the
  /// timer's thread cannot be started.
  const context& make(clock::time_point deadline = never) {
    if (!made()) {
      if (group_id_ == 0) group_id_ = next_group_id();
      ctx_ = cause_ ? context_access::done_child(parent_, cause_, group_id_, deadline)
                    : context_access::child(parent_, deadline, group_id_);
      made_.store(true, std::memory_order_release);
    }
    return ctx_;
  }
  /// Returns the context if it is made, else the background.
  const context& get() const noexcept { return ctx_; }

  /// True if `other` is of the same group, or of one below it: whose parent is a context of this group, of any
  /// round, or descends from one.
  bool is_above(const round_context& other) const noexcept {
    return &other == this || (group_id_ != 0 && context_access::is_below(other.parent_, group_id_));
  }

  /// Makes it done with `cause`, if it is not done yet. The cancellation is the caller's to run, unlocked.
  [[nodiscard]] cancellation stop(const error& cause) noexcept {
    if (made()) return context_access::mark(ctx_, cause);
    if (!done()) stop_with(cause);
    return {};
  }
  /// Makes a round that has just been opened done with `cause`, which came before whatever has stopped the parent.
  void stop_with(const error& cause) noexcept {
    cause_ = cause;
    stopped_.store(true, std::memory_order_release);
  }

  /// Has `w` told when it is done for a reason from outside: its deadline or its parent. False: it is done.
  bool watch(done_watcher& w) noexcept {
    const context& where = made() ? ctx_ : parent_;
    if (!context_access::watch(where, w)) return false;
    watched_ = where;
    return true;
  }
  /// Ends that, if it was begun. Returns what was watched, to be dropped unlocked.
  context unwatch(done_watcher& w) noexcept {
    context_access::unwatch(watched_, w);
    return std::exchange(watched_, {});
  }

  /// Starts anew, and returns the context of before, to be dropped unlocked.
  [[nodiscard]] context reset() noexcept {
    made_.store(false, std::memory_order_relaxed);
    stopped_.store(false, std::memory_order_relaxed);
    cause_ = {};
    return std::move(ctx_);  // Which leaves the background.
  }
  /// Lets go of all that is the user's. There will be no other round.
  void clear() noexcept {
    ctx_ = parent_ = watched_ = {};
    cause_ = {};
  }

 private:
  bool made() const noexcept { return made_.load(std::memory_order_acquire); }
  static std::uint64_t next_group_id() noexcept {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  context parent_;              // Constant until clear().
  context ctx_;                 // The background until it is made. Guarded by the group's mutex, as are:
  context watched_;             // Where the watcher is registered: ctx_, or the parent.
  error cause_;                 // Of a stop before the context was made.
  std::uint64_t group_id_ = 0;  // Tells who is below; 0 until there can be anyone.
  // Written under the group's mutex, after ctx_ and cause_, with release; read anywhere with acquire.
  std::atomic<bool> made_{false};
  std::atomic<bool> stopped_{false};
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_ROUND_CONTEXT_HPP
