// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_GROUP_HPP
#define ERRGROUP_GROUP_HPP

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

#include <errgroup/context.hpp>
#include <errgroup/detail/group/handle_slot.hpp>
#include <errgroup/detail/group/shared_group.hpp>
#include <errgroup/detail/group/submission.hpp>
#include <errgroup/detail/group/task.hpp>
#include <errgroup/error.hpp>
#include <errgroup/options.hpp>
#include <errgroup/result.hpp>

namespace errgroup {

/// Gives the result of a task that was spawned. Copyable; outlives the group. One that was made by the default
/// constructor is of no task.
template <class T>
class handle {
 public:
  handle() noexcept = default;

  /// True if it is of a task.
  [[nodiscard]] bool valid() const noexcept { return slot_ != nullptr; }
  /// True if the task has ended, or is not to be started: as after wait(). Preconditions: valid().
  [[nodiscard]] bool ready() const noexcept { return slot_->ended(); }

  /// Gives the value, the task's own error, or the cause if it never started, or if it returned no more than a
  /// bare `canceled` or `deadline_exceeded` once the group's context was done. Never blocks: call it after wait().
  /// An rvalue's value is moved out. Throws: std::logic_error if the handle is empty or the task has not ended.
  const result<T>& get() const& { return *slot().value; }
  result<T> get() && { return std::move(*slot().value); }

 private:
  friend class group;

  explicit handle(std::shared_ptr<detail::handle_slot<T>> slot) noexcept : slot_(std::move(slot)) {}

  detail::handle_slot<T>& slot() const {
    if (!slot_) throw std::logic_error("errgroup: handle::get() of an empty handle");
    if (!slot_->ended()) throw std::logic_error("errgroup: handle::get() before the task has ended");
    return *slot_;
  }

  std::shared_ptr<detail::handle_slot<T>> slot_;  // This object's owner only.
};

namespace detail {

/// What is often meant for an option, and is none.
template <class T>
inline constexpr bool is_duration = false;
template <class Rep, class Period>
inline constexpr bool is_duration<std::chrono::duration<Rep, Period>> = true;
template <class T>
inline constexpr bool is_time_point = false;
template <class Clock, class Duration>
inline constexpr bool is_time_point<std::chrono::time_point<Clock, Duration>> = true;

template <class T>
concept bare_option = is_duration<T> || is_time_point<T>;

}  // namespace detail

/// Runs tasks at the same time, stops all when one fails, and waits for them: Go's `errgroup.Group`.
///
/// A task is a move-only callable, called once as an rvalue with a `const context&`, else with a
/// `std::stop_token`, else with nothing. It returns void or anything that converts to `error`; what it throws
/// is an error like any other.
///
/// Guarantees: the first error, in time, cancels the group's context with itself as the cause, and wait()
/// returns it. wait() is empty if and only if every task given to the group ran and succeeded. Nothing runs
/// after wait(). Tasks run at the same time, so they may block on one another, up to the limit. Every function
/// may be called from any thread, except the destructor.
///
///     errgroup::group group(ctx, errgroup::with_timeout(1s));
///     group.go([&](const errgroup::context& c) { return fetch(c, url); });
///     group.go([&] { save(); });
///     if (errgroup::error err = group.wait()) return err;
class group {
 public:
  /// Makes a group under the background context. Throws: std::bad_alloc.
  group() : group(context()) {}

  /// Makes a group whose context is a child of `parent`; options are applied in order.
  /// Throws: std::bad_alloc; std::system_error if a deadline needs a timer thread that cannot be started.
  template <group_option... Options>
  explicit group(context parent, Options&&... options);

  template <group_option... Options>
  requires(sizeof...(Options) != 0) explicit group(Options&&... options)
      : group(context(), std::forward<Options>(options)...) {}

  /// Ends the compilation, and says what to write instead.
  template <class... Args>
  requires(... || detail::bare_option<std::remove_cvref_t<Args>>) explicit group(Args&&...) {
    static_assert(!(... || detail::is_duration<std::remove_cvref_t<Args>>),
                  "errgroup: a duration is no option: write group(errgroup::with_timeout(d))");
    static_assert(!(... || detail::is_time_point<std::remove_cvref_t<Args>>),
                  "errgroup: a time is no option: write group(errgroup::with_deadline(t))");
  }

  group(const group&) = delete;
  group& operator=(const group&) = delete;

  /// Cancels the group, drops the tasks that have not started, and waits for the others.
  /// Preconditions: not inside one of its own tasks (asserted). Blocks: until no task runs.
  ~group() { state_->close(); }

  /// Starts a task. False: not started, since the context is done, and `f` is untouched; wait() returns the cause.
  /// So it does from a stop callback that the end of a round runs, but there is no wait() left to return it.
  /// Blocks: while the limit is reached; callers get places in the order in which they came. Not from inside: in a
  /// task of the group, or of one whose context descends from this group's, or on a thread that the group's own
  /// executor has lent, if that is a thread_cache with max_threads, or a custom one that runs a task of some group
  /// on it (what else it runs is not known here). Where the group is full then, the task is queued beyond the
  /// limit, and starts when its turn for a place has come. (A group that was made from a stop_token alone descends
  /// from nothing: pass the context.) Throws: std::system_error if no thread can be started and none is idle; what
  /// the executor throws, also for another task that waits for a runner while this call is blocked;
  /// std::bad_alloc; what storing `f` throws. Then the group is as before the call.
  template <class F>
  bool go(F&& f);

  /// Starts a task, as go(); false also if the limit is reached, or others wait for a place, and then the group
  /// knows nothing of it. Never blocks.
  template <class F>
  bool try_go(F&& f);

  /// Starts a task that returns a `T`, a `result<T>` or a `std::expected<T, E>` whose `E` converts to error, as
  /// go(). Get the value from the handle after wait().
  template <class F>
  auto spawn(F&& f);

  /// Waits for all tasks and returns the first error, running tasks that no thread has begun meanwhile. The
  /// context is done on return. Idempotent. After a success the group may be used again, in a new round.
  /// Blocks: until no task is left.
  /// Throws: std::system_error (resource_deadlock_would_occur) from inside: in a task of the group, or of one
  /// whose context descends from this group's.
  error wait() { return state_->wait(); }

  /// Waits as wait() does, but for `d` at most, and runs no task. nullopt: still running, nothing changed.
  /// Throws: as wait().
  template <class Rep, class Period>
  std::optional<error> wait_for(std::chrono::duration<Rep, Period> d) {
    return wait_until(detail::deadline_after(detail::clamped(d)));
  }
  std::optional<error> wait_until(clock::time_point when) { return state_->wait_until(when); }

  /// Cancels the group's context with `cause`, in all rounds to come as well; the first cause stays.
  /// Blocks: while stop callbacks run, on this thread. If the context was done already they may still run on
  /// another one when this returns.
  void cancel(error cause = errc::canceled) noexcept { state_->cancel(std::move(cause)); }

  /// Sets how many tasks may run at a time. Negative: no limit; 0: none are let in. At any time: what runs
  /// goes on, what has not begun is bound by the new limit, and a raised one lets in who is blocked in go().
  void set_limit(std::ptrdiff_t n) { state_->set_limit(n); }

  /// Returns the context of the open round; opens one if need be. Throws: as the constructor.
  context get_context() const { return state_->current_context(); }
  [[nodiscard]] std::stop_token get_stop_token() const { return get_context().get_stop_token(); }

  /// Returns the errors of tasks that ran, in time order, up to collect_errors()' max; without those that only
  /// repeat the cause. Throws: std::bad_alloc.
  [[nodiscard]] std::vector<error> errors() const { return state_->errors(); }

 private:
  template <class F>
  bool start(F&& f, bool may_block);
  template <class Task, class F, class... Args>
  bool place(bool may_block, error* why_not, F&& f, const Args&... args);

  const detail::ref<detail::shared_group> state_;  // Constant.
};

// Implementation

template <group_option... Options>
group::group(context parent, Options&&... options)
    : state_([&] {
        group_settings settings;
        (std::forward<Options>(options)(settings), ...);
        if (!settings.executor.object && !settings.executor.pool) settings.set_executor(thread_cache::shared());
        return detail::shared_group::make(parent, std::move(settings));
      }()) {}

template <class F>
bool group::go(F&& f) {
  return start(std::forward<F>(f), true);
}

template <class F>
bool group::try_go(F&& f) {
  return start(std::forward<F>(f), false);
}

template <class F>
bool group::start(F&& f, bool may_block) {
  constexpr detail::objection why = detail::objection_to<F, false>();
  detail::explain<why>();
  if constexpr (why == detail::objection::none) {
    using task = detail::plain_task<detail::stored_callable<std::decay_t<F>>>;
    return place<task>(may_block, nullptr, std::forward<F>(f));
  } else {
    return false;
  }
}

template <class F>
auto group::spawn(F&& f) {
  constexpr detail::objection why = detail::objection_to<F, true>();
  detail::explain<why>();
  if constexpr (why == detail::objection::none) {
    using callable = std::decay_t<F>;
    using T = detail::spawned_t<callable>;
    auto slot = std::make_shared<detail::handle_slot<T>>();
    error cause;
    using task = detail::value_task<detail::stored_callable<callable>, T>;
    if (!place<task>(true, &cause, std::forward<F>(f), slot)) {
      slot->value.emplace(std::move(cause));
      slot->end();
    }
    return handle<T>(std::move(slot));
  } else {
    return handle<std::nullptr_t>();
  }
}

// Stores the task and queues it; if it is refused, `why_not` is the cause. A callable whose construction is no
// user's code is stored under the lock.
template <class Task, class F, class... Args>
bool group::place(bool may_block, error* why_not, F&& f, const Args&... args) {
  using detail::admission;
  using detail::task_home;
  constexpr bool pooled = sizeof(Task) <= detail::task_blocks::size;
  using callable = std::decay_t<F>;
  constexpr bool trivial = pooled && std::is_same_v<detail::stored_callable<callable>, callable> &&
                           std::is_trivially_constructible_v<callable, F>;
  constexpr bool handy =
      trivial && sizeof(Task) <= detail::handoff_ring::size && alignof(Task) <= detail::handoff_ring::alignment;
  const detail::task_kind kind = detail::site_of<Task>.kind();
  const detail::task_shape shape{pooled, handy && kind != detail::task_kind::blocking,
                                 detail::takes_context<callable>};
  detail::submission::lock_type lock;
  void* block = nullptr;
  detail::submission submission(*state_);
  const admission how = submission.admit(lock, may_block, shape, block, why_not);
  if (how == admission::full || how == admission::refused) return false;
  Task* task = nullptr;
  if constexpr (trivial) {
    const bool handed = how == admission::handed;
    task = ::new (block) Task(handed ? task_home::slot : task_home::block, std::forward<F>(f), args...);
    if (handed) {
      submission.hand_over();
      return true;
    }
  } else {
    lock.unlock();
    try {
      if (!pooled) block = ::operator new(sizeof(Task));
      task = ::new (block) Task(pooled ? task_home::block : task_home::heap, std::forward<F>(f), args...);
    } catch (...) {
      if (!pooled) ::operator delete(block);
      submission.undo_admit(lock, how, pooled ? block : nullptr);
      throw;
    }
  }
  submission.enqueue(lock, how, *task, kind);
  return true;
}

}  // namespace errgroup

#endif  // ERRGROUP_GROUP_HPP
