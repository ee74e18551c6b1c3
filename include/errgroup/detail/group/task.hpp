// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_TASK_HPP
#define ERRGROUP_DETAIL_GROUP_TASK_HPP

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include <errgroup/context.hpp>
#include <errgroup/detail/group/entry_list.hpp>
#include <errgroup/detail/group/handle_slot.hpp>
#include <errgroup/detail/pool/call_site.hpp>
#include <errgroup/error.hpp>
#include <errgroup/result.hpp>

namespace errgroup::detail {

// What a task takes is asked in this order, and no further than the first yes: to ask more could instantiate the
// body of a generic lambda with an argument that it was not written for. A concept's `||` stops there.

/// True if `f` is called with a context, or with its token.
template <class F>
concept takes_context = std::invocable<F, const context&> || std::invocable<F, std::stop_token>;

template <class F>
concept invocable_task = takes_context<F> || std::invocable<F>;

/// Calls `f` with a context, else with a stop token, else with nothing.
template <class F>
decltype(auto) invoke_task(F&& f, const context& ctx) {
  if constexpr (std::invocable<F, const context&>) {
    return std::invoke(std::forward<F>(f), ctx);
  } else if constexpr (std::invocable<F, std::stop_token>) {
    return std::invoke(std::forward<F>(f), ctx.get_stop_token());
  } else {
    return std::invoke(std::forward<F>(f));
  }
}

template <class F>
using task_result_t = decltype(invoke_task(std::declval<F>(), std::declval<const context&>()));

/// What a task returns, taken apart: `value` is the T of spawn()'s handle, void if there is none; `known` is false
/// if there may be an error in it that does not convert to ours.
template <class R>
struct task_returns {
  using value = std::conditional_t<std::convertible_to<R, error>, void, R>;
  static constexpr bool known = true;
};
template <>
struct task_returns<void> {
  using value = void;
  static constexpr bool known = true;
};
template <class T>
struct task_returns<result<T>> {
  using value = T;
  static constexpr bool known = true;
};
#if defined(__cpp_lib_expected)
template <class T, class E>
struct task_returns<std::expected<T, E>> {
  using value = T;
  static constexpr bool known = std::convertible_to<E, error>;
};
#endif

template <class F>
using spawned_t = typename task_returns<std::remove_cvref_t<task_result_t<F>>>::value;

/// A coroutine's return object: the task would end at its first suspension, and the rest be lost.
template <class R>
concept awaitable = requires {
  typename R::promise_type;
}
|| requires(R& r) { r.await_ready(); }
|| requires(R&& r) { static_cast<R&&>(r).operator co_await(); }
|| requires(R&& r) { operator co_await(static_cast<R&&>(r)); };

/// Says that something failed, but in a type that no error is made of.
template <class R>
concept code_in_disguise =
    !std::is_void_v<R> && !std::convertible_to<R, error> &&
    (std::convertible_to<R, std::error_code> || std::convertible_to<R, std::error_condition>);

/// Why a callable cannot be given to go(), or to spawn().
enum class objection : unsigned char {
  none,
  not_movable,
  throwing_destructor,
  not_invocable,
  coroutine,
  disguised_code,
  unknown_error,
  value_lost,
  no_value,
  immovable_value,
};

template <class F, bool Spawned>
constexpr objection objection_to() {
  using task = std::decay_t<F>;
  if constexpr (!std::is_nothrow_destructible_v<task>) {
    return objection::throwing_destructor;
  } else if constexpr (!std::constructible_from<task, F>) {  // Which a destructor that may throw would fail, too.
    return objection::not_movable;
  } else if constexpr (!invocable_task<task>) {
    return objection::not_invocable;
  } else {
    using returned = task_result_t<task>;
    using plain = std::remove_cvref_t<returned>;
    using value = typename task_returns<plain>::value;
    if constexpr (awaitable<plain>) {
      return objection::coroutine;
    } else if constexpr (code_in_disguise<plain>) {
      return objection::disguised_code;
    } else if constexpr (!task_returns<plain>::known) {
      return objection::unknown_error;
    } else if constexpr (!Spawned) {
      return std::is_void_v<value> ? objection::none : objection::value_lost;
    } else if constexpr (std::is_void_v<value>) {
      return objection::no_value;
    } else if constexpr (!std::move_constructible<value> || !std::constructible_from<plain, returned>) {
      return objection::immovable_value;
    } else {
      return objection::none;
    }
  }
}

/// Ends the compilation with what to write instead, and with no other message.
template <objection Why>
constexpr void explain() {
  static_assert(Why != objection::not_movable,
                "errgroup: a task must be movable: pass a temporary, or std::move() it");
  static_assert(Why != objection::throwing_destructor, "errgroup: a task's destructor must not throw");
  static_assert(Why != objection::not_invocable,
                "errgroup: a task is called with a const errgroup::context&, a std::stop_token or nothing");
  static_assert(Why != objection::coroutine,
                "errgroup: a task is no coroutine: it would be left at its first suspension; call a function that "
                "blocks until the coroutine has ended, and return its value");
  static_assert(Why != objection::disguised_code,
                "errgroup: this task's error would be lost: return errgroup::error or std::error_code instead");
  static_assert(Why != objection::unknown_error,
                "errgroup: this task's error would be lost: let the E of its std::expected<T, E> convert to "
                "errgroup::error");
  static_assert(Why != objection::value_lost,
                "errgroup: go() would lose this task's value: use spawn(), or return void or an error");
  static_assert(Why != objection::no_value, "errgroup: spawn() is for a task that returns a value: use go()");
  static_assert(Why != objection::immovable_value,
                "errgroup: spawn() moves the task's value to its handle: return a std::unique_ptr to it instead");
}

/// Calls `f()` and returns what it throws as an error. Lets glibc's forced unwind through (pthread_exit,
/// pthread_cancel), which is no C++ exception: swallowing it would end the process.
template <class F>
error catch_error(F&& f) {
  try {
    return f();
  } catch (...) {
    std::exception_ptr thrown = std::current_exception();
    if (!thrown) throw;
    return error(std::move(thrown));
  }
}

/// Returns the error in what a task has returned; a failure without an error is errc::failed.
template <class R>
error error_in(R&& returned) {
  if constexpr (std::convertible_to<R, error>) {
    return std::forward<R>(returned);
  } else {
    if (returned.has_value()) return {};
    error e = std::forward<R>(returned).error();
    return e ? e : error(errc::failed);
  }
}

/// A callable that is kept on the heap, since its type is over-aligned.
template <class F>
class boxed_callable {
 public:
  template <class G>
  explicit boxed_callable(G&& f) : f_(std::make_unique<F>(std::forward<G>(f))) {}

  template <class... Args>
  requires std::invocable<F, Args...>
  decltype(auto) operator()(Args&&... args) && { return std::invoke(std::move(*f_), std::forward<Args>(args)...); }

 private:
  std::unique_ptr<F> f_;  // The thread that runs the task, or drops it.
};

/// What a task keeps of a callable of type F.
template <class F>
using stored_callable = std::conditional_t<(alignof(F) > __STDCPP_DEFAULT_NEW_ALIGNMENT__), boxed_callable<F>, F>;

/// A task that a group has accepted.
class task : public queue_entry {
 public:
  explicit task(task_home h) noexcept : queue_entry(h) {}
  virtual ~task() = default;

  /// Calls the callable, once. Lets only a forced unwind out.
  virtual error run(const context& ctx) = 0;
  /// Returns what is known of the place in the program that it was given from.
  virtual call_site& site() const noexcept = 0;
  /// Tells the handle, if there is one, why there is no value: the task failed, or is not to be started.
  virtual void tell_handle(const error&) noexcept {}
};

template <class F>
class plain_task final : public task {
 public:
  template <class G>
  plain_task(task_home h, G&& f) : task(h), f_(std::forward<G>(f)) {}

  error run(const context& ctx) override {
    return site_of<plain_task>.run([&] {
      return catch_error([&]() -> error {
        if constexpr (std::is_void_v<task_result_t<F>>) {
          invoke_task(std::move(f_), ctx);
          return {};
        } else {
          return error_in(invoke_task(std::move(f_), ctx));
        }
      });
    });
  }
  call_site& site() const noexcept override { return site_of<plain_task>; }

 private:
  F f_;  // The thread that runs the task, or drops it.
};

template <class F, class T>
class value_task final : public task {
 public:
  template <class G>
  value_task(task_home h, G&& f, const std::shared_ptr<handle_slot<T>>& slot)
      : task(h), f_(std::forward<G>(f)), slot_(slot) {}
  ~value_task() override { slot_->end(); }

  error run(const context& ctx) override {
    return site_of<value_task>.run(
        [&] { return catch_error([&]() -> error { return keep(invoke_task(std::move(f_), ctx)); }); });
  }
  call_site& site() const noexcept override { return site_of<value_task>; }
  void tell_handle(const error& e) noexcept override { slot_->value.emplace(e); }

 private:
  template <class R>
  error keep(R&& returned) {
    using plain = std::remove_cvref_t<R>;
    if constexpr (!std::same_as<plain, T>) {
      if (!returned.has_value()) return error_in(std::forward<R>(returned));
      slot_->value.emplace(*std::forward<R>(returned));
    } else {
      slot_->value.emplace(std::forward<R>(returned));
    }
    return {};
  }

  F f_;                                   // The thread that runs the task, or drops it.
  std::shared_ptr<handle_slot<T>> slot_;  // As above.
};

/// Where a task may be stored.
struct task_shape {
  bool pooled;         // In a block of the group's.
  bool handy;          // In a slot of the handoff ring.
  bool needs_context;  // The context must be made first.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_TASK_HPP
