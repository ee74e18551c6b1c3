// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_TASK_HPP
#define ERRGROUP_DETAIL_TASK_HPP

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <errgroup/context.hpp>
#include <errgroup/detail/handle_slot.hpp>
#include <errgroup/error.hpp>
#include <errgroup/result.hpp>

namespace errgroup::detail {

template <class F>
concept invocable_task =
    std::invocable<F, const context&> || std::invocable<F, std::stop_token> || std::invocable<F>;

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

/// True if `f` is called with a context, or with its token.
template <class F>
inline constexpr bool takes_context = std::invocable<F, const context&> || std::invocable<F, std::stop_token>;

template <class F>
using task_result_t = decltype(invoke_task(std::declval<F>(), std::declval<const context&>()));

/// What go() takes: void, or an error of any kind. result<T> and its like are not: their value would be lost.
template <class R>
concept valueless = std::is_void_v<R> || std::convertible_to<R, error>;

template <class R>
struct spawned {
  using type = R;
};
template <class T>
struct spawned<result<T>> {
  using type = T;
};
#if defined(__cpp_lib_expected)
template <class T, std::convertible_to<error> E>
struct spawned<std::expected<T, E>> {
  using type = T;
};
#endif
template <class F>
using spawned_t = typename spawned<std::remove_cvref_t<task_result_t<F>>>::type;

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

/// Whose memory a task lies in: its own, a block of the group's, or a slot of the group's handoff.
enum class task_home : unsigned char { heap, block, slot };

/// A task that a group has accepted.
class task {
 public:
  explicit task(task_home h) noexcept : home(h) {}
  task(const task&) = delete;
  task& operator=(const task&) = delete;
  virtual ~task() = default;

  /// Calls the callable, once. Lets only a forced unwind out.
  virtual error run(const context& ctx) = 0;
  /// Called instead of run() when the task is not to be started.
  virtual void reject(const error&) noexcept {}

  task* next = nullptr;      // In the group's queue. Guarded by the group's mutex.
  std::uint32_t serial = 0;  // Tells tasks apart that live in the same block one after the other. As above.
  const task_home home;      // Constant.
};

template <class F>
class plain_task final : public task {
 public:
  template <class G>
  explicit plain_task(task_home h, G&& f) : task(h), f_(std::forward<G>(f)) {}

  error run(const context& ctx) override {
    return catch_error([&]() -> error {
      if constexpr (std::is_void_v<task_result_t<F>>) {
        invoke_task(std::move(f_), ctx);
        return {};
      } else {
        return invoke_task(std::move(f_), ctx);
      }
    });
  }

 private:
  F f_;  // The thread that runs the task, or drops it.
};

template <class F, class T>
class value_task final : public task {
 public:
  template <class G>
  explicit value_task(task_home h, G&& f, std::shared_ptr<handle_slot<T>> slot)
      : task(h), f_(std::forward<G>(f)), slot_(std::move(slot)) {}

  error run(const context& ctx) override {
    const ended_guard ended{*slot_};
    error e = catch_error([&] {
      const result<T>& r = slot_->value.emplace(invoke_task(std::move(f_), ctx));
      return r.error();
    });
    if (e) slot_->value.emplace(e);
    return e;
  }

  void reject(const error& cause) noexcept override {
    const ended_guard ended{*slot_};
    slot_->value.emplace(cause);
  }

 private:
  // Ends the slot on a forced unwind, too.
  struct ended_guard {
    handle_slot<T>& slot;
    ~ended_guard() { slot.end(); }
  };

  F f_;                                   // The thread that runs the task, or drops it.
  std::shared_ptr<handle_slot<T>> slot_;  // As above.
};

/// Where a task may be stored.
struct task_shape {
  bool pooled;         // In a block of the group's.
  bool handy;          // In a handoff.
  bool needs_context;  // The context must be made first.
};

/// Marks the calling thread, for a scope, as being inside a task of `owner`.
class inside_frame {
 public:
  explicit inside_frame(const void* owner) noexcept : owner_(owner), outer_(top()) { top() = this; }
  inside_frame(const inside_frame&) = delete;
  inside_frame& operator=(const inside_frame&) = delete;
  ~inside_frame() { top() = outer_; }

  static bool is_inside(const void* owner) noexcept {
    for (const inside_frame* f = top(); f; f = f->outer_) {
      if (f->owner_ == owner) return true;
    }
    return false;
  }

 private:
  static const inside_frame*& top() noexcept {
    thread_local constinit const inside_frame* frame = nullptr;
    return frame;
  }

  const void* const owner_;          // Constant.
  const inside_frame* const outer_;  // Constant.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_TASK_HPP
