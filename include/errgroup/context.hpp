// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_CONTEXT_HPP
#define ERRGROUP_CONTEXT_HPP

#include <version>
#if !defined(__cpp_lib_jthread)
#error                                                                                                            \
    "errgroup needs std::stop_token: compile as C++20, with libstdc++ 10 or later, or libc++ -fexperimental-library"
#endif

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include <errgroup/detail/base/never_destroyed.hpp>
#include <errgroup/detail/base/ref.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/context/done_watcher.hpp>
#include <errgroup/detail/context/node.hpp>
#include <errgroup/detail/context/stop_on_done.hpp>
#include <errgroup/error.hpp>

namespace errgroup {

class canceler;

namespace detail {
struct context_access;
}

/// Tells a tree of calls when to stop, and why: Go's `context.Context` without the values.
///
/// A context is a cheap value; copies refer to the same node of a tree. It is done when it is cancelled, when
/// its deadline passes, or when its parent is done; never because of a child. Dropping the last reference to a
/// derived context (copies, cancelers and descendants count) releases its timer and its link to the parent,
/// and stops nothing: the half of Go's `defer cancel()` that cleans up is done by the destructor. A
/// `stop_token` kept alone keeps neither the node nor its deadline.
///
/// Guarantees:
/// - The cause is stored before stop is requested, so whoever sees the stop sees the cause.
/// - A child is done no later than its parent, with the parent's err and cause.
/// - All of the subtree is done() before the first stop callback runs, and stops are requested from the leaves up:
///   a callback on a parent may wait for the groups below it.
/// - A stop callback runs with no lock held: a deadline's on a thread of the library, a canceler's on the one that
///   calls cancel(), a failure's on the failing task's. One that blocks delays the callbacks that come after it in
///   the same cancellation and nothing else: not done(), nor those who sleep or wait under a context, nor other
///   deadlines. (If the system cannot start a thread for a deadline's callbacks, they delay other deadlines, too.)
/// - Of two who race to make a context done, one does; the other's cancel() does nothing, and may return before
///   the callbacks have run.
/// - Every function may be called from any thread.
///
///     auto [ctx, cancel] = errgroup::context().with_timeout(2s).with_cancel();
///     if (auto stopped = ctx.sleep_for(100ms)) return stopped;
class [[nodiscard]] context {
 public:
  /// Makes the background: never done. Allocates nothing.
  context() noexcept = default;

  /// Makes a context that is done, as canceled, once `token`'s stop has run its callbacks.
  /// Throws: std::bad_alloc; never for a token that cannot be stopped, which gives the background.
  context(std::stop_token token);

  /// True from the moment the context is done on; the token's stop follows at once.
  /// Memory ordering: acquire. Who sees true sees the cause.
  [[nodiscard]] bool done() const noexcept { return node_ && node_->done(); }

  /// Returns empty while the context is not done; errc::canceled after any cancel(), whatever its cause;
  /// errc::deadline_exceeded after a deadline. A child's is its parent's.
  error err() const noexcept { return node_ ? node_->err() : error(); }

  /// Returns why the context is done: what cancel() was given, the group's first error, the deadline's cause;
  /// where nothing was given, err(). As Go's `context.Cause`.
  error cause() const noexcept { return node_ ? node_->cause() : error(); }

  /// Returns the nearest deadline of this context and those it is derived from.
  [[nodiscard]] std::optional<clock::time_point> deadline() const noexcept;

  /// Returns the token that is stopped when the context is done. A background's can never be stopped.
  [[nodiscard]] const std::stop_token& get_stop_token() const& noexcept;
  [[nodiscard]] std::stop_token get_stop_token() && noexcept { return std::as_const(*this).get_stop_token(); }
  operator std::stop_token() const noexcept { return get_stop_token(); }

  /// Returns a child that is done at `when` at the latest, with `cause` (empty: errc::deadline_exceeded). A
  /// parent's deadline that is no later stays in force with its own cause, and `cause` is dropped; one already
  /// past is done at once. `time_point::max()` means none. The stop comes on time whether or not anyone waits for
  /// it. Throws: std::bad_alloc; std::system_error if the process's timer cannot be started; then nothing has
  /// changed.
  context with_deadline(clock::time_point when, error cause = {}) const;

  /// Returns with_deadline(now + d), `d` rounded up to the clock's unit. A duration that is too large for the
  /// clock, and one that is not a number, means no deadline. Throws: as above.
  template <class Rep, class Period>
  context with_timeout(std::chrono::duration<Rep, Period> d, error cause = {}) const {
    return with_deadline(detail::deadline_after(detail::clamped(d)), std::move(cause));
  }

  /// Returns a child, and the function that cancels it. Throws: std::bad_alloc.
  [[nodiscard]] std::pair<context, canceler> with_cancel() const;

  /// Returns a context that is not done with this one and has no deadline, for work that must outlive it. It still
  /// descends from this one, so that a group knows its own tasks under it. Of the background it is the background.
  /// Throws: std::bad_alloc.
  context without_cancel() const;

  /// Sleeps, as `select { case <-time.After(d): case <-ctx.Done(): }` does, done first. Empty: slept; else
  /// cause(). Blocks: for `d`, or until the context is done.
  template <class Rep, class Period>
  error sleep_for(std::chrono::duration<Rep, Period> d) const {
    return sleep_until(detail::deadline_after(detail::clamped(d)));
  }

  /// Sleeps until `when`; as sleep_for().
  error sleep_until(clock::time_point when) const;

  /// Waits on `cv` until `pred()` holds (empty; it is looked at first) or the context is done (cause()).
  /// Preconditions: `lock` is locked; it is on return, and whenever `pred` is called.
  /// Blocks: until `cv` is notified and `pred()` holds, or the context is done. Throws: what `pred` does;
  /// std::bad_alloc.
  template <class Lock, class Pred>
  error wait(std::condition_variable_any& cv, Lock& lock, Pred pred) const;

 private:
  friend struct detail::context_access;

  explicit context(detail::ref<detail::context_node> node) noexcept : node_(std::move(node)) {}

  detail::ref<detail::context_node> node_;  // Null: the background. This object's owner only.
};

/// Cancels the context that it was made with; Go's `CancelCauseFunc`. Copyable; a default one does nothing.
class canceler {
 public:
  canceler() noexcept = default;

  /// Makes the context and its descendants done, with `cause` (empty: errc::canceled). The first cancel, or
  /// deadline, wins; any other does nothing, and may return before the stop callbacks have run. A callback may
  /// destroy the canceler. Blocks: while the stop callbacks run, on this thread.
  void operator()(error cause = errc::canceled) const noexcept {
    if (node_) node_->cancel(cause);
  }

 private:
  friend class context;

  explicit canceler(detail::ref<detail::context_node> node) noexcept : node_(std::move(node)) {}

  detail::ref<detail::context_node> node_;  // This object's owner only.
};

// Implementation

namespace detail {

/// Lets a group make and cancel its own context, a child of another, with one node, and watch others.
struct context_access {
  /// Makes the context of group number `group`, or, if that is 0, of none.
  static context child(const context& parent, clock::time_point deadline = never, std::uint64_t group = 0) {
    return context(context_node::make(parent.node_, deadline, {}, {}, group));
  }
  /// Makes one that is canceled with `cause` from the first, whatever its parent is.
  static context done_child(const context& parent, const error& cause, std::uint64_t group = 0,
                            clock::time_point deadline = never) {
    return context(context_node::make_done(parent.node_, cause, deadline, group));
  }

  /// Makes `ctx` and its descendants done as canceled. May be called with the group's mutex held, since it runs
  /// nothing of the user's; what it returns is to be run after that.
  [[nodiscard]] static cancellation mark(const context& ctx, const error& cause) noexcept {
    return ctx.node_ ? ctx.node_->mark(context_node::canceled, cause) : cancellation();
  }
  static void cancel(const context& ctx, const error& cause) noexcept {
    if (ctx.node_) ctx.node_->cancel(cause);
  }

  /// Tells `watcher` once `ctx` is done; false if it is that already. The background does nothing, and is true.
  [[nodiscard]] static bool watch(const context& ctx, done_watcher& watcher) noexcept {
    return !ctx.node_ || ctx.node_->watch(watcher);
  }
  static void unwatch(const context& ctx, done_watcher& watcher) noexcept {
    if (ctx.node_) ctx.node_->unwatch(watcher);
  }

  /// True if `ctx` is the context of group number `group`, or descends from it.
  static bool is_below(const context& ctx, std::uint64_t group) noexcept {
    return ctx.node_ && ctx.node_->is_below(group);
  }
};

}  // namespace detail

inline context::context(std::stop_token token) {
  if (token.stop_possible()) node_ = detail::context_node::make({}, detail::never, {}, std::move(token));
}

inline std::optional<clock::time_point> context::deadline() const noexcept {
  if (!node_ || node_->deadline() == detail::never) return std::nullopt;
  return node_->deadline();
}

inline const std::stop_token& context::get_stop_token() const& noexcept {
  static detail::never_destroyed<std::stop_token> unstoppable;
  return node_ ? node_->token() : unstoppable.get();
}

inline context context::with_deadline(clock::time_point when, error cause) const {
  if (when >= (node_ ? node_->deadline() : detail::never)) return *this;
  return context(detail::context_node::make(node_, when, std::move(cause)));
}

inline std::pair<context, canceler> context::with_cancel() const {
  auto node = detail::context_node::make(node_);
  return {context(node), canceler(node)};
}

inline context context::without_cancel() const {
  return node_ ? context(detail::context_node::make_cut_off(node_)) : context();
}

// The background waits on something that nobody notifies: libstdc++'s sleep_until() starts anew after each signal,
// and never ends where signals come faster than it can sleep.
inline error context::sleep_until(clock::time_point when) const {
  if (node_) return node_->sleep_until(when);
  std::mutex mutex;
  std::condition_variable cv;
  std::unique_lock lock(mutex);
  while (clock::now() < when) (void)detail::wait_until(cv, lock, when);
  return {};
}

// Keeps the node, since `pred` and the lock may run anything, which may change or destroy this object.
template <class Lock, class Pred>
error context::wait(std::condition_variable_any& cv, Lock& lock, Pred pred) const {
  if (const auto node = node_) {
    if (pred()) return {};
    if (node->done()) return node->cause();
    const detail::stop_on_done stop(*node);
    return cv.wait(lock, stop.token(), std::move(pred)) ? error() : node->cause();
  }
  cv.wait(lock, std::move(pred));
  return {};
}

}  // namespace errgroup

#endif  // ERRGROUP_CONTEXT_HPP
