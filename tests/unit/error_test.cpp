// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#include <errgroup/error.hpp>

#include <cerrno>
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

/// Says nothing.
struct silent : std::exception {
  const char* what() const noexcept override { return nullptr; }
};
struct silent_with_code : std::system_error {
  using std::system_error::system_error;
  const char* what() const noexcept override { return nullptr; }
};

/// Is a std::exception twice over, so that no handler of std::exception catches it.
struct left : std::exception {};
struct right : std::exception {};
struct both : left, right {};

/// May be thrown as a temporary only: every copy throws.
struct uncopyable : std::exception {
  uncopyable() = default;
  uncopyable(const uncopyable&) : std::exception() { throw std::runtime_error("copied"); }
  uncopyable& operator=(const uncopyable&) = delete;
  const char* what() const noexcept override { return "uncopyable"; }
};

/// Gives what `f()` throws as an error.
template <class F>
error caught(F f) {
  try {
    f();
  } catch (...) {
    return std::current_exception();
  }
  return {};
}

// The category.

TEST(ErrorTest, ErrcIsAnErrorCodeOfTheCategoryErrgroup) {
  static_assert(std::is_error_code_enum_v<errc>);
  const std::error_code code = errc::canceled;
  EXPECT_STREQ(code.category().name(), "errgroup");
  EXPECT_EQ(&code.category(), &errgroup::error_category());
  EXPECT_EQ(code.value(), 1);
  EXPECT_EQ(std::error_code(errc::deadline_exceeded).value(), 2);
  EXPECT_EQ(std::error_code(errc::failed).value(), 3);
}

TEST(ErrorTest, ErrcHasItsTexts) {
  EXPECT_EQ(std::error_code(errc::canceled).message(), "canceled");
  EXPECT_EQ(std::error_code(errc::deadline_exceeded).message(), "deadline exceeded");
  EXPECT_EQ(std::error_code(errc::failed).message(), "failed");
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
  // What only says that something failed is equivalent to nothing but itself.
  const std::error_code failed = errc::failed;
  EXPECT_EQ(failed.default_error_condition(), std::error_condition(3, errgroup::error_category()));
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
      {"empty error with a text", error(error(), "ignored")},
      {"null exception with a text", error(std::exception_ptr(), "ignored")},
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
      {errc::failed, errc::failed, "failed"},
      {{errc::failed, "fetch"}, errc::failed, "fetch: failed"},
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

TEST(ErrorTest, TextAloneHasTheCodeFailed) {
  const error e("boom");
  EXPECT_TRUE(static_cast<bool>(e));
  EXPECT_EQ(e.code(), errc::failed);
  EXPECT_EQ(e.message(), "boom");
  EXPECT_TRUE(static_cast<bool>(error(std::string())));  // As errors.New("") is an error.
  EXPECT_EQ(error(std::string()).message(), "");
}

TEST(ErrorTest, ExceptionGivesItsOwnText) {
  const error e = thrown(std::out_of_range("index 7"));
  EXPECT_TRUE(static_cast<bool>(e));
  EXPECT_EQ(e.message(), "index 7");
  EXPECT_EQ(e.code(), errc::failed);
  EXPECT_EQ(thrown(std::runtime_error("")).message(), "");
  EXPECT_EQ(thrown(std::runtime_error("")).code(), errc::failed);
}

TEST(ErrorTest, WhatIsNoStdExceptionIsAnUnknownException) {
  EXPECT_EQ(thrown(42).message(), "unknown exception");
  EXPECT_EQ(thrown(not_an_exception{1}).message(), "unknown exception");
  EXPECT_EQ(thrown(std::string("text")).message(), "unknown exception");
  EXPECT_EQ(thrown(42).code(), errc::failed);
}

TEST(ErrorTest, ExceptionWhoseWhatIsNullIsAnUnknownException) {
  const error e = thrown(silent());
  EXPECT_EQ(e.message(), "unknown exception");
  EXPECT_EQ(e.code(), errc::failed);
  EXPECT_THROW(e.raise(), silent);

  const error with_code = thrown(silent_with_code(std::make_error_code(std::errc::io_error)));
  EXPECT_EQ(with_code.message(), "unknown exception");
  EXPECT_TRUE(with_code == std::errc::io_error);
  EXPECT_TRUE(thrown(silent_with_code(errc::canceled)) == errc::canceled);
}

TEST(ErrorTest, ExceptionThatIsAmbiguouslyAStdExceptionIsAnUnknownException) {
  const error e = thrown(both());
  EXPECT_EQ(e.message(), "unknown exception");
  EXPECT_THROW(e.raise(), both);
}

TEST(ErrorTest, ExceptionIsNeverCopied) {
  const error e = caught([] { throw uncopyable(); });
  EXPECT_EQ(e.message(), "uncopyable");
  EXPECT_EQ(raised_again(e).message(), "uncopyable");
  EXPECT_EQ(error(error(e.exception()), "load").message(), "load: uncopyable");
  EXPECT_NE(e.as<uncopyable>(), nullptr);
}

TEST(ErrorTest, NestedExceptionKeepsTheOneInside) {
  const error e = caught([] {
    try {
      throw std::runtime_error("no disk");
    } catch (...) {
      std::throw_with_nested(std::logic_error("load"));
    }
  });
  EXPECT_EQ(e.message(), "load");
  EXPECT_NE(e.as<std::logic_error>(), nullptr);
  ASSERT_NE(e.as<std::nested_exception>(), nullptr);
  EXPECT_EQ(error(e.as<std::nested_exception>()->nested_ptr()).message(), "no disk");
  try {
    std::rethrow_exception(e.exception());
  } catch (const std::logic_error& outer) {
    EXPECT_EQ(caught([&] { std::rethrow_if_nested(outer); }).message(), "no disk");
  }
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
  // The code is never zero, whatever was thrown.
  const error zero = thrown(std::system_error(std::error_code(), "odd"));
  EXPECT_EQ(zero.code(), errc::failed);
  EXPECT_EQ(zero.message(), std::system_error(std::error_code(), "odd").what());
}

TEST(ErrorTest, ThrownSystemErrorWithErrcKeepsItsText) {
  const error bare = thrown(std::system_error(errc::canceled));
  EXPECT_EQ(bare.message(), "canceled");
  EXPECT_TRUE(bare == errc::canceled);
  EXPECT_THROW(bare.raise(), std::system_error);
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
  EXPECT_FALSE(access::bare(errc::failed));
  EXPECT_FALSE(access::bare(thrown(std::system_error(errc::failed))));
  EXPECT_FALSE(access::bare(error(error(errc::canceled), "why")));
  EXPECT_FALSE(access::bare(std::error_code(77, errgroup::error_category())));
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

  // One that wraps another stays one that does.
  EXPECT_EQ(thrown(error(original, "load")).message(), "load: boom");
  EXPECT_TRUE(thrown(error(original, "load")) == original);
}

TEST(ErrorTest, ThrownEmptyErrorHasFailedAllTheSame) {
  const error e = thrown(error());
  EXPECT_TRUE(static_cast<bool>(e));
  EXPECT_TRUE(e == errc::failed);
  EXPECT_TRUE(e == error(errc::failed));
  EXPECT_EQ(e.message(), "an empty errgroup::error was thrown");
  EXPECT_TRUE(raised_again(e) == e);
}

TEST(ErrorTest, WhatHasFailedWithAnEmptyErrorHasTheCodeFailed) {
  using access = errgroup::detail::error_access;
  const error named = access::never_empty(error(), "nobody said why");
  EXPECT_TRUE(named == error(errc::failed));
  EXPECT_EQ(named.message(), "nobody said why");
  const error text("boom");
  EXPECT_TRUE(access::never_empty(text, "ignored") == text);
  EXPECT_EQ(access::never_empty(text, "ignored").message(), "boom");
}

TEST(ErrorTest, FromErrnoIsTheErrorOfTheCallingThread) {
  errno = ENOENT;
  const error e = error::from_errno("open");
  EXPECT_TRUE(e == std::errc::no_such_file_or_directory);
  EXPECT_TRUE(e == error(std::errc::no_such_file_or_directory));
  EXPECT_EQ(e.code(), std::error_code(ENOENT, std::generic_category()));
  EXPECT_EQ(e.message(), "open: " + std::generic_category().message(ENOENT));
  EXPECT_TRUE(e == error::from_errno());
  EXPECT_EQ(error::from_errno().message(), std::generic_category().message(ENOENT));

  std::jthread([] {
    errno = EIO;
    EXPECT_TRUE(error::from_errno() == std::errc::io_error);
  }).join();
  EXPECT_TRUE(error::from_errno() == std::errc::no_such_file_or_directory);

  errno = 0;
  EXPECT_FALSE(error::from_errno("ignored"));
}

// Wrapping.

TEST(ErrorTest, WrapPutsATextInFront) {
  EXPECT_EQ(error(error("boom"), "load").message(), "load: boom");
  EXPECT_EQ(error(error(app::fault::no_disk), "load").message(), "load: no disk");
  EXPECT_EQ(error(error(app::fault::no_disk, "save"), "load").message(), "load: save: no disk");
  EXPECT_EQ(error(error(errc::canceled), "load").message(), "load: canceled");
  EXPECT_EQ(error(thrown(std::out_of_range("index 7")), "load").message(), "load: index 7");
  EXPECT_EQ(error(thrown(std::system_error(app::fault::no_disk, "save")), "load").message(),
            "load: save: no disk");
  EXPECT_EQ(error(thrown(std::system_error(errc::canceled)), "load").message(), "load: canceled");
  EXPECT_EQ(error(thrown(42), "load").message(), "load: unknown exception");
  EXPECT_EQ(error(error(std::string()), "load").message(), "load: ");
  EXPECT_EQ(error(std::make_exception_ptr(std::out_of_range("index 7")), "load").message(), "load: index 7");
  EXPECT_EQ(streamed(error(error(error("boom"), "parse"), "load")), "load: parse: boom");
  EXPECT_EQ(error(error(error(app::fault::no_disk, "save"), "parse"), "load").message(),
            "load: parse: save: no disk");
}

TEST(ErrorTest, WrapKeepsCodeExceptionAndIdentity) {
  const error table[] = {
      errc::canceled,
      {errc::deadline_exceeded, "fetch"},
      errc::failed,
      app::fault::no_disk,
      {app::fault::no_disk, "save"},
      error("boom"),
      error(std::string()),
      thrown(std::out_of_range("index 7")),
      thrown(std::system_error(app::fault::no_disk, "save")),
      thrown(std::system_error(errc::canceled)),
      thrown(42),
      thrown(error()),
  };
  for (const error& inner : table) {
    SCOPED_TRACE(inner.message());
    const error wrap(inner, "load");
    const error twice(wrap, "start");
    for (const error& outer : {wrap, twice}) {
      EXPECT_TRUE(outer == inner);
      EXPECT_TRUE(inner == outer);
      EXPECT_TRUE(outer == error(inner, "another wrap"));
      EXPECT_EQ(outer.code(), inner.code());
      EXPECT_EQ(outer.as<std::out_of_range>(), inner.as<std::out_of_range>());
      EXPECT_EQ(outer.as<int>(), inner.as<int>());
      EXPECT_TRUE(raised_again(outer) == outer);
      EXPECT_TRUE(raised_again(outer) == inner);
      EXPECT_TRUE(error(outer.exception()) == outer);
      EXPECT_TRUE(error(outer.exception()) == inner);
      EXPECT_TRUE(thrown(outer) == inner);
      EXPECT_FALSE(outer == error("load"));
    }
    EXPECT_EQ(twice.message(), "start: load: " + inner.message());
  }
}

TEST(ErrorTest, WrapRaisesTheOriginalExceptionOrItsWholeText) {
  const std::exception_ptr original = std::make_exception_ptr(std::range_error("far"));
  EXPECT_EQ(error(error(original), "load").exception(), original);
  EXPECT_THROW(error(error(original), "load").raise(), std::range_error);
  for (const error& inner : {error("boom"), error(app::fault::no_disk), error(app::fault::no_disk, "save")}) {
    const error wrap(inner, "load");
    try {
      wrap.raise();
    } catch (const std::system_error& e) {
      EXPECT_EQ(e.what(), "load: " + inner.message());
      EXPECT_EQ(e.code(), inner.code());
    }
    EXPECT_EQ(raised_again(wrap).message(), wrap.message());
    EXPECT_EQ(error(wrap.exception()).message(), wrap.message());
  }
}

TEST(ErrorTest, WrapWithNoTextIsTheErrorItself) {
  const error inner(app::fault::no_disk, "save");
  EXPECT_EQ(allocation::count([&] { EXPECT_EQ(error(inner, std::string()).code(), inner.code()); }), 0U);
  EXPECT_EQ(error(inner, "").message(), "save: no disk");
  EXPECT_TRUE(errgroup::detail::error_access::bare(error(error(errc::canceled), "")));
}

TEST(ErrorTest, WrapOutlivesWhatItWraps) {
  error wrap;
  {
    const error inner = thrown(std::out_of_range("index 7"));
    wrap = error(error(inner, "parse"), "load");
  }
  ASSERT_NE(wrap.as<std::out_of_range>(), nullptr);
  EXPECT_STREQ(wrap.as<std::out_of_range>()->what(), "index 7");
  EXPECT_EQ(wrap.message(), "load: parse: index 7");
}

TEST(ErrorTest, TextInFrontOfTheCodeOfAnyErrorIsAnError) {
  // The code of a text or an exception is not zero, so that this is no success.
  EXPECT_EQ(error(error("boom").code(), "load").message(), "load: failed");
  EXPECT_EQ(error(thrown(42).code(), "load").message(), "load: failed");
}

// Finding what was thrown.

TEST(ErrorTest, AsFindsTheThrownObjectByItsTypeOrABase) {
  const error e = thrown(std::out_of_range("index 7"));
  ASSERT_NE(e.as<std::out_of_range>(), nullptr);
  EXPECT_STREQ(e.as<std::out_of_range>()->what(), "index 7");
  EXPECT_EQ(e.as<std::logic_error>(), e.as<std::out_of_range>());
  EXPECT_EQ(e.as<std::exception>(), e.as<std::out_of_range>());
  EXPECT_EQ(e.as<std::runtime_error>(), nullptr);
  EXPECT_EQ(e.as<int>(), nullptr);

  const error number = thrown(42);
  ASSERT_NE(number.as<int>(), nullptr);
  EXPECT_EQ(*number.as<int>(), 42);
  EXPECT_EQ(number.as<long>(), nullptr);
  EXPECT_EQ(number.as<std::exception>(), nullptr);

  const error other = thrown(not_an_exception{7});
  ASSERT_NE(other.as<not_an_exception>(), nullptr);
  EXPECT_EQ(other.as<not_an_exception>()->value, 7);

  // As in a handler, an ambiguous base is none.
  EXPECT_NE(thrown(both()).as<left>(), nullptr);
  EXPECT_EQ(thrown(both()).as<std::exception>(), nullptr);
}

TEST(ErrorTest, AsIsNullIfNothingWasThrown) {
  EXPECT_EQ(error().as<std::exception>(), nullptr);
  for (const error& e : {error("boom"), error(errc::canceled), error(std::errc::io_error, "disk")}) {
    SCOPED_TRACE(e.message());
    EXPECT_EQ(e.as<std::exception>(), nullptr);
    // What raise() throws for it is no exception of the user's.
    EXPECT_EQ(raised_again(e).as<std::exception>(), nullptr);
    EXPECT_EQ(error(e, "load").as<std::exception>(), nullptr);
  }
  EXPECT_EQ(thrown(error("boom")).as<error>(), nullptr);
}

TEST(ErrorTest, AsPointsAtTheOneObjectThatAllCopiesShare) {
  const int* number = nullptr;
  error copy;
  {
    const error original = thrown(42);
    number = original.as<int>();
    copy = original;
  }
  EXPECT_EQ(copy.as<int>(), number);
  EXPECT_EQ(*number, 42);
  try {
    copy.raise();
  } catch (const int& raised) {
    EXPECT_EQ(&raised, number);
  }
}

TEST(ErrorTest, AsIsAskedInsideAHandlerAndDuringUnwinding) {
  struct asks {
    const error& e;
    const int*& found;
    ~asks() { found = e.as<int>(); }
  };
  const error e = thrown(42);
  const int* found = nullptr;
  try {
    const asks in_destructor{e, found};
    throw std::runtime_error("other");
  } catch (const std::runtime_error& other) {
    EXPECT_NE(found, nullptr);
    EXPECT_NE(e.as<int>(), nullptr);
    EXPECT_STREQ(other.what(), "other");
    EXPECT_EQ(error(std::current_exception()).message(), "other");
  }
}

// Joining.

TEST(ErrorTest, JoinListsWhatIsNotEmpty) {
  const error a("a"), b(app::fault::no_disk, "b"), c = thrown(std::out_of_range("c"));
  const auto joined = [](std::vector<error> errors) { return errgroup::join(errors).message(); };
  EXPECT_EQ(joined({a, b, c}), "a; b: no disk; c");
  EXPECT_EQ(joined({error(), a, error(), error(), c, error()}), "a; c");
  EXPECT_EQ(joined({c, c}), "c; c");
  EXPECT_FALSE(errgroup::join({}));
  EXPECT_FALSE(errgroup::join(std::vector<error>(3)));
  const error inner = errgroup::join(std::vector<error>{a, b});
  EXPECT_EQ(joined({inner, c}), "a; b: no disk; c");
  EXPECT_EQ(error(inner, "load").message(), "load: a; b: no disk");
}

TEST(ErrorTest, JoinOfASingleErrorIsThatError) {
  const error table[] = {error(), {errc::canceled, "why"}, error()};
  EXPECT_EQ(allocation::count([&] { EXPECT_TRUE(errgroup::join(table) == table[1]); }), 0U);
  EXPECT_EQ(errgroup::join(table).message(), "why: canceled");
  const error bare[] = {errc::canceled};
  EXPECT_TRUE(errgroup::detail::error_access::bare(errgroup::join(bare)));
}

TEST(ErrorTest, JoinHasTheFirstOnesCodeAndException) {
  const error other("other");
  const error table[] = {
      errc::canceled,
      app::fault::no_disk,
      error("boom"),
      thrown(std::out_of_range("index 7")),
      thrown(42),
      error(thrown(42), "load"),
      error(error("boom"), "load"),
      errgroup::join(std::vector{thrown(42), other}),
  };
  for (const error& first : table) {
    SCOPED_TRACE(first.message());
    const error e = errgroup::join(std::vector<error>{error(), first, other});
    EXPECT_EQ(e.message(), first.message() + "; other");
    EXPECT_EQ(e.code(), first.code());
    EXPECT_EQ(e.as<int>(), first.as<int>());
    EXPECT_TRUE(e == first);
    EXPECT_FALSE(e == other);
    EXPECT_FALSE(errgroup::detail::error_access::bare(e));
    EXPECT_TRUE(raised_again(e) == e);
    EXPECT_TRUE(error(e.exception()) == first);
    if (first.as<std::out_of_range>()) {
      EXPECT_EQ(e.exception(), first.exception());
    }
    const error wrap(e, "start");
    EXPECT_EQ(wrap.message(), "start: " + first.message() + "; other");
    EXPECT_TRUE(wrap == first);
    EXPECT_EQ(wrap.as<int>(), first.as<int>());
  }
  // Where there is no exception that it must be, what raise() throws has the whole text.
  const error e = errgroup::join(std::vector<error>{app::fault::no_disk, other});
  EXPECT_EQ(raised_again(e).message(), "no disk; other");
  try {
    e.raise();
  } catch (const std::system_error& caught) {
    EXPECT_STREQ(caught.what(), "no disk; other");
  }
}

TEST(ErrorTest, RepeatsIsTheSameErrorAndNotTheSameCode) {
  const auto repeats = [](const error& a, const error& b) {
    return errgroup::detail::error_access::repeats(a, b);
  };
  const error text("boom"), code(std::errc::io_error, "disk"), failed = errc::failed, exception = thrown(42);
  const error other("other");
  for (const error& e : {text, code, failed, exception}) {
    SCOPED_TRACE(e.message());
    const error wrap(e, "load");
    const error joined = errgroup::join(std::vector<error>{e, other});
    EXPECT_TRUE(repeats(e, e));
    EXPECT_TRUE(repeats(e, raised_again(e)));
    EXPECT_TRUE(repeats(e, wrap));
    EXPECT_TRUE(repeats(e, error(raised_again(wrap), "start")));
    EXPECT_TRUE(repeats(wrap, e));
    EXPECT_TRUE(repeats(wrap, error(e, "another wrap")));
    EXPECT_FALSE(repeats(e, error()));
    EXPECT_FALSE(repeats(error(), e));
    // A join says more than its first one does.
    EXPECT_FALSE(repeats(e, joined));
    EXPECT_FALSE(repeats(e, error(joined, "load")));
    EXPECT_TRUE(repeats(joined, joined));
    EXPECT_TRUE(repeats(joined, error(joined, "load")));
    EXPECT_TRUE(repeats(joined, raised_again(joined)));
    EXPECT_FALSE(repeats(joined, other));
  }
  EXPECT_TRUE(repeats(error(), error()));
  EXPECT_FALSE(repeats(code, error(std::errc::io_error, "disk")));
  EXPECT_FALSE(repeats(failed, error(errc::failed)));
  EXPECT_FALSE(repeats(thrown(42), exception));
  EXPECT_FALSE(repeats(text, error("boom")));
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

TEST(ErrorTest, RaiseThrowsASystemErrorForAText) {
  try {
    error("boom").raise();
    FAIL() << "raise() returned";
  } catch (const std::system_error& caught) {
    EXPECT_EQ(caught.code(), errc::failed);
    EXPECT_STREQ(caught.what(), "boom");
  }
  EXPECT_THROW(error("boom").raise(), std::runtime_error);
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

TEST(ErrorTest, ErrorOfItsOwnExceptionEqualsIt) {
  const error table[] = {
      errc::canceled,
      errc::failed,
      {errc::deadline_exceeded, "fetch"},
      error("boom"),
      error(std::string()),
      app::fault::no_disk,
      thrown(std::out_of_range("index 7")),
      thrown(std::system_error(errc::canceled)),
      thrown(std::system_error(std::make_error_code(std::errc::io_error))),
      thrown(42),
      thrown(silent()),
      thrown(error()),
      error(),
      errgroup::detail::error_access::no_memory(),
      errgroup::detail::error_access::owner_dead(),
  };
  for (const error& e : table) {
    SCOPED_TRACE(e.message());
    EXPECT_TRUE(error(e.exception()) == e);
    EXPECT_EQ(error(e.exception()).message(), e.message());
    EXPECT_EQ(error(e.exception()).code(), e.code());
  }
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
  expect_equal(canceled, errc::failed, false);

  // By code(), which of a text, and of an exception without a code, is errc::failed.
  expect_equal(error("boom"), errc::failed, true);
  expect_equal(error("boom"), make_error_code(errc::failed), true);
  expect_equal(error("boom"), std::error_condition(3, errgroup::error_category()), true);
  expect_equal(thrown(42), errc::failed, true);
  expect_equal(error("boom"), errc::canceled, false);
  expect_equal(error("boom"), std::errc::io_error, false);
  expect_equal(thrown(std::system_error(std::make_error_code(std::errc::timed_out))), std::errc::timed_out, true);
  expect_equal(thrown(std::system_error(std::make_error_code(std::errc::timed_out))), errc::failed, false);
  expect_equal(error(no_disk, "wrapped"), app::fault::no_disk, true);

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

// As a code of a success that says more would be.
class lenient_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "lenient"; }
  std::string message(int) const override { return "not that bad"; }
  bool equivalent(int, const std::error_condition& condition) const noexcept override { return !condition; }
};

TEST(ErrorTest, ZeroCodeEqualsTheEmptyErrorOnly) {
  static const lenient_category lenient;
  for (const error& e : {error("boom"), thrown(42), error(errc::canceled), error(std::error_code(1, lenient))}) {
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

TEST(ErrorTest, ErrorsAreEqualAsTheSameObjectOrExceptionOrByTheirOwnCode) {
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
  expect_equal(error(errc::failed), error(errc::failed, "with a text"), true);
  // A thrown code is not its own, nor is the one that stands for none.
  const error io_error = thrown(std::system_error(std::make_error_code(std::errc::io_error)));
  expect_equal(error(std::errc::io_error), io_error, false);
  expect_equal(thrown(std::system_error(std::make_error_code(std::errc::io_error))), io_error, false);
  expect_equal(error(io_error.exception()), io_error, true);
  expect_equal(error(errc::failed), text, false);
  expect_equal(error(errc::failed), thrown(42), false);
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

TEST(ErrorTest, BareCanceledAndDeadlineExceededAllocateNothing) {
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

TEST(ErrorTest, LastResortsNeedNoMemory) {
  using access = errgroup::detail::error_access;
  const allocation::exhausted none;
  EXPECT_TRUE(access::no_memory() == std::errc::not_enough_memory);
  EXPECT_TRUE(access::owner_dead() == std::errc::owner_dead);
  if (allocation::replaced) {
    EXPECT_TRUE(access::never_empty(error(), "a text too long for the small-string buffer") ==
                std::errc::not_enough_memory);
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
  const error inner("boom");
  EXPECT_TRUE(fails([&] { (void)error(inner, "load"); }));
  EXPECT_FALSE(fails([&] { (void)error(inner, ""); }));
  const error two[] = {inner, inner};
  EXPECT_TRUE(fails([&] { (void)errgroup::join(two); }));
  EXPECT_TRUE(fails([&] { inner.raise(); }));
  EXPECT_EQ(inner.message(), "boom");
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
        EXPECT_TRUE(error(mine.exception()) == mine);
        const error wrap(mine, "load");
        EXPECT_TRUE(wrap == mine);
        const auto* const thrown = wrap.as<std::runtime_error>();
        EXPECT_EQ(std::string(thrown ? thrown->what() : "").size(), 43U);
      }
    });
  }
}

}  // namespace
