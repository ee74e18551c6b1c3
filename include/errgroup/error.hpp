// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_ERROR_HPP
#define ERRGROUP_ERROR_HPP

#include <cassert>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <exception>
#include <iosfwd>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include <errgroup/detail/base/never_destroyed.hpp>
#include <errgroup/detail/base/ref.hpp>

namespace errgroup {

/// Names the library's own errors. Their category is called "errgroup", their texts are "canceled", "deadline
/// exceeded" and "failed". The first two are equivalent to the conditions `std::errc::operation_canceled` and
/// `std::errc::timed_out`; `failed` is the code of every error that has no other.
enum class errc { canceled = 1, deadline_exceeded, failed };

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
/// An error is a code with an optional text, an exception, or a text alone; where it is passed on, a text may be
/// put in front of it. It is one shared pointer to an immutable value: copies are cheap, do not throw and may be
/// used from any threads.
///
///     errgroup::error err = group.wait();
///     if (err == std::errc::timed_out) retry();
///     if (auto* e = err.as<json::parse_error>()) show(e->position());
///     if (err) return errgroup::error(err, "load settings");
class [[nodiscard]] error {
 public:
  /// Makes an empty error: success.
  error() noexcept = default;
  error(std::nullptr_t) noexcept {}

  /// Makes an error of `code`, with `what` in front of the code's own text. A zero code is empty.
  /// Throws: std::bad_alloc; never for `errc::canceled` and `errc::deadline_exceeded` with no text, which allocate
  /// nothing.
  error(std::error_code code, std::string what = {});

  /// Makes an error of an error-code enum, or of `std::errc`. Throws: as above.
  template <detail::code_enum E>
  error(E code, std::string what = {}) : error(make_error_code(code), std::move(what)) {}

  /// Wraps `inner`: the message is "what: inner", while code, exception and `as()` stay inner's, and the two are
  /// equal, as with Go's `%w` and `errors.Is`. An empty inner is empty; with no text it is inner itself.
  /// Throws: std::bad_alloc.
  error(const error& inner, std::string what);

  /// Makes an error of an exception; null is empty. An `errgroup::error` that was thrown is that error, not an
  /// exception that holds one (an empty one: `errc::failed`); what `raise()` threw is the error that it was raised
  /// from. If memory is exhausted the error is `std::errc::not_enough_memory`.
  error(std::exception_ptr exception) noexcept;

  /// Makes an error of a text alone, as Go's `errors.New` does. It equals no other error but its copies and what
  /// wraps it. Throws: std::bad_alloc.
  explicit error(std::string message);

  /// Makes an error of the calling thread's `errno`, which is read before anything else, in the generic category,
  /// so that it equals the error of a `std::errc`. An `errno` of zero is empty. Throws: std::bad_alloc.
  static error from_errno(std::string what = {});

  /// True if there is an error.
  explicit operator bool() const noexcept { return static_cast<bool>(state_); }

  /// Returns the code given, or that of a `std::system_error` that was thrown; of any other error, and where that
  /// code is zero, `errc::failed`. Zero only if there is no error.
  std::error_code code() const noexcept;

  /// Returns what was thrown if it is an `E`, or derived from it as a handler needs; null otherwise, and if
  /// nothing was thrown. It is valid as long as this error or a copy of it, and shared by all of them. Costs a
  /// throw; needs no RTTI. (Where rethrowing copies the exception, as with MSVC, the pointer would dangle: use
  /// `exception()` there.)
  template <class E>
  const E* as() const noexcept;

  /// Returns "what: text of the code", or that text alone; for an exception what(), or "unknown exception" if it
  /// has none; "success" if empty. Throws: std::bad_alloc, and what the code's category throws.
  std::string message() const;

  /// Returns the original exception, or one made on demand with what `raise()` throws; null if empty. The error
  /// that is made of it equals this one. (The text in front of an original exception does not go with it.)
  std::exception_ptr exception() const;

  /// Throws the original exception; else a `std::system_error` of `code()` whose what() is `message()`.
  /// Preconditions: there is an error. Throws: std::bad_alloc instead, if there is no memory for that
  /// system_error.
  [[noreturn]] void raise() const;

  /// Throws as `raise()` if there is an error.
  void raise_if() const {
    if (*this) raise();
  }

  /// True for the same error (a copy, or what wraps it), for two of the same exception, for two with the same code
  /// of their own, which excludes a thrown one's, and for two empty ones.
  friend bool operator==(const error& a, const error& b) noexcept { return a.equals(b); }

  /// Compares `code()` as `std::error_code` does; a zero code equals the empty error only. So a text alone is
  /// `== errc::failed`. A template, because the implicit constructors would make a plain function ambiguous with
  /// the one above.
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

  struct state;
  struct permanent_states;

  // A code or a text on its way through user code as an exception: the error that is made of it is the same again.
  class raised;

  using state_ptr = detail::ref<const state>;

  explicit error(state_ptr s) noexcept : state_(std::move(s)) {}

  static state_ptr capture(const std::exception_ptr& exception) noexcept;

  bool equals(const error& other) const noexcept;
  template <class C>
  bool equals(const C& code) const noexcept;

  // Set in the constructor; the state is constant from then on.
  state_ptr state_;
};

/// Makes one error of several: "a; b; c" of those that are not empty, with the first one's code and exception, so
/// that it equals the first. A single one is returned as it is; if all are empty, so is the result. Throws:
/// std::bad_alloc.
error join(std::span<const error> errors);

// Implementation

// All but the count is constant once the constructor of an error has returned.
struct error::state {
  std::error_code code = {};          // Never zero.
  std::string text = {};              // The whole message, or what stands in front of the code's text.
  bool whole = false;                 // True if `text` is the whole message.
  bool own_code = false;              // Of a leaf: true if the code was given, not thrown or made for want of one.
  bool joined = false;                // True for a join, whose source is the first one's leaf.
  bool permanent = false;             // True if it is never freed, so that nobody counts.
  std::exception_ptr exception = {};  // Of a leaf; null unless it was thrown.
  state_ptr source = {};              // Of a wrap: a leaf or a join, never another wrap. Null in a leaf.
  mutable detail::ref_count refs = {};  // Any thread.

  // What equal errors have in common: a wrap is what it wraps, however often.
  const state& identity() const noexcept { return source && !joined ? *source : *this; }
  // Where the exception is. It is kept in one place, since its own count of references is invisible to TSan.
  const state& leaf() const noexcept { return identity().joined ? *identity().source : identity(); }

  state_ptr share() const noexcept {
    retain();
    return state_ptr::adopt(this);
  }
  void retain() const noexcept {
    if (!permanent) refs.add();
  }
  void release() const noexcept {
    if (!permanent && refs.drop()) delete this;
  }
};

// The errors that must be there when no memory is. Their texts are empty: a longer one could need some.
struct error::permanent_states {
  state canceled{.code = make_error_code(errc::canceled), .own_code = true, .permanent = true};
  state deadline_exceeded{.code = make_error_code(errc::deadline_exceeded), .own_code = true, .permanent = true};
  state no_memory{.code = std::make_error_code(std::errc::not_enough_memory), .own_code = true, .permanent = true};
  state owner_dead{.code = std::make_error_code(std::errc::owner_dead), .own_code = true, .permanent = true};

  static const permanent_states& get() noexcept {
    static detail::never_destroyed<permanent_states> instance;
    return instance.get();
  }
};

class error::raised final : public std::system_error {
 public:
  explicit raised(state_ptr s)
      : std::system_error(s->text.empty() && !s->whole ? std::system_error(s->code)
                                                       : std::system_error(s->code, s->text)),
        origin(std::move(s)) {}

  const char* what() const noexcept override {
    return origin->whole ? origin->text.c_str() : std::system_error::what();
  }

  const state_ptr origin;  // Constant.
};

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
    case errc::failed:
      return "failed";
    }
    return "unknown errgroup error";
  }

  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
    case errc::canceled:
      return std::errc::operation_canceled;
    case errc::deadline_exceeded:
      return std::errc::timed_out;
    case errc::failed:
      break;
    }
    return {value, *this};
  }
};

/// Returns what() of an exception; it may be null. (It cannot throw: every override is noexcept, too.)
inline const char* text_of(const std::exception& e) noexcept {
  const char* const text = e.what();
  return text ? text : "unknown exception";
}

/// True for the two codes that say no more than "I was stopped".
inline bool is_stop(const std::error_code& code) noexcept {
  return code == make_error_code(errc::canceled) || code == make_error_code(errc::deadline_exceeded);
}

/// What the rest of the library needs to know of an error.
struct error_access {
  /// True for `errc::canceled` or `errc::deadline_exceeded` with no text, made or thrown: the error of a task that
  /// says no more than "I was stopped".
  static bool bare(const error& e) noexcept {
    return e.state_ && e.state_->text.empty() && !e.state_->whole && is_stop(e.state_->code);
  }

  /// True if `b` is `a` once more and nothing else: a copy, the same exception rethrown, or a wrap of either. Two
  /// errors that only have the same code are two errors; a join is another error than its parts.
  static bool repeats(const error& a, const error& b) noexcept {
    if (!a.state_ || !b.state_) return a.state_.get() == b.state_.get();
    if (&a.state_->identity() == &b.state_->identity()) return true;
    const std::exception_ptr& thrown = b.state_->leaf().exception;
    return thrown && thrown == a.state_->leaf().exception && !b.state_->identity().joined;
  }

  /// Returns `std::errc::not_enough_memory`, allocating nothing: the last resort when there is no memory to
  /// describe an error in.
  static error no_memory() noexcept { return error(error::permanent_states::get().no_memory.share()); }

  /// Returns `std::errc::owner_dead`, allocating nothing: the error of a task inside which its thread ended, made
  /// while that thread is unwound.
  static error owner_dead() noexcept { return error(error::permanent_states::get().owner_dead.share()); }

  /// Returns `e`; if it is empty, an error of `errc::failed` whose message is `text`: for what has failed and has
  /// no error to say why. If memory is exhausted, that is no_memory().
  static error never_empty(error e, const char* text) noexcept;

  /// Returns `first` with another message, for join(). Throws: std::bad_alloc.
  static error joined(const error& first, std::string message);
};

}  // namespace detail

inline const std::error_category& error_category() noexcept {
  static detail::never_destroyed<detail::category> instance;
  return instance.get();
}

inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), error_category()}; }

inline error::error(std::error_code code, std::string what) {
  if (!code) return;
  if (what.empty() && detail::is_stop(code)) {
    const permanent_states& permanent = permanent_states::get();
    const bool canceled = code == make_error_code(errc::canceled);
    state_ = (canceled ? permanent.canceled : permanent.deadline_exceeded).share();
  } else {
    state_ = state_ptr::adopt(new state{.code = code, .text = std::move(what), .own_code = true});
  }
}

inline error::error(const error& inner, std::string what) : state_(inner.state_) {
  if (!state_ || what.empty()) return;
  const state& s = *inner.state_;
  if (s.whole || !s.text.empty()) what.append(": ").append(s.text);
  state_ = state_ptr::adopt(
      new state{.code = s.code, .text = std::move(what), .whole = s.whole, .source = s.identity().share()});
}

inline error::error(std::exception_ptr exception) noexcept {
  if (exception) state_ = capture(exception);
}

inline error::error(std::string message)
    : state_(state_ptr::adopt(
          new state{.code = make_error_code(errc::failed), .text = std::move(message), .whole = true})) {}

inline error error::from_errno(std::string what) {
  const int value = errno;
  return {std::error_code(value, std::generic_category()), std::move(what)};
}

template <class E>
const E* error::as() const noexcept {
  static_assert(std::is_object_v<E> && std::is_same_v<E, std::remove_cv_t<E>> && !std::is_array_v<E> &&
                    !std::is_pointer_v<E> && !std::is_member_pointer_v<E>,
                "errgroup: as<E>() points at the object that was thrown; catch a thrown pointer from raise()");
  if (!state_ || !state_->leaf().exception) return nullptr;
  try {
    std::rethrow_exception(state_->leaf().exception);
  } catch (const E& e) {
    return &e;
  } catch (...) {
    return nullptr;
  }
}

inline std::error_code error::code() const noexcept { return state_ ? state_->code : std::error_code(); }

inline std::string error::message() const {
  if (!state_) return "success";
  if (state_->whole) return state_->text;
  if (state_->text.empty()) return state_->code.message();
  return state_->text + ": " + state_->code.message();
}

inline std::exception_ptr error::exception() const {
  if (!state_) return nullptr;
  if (const std::exception_ptr& thrown = state_->leaf().exception) return thrown;
  try {
    raise();
  } catch (...) {
    return std::current_exception();
  }
}

inline void error::raise() const {
  assert(*this && "errgroup: raise() of an empty error");
  if (const std::exception_ptr& thrown = state_->leaf().exception) std::rethrow_exception(thrown);
  throw raised(state_);
}

inline bool error::equals(const error& other) const noexcept {
  if (!state_ || !other.state_) return state_.get() == other.state_.get();
  const state& a = state_->leaf();
  const state& b = other.state_->leaf();
  if (&a == &b) return true;
  return a.exception ? a.exception == b.exception : a.own_code && b.own_code && a.code == b.code;
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

inline error::state_ptr error::capture(const std::exception_ptr& exception) noexcept {
  const auto thrown = [&](std::error_code code, const char* text) {
    // "canceled" as the whole message is the bare code, as if it had been returned.
    const bool bare = detail::is_stop(code) && text == code.message();
    if (!code) code = make_error_code(errc::failed);
    return state_ptr::adopt(  // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): it is called in a try.
        new state{.code = code, .text = bare ? "" : text, .whole = !bare, .exception = exception});
  };
  try {
    try {
      std::rethrow_exception(exception);
    } catch (const error& e) {
      return detail::error_access::never_empty(e, "an empty errgroup::error was thrown").state_;
    } catch (const raised& e) {
      return e.origin;
    } catch (const std::system_error& e) {
      return thrown(e.code(), detail::text_of(e));
    } catch (const std::exception& e) {
      return thrown({}, detail::text_of(e));
    } catch (...) {
      return thrown({}, "unknown exception");
    }
  } catch (...) {
    return permanent_states::get().no_memory.share();
  }
}

inline error detail::error_access::never_empty(error e, const char* text) noexcept {
  if (e) return e;
  try {
    return error(error::state_ptr::adopt(
        new error::state{.code = make_error_code(errc::failed), .text = text, .whole = true, .own_code = true}));
  } catch (...) {
    return no_memory();
  }
}

inline error detail::error_access::joined(const error& first, std::string message) {
  const error::state& s = *first.state_;
  return error(error::state_ptr::adopt(new error::state{
      .code = s.code, .text = std::move(message), .whole = true, .joined = true, .source = s.leaf().share()}));
}

inline error join(std::span<const error> errors) {
  error first;
  std::string text;  // Of the first, once there is a second.
  bool several = false;
  for (const error& e : errors) {
    if (!e) continue;
    if (!first) {
      first = e;
      continue;
    }
    if (!std::exchange(several, true)) text = first.message();
    text.append("; ").append(e.message());
  }
  return several ? detail::error_access::joined(first, std::move(text)) : first;
}

}  // namespace errgroup

#endif  // ERRGROUP_ERROR_HPP
