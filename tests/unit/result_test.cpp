// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#include <errgroup/result.hpp>

#include <any>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace {

using errgroup::errc;
using errgroup::error;
using errgroup::result;

result<int> parse(const std::string& text) {
  if (text.empty()) return std::errc::invalid_argument;
  if (text == "throw") return std::make_exception_ptr(std::out_of_range("far"));
  return std::stoi(text);
}

TEST(ResultTest, HoldsAValue) {
  const result<int> r = parse("42");
  EXPECT_TRUE(r.has_value());
  EXPECT_TRUE(static_cast<bool>(r));
  EXPECT_EQ(*r, 42);
  EXPECT_EQ(r.value(), 42);
  EXPECT_FALSE(r.error());
}

TEST(ResultTest, HoldsAnError) {
  const result<int> r = parse("");
  EXPECT_FALSE(r.has_value());
  EXPECT_FALSE(static_cast<bool>(r));
  EXPECT_TRUE(r.error() == std::errc::invalid_argument);
}

TEST(ResultTest, ConvertsImplicitlyFromAValueAndFromWhateverMakesAnError) {
  static_assert(std::is_convertible_v<int, result<long>>);
  static_assert(std::is_convertible_v<const char*, result<std::string>>);
  static_assert(std::is_convertible_v<error, result<int>>);
  static_assert(std::is_convertible_v<const error&, result<int>>);
  static_assert(std::is_convertible_v<errc, result<int>>);
  static_assert(std::is_convertible_v<std::errc, result<int>>);
  static_assert(std::is_convertible_v<std::error_code, result<int>>);
  static_assert(std::is_convertible_v<std::exception_ptr, result<int>>);
  static_assert(!std::is_convertible_v<std::string, result<int>>);
  static_assert(!std::is_convertible_v<result<int>, bool>);
  static_assert(!std::is_default_constructible_v<result<int>>);

  EXPECT_TRUE(result<int>(errc::canceled).error() == errc::canceled);
  EXPECT_TRUE(result<int>(error("boom")).error().message() == "boom");
  EXPECT_THROW(parse("throw").value(), std::out_of_range);
  const error named("named");
  const result<int> copied = named;
  EXPECT_TRUE(copied.error() == named);
  EXPECT_TRUE(static_cast<bool>(named));
}

TEST(ResultTest, WhatIsATIsAValueEvenIfItCouldBeAnError) {
  const result<errc> code = errc::canceled;
  ASSERT_TRUE(code.has_value());
  EXPECT_EQ(*code, errc::canceled);
  const result<std::exception_ptr> exception = std::exception_ptr();
  EXPECT_TRUE(exception.has_value());
  // And what a T could be made of, but is an error, is an error.
  const result<std::any> any = error("boom");
  ASSERT_FALSE(any.has_value());
  EXPECT_EQ(any.error().message(), "boom");
}

TEST(ResultTest, NullptrIsAValueSinceNoErrorIsEmpty) {
  const result<int*> pointer = nullptr;
  ASSERT_TRUE(pointer.has_value());
  EXPECT_EQ(*pointer, nullptr);
  const result<std::shared_ptr<int>> shared = nullptr;
  ASSERT_TRUE(shared.has_value());
  EXPECT_EQ(*shared, nullptr);
  static_assert(!std::is_convertible_v<std::nullptr_t, result<int>>);
}

TEST(ResultTest, GivesTheValueByReferenceOrByMove) {
  result<std::string> r = "text";
  *r += "!";
  EXPECT_EQ(*std::as_const(r), "text!");
  EXPECT_EQ(r->size(), 5U);
  EXPECT_EQ(std::as_const(r)->size(), 5U);
  r.value() += "?";
  EXPECT_EQ(std::as_const(r).value(), "text!?");
  static_assert(std::is_same_v<decltype(*std::declval<result<int>&>()), int&>);
  static_assert(std::is_same_v<decltype(*std::declval<const result<int>&>()), const int&>);
  static_assert(std::is_same_v<decltype(*std::declval<result<int>>()), int&&>);
  static_assert(std::is_same_v<decltype(std::declval<result<int>>().value()), int&&>);
}

TEST(ResultTest, CarriesAMoveOnlyValue) {
  result<std::unique_ptr<int>> r = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(r);
  EXPECT_EQ(*taken, 7);
  result<std::unique_ptr<int>> other = std::make_unique<int>(8);
  EXPECT_EQ(*std::move(other).value(), 8);
  result<std::unique_ptr<int>> third = std::make_unique<int>(9);
  EXPECT_EQ(*std::move(third).value_or(nullptr), 9);
}

TEST(ResultTest, GivesAMoveOnlyValueByReferenceToo) {
  const result<std::unique_ptr<int>> r = std::make_unique<int>(7);
  EXPECT_EQ(**r, 7);
  EXPECT_EQ(*r.value(), 7);
  EXPECT_EQ(r->get(), r.value().get());
  static_assert(std::is_same_v<decltype(r.value()), const std::unique_ptr<int>&>);
}

TEST(ResultTest, GivesItsErrorByCopy) {
  const error text("boom");
  const result<int> r = text;
  static_assert(std::is_same_v<decltype(r.error()), error>&& noexcept(r.error()));
  const error copy = r.error();
  EXPECT_TRUE(copy == text);
  EXPECT_TRUE(r.error() == text);  // It is still there.
}

TEST(ResultTest, ValueRaisesTheError) {
  result<int> canceled = errc::canceled;
  EXPECT_THROW(canceled.value(), std::system_error);
  EXPECT_THROW(std::as_const(canceled).value(), std::system_error);
  EXPECT_THROW(std::move(canceled).value(), std::system_error);
  const result<int> text = error("boom");
  EXPECT_THROW(text.value(), std::system_error);
  // Caught again, it is the same error.
  try {
    text.value();
    FAIL() << "value() returned";
  } catch (...) {
    EXPECT_TRUE(error(std::current_exception()) == text.error());
  }
}

TEST(ResultTest, ValueOrOfAnRvalueMovesTheValue) {
  result<std::shared_ptr<int>> r = std::make_shared<int>(7);
  const std::shared_ptr<int> moved = std::move(r).value_or(nullptr);
  EXPECT_EQ(moved.use_count(), 1);
}

TEST(ResultTest, ValueOrGivesTheValueOrTheOther) {
  EXPECT_EQ(parse("42").value_or(7), 42);
  EXPECT_EQ(parse("").value_or(7), 7);
  const result<std::string> value = "text";
  const result<std::string> failed = errc::canceled;
  EXPECT_EQ(value.value_or("other"), "text");
  EXPECT_EQ(failed.value_or("other"), "other");
}

TEST(ResultTest, CopiesAndAssignsBetweenValueAndError) {
  result<std::string> r = "text";
  const result<std::string> value = r;
  const result<std::string> failed = errc::canceled;
  r = failed;
  EXPECT_TRUE(r.error() == errc::canceled);
  r = value;
  EXPECT_EQ(*r, "text");
  EXPECT_FALSE(r.error());
  r = error("boom");
  EXPECT_EQ(r.error().message(), "boom");
  r = "again";
  EXPECT_EQ(*r, "again");
}

/// Throws from every copy and move while told so.
struct fragile {
  fragile() = default;
  fragile(const fragile& other) : throws(other.throws) { check(); }
  fragile(fragile&& other) : throws(other.throws) { check(); }  // NOLINT: it is there to throw.
  fragile& operator=(const fragile& other) {
    throws = other.throws;
    check();
    return *this;
  }
  void check() const {
    if (*throws) throw std::runtime_error("moved");
  }
  std::shared_ptr<bool> throws = std::make_shared<bool>(false);
};

TEST(ResultTest, KeepsItsErrorWhenTheValueAssignedToItThrows) {
  const fragile value;
  const result<fragile> source = value;
  result<fragile> r = errc::canceled;
  *value.throws = true;
  EXPECT_THROW(r = source, std::runtime_error);
  EXPECT_FALSE(r.has_value());
  EXPECT_TRUE(r.error() == errc::canceled);
}

TEST(ResultTest, HoldsAReferenceWrapperInPlaceOfAReference) {
  int target = 1;
  const result<std::reference_wrapper<int>> r = std::ref(target);
  r->get() = 2;
  EXPECT_EQ(target, 2);
}

TEST(ResultTest, IsNoThrowWhereTheValueIs) {
  static_assert(std::is_nothrow_constructible_v<result<int>, int>);
  static_assert(std::is_nothrow_move_constructible_v<result<std::string>>);
  static_assert(!std::is_nothrow_constructible_v<result<std::string>, const char*>);
  static_assert(!std::is_copy_constructible_v<result<std::unique_ptr<int>>>);
}

#if GTEST_HAS_DEATH_TEST && !defined(NDEBUG)
TEST(ResultDeathTest, PreconditionsAreAsserted) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH((void)result<int>(error()), "made from an empty error");
  EXPECT_DEATH((void)result<int>(std::error_code()), "made from an empty error");
  const result<int> failed = errc::canceled;
  EXPECT_DEATH((void)*failed, "the value of a result that holds an error");
  result<std::string> text = errc::canceled;
  EXPECT_DEATH((void)text->size(), "the value of a result that holds an error");
}
#endif

#if defined(__cpp_lib_expected)
TEST(ResultTest, ConvertsToAndFromExpected) {
  std::expected<int, error> value = parse("42");
  EXPECT_EQ(value.value(), 42);
  const result<int> named = parse("");
  std::expected<int, error> failed = named;
  ASSERT_FALSE(failed.has_value());
  EXPECT_TRUE(failed.error() == std::errc::invalid_argument);

  EXPECT_EQ(*result<int>(std::expected<int, error>(7)), 7);
  EXPECT_EQ(*result<std::string>(std::expected<const char*, std::error_code>("text")), "text");
  const result<int> back = std::expected<int, std::error_code>(std::unexpect, errc::canceled);
  EXPECT_TRUE(back.error() == errc::canceled);
  const std::expected<std::unique_ptr<int>, error> moved = result<std::unique_ptr<int>>(std::make_unique<int>(3));
  EXPECT_EQ(**moved, 3);
}

TEST(ResultTest, UnexpectedOfAnEmptyErrorHasFailedAllTheSame) {
  const result<int> r = std::expected<int, error>(std::unexpect);
  ASSERT_FALSE(r.has_value());
  EXPECT_TRUE(r.error() == errc::failed);
  EXPECT_EQ(r.error().message(), "an std::unexpected held an empty error");
  const result<int> zero = std::expected<int, std::error_code>(std::unexpect);
  EXPECT_TRUE(zero.error() == errc::failed);
  const result<int> null = std::expected<int, std::exception_ptr>(std::unexpect);
  EXPECT_TRUE(null.error() == errc::failed);
}
#endif

}  // namespace
