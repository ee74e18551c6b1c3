// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The tests of sourcegraph/conc (waitgroup_test.go, pool/*_test.go) that ask what errgroup promises, in their
// order. Each test names its original. A panic of theirs is an exception here, Wait() that panics and
// WaitAndRecover() that does not are both wait(), and a pool that goes on after an error is keep_going().
//
// Left out:
// - "panics on configuration after init", "panics on invalid WithMaxGoroutines", "returns correct MaxGoroutines":
// a
//   limit may be set at any time, and 0 is one.
// - "reuse" of the error pools: after a failed wait a group stays failed, as Go's does.
// - "WithCollectErrored": a task has a value or an error.
// - The stream and iter packages, and panics: other jobs.
// Where the originals sleep so that one error is surely the first, the context says so here.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <latch>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group;
using errgroup::handle;
using errgroup::result;

// As `<-ctx.Done()`.
error until_done(const context& ctx) { return ctx.sleep_for(1h); }

[[noreturn]] void panic(const char* text) { throw std::runtime_error(text); }

// conc: ExampleWaitGroup, TestWaitGroup "all spawned run", TestPool "basic".
TEST(ConcTest, AllSpawnedRun) {
  for (const int n : {10, 100}) {
    std::atomic<int> count{0};
    group g;
    for (int i = 0; i < n; ++i) g.go([&] { ++count; });
    EXPECT_EQ(g.wait(), error());
    EXPECT_EQ(count, n);
  }
}

// conc: TestWaitGroup "panic is propagated", "is caught by waitandrecover"; ExampleWaitGroup_WaitAndRecover.
TEST(ConcTest, AnExceptionIsPropagated) {
  group g;
  g.go([] { panic("super bad thing"); });
  const error err = g.wait();
  ASSERT_TRUE(err.as<std::runtime_error>());
  EXPECT_STREQ(err.as<std::runtime_error>()->what(), "super bad thing");
  EXPECT_THROW(err.raise(), std::runtime_error);
}

// conc: TestWaitGroup "one is propagated", "one is caught by waitandrecover".
TEST(ConcTest, OneOfTwoExceptionsIsPropagated) {
  group g;
  g.go([] { panic("super bad thing"); });
  g.go([] { panic("super badder thing"); });
  const std::string message = g.wait().message();
  EXPECT_TRUE(message == "super bad thing" || message == "super badder thing") << message;
}

// conc: TestWaitGroup "non-panics do not overwrite panic".
TEST(ConcTest, SuccessesDoNotOverwriteAnException) {
  group g(errgroup::keep_going());
  g.go([] { panic("super bad thing"); });
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(g.go([] {}));
  EXPECT_EQ(g.wait().message(), "super bad thing");
}

// conc: TestWaitGroup "non-panics run successfully", "nonpanics run successfully with waitandrecover".
TEST(ConcTest, TasksBesideAnExceptionRun) {
  std::atomic<int> i{0};
  group g(errgroup::keep_going());
  g.go([&] { ++i; });
  g.go([] { panic("super bad thing"); });
  g.go([&] { ++i; });
  EXPECT_EQ(g.wait().message(), "super bad thing");
  EXPECT_EQ(i, 2);
}

class ConcLimitTest : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Limits, ConcLimitTest, testing::Values(1, 10, 100));

// conc: TestPool, TestErrorPool and TestContextPool "limit".
TEST_P(ConcLimitTest, NoMoreTasksRunAtATime) {
  const int limit = GetParam();
  std::atomic<int> current{0};
  group g(errgroup::with_limit(limit));
  for (int i = 0; i < limit * 10; ++i) {
    EXPECT_TRUE(g.go([&]() -> error {
      const int n = ++current;
      if (n > limit) return error("expected no more than " + std::to_string(limit) + " concurrent tasks");
      (void)context().sleep_for(1ms);  // Gives others a chance to be too many.
      --current;
      return {};
    }));
  }
  EXPECT_EQ(g.wait(), error());
  EXPECT_EQ(current, 0);
}

// conc: TestResultErrorPool and TestResultContextPool "limit".
TEST_P(ConcLimitTest, ResultsAreInTheirOrder) {
  const int limit = GetParam();
  std::atomic<int> current{0};
  group g(errgroup::with_limit(limit));
  std::vector<handle<int>> handles;
  for (int i = 0; i < limit * 10; ++i) {
    handles.push_back(g.spawn([&, i](const context&) -> result<int> {
      const int n = ++current;
      if (n > limit) return error("expected no more than " + std::to_string(limit) + " concurrent tasks");
      (void)context().sleep_for(1ms);  // Gives others a chance to be too many.
      --current;
      return i;
    }));
  }
  EXPECT_EQ(g.wait(), error());
  for (int i = 0; i < limit * 10; ++i) EXPECT_EQ(handles[static_cast<std::size_t>(i)].get().value(), i);
  EXPECT_EQ(current, 0);
}

// conc: TestPool and TestErrorPool "propagate panic".
TEST(ConcTest, AnExceptionAmongManyTasksIsPropagated) {
  group g;
  for (int i = 0; i < 10; ++i) {
    g.go([i]() -> error {
      if (i == 5) panic("fatal");
      return {};
    });
  }
  EXPECT_EQ(g.wait().message(), "fatal");
}

// conc: TestPool "panics do not exhaust goroutines".
TEST(ConcTest, ExceptionsDoNotUseUpThePlaces) {
  std::atomic<int> ran{0};
  group g(errgroup::with_limit(2), errgroup::keep_going());
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(g.go([&] {
      ++ran;
      throw 42;
    }));
  }
  const error err = g.wait();
  ASSERT_TRUE(err.as<int>());
  EXPECT_EQ(*err.as<int>(), 42);
  EXPECT_EQ(ran, 10);
}

// conc: TestPool "is reusable".
TEST(ConcTest, AGroupIsReusable) {
  std::atomic<int> count{0};
  group g;
  for (const int sum : {10, 20}) {
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(g.go([&] { ++count; }));
    EXPECT_EQ(g.wait(), error());
    EXPECT_EQ(count, sum);
  }
}

// conc: ExampleErrorPool; TestErrorPool and TestContextPool "wait error if func returns error".
TEST(ConcTest, WaitReturnsTheErrorOfATask) {
  const error oh_no("oh no!");
  group g;
  for (int i = 0; i < 3; ++i) {
    g.go([&, i]() -> error { return i == 2 ? oh_no : error(); });
  }
  EXPECT_EQ(g.wait(), oh_no);
}

// conc: TestErrorPool and TestContextPool "wait error is all returned errors": what errors() is for.
TEST(ConcTest, AllErrorsAreCollected) {
  const error err1("err1"), err2("err2");
  group g(errgroup::keep_going(), errgroup::collect_errors());
  g.go([&] { return err1; });
  g.go([] { return error(); });
  g.go([&] { return err2; });
  EXPECT_TRUE(g.wait());
  const std::vector<error> errors = g.errors();
  EXPECT_EQ(errors.size(), 2U);
  EXPECT_TRUE(std::ranges::find(errors, err1) != errors.end());
  EXPECT_TRUE(std::ranges::find(errors, err2) != errors.end());
}

// conc: TestResultErrorPool "wait error is all returned errors".
TEST(ConcTest, AFailedTaskLeavesTheResultsOfTheOthers) {
  const error err1("err1"), err2("err2");
  group g(errgroup::keep_going(), errgroup::collect_errors());
  const handle<int> a = g.spawn([&]() -> result<int> { return err1; });
  const handle<int> b = g.spawn([]() -> result<int> { return 7; });
  const handle<int> c = g.spawn([&]() -> result<int> { return err2; });
  EXPECT_TRUE(g.wait());
  EXPECT_EQ(a.get().error(), err1);
  EXPECT_EQ(b.get().value(), 7);
  EXPECT_EQ(c.get().error(), err2);
  EXPECT_EQ(g.errors().size(), 2U);
}

// conc: TestContextPool and TestResultContextPool "context error propagates", "canceled".
TEST(ConcTest, ACanceledContextPropagates) {
  const auto [ctx, cancel] = context().with_cancel();
  group g(ctx);
  g.go([](const context& c) {
    (void)until_done(c);
    return c.err();
  });
  cancel();
  EXPECT_EQ(g.wait(), errc::canceled);
}

// conc: TestContextPool "context error propagates", "timed out".
TEST(ConcTest, ATimeoutOfTheContextPropagates) {
  const context ctx = context().with_timeout(1ms);
  group g(ctx);
  g.go([](const context& c) {
    (void)until_done(c);
    return c.err();
  });
  EXPECT_EQ(g.wait(), errc::deadline_exceeded);
}

// conc: TestContextPool "context error propagates", "return before timed out".
TEST(ConcTest, ATaskMaySleepUnderAContextThatIsNotDone) {
  group g{context()};
  g.go([](const context& c) { return c.sleep_for(1ms); });
  EXPECT_EQ(g.wait(), error());
}

// conc: ExampleContextPool_WithCancelOnError; TestContextPool "WithCancelOnError". The sibling's bare canceled is
// the first error once more, and so it is not listed.
TEST(ConcTest, AnErrorCancelsTheOthers) {
  const error err1("I will cancel all other tasks!");
  group g(errgroup::collect_errors(), errgroup::with_limit(4));
  g.go([](const context& c) {
    (void)until_done(c);
    return c.err();
  });
  g.go([&](const context&) { return err1; });
  EXPECT_EQ(g.wait(), err1);
  EXPECT_EQ(g.errors(), std::vector<error>{err1});
}

// conc: TestContextPool and TestResultContextPool "no WithCancelOnError".
TEST(ConcTest, WithKeepGoingAnErrorDoesNotCancelTheOthers) {
  const error err1("err1");
  group g(errgroup::keep_going());
  const handle<int> slept = g.spawn([](const context& c) -> result<int> {
    if (error stopped = c.sleep_for(10ms)) return stopped;
    return 1;
  });
  g.go([&](const context&) { return err1; });
  EXPECT_EQ(g.wait(), err1);
  EXPECT_TRUE(slept.get()) << slept.get().error();
}

// conc: TestContextPool, TestResultErrorPool and TestResultContextPool "WithFirstError".
TEST(ConcTest, TheFirstErrorInTimeIsReturned) {
  const error err1("err1"), err2("err2");
  for (const bool first_is_given_first : {true, false}) {
    std::latch both_run(2);
    group g;
    const auto first = [&](const context&) {
      both_run.arrive_and_wait();
      return err1;
    };
    const auto second = [&](const context& c) {
      both_run.arrive_and_wait();
      (void)until_done(c);
      return err2;
    };
    if (first_is_given_first) {
      g.go(first);
      g.go(second);
    } else {
      g.go(second);
      g.go(first);
    }
    EXPECT_EQ(g.wait(), err1);
  }
}

// conc: TestContextPool and TestResultContextPool "WithFailFast".
TEST(ConcTest, FailFastMasksTheCanceledOfTheOthers) {
  const error err1("err1");
  group g;
  g.go([&](const context&) { return err1; });
  g.go([](const context& c) {
    (void)until_done(c);
    return c.err();
  });
  const error err = g.wait();
  EXPECT_EQ(err, err1);
  EXPECT_NE(err, errc::canceled);
}

// conc: TestContextPool and TestResultContextPool "WithCancelOnError and panic".
TEST(ConcTest, AnExceptionCancelsTheOthers) {
  std::atomic<int> cancelled{0};
  group g;
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(g.go([&](const context& c) {
      (void)until_done(c);
      ++cancelled;
      return c.err();
    }));
  }
  g.go([&](const context&) -> error { panic("abort!"); });
  EXPECT_EQ(g.wait().message(), "abort!");
  EXPECT_EQ(cancelled, 2);
}

}  // namespace
