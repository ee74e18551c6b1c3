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
#include <errgroup/detail/group_core.hpp>
#include <errgroup/detail/handle_slot.hpp>
#include <errgroup/detail/task.hpp>
#include <errgroup/error.hpp>
#include <errgroup/options.hpp>
#include <errgroup/result.hpp>

namespace errgroup {

/// Gives the result of a task that was spawned. Copyable; outlives the group.
template <class T>
class handle {
 public:
  /// Returns the value, the task's own error, or the cause if it never started. Never blocks: call it after
  /// wait(). Throws: std::logic_error before the task has ended; what copying or moving a `T` throws.
  result<T> get() const& { return *slot().value; }
  result<T> get() && { return std::move(*slot().value); }

 private:
  friend class group;

  explicit handle(std::shared_ptr<detail::handle_slot<T>> slot) noexcept : slot_(std::move(slot)) {}

  detail::handle_slot<T>& slot() const {
    if (!slot_ || !slot_->ended()) throw std::logic_error("errgroup: handle::get() before the task has ended");
    return *slot_;
  }

  std::shared_ptr<detail::handle_slot<T>> slot_;  // This object's owner only.
};

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

  group(const group&) = delete;
  group& operator=(const group&) = delete;

  /// Cancels the group, drops the tasks that have not started, and waits for the others.
  /// Preconditions: not inside one of its own tasks. Blocks: until no task runs.
  ~group() { core_->close(); }

  /// Starts a task. False: not started, since the context is done, and `f` is untouched; wait() returns the
  /// cause. Inside one of the group's own tasks a full group runs `f` in place, and true is returned.
  /// Blocks: while the limit is reached.
  /// Throws: std::system_error if no thread can be started and none is idle; std::bad_alloc; what storing `f`
  /// throws. Then the group is as before the call.
  template <class F>
  bool go(F&& f);

  /// Starts a task, as go(); false also if the limit is reached, and then the group knows nothing of it.
  template <class F>
  bool try_go(F&& f);

  /// Starts a task that returns a `T` or a `result<T>`, as go(). Get the value from the handle after wait().
  template <class F>
  auto spawn(F&& f);

  /// Waits for all tasks and returns the first error, running tasks that no thread has begun meanwhile. The
  /// context is done on return. Idempotent. After a success the group may be used again, in a new round.
  /// Blocks: until no task is left.
  /// Throws: std::system_error (resource_deadlock_would_occur) inside one of the group's own tasks.
  error wait() { return core_->wait(); }

  /// Waits as wait() does, but for `d` at most, and runs no task. nullopt: still running, nothing changed.
  /// Throws: as wait().
  template <class Rep, class Period>
  std::optional<error> wait_for(std::chrono::duration<Rep, Period> d) {
    return wait_until(detail::deadline_after(detail::clamped(d)));
  }
  std::optional<error> wait_until(clock::time_point when) { return core_->wait_until(when); }

  /// Cancels the group's context with `cause`, in all rounds to come as well; the first cause stays.
  /// Blocks: while stop callbacks run, on this thread.
  void cancel(error cause = errc::canceled) noexcept { core_->cancel(std::move(cause)); }

  /// Sets how many tasks may run at a time. Negative: no limit; 0: none are let in. At any time: what runs
  /// goes on, and what is blocked in go() looks again.
  void set_limit(std::ptrdiff_t n) { core_->set_limit(n); }

  /// Returns the context of the open round; opens one if need be. Throws: as the constructor.
  context get_context() const { return core_->current_context(); }
  [[nodiscard]] std::stop_token get_stop_token() const { return get_context().get_stop_token(); }

  /// Returns the errors of tasks that ran, in time order, up to collect_errors()' max; without those that only
  /// repeat the cause. Throws: std::bad_alloc.
  [[nodiscard]] std::vector<error> errors() const { return core_->errors(); }

 private:
  template <class F>
  static constexpr void check();
  template <class F>
  bool start(F&& f, bool may_block);
  template <class Task, class F, class... Args>
  bool place(bool may_block, error* why_not, F&& f, Args&&... args);

  const detail::ref<detail::group_core> core_;  // Constant.
};

// Implementation

template <group_option... Options>
group::group(context parent, Options&&... options)
    : core_([&] {
        group_settings settings;
        (std::forward<Options>(options)(settings), ...);
        if (!settings.executor.object && !settings.executor.pool) settings.set_executor(thread_cache::shared());
        return detail::group_core::make(parent, std::move(settings));
      }()) {}

template <class F>
constexpr void group::check() {
  static_assert(std::constructible_from<std::decay_t<F>, F>,
                "errgroup: a task must be movable: pass a temporary, or std::move() it");
  static_assert(std::is_nothrow_destructible_v<std::decay_t<F>>, "errgroup: a task's destructor must not throw");
  static_assert(detail::invocable_task<std::decay_t<F>>,
                "errgroup: a task is called with a const errgroup::context&, a std::stop_token or nothing");
}

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
  using task = std::decay_t<F>;
  check<F>();
  if constexpr (detail::invocable_task<task>) {
    constexpr bool valueless = detail::valueless<detail::task_result_t<task>>;
    static_assert(valueless,
                  "errgroup: go() would lose this task's value: use spawn(), or return void or an error");
    if constexpr (valueless) {
      return place<detail::plain_task<task>>(may_block, nullptr, std::forward<F>(f));
    }
  }
}

template <class F>
auto group::spawn(F&& f) {
  using task = std::decay_t<F>;
  check<F>();
  if constexpr (detail::invocable_task<task>) {
    constexpr bool valueless = detail::valueless<detail::task_result_t<task>>;
    static_assert(!valueless, "errgroup: spawn() is for a task that returns a value: use go()");
    if constexpr (!valueless) {
      using T = detail::spawned_t<task>;
      auto slot = std::make_shared<detail::handle_slot<T>>();
      error cause;
      if (!place<detail::value_task<task, T>>(true, &cause, std::forward<F>(f), slot)) {
        slot->value.emplace(std::move(cause));
        slot->end();
      }
      return handle<T>(std::move(slot));
    }
  }
}

// Stores the task and queues it; if it is refused, `why_not` is the cause. A callable whose construction is no
// user's code is stored under the lock.
template <class Task, class F, class... Args>
bool group::place(bool may_block, error* why_not, F&& f, Args&&... args) {
  static_assert(alignof(Task) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                "errgroup: a task must not be over-aligned: keep the data behind a pointer");
  using core = detail::group_core;
  constexpr bool pooled = sizeof(Task) <= detail::task_blocks::size;
  constexpr bool trivial = pooled && std::is_trivially_constructible_v<std::decay_t<F>, F>;
  constexpr bool handy =
      trivial && sizeof(Task) <= detail::handoff::size && alignof(Task) <= detail::handoff::alignment;
  constexpr detail::task_shape shape{pooled, handy, detail::takes_context<std::decay_t<F>>};
  core::lock_type lock;
  void* block = nullptr;
  const core::admission how = core_->admit(lock, may_block, shape, block, why_not);
  if (how == core::admission::full || how == core::admission::refused) return false;
  if (how == core::admission::in_place) {
    Task task(detail::task_home::heap, std::forward<F>(f), std::forward<Args>(args)...);
    core_->run_in_place(task);
    return true;
  }
  Task* task = nullptr;
  if constexpr (trivial) {
    const bool handed = how == core::admission::handed;
    task = ::new (block) Task(handed ? detail::task_home::slot : detail::task_home::block, std::forward<F>(f),
                              std::forward<Args>(args)...);
    if (handed) {
      core_->hand_over();
      return true;
    }
  } else {
    lock.unlock();
    try {
      if (!pooled) block = ::operator new(sizeof(Task));
      task = ::new (block) Task(pooled ? detail::task_home::block : detail::task_home::heap, std::forward<F>(f),
                                std::forward<Args>(args)...);
    } catch (...) {
      if (!pooled) ::operator delete(block);
      core_->unreserve(lock, pooled ? block : nullptr);
      throw;
    }
  }
  core_->enqueue(lock, *task);
  return true;
}

}  // namespace errgroup

#endif  // ERRGROUP_GROUP_HPP
