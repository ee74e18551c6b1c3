// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_RESULT_HPP
#define ERRGROUP_RESULT_HPP

#include <cassert>
#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <version>
#if defined(__cpp_lib_expected)
#include <expected>
#endif

#include <errgroup/error.hpp>

namespace errgroup {

template <class T>
class result;

namespace detail {

template <class U, class T>
concept makes_error = std::convertible_to<U, error> && !std::same_as<std::remove_cvref_t<U>, std::nullptr_t> &&
                      !std::same_as<std::remove_cvref_t<U>, T> && !std::same_as<std::remove_cvref_t<U>, result<T>>;

template <class U, class T>
concept makes_value =
    std::convertible_to<U, T> && !makes_error<U, T> && !std::same_as<std::remove_cvref_t<U>, result<T>>;

}  // namespace detail

// g++ 12 says of the value of a std::optional that holds none that it may be uninitialized, where it has inlined
// enough to look at it and not enough to know that it is not used. That is not for our users to read.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/// Holds either a `T` or the error that there is instead of one, as a Go function returns `(T, error)`.
///
///     errgroup::result<int> parse(const std::string& s) {
///       if (s.empty()) return std::errc::invalid_argument;
///       return std::stoi(s);
///     }
template <class T>
class [[nodiscard]] result {
  static_assert(std::is_object_v<T> && std::is_same_v<T, std::remove_cv_t<T>> && !std::is_array_v<T>,
                "errgroup: result<T> holds a plain object; return a pointer or a std::reference_wrapper "
                "instead of a reference, and errgroup::error instead of result<void>");
  static_assert(!std::is_same_v<T, errgroup::error>,
                "errgroup: result<error> cannot tell its value from its error; return errgroup::error");

 public:
  using value_type = T;

  /// Holds a value. What converts to an error, and is not a `T`, is taken for an error.
  template <detail::makes_value<T> U = T>
  result(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>)
      : value_(std::in_place, std::forward<U>(value)) {}

  /// Holds an error. Preconditions: it is not empty.
  template <detail::makes_error<T> E>
  result(E&& e) : error_(std::forward<E>(e)) {
    assert(error_ && "errgroup: a result was made from an empty error");
  }

#if defined(__cpp_lib_expected)
  /// Holds what `e` holds. An `unexpected` of an empty error has failed all the same: with `errc::failed`.
  template <std::convertible_to<T> U, std::convertible_to<errgroup::error> E>
  result(std::expected<U, E> e)
      : result(e ? result(T(*std::move(e)))
                 : result(detail::error_access::never_empty(std::move(e).error(),
                                                            "an std::unexpected held an empty error"))) {}

  /// Converts to an expected of the same value or error.
  operator std::expected<T, errgroup::error>() const& { return expected(*this); }
  operator std::expected<T, errgroup::error>() && { return expected(std::move(*this)); }
#endif

  bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  /// Gives the value. Preconditions: has_value().
  T& operator*() & noexcept { return *checked(); }
  const T& operator*() const& noexcept { return *checked(); }
  T&& operator*() && noexcept { return std::move(*checked()); }
  T* operator->() noexcept { return checked(); }
  const T* operator->() const noexcept { return checked(); }

  /// Gives the value. Throws: what `error::raise()` does, if there is an error.
  T& value() & { return *raised(*this); }
  const T& value() const& { return *raised(*this); }
  T&& value() && { return std::move(*raised(*this)); }

  /// Returns a copy of the error, which is cheap; empty if there is a value.
  errgroup::error error() const noexcept { return error_; }

  /// Returns the value, else `other`.
  template <class U>
  T value_or(U&& other) const& {
    return has_value() ? **this : static_cast<T>(std::forward<U>(other));
  }
  template <class U>
  T value_or(U&& other) && {
    return has_value() ? *std::move(*this) : static_cast<T>(std::forward<U>(other));
  }

 private:
  T* checked() noexcept;
  const T* checked() const noexcept;

  template <class Self>
  static auto raised(Self& self) -> decltype(self.checked());

#if defined(__cpp_lib_expected)
  template <class Self>
  static std::expected<T, errgroup::error> expected(Self&& self) {
    if (!self.has_value()) return std::unexpected(self.error());
    return *std::forward<Self>(self);
  }
#endif

  // Not a variant: an assignment that throws must leave the error, not nothing. This object's owner only.
  std::optional<T> value_;
  errgroup::error error_;  // Empty if there is a value. As above.
};

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

// Implementation

template <class T>
T* result<T>::checked() noexcept {
  assert(has_value() && "errgroup: the value of a result that holds an error");
  return &*value_;
}

template <class T>
const T* result<T>::checked() const noexcept {
  assert(has_value() && "errgroup: the value of a result that holds an error");
  return &*value_;
}

template <class T>
template <class Self>
auto result<T>::raised(Self& self) -> decltype(self.checked()) {
  if (!self.has_value()) self.error().raise();
  return self.checked();
}

}  // namespace errgroup

#endif  // ERRGROUP_RESULT_HPP
