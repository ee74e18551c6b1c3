// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <atomic>
#include <barrier>
#include <chrono>
#include <latch>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

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
  group g;
  g.cancel();
  auto p = std::make_unique<int>(1);
  auto f = [q = std::move(p)] {};
  EXPECT_FALSE(g.go(std::move(f)));
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

TEST(GroupTest, GoOnAFullGroupFromInsideRunsInPlace) {
  group g(errgroup::with_limit(1));
  std::thread::id outer, inner;
  g.go([&] {
    outer = std::this_thread::get_id();
    EXPECT_FALSE(g.try_go([] {}));
    EXPECT_TRUE(g.go([&] { inner = std::this_thread::get_id(); }));
  });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(outer, inner);
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

TEST(GroupTest, ErrorsListsAllButRepeats) {
  group g(errgroup::keep_going(), errgroup::collect_errors(2));
  for (int i = 0; i < 3; ++i) g.go([] { return error("e"); });
  EXPECT_TRUE(g.wait());
  EXPECT_EQ(g.errors().size(), 2U);
}

struct dropping_executor {
  template <class F>
  void execute(F) {}
};

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

}  // namespace
