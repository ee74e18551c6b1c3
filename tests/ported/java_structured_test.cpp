// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The tests of Java's StructuredTaskScope (the JDK's StructuredTaskScopeTest.java) that ask what errgroup
// promises, in their order. Each test names its original. fork() is spawn(), join() is wait(), a Subtask is a
// handle, a scope that is cancelled is a context that is done, and an interrupt is the stop of that context. A
// Joiner that cancels when a subtask completes is a task that calls cancel().
//
// Left out:
// - testForkConfined, testCloseConfined and the other half of testJoinConfined: any thread may use a group.
// - testForkAfterJoinCompleted*: a group is used again in a new round.
// - testForkAfterJoinInterrupted, testInterruptJoin*, testCloseAfterJoinThrows: a waiting thread cannot be
//   interrupted; it waits for a time, and waits again.
// - testForkAfterClose, testJoinAfterClose, testCloseThrowsStructureViolation: close() is the destructor.
// - testForkCreatesVirtualThread, testToString, testSubtaskToString, testConfig*, testNulls: there is none of
// that.
// - testOn*, testTimeoutInvoked, testTimeoutThrows, testJoinInTimeout, testJoiner*, and those of a Joiner's
// exception
//   function: there are no Joiners.
// - testAnySuccessfulOrThrow*: what first_success() is for, a later part of the library. So are scoped values.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <latch>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::clock;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group;
using errgroup::handle;
using errgroup::result;
using std::string;

constexpr auto a_day = 24h;

struct foo_exception : std::runtime_error {
  foo_exception() : std::runtime_error("foo") {}
};

// As awaitCancelled() there.
void await_cancelled(const group& scope) { EXPECT_TRUE(scope.get_context().sleep_for(30s)); }

// Sleeps as a Java thread does: until it is interrupted.
result<string> sleep_then(const context& ctx, clock::duration d, string value) {
  if (error interrupted = ctx.sleep_for(d)) return interrupted;
  return value;
}

template <class F>
void in_other_thread(F f) {
  std::jthread(std::move(f)).join();
}

// Java: testForkUsesThreadFactory. The thread inside join() helps, here.
TEST(JavaStructuredTest, ForkUsesTheExecutorsThreads) {
  std::mutex mutex;
  std::set<std::thread::id> made, used;
  errgroup::thread_cache_options options;
  options.on_thread_start = [&] {
    const std::lock_guard lock(mutex);
    made.insert(std::this_thread::get_id());
  };
  errgroup::thread_cache factory(options);
  std::latch all_run(51);
  group scope(errgroup::with_executor(factory));
  for (int i = 0; i < 50; ++i) {
    scope.go([&] {
      {
        const std::lock_guard lock(mutex);
        used.insert(std::this_thread::get_id());
      }
      all_run.arrive_and_wait();
    });
  }
  all_run.arrive_and_wait();  // Before wait(), so that each has a thread of its own.
  EXPECT_EQ(scope.wait(), error());
  const std::lock_guard lock(mutex);
  EXPECT_EQ(used.size(), 50U);
  EXPECT_TRUE(std::ranges::includes(made, used));
}

// Java: testForkAfterJoinTimeout.
TEST(JavaStructuredTest, ForkAfterATimedOutJoinIsRefused) {
  group scope(errgroup::with_timeout(10ms));
  scope.go([](const context& ctx) { return ctx.sleep_for(a_day); });
  await_cancelled(scope);
  EXPECT_EQ(scope.wait(), errc::deadline_exceeded);
  EXPECT_FALSE(scope.go([] {}));
  EXPECT_EQ(scope.wait(), errc::deadline_exceeded);
}

// Java: testForkAfterCancel2, testJoinWhenCancelled, testSubtaskWhenCancelled.
TEST(JavaStructuredTest, ASubtaskForkedAfterCancelDoesNotRun) {
  group scope;
  std::atomic<bool> bar_ran{false};
  const handle<string> subtask1 = scope.spawn([&]() -> string {
    scope.cancel();
    return "foo";
  });
  await_cancelled(scope);
  const handle<string> subtask2 = scope.spawn([&]() -> string {
    bar_ran = true;
    return "bar";
  });
  EXPECT_EQ(scope.wait(), errc::canceled);
  EXPECT_FALSE(bar_ran);
  EXPECT_EQ(subtask1.get().value(), "foo");
  EXPECT_EQ(subtask2.get().error(), errc::canceled);
  in_other_thread([&] { EXPECT_EQ(subtask2.get().error(), errc::canceled); });
}

// Java: testForkRejectedExecutionException.
TEST(JavaStructuredTest, ForkThrowsWhatTheExecutorThrows) {
  struct rejecting_executor {
    void execute(std::function<void()>) { throw std::runtime_error("rejected"); }
  } factory;
  group scope(errgroup::with_executor(factory));
  EXPECT_THROW((void)scope.spawn([] { return 1; }), std::runtime_error);
  EXPECT_EQ(scope.wait(), error());
}

// Java: testJoinWithNoSubtasks, testAllSuccessfulOrThrow1, testAwaitSuccessfulOrThrow1, testAllUntil1.
TEST(JavaStructuredTest, JoinWithNoSubtasksSucceeds) {
  group scope;
  EXPECT_EQ(scope.wait(), error());
}

// Java: testJoinWithRemainingSubtasks.
TEST(JavaStructuredTest, JoinWaitsForARemainingSubtask) {
  group scope;
  const handle<string> subtask = scope.spawn([](const context& ctx) { return sleep_then(ctx, 10ms, "foo"); });
  EXPECT_EQ(scope.wait(), error());
  EXPECT_EQ(subtask.get().value(), "foo");
}

// Java: testJoinAfterJoin1. There the second join throws.
TEST(JavaStructuredTest, JoinAfterJoinSucceedsAgain) {
  group scope;
  const handle<string> subtask = scope.spawn([]() -> string { return "foo"; });
  EXPECT_EQ(scope.wait(), error());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(scope.wait(), error());
  EXPECT_EQ(subtask.get().value(), "foo");
}

// Java: testJoinAfterJoin2, likewise.
TEST(JavaStructuredTest, JoinAfterAFailedJoinFailsAgain) {
  group scope;
  scope.go([] { throw foo_exception(); });
  EXPECT_TRUE(scope.wait().as<foo_exception>());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(scope.wait().as<foo_exception>());
}

// Java: testJoinAfterJoinInterrupted.
TEST(JavaStructuredTest, AJoinThatGaveUpIsRetried) {
  std::latch latch(1);
  group scope;
  const handle<string> subtask = scope.spawn([&]() -> string {
    latch.wait();
    return "foo";
  });
  EXPECT_EQ(scope.wait_for(0s), std::nullopt);
  latch.count_down();
  EXPECT_EQ(scope.wait(), error());
  EXPECT_EQ(subtask.get().value(), "foo");
}

// Java: testJoinAfterJoinTimeout.
TEST(JavaStructuredTest, JoinAfterATimedOutJoinSaysSoAgain) {
  group scope(errgroup::with_timeout(10ms));
  scope.go([](const context& ctx) { return ctx.sleep_for(a_day); });
  await_cancelled(scope);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(scope.wait(), errc::deadline_exceeded);
}

// Java: testJoinConfined.
TEST(JavaStructuredTest, ASubtaskCannotJoin) {
  group scope;
  const handle<bool> subtask = scope.spawn([&] {
    try {
      (void)scope.wait();
    } catch (const std::system_error& e) {
      return e.code() == std::errc::resource_deadlock_would_occur;
    }
    return false;
  });
  EXPECT_EQ(scope.wait(), error());
  EXPECT_TRUE(subtask.get().value());
}

// Java: testJoinWithTimeout1.
TEST(JavaStructuredTest, SubtasksThatFinishBeforeTheTimeoutSucceed) {
  group scope(errgroup::with_timeout(a_day));
  std::atomic<bool> cancelled{true};
  const handle<string> subtask = scope.spawn([&](const context& ctx) {
    result<string> slept = sleep_then(ctx, 10ms, "foo");
    cancelled = ctx.done();
    return slept;
  });
  EXPECT_EQ(scope.wait(), error());
  EXPECT_FALSE(cancelled);
  EXPECT_EQ(subtask.get().value(), "foo");
}

// Java: testJoinWithTimeout2, testAwaitSuccessfulOrThrow4.
TEST(JavaStructuredTest, ATimeoutThatExpiresFirstFailsTheJoin) {
  const clock::time_point start = clock::now();
  group scope(errgroup::with_timeout(50ms));
  const handle<string> subtask = scope.spawn([](const context& ctx) { return sleep_then(ctx, a_day, "foo"); });
  EXPECT_EQ(scope.wait(), errc::deadline_exceeded);
  const clock::duration waited = clock::now() - start;
  EXPECT_GE(waited, 50ms);
  EXPECT_LE(waited, 20s);
  EXPECT_TRUE(scope.get_context().done());
  EXPECT_EQ(subtask.get().error(), errc::deadline_exceeded);
}

// Java: testJoinWithTimeout3.
TEST(JavaStructuredTest, ATimeoutThatHasExpiredFailsTheJoin) {
  group scope(errgroup::with_timeout(-1s));
  bool ran = false;
  const handle<int> subtask = scope.spawn([&] {
    ran = true;
    return 1;
  });
  EXPECT_EQ(scope.wait(), errc::deadline_exceeded);
  EXPECT_TRUE(scope.get_context().done());
  EXPECT_EQ(subtask.get().error(), errc::deadline_exceeded);
  EXPECT_FALSE(ran);
}

// Java: testCancelInterruptsThreads2, testAllUntil3.
TEST(JavaStructuredTest, CancelInterruptsUnfinishedSubtasks) {
  std::latch started(1);
  std::atomic<bool> interrupted{false};
  group scope;
  const handle<string> subtask1 = scope.spawn([&](const context& ctx) {
    started.count_down();
    result<string> slept = sleep_then(ctx, a_day, "foo");
    interrupted = !slept;
    return slept;
  });
  started.wait();
  const handle<string> subtask2 = scope.spawn([&]() -> string {
    scope.cancel();
    return "bar";
  });
  EXPECT_EQ(scope.wait(), errc::canceled);
  EXPECT_TRUE(interrupted);
  EXPECT_EQ(subtask1.get().error(), errc::canceled);
  EXPECT_EQ(subtask2.get().value(), "bar");
}

// Java: testTimeoutInterruptsThreads.
TEST(JavaStructuredTest, ATimeoutInterruptsUnfinishedSubtasks) {
  std::atomic<bool> started{false}, interrupted{false};
  group scope(errgroup::with_timeout(20ms));
  const handle<string> subtask = scope.spawn([&](const context& ctx) {
    started = true;
    result<string> slept = sleep_then(ctx, a_day, "foo");
    interrupted = !slept;
    return slept;
  });
  await_cancelled(scope);
  EXPECT_EQ(scope.wait(), errc::deadline_exceeded);
  EXPECT_EQ(interrupted, started);
  EXPECT_EQ(subtask.get().error(), errc::deadline_exceeded);
}

// Java: testCloseWithoutJoin1, testIsCancelledAfterClose.
TEST(JavaStructuredTest, CloseWithoutSubtasksCancels) {
  std::optional<group> scope(std::in_place);
  const context ctx = scope->get_context();
  EXPECT_FALSE(ctx.done());
  scope.reset();
  EXPECT_TRUE(ctx.done());
}

// Java: testCloseWithoutJoin2.
TEST(JavaStructuredTest, CloseWithoutJoinLeavesNoResult) {
  std::optional<group> scope(std::in_place);
  const handle<string> subtask = scope->spawn([](const context& ctx) { return sleep_then(ctx, a_day, "foo"); });
  scope.reset();
  EXPECT_EQ(subtask.get().error(), errc::canceled);
}

// Java: testInterruptClose1, testInterruptClose2.
TEST(JavaStructuredTest, CloseWaitsForAStraggler) {
  std::latch started(1);
  std::atomic<bool> done{false};
  std::optional<group> scope(std::in_place);
  scope->go([&](const context& ctx) {
    started.count_down();
    (void)ctx.sleep_for(a_day);
    (void)context().sleep_for(50ms);  // Is not interrupted: forces close to wait.
    done = true;
  });
  started.wait();
  scope.reset();
  EXPECT_TRUE(done);
}

// Java: testSubtaskWhenSuccess.
TEST(JavaStructuredTest, TheResultOfASubtaskThatSucceeds) {
  std::latch asked(1);
  group scope;
  const handle<string> subtask = scope.spawn([&]() -> string {
    asked.wait();
    return "foo";
  });
  EXPECT_THROW((void)subtask.get(), std::logic_error);
  in_other_thread([&] { EXPECT_THROW((void)subtask.get(), std::logic_error); });
  asked.count_down();
  EXPECT_EQ(scope.wait(), error());
  EXPECT_TRUE(subtask.ready());
  EXPECT_EQ(subtask.get().value(), "foo");
  EXPECT_EQ(subtask.get().error(), error());
  in_other_thread([&] { EXPECT_EQ(subtask.get().value(), "foo"); });
}

// Java: testSubtaskWhenFailed.
TEST(JavaStructuredTest, TheResultOfASubtaskThatFails) {
  std::latch asked(1);
  group scope(errgroup::keep_going());
  const handle<string> subtask = scope.spawn([&]() -> string {
    asked.wait();
    throw foo_exception();
  });
  EXPECT_THROW((void)subtask.get(), std::logic_error);
  in_other_thread([&] { EXPECT_THROW((void)subtask.get(), std::logic_error); });
  asked.count_down();
  EXPECT_TRUE(scope.wait().as<foo_exception>());
  EXPECT_THROW((void)subtask.get().value(), foo_exception);
  EXPECT_TRUE(subtask.get().error().as<foo_exception>());
  in_other_thread([&] { EXPECT_TRUE(subtask.get().error().as<foo_exception>()); });
}

// Java: testSubtaskWhenNotCompleted.
TEST(JavaStructuredTest, ASubtaskThatHasNotCompletedHasNoResult) {
  group scope;
  const handle<string> subtask = scope.spawn([](const context& ctx) { return sleep_then(ctx, a_day, "foo"); });
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(subtask.ready());
    EXPECT_THROW((void)subtask.get(), std::logic_error);
    in_other_thread([&] { EXPECT_THROW((void)subtask.get(), std::logic_error); });
    EXPECT_EQ(scope.wait_for(0s), std::nullopt);
  }
}

// Java: testAllSuccessfulOrThrow2, testAwaitSuccessfulOrThrow2.
TEST(JavaStructuredTest, AllSuccessful) {
  group scope;
  const handle<string> subtask1 = scope.spawn([]() -> string { return "foo"; });
  const handle<string> subtask2 = scope.spawn([]() -> string { return "bar"; });
  EXPECT_EQ(scope.wait(), error());
  EXPECT_EQ(subtask1.get().value(), "foo");
  EXPECT_EQ(subtask2.get().value(), "bar");
}

// Java: testAllSuccessfulOrThrow3, testAwaitSuccessfulOrThrow3.
TEST(JavaStructuredTest, OneOfTwoFails) {
  group scope;
  (void)scope.spawn([]() -> string { return "foo"; });
  (void)scope.spawn([]() -> string { throw foo_exception(); });
  EXPECT_TRUE(scope.wait().as<foo_exception>());
}

// Java: testAllSuccessfulOrThrow4, testAllUntil6.
TEST(JavaStructuredTest, ATimeoutKeepsTheResultsThatThereAre) {
  group scope(errgroup::with_timeout(100ms));
  const handle<string> subtask1 = scope.spawn([&]() -> string { return "foo"; });
  const handle<string> subtask2 = scope.spawn([](const context& ctx) { return sleep_then(ctx, a_day, "bar"); });
  EXPECT_EQ(scope.wait(), errc::deadline_exceeded);
  // The first one may or may not have been run in time.
  EXPECT_TRUE(subtask1.get() ? *subtask1.get() == "foo" : subtask1.get().error() == errc::deadline_exceeded);
  EXPECT_EQ(subtask2.get().error(), errc::deadline_exceeded);
  EXPECT_EQ(scope.wait(), errc::deadline_exceeded);
}

// Java: testAllUntil2.
TEST(JavaStructuredTest, WithKeepGoingEverySubtaskCompletes) {
  group scope(errgroup::keep_going());
  const handle<string> subtask1 = scope.spawn([]() -> string { return "foo"; });
  const handle<string> subtask2 = scope.spawn([]() -> string { throw foo_exception(); });
  const handle<string> subtask3 = scope.spawn([]() -> string { return "bar"; });
  EXPECT_TRUE(scope.wait().as<foo_exception>());
  EXPECT_EQ(subtask1.get().value(), "foo");
  EXPECT_TRUE(subtask2.get().error().as<foo_exception>());
  EXPECT_EQ(subtask3.get().value(), "bar");
}

// Java: testAllUntil4: cancels after two or more failures.
TEST(JavaStructuredTest, ATaskMayCancelAfterTwoFailures) {
  std::atomic<int> failed_count{0};
  group scope(errgroup::keep_going());
  std::vector<handle<string>> subtasks;
  while (!scope.get_context().done()) {
    subtasks.push_back(scope.spawn([]() -> string { return "foo"; }));
    subtasks.push_back(scope.spawn([&]() -> string {
      if (++failed_count >= 2) scope.cancel();
      throw foo_exception();
    }));
    std::this_thread::yield();
  }
  const error first = scope.wait();  // A task that was refused may have been, before the exceptions were out.
  EXPECT_TRUE(first.as<foo_exception>() || first == errc::canceled) << first;
  int failed = 0;
  for (const handle<string>& subtask : subtasks) {
    ASSERT_TRUE(subtask.ready());
    if (!subtask.get() && subtask.get().error().as<foo_exception>()) ++failed;
  }
  EXPECT_GE(failed, 2);
  EXPECT_EQ(failed, failed_count);
}

}  // namespace
