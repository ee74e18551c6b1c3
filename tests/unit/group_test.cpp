// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <concepts>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

#include "test_executors.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group;

TEST(GroupTest, SiblingsSeeTheFirstErrorAsCause) {
  const error boom("boom");
  group g;
  error seen;
  g.go([&](const context& ctx) {
    error stopped = ctx.sleep_for(1h);
    seen = ctx.cause();
    return stopped;
  });
  g.go([&] { return boom; });
  EXPECT_EQ(g.wait(), boom);
  EXPECT_EQ(seen, boom);
}

TEST(GroupTest, BareCanceledIsRecordedAsTheCause) {
  const error why("shutting down");
  group g;
  g.go([](const context& ctx) -> error {
    (void)ctx.sleep_for(1h);
    return errc::canceled;
  });
  g.cancel(why);
  EXPECT_EQ(g.wait(), why);
}

TEST(GroupTest, ThrownExceptionIsTheError) {
  group g;
  g.go([] { throw std::runtime_error("thrown"); });
  const error err = g.wait();
  EXPECT_EQ(err.message(), "thrown");
  EXPECT_THROW(err.raise(), std::runtime_error);
}

TEST(GroupTest, RefusedCallableIsUntouched) {
  struct task {
    std::unique_ptr<int> only = std::make_unique<int>(7);
    void operator()() {}
  };
  group g;
  g.cancel();
  task f;
  EXPECT_FALSE(g.go(std::move(f)));
  ASSERT_TRUE(f.only);
  EXPECT_EQ(*f.only, 7);
  EXPECT_EQ(g.wait(), errc::canceled);
}

TEST(GroupTest, BlockedGoWakesAtTheDeadline) {
  group g(errgroup::with_timeout(20ms), errgroup::with_limit(1));
  std::latch release(1);
  g.go([&] { release.wait(); });
  EXPECT_FALSE(g.go([] {}));
  release.count_down();
  EXPECT_EQ(g.wait(), errc::deadline_exceeded);
}

TEST(GroupTest, ThreeHundredTasksMeet) {
  group g;
  std::barrier meet(300);
  for (int i = 0; i < 300; ++i) EXPECT_TRUE(g.go([&] { meet.arrive_and_wait(); }));
  EXPECT_FALSE(g.wait());
}

void nest(const context& ctx, int depth, std::atomic<int>& leaves) {
  group g(ctx, errgroup::with_limit(1));
  for (int i = 0; i < 3; ++i) {
    g.go([&, depth](const context& c) {
      if (depth == 1) {
        ++leaves;
      } else {
        nest(c, depth - 1, leaves);
      }
    });
  }
  g.wait().raise_if();
}

TEST(GroupTest, NestedGroupsWithLimitOneFinish) {
  std::atomic<int> leaves{0};
  nest(context(), 5, leaves);
  EXPECT_EQ(leaves, 3 * 3 * 3 * 3 * 3);
}

TEST(GroupTest, GoOnAFullGroupFromInsideIsQueuedBeyondTheLimit) {
  group g(errgroup::with_limit(1));
  bool outer_runs = false, inner_ran = false;
  g.go([&] {
    outer_runs = true;
    EXPECT_FALSE(g.try_go([] {}));
    EXPECT_TRUE(g.go([&] {
      EXPECT_FALSE(outer_runs);
      inner_ran = true;
    }));
    EXPECT_FALSE(inner_ran);
    outer_runs = false;
  });
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(inner_ran);
}

TEST(GroupTest, WaitFromInsideThrows) {
  group g;
  g.go([&] { (void)g.wait(); });
  EXPECT_EQ(g.wait(), std::errc::resource_deadlock_would_occur);
}

TEST(GroupTest, WaitForGivesUpAndChangesNothing) {
  group g;
  std::latch release(1);
  g.go([&] { release.wait(); });
  EXPECT_EQ(g.wait_for(1ms), std::nullopt);
  EXPECT_FALSE(g.get_context().done());
  release.count_down();
  EXPECT_EQ(g.wait_for(1h), error());
}

TEST(GroupTest, RoundsAfterSuccessHaveAFreshContext) {
  group g;
  const context first = g.get_context();
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(first.done());
  EXPECT_FALSE(g.get_context().done());
  EXPECT_TRUE(g.go([] { return error("late"); }));
  EXPECT_TRUE(g.wait());
  EXPECT_FALSE(g.go([] {}));
}

TEST(GroupTest, CancelIsForGood) {
  group g;
  EXPECT_FALSE(g.wait());
  g.cancel(error("no more"));
  EXPECT_FALSE(g.go([] {}));
  EXPECT_EQ(g.wait().message(), "no more");
}

TEST(GroupTest, OfTwoCancelsBetweenRoundsTheFirstStaysTheCause) {
  group g;
  EXPECT_FALSE(g.wait());
  g.cancel(error("first"));
  g.cancel(error("second"));
  EXPECT_FALSE(g.go([] {}));
  EXPECT_EQ(g.wait().message(), "first");
}

TEST(GroupTest, AnEmptyCauseIsCanceled) {
  for (const bool context_is_made : {false, true}) {
    group g;
    if (context_is_made) (void)g.get_context();
    g.cancel(error());
    EXPECT_FALSE(g.go([] {}));
    EXPECT_EQ(g.wait(), errc::canceled);
  }
}

TEST(GroupTest, DestructorCancelsAndJoins) {
  std::atomic<bool> ended{false};
  {
    group g;
    std::latch started(1);
    g.go([&](const context& ctx) {
      started.count_down();
      (void)ctx.sleep_for(1h);
      ended = true;
    });
    started.wait();
  }
  EXPECT_TRUE(ended);
}

TEST(GroupTest, HandleGivesTheValueOrTheError) {
  group g(errgroup::keep_going());
  auto value = g.spawn([] { return std::make_unique<int>(7); });
  auto failed = g.spawn([]() -> errgroup::result<int> { return error("bad"); });
  EXPECT_TRUE(g.wait());
  EXPECT_EQ(**std::move(value).get(), 7);
  EXPECT_EQ(failed.get().error().message(), "bad");
}

TEST(GroupTest, AnRvalueHandleGivesTheValueAway) {
  group g;
  auto h = g.spawn([] { return std::make_shared<int>(7); });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(h.get().value().use_count(), 1);
  const auto given = std::move(h).get();
  EXPECT_EQ(given.value().use_count(), 1);
}

TEST(GroupTest, HandleThrowsBeforeTheEnd) {
  group g;
  std::latch release(1);
  auto h = g.spawn([&] {
    release.wait();
    return 1;
  });
  EXPECT_THROW((void)h.get(), std::logic_error);
  release.count_down();
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(*h.get(), 1);
}

struct throws_on_move {
  throws_on_move() = default;
  throws_on_move(throws_on_move&&) { throw std::runtime_error("moved"); }
  void operator()() {}
};

TEST(GroupTest, ThrowingMoveLeavesTheGroupAsItWas) {
  group g(errgroup::with_limit(1));
  EXPECT_THROW(g.go(throws_on_move()), std::runtime_error);
  EXPECT_TRUE(g.try_go([] {}));
  EXPECT_FALSE(g.wait());
}

TEST(GroupTest, ErrorsListsTheFirstUpToItsMaximum) {
  for (const std::size_t max : {0U, 1U, 2U, 3U, 4U}) {
    dropping_executor ex;  // So that wait() runs the tasks, in their order.
    group g(errgroup::with_executor(ex), errgroup::keep_going(), errgroup::collect_errors(max));
    for (const char* text : {"0", "1", "2"}) {
      g.go([text] { return error(text); });
    }
    EXPECT_EQ(g.wait().message(), "0");
    const std::vector<error> errors = g.errors();
    ASSERT_EQ(errors.size(), std::min<std::size_t>(max, 3));
    for (std::size_t i = 0; i != errors.size(); ++i) EXPECT_EQ(errors[i].message(), std::to_string(i));
  }
}

TEST(GroupTest, WaitRunsWhatTheExecutorDropped) {
  dropping_executor ex;
  group g(errgroup::with_executor(ex));
  int ran = 0;
  for (int i = 0; i < 3; ++i) g.go([&] { ++ran; });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 3);
}

struct throwing_executor {
  template <class F>
  void execute(F) {
    throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
  }
};

TEST(GroupTest, ThrowingExecutorLeavesTheGroupAsItWas) {
  throwing_executor ex;
  group g(errgroup::with_executor(ex));
  bool ran = false;
  EXPECT_THROW(g.go([&] { ran = true; }), std::system_error);
  EXPECT_FALSE(g.wait());
  EXPECT_FALSE(ran);
}

// What a task may return and throw.

TEST(GroupTest, EveryKindOfErrorIsTaken) {
  const auto outcome = [](auto task) {
    group g;
    g.go(std::move(task));
    return g.wait();
  };
  EXPECT_FALSE(outcome([] {}));
  EXPECT_FALSE(outcome([] { return error(); }));
  EXPECT_FALSE(outcome([] { return nullptr; }));
  EXPECT_FALSE(outcome([] { return std::error_code(); }));
  EXPECT_FALSE(outcome([] { return std::exception_ptr(); }));
  EXPECT_EQ(outcome([] { return error("text"); }).message(), "text");
  EXPECT_EQ(outcome([] { return errc::canceled; }), errc::canceled);
  EXPECT_EQ(outcome([] { return std::errc::io_error; }), std::errc::io_error);
  EXPECT_EQ(outcome([] { return std::make_error_code(std::errc::io_error); }), std::errc::io_error);
  EXPECT_EQ(outcome([] { return std::make_exception_ptr(std::runtime_error("made")); }).message(), "made");
  EXPECT_EQ(outcome([] { throw error(errc::deadline_exceeded, "inner"); }).message(), "inner: deadline exceeded");
  EXPECT_EQ(outcome([] { throw 42; }).message(), "unknown exception");
}

TEST(GroupTest, TaskIsTriedWithContextThenTokenThenNothing) {
  struct any {
    char* how;
    void operator()(const context&) { *how = 'c'; }
    void operator()(std::stop_token) { *how = 't'; }
    void operator()() { *how = 'n'; }
  };
  struct token_or_nothing {
    char* how;
    void operator()(std::stop_token) { *how = 't'; }
    void operator()() { *how = 'n'; }
  };
  char a = 0, b = 0, c = 0;
  group g;
  g.go(any{&a});
  g.go(token_or_nothing{&b});
  g.go([&] { c = 'n'; });
  g.go([&](const context& ctx) { EXPECT_EQ(ctx.get_stop_token(), g.get_stop_token()); });
  g.go([&](std::stop_token token) { EXPECT_EQ(token, g.get_stop_token()); });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(a, 'c');
  EXPECT_EQ(b, 't');
  EXPECT_EQ(c, 'n');
}

// A context converts to a token, so most tasks that take a token are called with it by way of that.
TEST(GroupTest, ATaskThatTakesATokenAndNothingElseGetsTheGroups) {
  group g;
  std::stop_token got;
  EXPECT_TRUE(g.go([&](std::same_as<std::stop_token> auto token) { got = token; }));
  const std::stop_token wanted = g.get_stop_token();
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(got.stop_possible());
  EXPECT_EQ(got, wanted);
}

std::atomic<int> free_function_calls{0};
void free_function() { ++free_function_calls; }

TEST(GroupTest, TaskIsCalledOnceAsADecayedRvalue) {
  struct task {
    int* calls;
    void operator()() & = delete;
    void operator()() && { ++*calls; }
  };
  int calls = 0;
  free_function_calls = 0;
  const task lvalue{&calls};
  group g(errgroup::with_limit(1));
  g.go(lvalue);
  g.go(free_function);
  g.go([only = std::make_unique<int>(1), &calls] { calls += *only; });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(free_function_calls, 1);
}

// Rule 1.

TEST(GroupTest, OwnErrorAfterAnOutsideCancelIsReturned) {
  group g;
  std::latch started(1);
  g.go([&](const context& ctx) {
    started.count_down();
    (void)ctx.sleep_for(1h);
    return error("could not roll back");
  });
  started.wait();
  g.cancel(error("shutting down"));
  EXPECT_EQ(g.wait().message(), "could not roll back");
  EXPECT_EQ(g.get_context().cause().message(), "shutting down");
}

TEST(GroupTest, BareErrcWithTheContextNotDoneIsTheTasksOwn) {
  group g;
  g.go([] { return errc::deadline_exceeded; });
  EXPECT_EQ(g.wait(), errc::deadline_exceeded);
  EXPECT_EQ(g.get_context().err(), errc::canceled);
  EXPECT_EQ(g.get_context().cause(), errc::deadline_exceeded);
}

TEST(GroupTest, BareErrcThrownIsRecordedAsTheCause) {
  for (const bool as_system_error : {false, true}) {
    group g;
    std::latch started(1);
    g.go([&](const context& ctx) {
      started.count_down();
      (void)ctx.sleep_for(1h);
      if (as_system_error) throw std::system_error(errc::canceled);
      throw error(errc::canceled);
    });
    started.wait();
    g.cancel(error("why"));
    EXPECT_EQ(g.wait().message(), "why");
  }
}

TEST(GroupTest, TheFirstInTimeDecides) {
  group g;
  std::latch failed(1);
  g.go([&] {
    failed.wait();
    return error("second");
  });
  g.go([] { return error("first"); });
  EXPECT_EQ(g.get_context().sleep_for(1h).message(), "first");
  failed.count_down();
  EXPECT_EQ(g.wait().message(), "first");
}

TEST(GroupTest, NestedGroupPassesTheRealReasonOn) {
  group outer;
  outer.go([](const context& ctx) {
    group inner(ctx);
    inner.go([](const context& c) { return c.sleep_for(1h); });
    return inner.wait();
  });
  outer.go([] { return error("the real reason"); });
  EXPECT_EQ(outer.wait().message(), "the real reason");
}

// Rule 2.

TEST(GroupTest, WaitIsEmptyIfAllRanThoughTheContextIsDone) {
  group g;
  std::latch ran(1);
  g.go([&] { ran.count_down(); });
  ran.wait();
  g.cancel();
  EXPECT_FALSE(g.wait());
}

TEST(GroupTest, RefusedBecauseFullWasNotGiven) {
  group g(errgroup::with_limit(1));
  std::latch release(1);
  g.go([&] { release.wait(); });
  EXPECT_FALSE(g.try_go([] { return error("never"); }));
  release.count_down();
  EXPECT_FALSE(g.wait());
}

TEST(GroupTest, DoneGoesBeforeFull) {
  group g(errgroup::with_limit(1));
  std::latch release(1);
  g.go([&] { release.wait(); });
  g.cancel(error("why"));
  auto counted = std::make_shared<int>(0);
  EXPECT_FALSE(g.try_go([counted] {}));
  EXPECT_FALSE(g.go([counted] {}));
  release.count_down();
  EXPECT_EQ(g.wait().message(), "why");
  EXPECT_EQ(counted.use_count(), 1);
}

TEST(GroupTest, RefusedTaskCanBeGivenToAnotherGroup) {
  group full(errgroup::with_limit(0)), other;
  auto only = std::make_unique<int>(7);
  auto task = [only = std::move(only)] { EXPECT_EQ(*only, 7); };
  EXPECT_FALSE(full.try_go(std::move(task)));
  EXPECT_TRUE(other.go(std::move(task)));
  EXPECT_FALSE(other.wait());
}

TEST(GroupTest, CallableIsDestroyedByTheEndOfWait) {
  for (int i = 0; i != 200; ++i) {
    auto shared = std::make_shared<int>(0);
    group g;
    for (int t = 0; t != 4; ++t) g.go([shared] {});
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(shared.use_count(), 1);
  }
}

TEST(GroupTest, LargeTasksAreTaken) {
  struct {
    char bytes[5000] = {1};
  } large;
  group g;
  int sum = 0;
  g.go([large, &sum] { sum += large.bytes[0]; });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(sum, 1);
}

// Rule 3.

TEST(GroupTest, TasksNotStartedAreDroppedWhenDone) {
  dropping_executor ex;
  auto shared = std::make_shared<int>(0);
  group g(errgroup::with_executor(ex));
  bool ran = false;
  for (int i = 0; i != 3; ++i) EXPECT_TRUE(g.go([&ran, shared] { ran = true; }));
  auto h = g.spawn([&ran] { return ran = true; });
  EXPECT_THROW((void)h.get(), std::logic_error);
  g.cancel(error("why"));
  EXPECT_EQ(shared.use_count(), 1);
  EXPECT_EQ(h.get().error().message(), "why");
  EXPECT_EQ(g.wait().message(), "why");
  EXPECT_FALSE(ran);
}

TEST(GroupTest, TheRestIsDroppedAfterTheFirstError) {
  dropping_executor ex;
  group g(errgroup::with_executor(ex));
  int ran = 0;
  for (int i = 0; i != 5; ++i) {
    g.go([&ran, i] {
      ++ran;
      return i == 1 ? error("second") : error();
    });
  }
  EXPECT_EQ(g.wait().message(), "second");
  EXPECT_EQ(ran, 2);
}

TEST(GroupTest, BlockedGoWakesOnCancelOfTheGroupAndOfItsParent) {
  for (const bool parent_cancels : {false, true}) {
    const auto [parent, cancel] = context().with_cancel();
    group g(parent, errgroup::with_limit(1));
    std::latch release(1), about_to_block(1);
    g.go([&] { release.wait(); });
    auto refused = std::async(std::launch::async, [&] {
      about_to_block.count_down();
      return g.go([] {});
    });
    about_to_block.wait();
    if (parent_cancels) {
      cancel(error("why"));
    } else {
      g.cancel(error("why"));
    }
    EXPECT_FALSE(refused.get());
    release.count_down();
    EXPECT_EQ(g.wait().message(), "why");
  }
}

TEST(GroupTest, KeepGoingRunsEveryTask) {
  group g(errgroup::keep_going());
  std::atomic<int> ran{0};
  std::latch failed(1);
  g.go([&]() -> error {
    ++ran;
    failed.count_down();
    return error("first");
  });
  failed.wait();
  for (int i = 0; i != 10; ++i) EXPECT_TRUE(g.go([&] { ++ran; }));
  EXPECT_EQ(g.wait().message(), "first");
  EXPECT_EQ(ran, 11);
  EXPECT_TRUE(g.go([&] { ++ran; }));  // In a new round.
  EXPECT_EQ(g.wait().message(), "first");
  EXPECT_EQ(ran, 12);
  g.cancel(error("enough"));
  EXPECT_FALSE(g.go([&] { ++ran; }));
  EXPECT_EQ(g.wait().message(), "first");
}

// Rule 4.

TEST(GroupTest, NoMoreThanTheLimitRun) {
  for (const int limit : {1, 3}) {
    group g(errgroup::with_limit(limit));
    std::atomic<int> now{0}, most{0};
    for (int i = 0; i != 300; ++i) {
      g.go([&] {
        const int n = ++now;
        for (int m = most; m < n && !most.compare_exchange_weak(m, n);) {
        }
        --now;
      });
    }
    EXPECT_FALSE(g.wait());
    EXPECT_LE(most, limit);
  }
}

TEST(GroupTest, TheLimitIsReached) {
  group g(errgroup::with_limit(5));
  std::barrier meet(5);
  for (int i = 0; i != 25; ++i) g.go([&] { meet.arrive_and_wait(); });
  EXPECT_FALSE(g.wait());
}

TEST(GroupTest, TasksRunOnNoOtherThread) {
  errgroup::thread_cache cache({.thread_name = "mine"});
  std::mutex mutex;
  std::set<std::thread::id> group_threads;
  group g(errgroup::with_executor(cache));
  const auto go_100 = [&] {
    for (int i = 0; i != 100; ++i) {
      g.go([&] {
        const std::lock_guard lock(mutex);
        group_threads.insert(std::this_thread::get_id());
      });
    }
  };
  go_100();
  std::latch gone(1);
  std::latch waited(1);  // A thread that has ended gives its id to the next.
  std::jthread go_only([&] {
    go_100();
    gone.count_down();
    waited.wait();
  });
  gone.wait();
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(group_threads.count(go_only.get_id()), 0U);
  waited.count_down();
}

TEST(GroupTest, WaitForRunsNoTask) {
  dropping_executor ex;
  group g(errgroup::with_executor(ex));
  bool ran = false;
  g.go([&] { ran = true; });
  EXPECT_EQ(g.wait_for(5ms), std::nullopt);
  EXPECT_EQ(g.wait_until(errgroup::clock::now()), std::nullopt);
  EXPECT_FALSE(ran);
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(ran);
}

// A task that nobody waits for is run all the same.
TEST(GroupTest, OneTaskRunsWithoutWait) {
  std::promise<void> ran;
  group g;
  g.go([&] { ran.set_value(); });
  ran.get_future().wait();
  EXPECT_FALSE(g.wait());
}

TEST(GroupTest, FiveHundredMeetBesideAStormOfTinyTasks) {
  group storm;
  std::atomic<bool> stop{false};
  storm.go([&](const context& ctx) {
    while (!stop) {
      group tiny(ctx);
      for (int i = 0; i != 100; ++i) tiny.go([] {});
      tiny.wait().raise_if();
    }
  });
  {
    group g;
    std::barrier meet(500);
    for (int i = 0; i != 500; ++i) g.go([&] { meet.arrive_and_wait(); });
    EXPECT_FALSE(g.wait());
  }
  stop = true;
  EXPECT_FALSE(storm.wait());
}

// Rule 5.

TEST(GroupTest, TimeoutCountsFromEachOpening) {
  group g(errgroup::with_timeout(30ms));
  EXPECT_FALSE(g.wait());
  EXPECT_FALSE(context().sleep_for(31ms));  // The first round's time passes.
  EXPECT_TRUE(g.go([] {}));
  EXPECT_GT(g.get_context().deadline(), errgroup::clock::now());
  EXPECT_FALSE(g.wait());
  g.go([](const context& ctx) { return ctx.sleep_for(1h); });
  EXPECT_EQ(g.wait(), errc::deadline_exceeded);
}

TEST(GroupTest, DeadlineIsOfAllRounds) {
  group g(errgroup::with_deadline(errgroup::clock::now() + 10ms));
  EXPECT_FALSE(g.wait());
  EXPECT_FALSE(context().sleep_for(10ms));
  EXPECT_FALSE(g.go([] {}));
  EXPECT_EQ(g.wait(), errc::deadline_exceeded);
}

TEST(GroupTest, AfterAFailedWaitItStaysFailed) {
  group g;
  g.go([] { return error("first"); });
  EXPECT_EQ(g.wait().message(), "first");
  EXPECT_FALSE(g.go([] { return error("second"); }));
  EXPECT_FALSE(g.try_go([] {}));
  EXPECT_EQ(g.spawn([] { return 1; }).get().error().message(), "first");
  EXPECT_EQ(g.wait().message(), "first");
  EXPECT_EQ(g.wait_for(0s)->message(), "first");
  EXPECT_TRUE(g.get_context().done());
}

TEST(GroupTest, EveryWaiterGetsTheRoundsResult) {
  for (int round = 0; round != 50; ++round) {
    group g;
    std::latch start(4);
    g.go([&] {
      start.arrive_and_wait();
      return error("for all");
    });
    std::vector<std::future<error>> waiters;
    for (int i = 0; i != 3; ++i) {
      waiters.push_back(std::async(std::launch::async, [&, i] {
        start.count_down();
        return i == 0 ? *g.wait_for(1h) : g.wait();
      }));
    }
    for (auto& w : waiters) EXPECT_EQ(w.get().message(), "for all");
  }
}

// The one that ends the round is not the only one that must not return before the context is done.
TEST(GroupTest, EveryWaiterSeesTheContextDone) {
  for (int round = 0; round != 300; ++round) {
    group g;
    std::latch start(3);
    g.go([&] { start.arrive_and_wait(); });
    const context ctx = g.get_context();
    const auto wait = [&] {
      start.arrive_and_wait();
      EXPECT_FALSE(g.wait());
      EXPECT_TRUE(ctx.done());
    };
    const std::jthread other(wait);
    wait();
  }
}

TEST(GroupTest, ContextIsDoneWhenWaitReturns) {
  group g;
  g.go([] {});
  const context ctx = g.get_context();
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(ctx.done());
  EXPECT_TRUE(ctx.get_stop_token().stop_requested());
  EXPECT_EQ(ctx.err(), errc::canceled);
}

TEST(GroupTest, ParentsDeadlineIsTheCause) {
  group g(context().with_timeout(10ms, error("request timed out")));
  g.go([](const context& ctx) { return ctx.sleep_for(1h); });
  EXPECT_EQ(g.wait().message(), "request timed out");
}

// Rule 6.

TEST(GroupTest, WaitFromInsideIsSeenAtAnyDepthOfTheStack) {
  dropping_executor ex;
  group outer(errgroup::with_executor(ex), errgroup::with_limit(1));
  bool ran = false;
  outer.go([&] {
    group inner(errgroup::with_executor(ex));
    inner.go([&] {
      EXPECT_THROW((void)outer.wait(), std::system_error);
      EXPECT_THROW((void)outer.wait_for(0s), std::system_error);
      EXPECT_TRUE(outer.go([&] { ran = true; }));
      EXPECT_FALSE(ran);
    });
    return inner.wait();
  });
  EXPECT_FALSE(outer.wait());
  EXPECT_TRUE(ran);
}

TEST(GroupTest, FailureOfATaskBeyondTheLimitIsAFailure) {
  group g(errgroup::with_limit(1), errgroup::collect_errors());
  g.go([&] { EXPECT_TRUE(g.go([] { return error("beyond the limit"); })); });
  EXPECT_EQ(g.wait().message(), "beyond the limit");
  ASSERT_EQ(g.errors().size(), 1U);
  EXPECT_EQ(g.errors()[0].message(), "beyond the limit");
}

TEST(GroupTest, SpawnBeyondTheLimitGivesTheValue) {
  group g(errgroup::with_limit(1));
  errgroup::handle<int> h;
  g.go([&] {
    h = g.spawn([] { return 7; });
    EXPECT_FALSE(h.ready());
  });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(*h.get(), 7);
}

// Rules 8 and 9.

TEST(GroupTest, LimitZeroWaitsUntilItIsRaised) {
  group g(errgroup::with_limit(0));
  EXPECT_FALSE(g.try_go([] {}));
  std::latch about_to_block(1);
  auto let_in = std::async(std::launch::async, [&] {
    about_to_block.count_down();
    return g.go([] {});
  });
  about_to_block.wait();
  g.set_limit(1);
  EXPECT_TRUE(let_in.get());
  EXPECT_FALSE(g.wait());
}

TEST(GroupTest, RaisedLimitLetsAllTheBlockedIn) {
  group g(errgroup::with_limit(0));
  std::barrier meet(8);
  std::vector<std::jthread> callers;
  for (int i = 0; i != 8; ++i) {
    callers.emplace_back([&] { EXPECT_TRUE(g.go([&] { meet.arrive_and_wait(); })); });
  }
  g.set_limit(-1);
  callers.clear();
  EXPECT_FALSE(g.wait());
}

TEST(GroupTest, SharedByManyThreads) {
  for (int round = 0; round != 20; ++round) {
    group g(errgroup::with_limit(3));
    std::atomic<int> ran{0};
    {
      std::vector<std::jthread> callers;
      for (int t = 0; t != 4; ++t) {
        callers.emplace_back([&, t] {
          for (int i = 0; i != 50; ++i) {
            while (!(t % 2 == 0 ? g.go([&] { ++ran; }) : g.try_go([&] { ++ran; }))) {
            }
            (void)g.errors();
            (void)g.get_context().done();
            g.set_limit(1 + i % 3);
          }
        });
      }
    }
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(ran, 200);
  }
}

// Errors and handles.

TEST(GroupTest, ErrorsAreInTimeOrderWithoutRepeats) {
  group g(errgroup::collect_errors());
  std::latch second(1);
  g.go([&](const context& ctx) {
    error stopped = ctx.sleep_for(1h);
    second.wait();
    return stopped;  // Only repeats the cause.
  });
  g.go([&](const context& ctx) -> error {
    (void)ctx.sleep_for(1h);
    return errc::canceled;  // As above.
  });
  g.go([&](const context& ctx) {
    (void)ctx.sleep_for(1h);
    return error("second");
  });
  g.go([] { return error("first"); });
  (void)g.get_context().sleep_for(1h);
  EXPECT_FALSE(g.go([] { return error("refused"); }));
  second.count_down();
  EXPECT_EQ(g.wait().message(), "first");
  const auto errors = g.errors();
  ASSERT_EQ(errors.size(), 2U);
  EXPECT_EQ(errors[0].message(), "first");
  EXPECT_EQ(errors[1].message(), "second");
}

TEST(GroupTest, HandleOutlivesTheGroup) {
  auto h = [] {
    group g;
    auto inner = g.spawn([](std::stop_token) { return std::string("value"); });
    EXPECT_FALSE(g.wait());
    return inner;
  }();
  const auto copy = h;
  EXPECT_EQ(*copy.get(), "value");
  EXPECT_EQ(*std::move(h).get(), "value");
}

// A refused task's handle has the cause, even if another thread ends the round meanwhile.
TEST(GroupTest, HandleOfARefusedTaskAlwaysHasACause) {
  group g(errgroup::keep_going(), errgroup::with_timeout(0s));  // Each round is done from the first.
  std::atomic<bool> stop{false};
  const std::jthread other([&] {
    while (!stop) (void)g.wait();
  });
  for (int i = 0; i != 20'000; ++i) EXPECT_EQ(g.spawn([] { return 1; }).get().error(), errc::deadline_exceeded);
  stop = true;
}

TEST(GroupTest, HandleOfAFailedTaskHasItsOwnError) {
  group g;
  auto thrown = g.spawn([]() -> int { throw std::runtime_error("thrown"); });
  EXPECT_EQ(g.wait().message(), "thrown");
  EXPECT_EQ(thrown.get().error().message(), "thrown");
  auto refused = g.spawn([] { return 1; });
  EXPECT_EQ(refused.get().error().message(), "thrown");
}

// The destructor.

TEST(GroupTest, DestroyedWhileUnwinding) {
  std::atomic<bool> ended{false};
  bool ran = false;
  dropping_executor ex;
  std::latch started(1);
  try {
    group g;
    group h(errgroup::with_executor(ex));
    g.go([&](const context& ctx) {
      started.count_down();
      (void)ctx.sleep_for(1h);
      ended = true;
      throw std::runtime_error("inner");
    });
    started.wait();
    h.go([&] { ran = true; });
    throw std::runtime_error("outer");
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "outer");
    EXPECT_TRUE(ended);
    EXPECT_FALSE(ran);
  }
}

TEST(GroupTest, DroppedCallableMayUseItsGroup) {
  struct uses_group {
    group* g;
    explicit uses_group(group* p) : g(p) {}
    uses_group(uses_group&& other) noexcept : g(std::exchange(other.g, nullptr)) {}
    ~uses_group() {
      if (!g) return;
      (void)g->errors();
      (void)g->get_context();
      EXPECT_FALSE(g->try_go([] {}));
    }
    void operator()() {}
  };
  dropping_executor ex;
  group g(errgroup::with_executor(ex));
  g.go(uses_group(&g));
  g.cancel(error("why"));
  EXPECT_EQ(g.wait().message(), "why");
}

}  // namespace
