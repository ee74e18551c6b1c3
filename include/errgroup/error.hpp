// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_ERROR_HPP
#define ERRGROUP_ERROR_HPP

#include <cassert>
#include <concepts>
#include <cstddef>
#include <exception>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include <errgroup/detail/immortal.hpp>
#include <errgroup/detail/ref.hpp>

namespace errgroup {

/// Names the library's own two errors. Their category is called "errgroup"; they are equivalent to the
/// conditions `std::errc::operation_canceled` and `std::errc::timed_out`.
enum class errc { canceled = 1, deadline_exceeded };

/// Returns the category of `errc`. It is never destroyed, so errors may outlive static destruction.
const std::error_category& error_category() noexcept;

/// Makes the code of `e`; found by `std::error_code`'s constructor.
std::error_code make_error_code(errc e) noexcept;

}  // namespace errgroup

template <>
struct std::is_error_code_enum<errgroup::errc> : std::true_type {};

namespace errgroup {

namespace detail {

struct error_access;

template <class E>
concept code_enum = std::is_error_code_enum_v<E> || std::same_as<E, std::errc>;

/// What an error may be compared with, besides another error.
template <class C>
concept comparable_code = std::same_as<C, std::error_code> || std::same_as<C, std::error_condition> ||
    std::is_error_code_enum_v<C> || std::is_error_condition_enum_v<C>;

}  // namespace detail

/// Holds why something failed; empty means success, as a nil `error` does in Go.
///
/// An error is a code with an optional text, an exception, or a text alone. It is one shared pointer to an
/// immutable value: copies are cheap, do not throw and may be used from any threads.
///
///     errgroup::error err = group.wait();
///     if (err == std::errc::timed_out) retry();
///     else if (err) std::cerr << err << '\n';
class [[nodiscard]] error {
 public:
  /// Makes an empty error: success.
  error() noexcept = default;
  error(std::nullptr_t) noexcept {}

  /// Makes an error of `code`, with `what` in front of the code's own text. A zero code is empty.
  /// Throws: std::bad_alloc; never for a bare `errc`, which allocates nothing.
  error(std::error_code code, std::string what = {});

  /// Makes an error of an error-code enum, or of `std::errc`. Throws: as above.
  template <detail::code_enum E>
  error(E code, std::string what = {}) : error(make_error_code(code), std::move(what)) {}

  /// Makes an error of an exception; null is empty. An `errgroup::error` that was thrown is that error, not an
  /// exception that holds one; what `raise()` threw is the error that it was raised from. If memory is
  /// exhausted the error is `std::errc::not_enough_memory`.
  error(std::exception_ptr exception) noexcept;

  /// Makes an error of a text alone, as Go's `errors.New` does. It equals no other error.
  /// Throws: std::bad_alloc.
  explicit error(std::string message);

  /// True if there is an error.
  explicit operator bool() const noexcept { return static_cast<bool>(state_); }

  /// Returns the code given, or that of a `std::system_error` that was thrown, else a zero code.
  std::error_code code() const noexcept { return state_ ? state_->code : std::error_code(); }

  /// Returns "what: text of the code", or that text alone; for an exception what(), or "unknown exception";
  /// "success" if empty. Throws: std::bad_alloc.
  std::string message() const;

  /// Returns the original exception, or one made on demand with what `raise()` throws; null if empty.
  std::exception_ptr exception() const;

  /// Throws the original exception; else a `std::system_error` of the code, or, where there is none, a
  /// `std::runtime_error` of the text. Preconditions: there is an error.
  [[noreturn]] void raise() const;

  /// Throws as `raise()` if there is an error.
  void raise_if() const {
    if (*this) raise();
  }

  /// True for the same error (a copy), for two with the same non-zero code, and for two empty ones.
  friend bool operator==(const error& a, const error& b) noexcept {
    if (a.state_.get() == b.state_.get()) return true;
    return a.state_ && b.state_ && a.state_->code && a.state_->code == b.state_->code;
  }

  /// Compares the code as `std::error_code` does; a zero code equals the empty error only. A template,
  /// because the implicit constructors would make a plain function ambiguous with the one above.
  template <detail::comparable_code C>
  friend bool operator==(const error& e, const C& code) noexcept {
    return e.equals(code);
  }

  template <class Traits>
  friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& os, const error& e) {
    return os << e.message();
  }

 private:
  friend struct detail::error_access;

  struct state {
    std::error_code code;
    std::string text = {};              // of an exception: all of its message
    std::exception_ptr exception = {};  // null unless the error was thrown
    bool immortal = false;              // never freed, so nobody counts
    mutable detail::ref_count refs = {};

    void retain() const noexcept {
      if (!immortal) refs.add();
    }
    void release() const noexcept {
      if (!immortal && refs.drop()) delete this;
    }
  };

  // A code or a text on its way through user code as an exception: catching it gives the same error back.
  template <class Base>
  struct raised;

  using state_ptr = detail::ref<const state>;

  explicit error(state_ptr s) noexcept : state_(std::move(s)) {}

  static state_ptr make(std::error_code code, std::string text, std::exception_ptr exception);
  static state_ptr immortal(errc e) noexcept;
  static state_ptr no_memory() noexcept;
  static state_ptr capture(const std::exception_ptr& exception) noexcept;

  template <class C>
  bool equals(const C& code) const noexcept;

  // Set in the constructor; the state is constant from then on.
  state_ptr state_;
};

// Implementation

namespace detail {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "errgroup"; }

  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
    case errc::canceled:
      return "canceled";
    case errc::deadline_exceeded:
      return "deadline exceeded";
    }
    return "unknown errgroup error";
  }

  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
    case errc::canceled:
      return std::errc::operation_canceled;
    case errc::deadline_exceeded:
      return std::errc::timed_out;
    }
    return {value, *this};
  }
};

/// What the rest of the library needs to know of an error.
struct error_access {
  /// True for errgroup's own code with no text: a task that says no more than "I was stopped".
  static bool bare(const error& e) noexcept {
    return e.state_ && e.state_->text.empty() && e.state_->code.category() == error_category();
  }

  /// True if `b` is `a` once more: a copy, or the same exception rethrown.
  static bool repeats(const error& a, const error& b) noexcept {
    return a.state_.get() == b.state_.get() ||
           (a.state_ && b.state_ && a.state_->exception && a.state_->exception == b.state_->exception);
  }

  /// The last resort when there is no memory to describe an error in.
  static error no_memory() noexcept { return error(error::no_memory()); }
};

}  // namespace detail

inline const std::error_category& error_category() noexcept {
  static detail::immortal<detail::category> instance;
  return instance.get();
}

inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), error_category()}; }

template <class Base>
struct error::raised final : Base {
  template <class... Args>
  explicit raised(state_ptr s, Args&&... args) : Base(std::forward<Args>(args)...), origin(std::move(s)) {}
  state_ptr origin;  // Constant.
};

inline error::error(std::error_code code, std::string what) {
  if (!code) return;
  if (what.empty() && code == make_error_code(errc::canceled)) {
    state_ = immortal(errc::canceled);
  } else if (what.empty() && code == make_error_code(errc::deadline_exceeded)) {
    state_ = immortal(errc::deadline_exceeded);
  } else {
    state_ = make(code, std::move(what), nullptr);
  }
}

inline error::error(std::exception_ptr exception) noexcept {
  if (exception) state_ = capture(exception);
}

inline error::error(std::string message) : state_(make({}, std::move(message), nullptr)) {}

inline std::string error::message() const {
  if (!state_) return "success";
  if (!state_->code) return state_->text;
  if (state_->text.empty()) return state_->code.message();
  if (state_->exception) return state_->text;
  return state_->text + ": " + state_->code.message();
}

inline std::exception_ptr error::exception() const {
  if (!state_ || state_->exception) return state_ ? state_->exception : nullptr;
  try {
    raise();
  } catch (...) {
    return std::current_exception();
  }
}

inline void error::raise() const {
  assert(*this && "errgroup: raise() of an empty error");
  if (state_->exception) std::rethrow_exception(state_->exception);
  if (!state_->code) throw raised<std::runtime_error>(state_, state_->text);
  if (state_->text.empty()) throw raised<std::system_error>(state_, state_->code);
  throw raised<std::system_error>(state_, state_->code, state_->text);
}

template <class C>
bool error::equals(const C& code) const noexcept {
  if constexpr (std::same_as<C, std::error_code>) {
    return code ? this->code() == code : !state_;
  } else if constexpr (std::same_as<C, std::error_condition>) {
    return code ? this->code() == code : !state_;
  } else if constexpr (std::is_error_code_enum_v<C>) {
    return equals(std::error_code(code));
  } else {
    return equals(std::error_condition(code));
  }
}

inline error::state_ptr error::make(std::error_code code, std::string text, std::exception_ptr exception) {
  return state_ptr::adopt(new state{code, std::move(text), std::move(exception)});
}

inline error::state_ptr error::immortal(errc e) noexcept {
  static detail::immortal<state> canceled(make_error_code(errc::canceled), "", nullptr, true);
  static detail::immortal<state> exceeded(make_error_code(errc::deadline_exceeded), "", nullptr, true);
  return state_ptr::adopt(e == errc::canceled ? &canceled.get() : &exceeded.get());
}

inline error::state_ptr error::no_memory() noexcept {
  static detail::immortal<state> instance(std::make_error_code(std::errc::not_enough_memory), "", nullptr, true);
  return state_ptr::adopt(&instance.get());
}

inline error::state_ptr error::capture(const std::exception_ptr& exception) noexcept {
  try {
    try {
      std::rethrow_exception(exception);
    } catch (const error& e) {
      if (e) return e.state_;
      return make({}, "an empty errgroup::error was thrown", exception);
    } catch (const raised<std::system_error>& e) {
      return e.origin;
    } catch (const raised<std::runtime_error>& e) {
      return e.origin;
    } catch (const std::system_error& e) {
      // "canceled" as the whole message is the bare code, as if it had been returned.
      const bool bare = e.code().category() == error_category() && e.what() == e.code().message();
      return make(e.code(), bare ? std::string() : e.what(), exception);
    } catch (const std::exception& e) {
      return make({}, e.what(), exception);
    } catch (...) {
      return make({}, "unknown exception", exception);
    }
  } catch (...) {
    return no_memory();
  }
}

}  // namespace errgroup

#endif  // ERRGROUP_ERROR_HPP
