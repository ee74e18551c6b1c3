// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#include <errgroup/error.hpp>

#include <exception>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "allocation.hpp"

namespace app {

/// A user's error code, and a user's condition that it is equivalent to.
enum class fault { none = 0, no_disk = 1, no_network = 2 };
enum class severity { fatal = 1 };

class fault_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "app.fault"; }
  std::string message(int value) const override { return value == 1 ? "no disk" : "no network"; }
};

class severity_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "app.severity"; }
  std::string message(int) const override { return "fatal"; }
  bool equivalent(const std::error_code& code, int) const noexcept override {
    return code.category().name() == std::string("app.fault") && code.value() == 1;
  }
};

std::error_code make_error_code(fault f) {
  static const fault_category category;
  return {static_cast<int>(f), category};
}

std::error_condition make_error_condition(severity s) {
  static const severity_category category;
  return {static_cast<int>(s), category};
}

}  // namespace app

template <>
struct std::is_error_code_enum<app::fault> : std::true_type {};
template <>
struct std::is_error_condition_enum<app::severity> : std::true_type {};

namespace {

using errgroup::errc;
using errgroup::error;

template <class E>
error thrown(E e) {
  return error(std::make_exception_ptr(std::move(e)));
}

/// Gives what `e.raise()` throws back as an error.
error raised_again(const error& e) {
  try {
    e.raise();
  } catch (...) {
    return std::current_exception();
  }
}

template <class T>
std::string streamed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

struct not_an_exception {
  int value;
};

// The category.

TEST(ErrorTest, ErrcIsAnErrorCodeOfTheCategoryErrgroup) {
  static_assert(std::is_error_code_enum_v<errc>);
  const std::error_code code = errc::canceled;
  EXPECT_STREQ(code.category().name(), "errgroup");
  EXPECT_EQ(&code.category(), &errgroup::error_category());
  EXPECT_EQ(code.value(), 1);
  EXPECT_EQ(std::error_code(errc::deadline_exceeded).value(), 2);
}

TEST(ErrorTest, ErrcHasItsTexts) {
  EXPECT_EQ(std::error_code(errc::canceled).message(), "canceled");
  EXPECT_EQ(std::error_code(errc::deadline_exceeded).message(), "deadline exceeded");
  EXPECT_EQ(std::error_code(77, errgroup::error_category()).message(), "unknown errgroup error");
}

TEST(ErrorTest, ErrcIsEquivalentToTheStandardConditions) {
  const std::error_code canceled = errc::canceled;
  const std::error_code exceeded = errc::deadline_exceeded;
  EXPECT_TRUE(canceled == std::errc::operation_canceled);
  EXPECT_TRUE(exceeded == std::errc::timed_out);
  EXPECT_FALSE(canceled == std::errc::timed_out);
  EXPECT_FALSE(exceeded == std::errc::operation_canceled);
  EXPECT_EQ(std::error_code(77, errgroup::error_category()).default_error_condition().category(),
            errgroup::error_category());
}

TEST(ErrorTest, TimeoutOfTheSystemIsNotDeadlineExceeded) {
  const error system(std::make_error_code(std::errc::timed_out));
  EXPECT_TRUE(system == std::errc::timed_out);
  EXPECT_FALSE(system == errc::deadline_exceeded);
  EXPECT_FALSE(system == error(errc::deadline_exceeded));
  EXPECT_TRUE(error(errc::deadline_exceeded) == std::errc::timed_out);
  // Neither is a plain std::errc that a user made an error of.
  EXPECT_FALSE(error(std::errc::timed_out) == errc::deadline_exceeded);
  EXPECT_FALSE(error(std::errc::operation_canceled) == errc::canceled);
}

// Making errors.

TEST(ErrorTest, EmptyMeansSuccess) {
  const std::vector<std::pair<const char*, error>> table = {
      {"default", error()},
      {"nullptr", nullptr},
      {"zero code", std::error_code()},
      {"zero code with a text", error(std::error_code(), "ignored")},
      {"zero code of another category", std::error_code(0, errgroup::error_category())},
      {"zero enum", app::fault::none},
      {"zero errc", errc{}},
      {"zero std::errc", std::errc{}},
      {"null exception", std::exception_ptr()},
  };
  for (const auto& [name, e] : table) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(e);
    EXPECT_EQ(e.message(), "success");
    EXPECT_FALSE(e.code());
    EXPECT_EQ(e.exception(), nullptr);
    EXPECT_NO_THROW(e.raise_if());
    EXPECT_TRUE(e == error());
    EXPECT_TRUE(e == nullptr);
  }
}

TEST(ErrorTest, ConvertsImplicitlyFromCodesAndExceptionsButNotFromText) {
  static_assert(std::is_convertible_v<std::nullptr_t, error>);
  static_assert(std::is_convertible_v<std::error_code, error>);
  static_assert(std::is_convertible_v<errc, error>);
  static_assert(std::is_convertible_v<std::errc, error>);
  static_assert(std::is_convertible_v<std::io_errc, error>);
  static_assert(std::is_convertible_v<std::future_errc, error>);
  static_assert(std::is_convertible_v<app::fault, error>);
  static_assert(std::is_convertible_v<std::exception_ptr, error>);
  static_assert(!std::is_convertible_v<std::string, error>);
  static_assert(!std::is_convertible_v<const char*, error>);
  static_assert(!std::is_convertible_v<int, error>);
  static_assert(!std::is_convertible_v<bool, error>);
  static_assert(!std::is_convertible_v<std::error_condition, error>);
  static_assert(!std::is_convertible_v<app::severity, error>);
  static_assert(!std::is_convertible_v<error, bool>);
  static_assert(std::is_constructible_v<error, std::string> && std::is_constructible_v<error, const char*>);
}

TEST(ErrorTest, CopiesAndMovesDoNotThrow) {
  static_assert(std::is_nothrow_default_constructible_v<error>);
  static_assert(std::is_nothrow_constructible_v<error, std::nullptr_t>);
  static_assert(std::is_nothrow_constructible_v<error, std::exception_ptr>);
  static_assert(std::is_nothrow_copy_constructible_v<error> && std::is_nothrow_move_constructible_v<error>);
  static_assert(std::is_nothrow_copy_assignable_v<error> && std::is_nothrow_move_assignable_v<error>);
  static_assert(sizeof(error) == sizeof(void*));

  const error original("a text too long for the small-string buffer");
  EXPECT_EQ(allocation::count([&] {
              const error copy = original;
              error assigned;
              assigned = copy;
              EXPECT_TRUE(assigned == original);
            }),
            0U);
}

TEST(ErrorTest, CodeKeepsItselfAndTheTextInFrontOfItsOwn) {
  struct row {
    error e;
    std::error_code code;
    std::string message;
  };
  const std::error_code einval = std::make_error_code(std::errc::invalid_argument);
  const row table[] = {
      {errc::canceled, errc::canceled, "canceled"},
      {errc::deadline_exceeded, errc::deadline_exceeded, "deadline exceeded"},
      {{errc::canceled, "the user left"}, errc::canceled, "the user left: canceled"},
      {{errc::deadline_exceeded, "fetch"}, errc::deadline_exceeded, "fetch: deadline exceeded"},
      {app::fault::no_disk, app::fault::no_disk, "no disk"},
      {{app::fault::no_network, "sync"}, app::fault::no_network, "sync: no network"},
      {std::errc::invalid_argument, einval, einval.message()},
      {{std::errc::invalid_argument, "parse"}, einval, "parse: " + einval.message()},
      {einval, einval, einval.message()},
      {{einval, "parse"}, einval, "parse: " + einval.message()},
  };
  for (const row& r : table) {
    SCOPED_TRACE(r.message);
    EXPECT_TRUE(static_cast<bool>(r.e));
    EXPECT_EQ(r.e.code(), r.code);
    EXPECT_EQ(r.e.message(), r.message);
  }
}

TEST(ErrorTest, TextAloneHasNoCode) {
  const error e("boom");
  EXPECT_TRUE(static_cast<bool>(e));
  EXPECT_FALSE(e.code());
  EXPECT_EQ(e.message(), "boom");
  EXPECT_TRUE(static_cast<bool>(error(std::string())));  // As errors.New("") is an error.
  EXPECT_EQ(error(std::string()).message(), "");
}

TEST(ErrorTest, ExceptionGivesItsOwnText) {
  const error e = thrown(std::out_of_range("index 7"));
  EXPECT_TRUE(static_cast<bool>(e));
  EXPECT_EQ(e.message(), "index 7");
  EXPECT_FALSE(e.code());
  EXPECT_EQ(thrown(std::runtime_error("")).message(), "");
}

TEST(ErrorTest, WhatIsNoStdExceptionIsAnUnknownException) {
  EXPECT_EQ(thrown(42).message(), "unknown exception");
  EXPECT_EQ(thrown(not_an_exception{1}).message(), "unknown exception");
  EXPECT_EQ(thrown(std::string("text")).message(), "unknown exception");
  EXPECT_FALSE(thrown(42).code());
}

TEST(ErrorTest, ThrownSystemErrorGivesItsCodeAndText) {
  const std::system_error original(std::make_error_code(std::errc::broken_pipe), "write");
  const error e = thrown(original);
  EXPECT_EQ(e.code(), std::errc::broken_pipe);
  EXPECT_EQ(e.message(), original.what());
  EXPECT_TRUE(e == std::errc::broken_pipe);
  EXPECT_TRUE(e == std::make_error_code(std::errc::broken_pipe));
  // A class derived from system_error, too.
  const error failure = thrown(std::ios_base::failure("read", std::io_errc::stream));
  EXPECT_TRUE(failure == std::io_errc::stream);
}

TEST(ErrorTest, ThrownSystemErrorWithErrcKeepsItsText) {
  const error bare = thrown(std::system_error(errc::canceled));
  EXPECT_EQ(bare.message(), "canceled");
  EXPECT_TRUE(bare == errc::canceled);
  EXPECT_TRUE(bare == error(errc::canceled));
  const error told = thrown(std::system_error(errc::deadline_exceeded, "fetch"));
  EXPECT_EQ(told.message(), "fetch: deadline exceeded");
  EXPECT_TRUE(told == errc::deadline_exceeded);
}

TEST(ErrorTest, BareIsErrgroupsOwnCodeWithNoText) {
  using access = errgroup::detail::error_access;
  EXPECT_TRUE(access::bare(errc::canceled));
  EXPECT_TRUE(access::bare(errc::deadline_exceeded));
  EXPECT_TRUE(access::bare(thrown(std::system_error(errc::canceled))));
  EXPECT_TRUE(access::bare(thrown(error(errc::canceled))));
  EXPECT_FALSE(access::bare(error()));
  EXPECT_FALSE(access::bare({errc::canceled, "why"}));
  EXPECT_FALSE(access::bare(thrown(std::system_error(errc::canceled, "why"))));
  EXPECT_FALSE(access::bare(std::errc::operation_canceled));
  EXPECT_FALSE(access::bare(error("canceled")));
}

TEST(ErrorTest, ThrownErrorIsThatErrorAndNotAnExceptionThatHoldsOne) {
  const error original("boom");
  const error caught = thrown(original);
  EXPECT_TRUE(caught == original);  // The same object: texts never equal otherwise.
  EXPECT_EQ(caught.message(), "boom");
  EXPECT_TRUE(thrown(error(errc::canceled)) == errc::canceled);

  // One that holds an exception gives that exception, however often it is thrown.
  const error twice = thrown(thrown(thrown(std::out_of_range("index 7"))));
  EXPECT_THROW(twice.raise(), std::out_of_range);
}

TEST(ErrorTest, ThrownEmptyErrorIsStillAnError) {
  const error e = thrown(error());
  EXPECT_TRUE(static_cast<bool>(e));
  EXPECT_EQ(e.message(), "an empty errgroup::error was thrown");
}

// Raising.

TEST(ErrorTest, RaiseThrowsTheOriginalException) {
  const error e = thrown(not_an_exception{7});
  try {
    e.raise();
    FAIL() << "raise() returned";
  } catch (const not_an_exception& caught) {
    EXPECT_EQ(caught.value, 7);
  }
  const std::exception_ptr original = std::make_exception_ptr(std::range_error("far"));
  EXPECT_EQ(error(original).exception(), original);
}

TEST(ErrorTest, RaiseThrowsASystemErrorForACode) {
  try {
    error(app::fault::no_disk, "save").raise();
    FAIL() << "raise() returned";
  } catch (const std::system_error& caught) {
    EXPECT_EQ(caught.code(), app::fault::no_disk);
    EXPECT_STREQ(caught.what(), "save: no disk");
  }
  try {
    error(errc::canceled).raise();
    FAIL() << "raise() returned";
  } catch (const std::system_error& caught) {
    EXPECT_EQ(caught.code(), errc::canceled);
    EXPECT_STREQ(caught.what(), "canceled");
  }
}

TEST(ErrorTest, RaiseThrowsARuntimeErrorForAText) {
  try {
    error("boom").raise();
    FAIL() << "raise() returned";
  } catch (const std::runtime_error& caught) {
    EXPECT_EQ(dynamic_cast<const std::system_error*>(&caught), nullptr);
    EXPECT_STREQ(caught.what(), "boom");
  }
}

TEST(ErrorTest, RaiseIfThrowsOnlyAnError) {
  EXPECT_THROW(error(errc::canceled).raise_if(), std::system_error);
  EXPECT_THROW(error("boom").raise_if(), std::runtime_error);
  EXPECT_THROW(thrown(42).raise_if(), int);
  EXPECT_NO_THROW(error().raise_if());
}

TEST(ErrorTest, ExceptionIsMadeOnDemandForACode) {
  const std::exception_ptr made = error(errc::canceled, "why").exception();
  ASSERT_TRUE(made);
  EXPECT_THROW(std::rethrow_exception(made), std::system_error);
  EXPECT_THROW(std::rethrow_exception(error("boom").exception()), std::runtime_error);
}

TEST(ErrorTest, RaisedErrorIsCaughtAsTheSameError) {
  const error table[] = {
      errc::canceled,      {errc::deadline_exceeded, "fetch"}, error("boom"),
      app::fault::no_disk, {std::errc::io_error, "disk"},      thrown(std::out_of_range("index 7")),
      thrown(42),
  };
  for (const error& e : table) {
    SCOPED_TRACE(e.message());
    const error again = raised_again(e);
    EXPECT_TRUE(errgroup::detail::error_access::repeats(e, again));
    EXPECT_EQ(again.message(), e.message());
    EXPECT_EQ(again.code(), e.code());
    EXPECT_TRUE(errgroup::detail::error_access::repeats(e, error(e.exception())));
  }
  // Texts are equal only as the same object.
  EXPECT_TRUE(raised_again(table[2]) == table[2]);
  EXPECT_TRUE(error(table[2].exception()) == table[2]);
}

#if GTEST_HAS_DEATH_TEST && !defined(NDEBUG)
TEST(ErrorDeathTest, RaiseOfAnEmptyErrorIsAsserted) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(error().raise(), "raise\\(\\) of an empty error");
}
#endif

// Comparing.

template <class A, class B>
void expect_equal(const A& a, const B& b, bool equal) {
  EXPECT_EQ(a == b, equal);
  EXPECT_EQ(b == a, equal);
  EXPECT_EQ(a != b, !equal);
  EXPECT_EQ(b != a, !equal);
}

TEST(ErrorTest, ComparesInBothDirectionsWithEverythingThatNamesACode) {
  const error canceled = errc::canceled;
  const error no_disk(app::fault::no_disk, "with a text");
  const error einval = std::errc::invalid_argument;
  const error stream = thrown(std::ios_base::failure("read", std::io_errc::stream));

  expect_equal(canceled, errc::canceled, true);
  expect_equal(canceled, errc::deadline_exceeded, false);
  expect_equal(canceled, std::errc::operation_canceled, true);
  expect_equal(canceled, std::errc::timed_out, false);
  expect_equal(canceled, make_error_code(errc::canceled), true);
  expect_equal(canceled, make_error_code(errc::deadline_exceeded), false);
  expect_equal(canceled, std::make_error_condition(std::errc::operation_canceled), true);
  expect_equal(canceled, std::make_error_condition(std::errc::timed_out), false);

  expect_equal(no_disk, app::fault::no_disk, true);
  expect_equal(no_disk, app::fault::no_network, false);
  expect_equal(no_disk, app::severity::fatal, true);
  expect_equal(error(app::fault::no_network), app::severity::fatal, false);
  expect_equal(no_disk, make_error_condition(app::severity::fatal), true);

  expect_equal(einval, std::errc::invalid_argument, true);
  expect_equal(einval, std::make_error_code(std::errc::invalid_argument), true);
  // A condition compares by equivalence, a code by identity.
  expect_equal(error(std::error_code(EINVAL, std::system_category())), std::errc::invalid_argument, true);
  expect_equal(error(std::error_code(EINVAL, std::system_category())),
               std::make_error_code(std::errc::invalid_argument), false);
  expect_equal(stream, std::io_errc::stream, true);
  expect_equal(stream, std::future_errc::no_state, false);
}

TEST(ErrorTest, ZeroCodeEqualsTheEmptyErrorOnly) {
  for (const error& e : {error("boom"), thrown(42), error(errc::canceled)}) {
    expect_equal(e, std::error_code(), false);
    expect_equal(e, std::error_condition(), false);
    expect_equal(e, std::errc{}, false);
    expect_equal(e, errc{}, false);
    expect_equal(e, error(), false);
  }
  expect_equal(error(), std::error_code(), true);
  expect_equal(error(), std::error_condition(), true);
  expect_equal(error(), std::errc{}, true);
  expect_equal(error(), app::fault::none, true);
  expect_equal(error(), errc::canceled, false);
  expect_equal(error(), std::errc::timed_out, false);
}

TEST(ErrorTest, ErrorsAreEqualAsTheSameObjectOrByNonZeroCode) {
  const error text("a");
  const error copy = text;
  expect_equal(text, copy, true);
  expect_equal(text, error("a"), false);  // As in Go: errors.New("a") != errors.New("a").
  expect_equal(error("a"), error("b"), false);

  const error out_of_range = thrown(std::out_of_range("x"));
  expect_equal(out_of_range, error(out_of_range), true);
  expect_equal(out_of_range, thrown(std::out_of_range("x")), false);

  expect_equal(error(errc::canceled), error(errc::canceled, "with a text"), true);
  expect_equal(error(std::errc::io_error, "one"), error(std::errc::io_error, "two"), true);
  expect_equal(error(std::errc::io_error), thrown(std::system_error(std::make_error_code(std::errc::io_error))),
               true);
  expect_equal(error(errc::canceled), error(errc::deadline_exceeded), false);
  expect_equal(error(errc::canceled), error(std::errc::operation_canceled), false);  // Equivalent, not equal.
  expect_equal(error(), error(), true);
}

TEST(ErrorTest, StreamsItsMessage) {
  EXPECT_EQ(streamed(error()), "success");
  EXPECT_EQ(streamed(error(errc::deadline_exceeded)), "deadline exceeded");
  EXPECT_EQ(streamed(error(app::fault::no_disk, "save")), "save: no disk");
  EXPECT_EQ(streamed(thrown(std::out_of_range("index 7"))), "index 7");
}

// Memory.

TEST(ErrorTest, BareErrcAllocatesNothing) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  (void)error(errc::canceled);  // The first use of the category.
  EXPECT_EQ(allocation::count([] {
              const error canceled = errc::canceled;
              const error exceeded = std::error_code(errc::deadline_exceeded);
              EXPECT_TRUE(canceled && exceeded && canceled == errc::canceled);
            }),
            0U);
  EXPECT_GT(allocation::count([] { (void)error(errc::canceled, "a text"); }), 0U);  // The counter counts.
}

TEST(ErrorTest, ExceptionBecomesNotEnoughMemoryWhenMemoryIsExhausted) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  const std::string text = "a text too long for the small-string buffer";
  const std::exception_ptr table[] = {
      std::make_exception_ptr(std::runtime_error(text)),
      std::make_exception_ptr(std::system_error(std::make_error_code(std::errc::io_error), text)),
      std::make_exception_ptr(42),
      std::make_exception_ptr(error()),
  };
  for (const std::exception_ptr& exception : table) {
    for (std::size_t n = 0;; ++n) {
      error e;
      {
        const allocation::exhausted none(n);
        e = error(exception);
      }
      ASSERT_TRUE(static_cast<bool>(e)) << "lost after " << n << " allocations";
      if (e != std::errc::not_enough_memory) {
        EXPECT_GT(n, 0U);
        EXPECT_EQ(e.message(), error(exception).message());
        break;
      }
    }
  }
}

TEST(ErrorTest, ExhaustedMemoryLeavesTheErrorOfAThrownErrorAsItIs) {
  const error original("boom");
  const std::exception_ptr exceptions[] = {std::make_exception_ptr(original), original.exception()};
  for (const std::exception_ptr& exception : exceptions) {
    const allocation::exhausted none;
    const error e(exception);  // Shares the state: needs no memory.
    EXPECT_TRUE(e == original);
  }
}

TEST(ErrorTest, ConstructorsOfACodeOrTextThrowBadAlloc) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  const std::string text = "a text too long for the small-string buffer";
  std::string moved = text;
  const auto fails = [](auto make) {
    try {
      const allocation::exhausted none;
      make();
      return false;
    } catch (const std::bad_alloc&) {
      return true;
    }
  };
  EXPECT_TRUE(fails([&] { (void)error(std::move(moved)); }));
  EXPECT_TRUE(fails([] { (void)error(std::errc::io_error); }));
  EXPECT_FALSE(fails([] { (void)error(errc::canceled); }));
}

TEST(ErrorTest, CopiesAreUsedFromManyThreads) {
  const error original = thrown(std::runtime_error("a text too long for the small-string buffer"));
  std::vector<std::jthread> threads;
  for (int i = 0; i != 4; ++i) {
    threads.emplace_back([copy = original] {
      for (int n = 0; n != 200; ++n) {
        const error mine = copy;
        EXPECT_EQ(mine.message().size(), 43U);
        EXPECT_THROW(mine.raise(), std::runtime_error);
        EXPECT_TRUE(error(mine.exception()) != error());
      }
    });
  }
}

}  // namespace
