// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The group's rules, in their order, where one thread at a time decides what happens.

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <functional>
#include <latch>
#include <limits>
#include <list>
#include <memory>
#include <ratio>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

#include "blocked_thread.hpp"
#include "test_executors.hpp"
#include "timer_gate.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group;

// What a task is.

TEST(GroupTaskTest, AGenericLambdaIsCalledWithTheContext) {
  group g(errgroup::with_limit(1));
  int calls = 0;
  // With any other argument the bodies do not compile.
  EXPECT_TRUE(g.go([&](const auto& ctx) { calls += ctx.deadline() ? 0 : 1; }));
  EXPECT_TRUE(g.go([&](auto&& ctx) { calls += ctx.cause() ? 0 : 1; }));
  auto h = g.spawn([&](const auto& ctx) {
    ++calls;
    return ctx.done();
  });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(calls, 3);
  EXPECT_FALSE(*h.get());
}

template <std::size_t Alignment>
struct alignas(Alignment) aligned {
  unsigned char bytes[Alignment] = {7};
  bool is_whole() const {
    return reinterpret_cast<std::uintptr_t>(this) % Alignment == 0 && bytes[0] == 7 && bytes[Alignment - 1] == 0;
  }
};

template <std::size_t Alignment>
void give_aligned_captures() {
  group g(errgroup::with_limit(2), errgroup::keep_going());
  const aligned<Alignment> value;
  std::atomic<int> whole{0};
  for (int i = 0; i != 5; ++i) {
    g.go([value, &whole] { whole += value.is_whole() ? 1 : 0; });
    while (!g.try_go([value, &whole](const context&) { whole += value.is_whole() ? 1 : 0; })) {
    }
    const auto h = g.spawn([value](std::stop_token) { return value.is_whole(); });
    EXPECT_FALSE(g.wait());
    EXPECT_TRUE(*h.get());
    g.go([&] { g.go([value, &whole] { whole += value.is_whole() ? 1 : 0; }); });
  }
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(whole, 15);
}

TEST(GroupTaskTest, OverAlignedCapturesStayAligned) {
  give_aligned_captures<16>();
  give_aligned_captures<32>();
  give_aligned_captures<128>();
  give_aligned_captures<4096>();
}

TEST(GroupTaskTest, AValueMayBeOverAligned) {
  group g;
  const auto h = g.spawn([] { return aligned<256>(); });
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(h.get()->is_whole());
}

TEST(GroupTaskTest, AThrownEmptyErrorIsAFailure) {
  group g(errgroup::keep_going());
  const auto h = g.spawn([]() -> int { throw error(); });
  EXPECT_EQ(g.wait(), errc::failed);
  EXPECT_EQ(h.get().error(), errc::failed);
}

TEST(GroupTaskTest, AThrownErrorIsTheErrorAndHoldsNone) {
  group g;
  const error mine("mine");
  g.go([&] { throw mine; });
  const error got = g.wait();
  EXPECT_EQ(got, mine);
  EXPECT_EQ(got.as<error>(), nullptr);
}

// Handles.

TEST(GroupHandleTest, AMoveOnlyValueIsReadThroughAnLvalue) {
  group g;
  const auto h = g.spawn([] { return std::make_unique<int>(7); });
  EXPECT_FALSE(g.wait());
  const errgroup::result<std::unique_ptr<int>>& r = h.get();
  EXPECT_EQ(**r, 7);
  EXPECT_EQ(&h.get(), &r);  // Nothing was moved or copied.
  const auto copy = h;
  EXPECT_EQ(&copy.get(), &r);
}

TEST(GroupHandleTest, OfAStoppedTaskSaysTheRealReason) {
  for (const int how : {0, 1, 2, 3}) {
    group g;
    std::latch started(1);
    auto h = g.spawn([&, how](const context& ctx) -> errgroup::result<int> {
      started.count_down();
      (void)ctx.sleep_for(1h);
      if (how == 0) return error(errc::canceled);
      if (how == 1) throw error(errc::deadline_exceeded);
      if (how == 2) throw std::system_error(errc::canceled);
      return ctx.err();
    });
    started.wait();
    g.go([] { return error("disk full"); });
    EXPECT_EQ(g.wait().message(), "disk full");
    EXPECT_EQ(h.get().error().message(), "disk full") << how;
  }
}

TEST(GroupHandleTest, OfATaskWithAnErrorOfItsOwnSaysThat) {
  group g;
  std::latch started(1);
  auto h = g.spawn([&](const context& ctx) -> errgroup::result<int> {
    started.count_down();
    (void)ctx.sleep_for(1h);
    return error(errc::canceled, "could not roll back");
  });
  started.wait();
  g.go([] { return error("disk full"); });
  EXPECT_EQ(g.wait().message(), "disk full");
  EXPECT_EQ(h.get().error().message(), "could not roll back: canceled");
}

TEST(GroupHandleTest, OfATaskThatNeverStartedSaysTheCause) {
  late_executor ex;
  group g(errgroup::with_executor(ex), errgroup::with_limit(1));
  const auto queued = g.spawn([] { return 1; });
  std::unique_ptr<errgroup::handle<int>> blocked;
  blocked_thread caller([&] { blocked = std::make_unique<errgroup::handle<int>>(g.spawn([] { return 1; })); });
  g.cancel(error("disk full"));
  caller.join();
  const auto refused = g.spawn([] { return 1; });
  EXPECT_EQ(g.wait().message(), "disk full");
  EXPECT_EQ(queued.get().error().message(), "disk full");
  EXPECT_EQ(blocked->get().error().message(), "disk full");
  EXPECT_EQ(refused.get().error().message(), "disk full");
}

TEST(GroupHandleTest, AnEmptyOneThrows) {
  errgroup::handle<int> h;
  EXPECT_FALSE(h.valid());
  EXPECT_THROW((void)h.get(), std::logic_error);
  EXPECT_THROW((void)std::move(h).get(), std::logic_error);
}

// Rule 1.

TEST(GroupRulesTest, BareDeadlineExceededIsRecordedAsTheCause) {
  group g(context().with_timeout(5ms, error("request timed out")));
  g.go([](const context& ctx) -> errc {
    (void)ctx.sleep_for(1h);
    return errc::deadline_exceeded;
  });
  EXPECT_EQ(g.wait().message(), "request timed out");
}

// With the context made before, or asked for only after: that must not show.
class FirstCauseTest : public testing::TestWithParam<bool> {
 public:
  static void make_early(group& g) {
    if (GetParam()) (void)g.get_context();
  }
};
INSTANTIATE_TEST_SUITE_P(ContextMadeEarlyOrLate, FirstCauseTest, testing::Bool());

TEST_P(FirstCauseTest, AFailureStaysTheCauseThoughTheParentIsCancelledAfterIt) {
  const auto [parent, cancel] = context().with_cancel();
  group g(parent, errgroup::collect_errors());
  make_early(g);
  g.go([] { return error("first"); });
  while (g.errors().empty()) std::this_thread::yield();
  cancel(error("second"));
  EXPECT_EQ(g.get_context().cause().message(), "first");
  EXPECT_EQ(g.get_context().err(), errc::canceled);
  EXPECT_EQ(g.wait().message(), "first");
  EXPECT_EQ(g.get_context().cause().message(), "first");
}

TEST_P(FirstCauseTest, AFailedWaitStaysTheCauseThoughTheParentIsCancelledAfterIt) {
  const auto [parent, cancel] = context().with_cancel();
  group g(parent);
  make_early(g);
  g.go([] { return error("first"); });
  EXPECT_EQ(g.wait().message(), "first");
  cancel(error("second"));
  EXPECT_EQ(g.get_context().cause().message(), "first");
  EXPECT_EQ(g.spawn([] { return 1; }).get().error().message(), "first");
}

TEST_P(FirstCauseTest, ACancelStaysTheCauseThoughTheParentIsCancelledAfterIt) {
  for (const bool between_rounds : {false, true}) {
    const auto [parent, cancel] = context().with_cancel();
    group g(parent);
    if (between_rounds) {
      EXPECT_FALSE(g.wait());
    } else {
      make_early(g);
    }
    g.cancel(error("first"));
    cancel(error("second"));
    EXPECT_EQ(g.get_context().cause().message(), "first");
    EXPECT_EQ(g.get_context().err(), errc::canceled);
    EXPECT_FALSE(g.go([] {}));
    EXPECT_EQ(g.wait().message(), "first");
  }
}

TEST_P(FirstCauseTest, ACancelStaysTheCauseThoughADeadlinePassesAfterIt) {
  for (const bool of_the_parent : {false, true}) {
    const auto when = errgroup::clock::now() + 20ms;
    const context parent = of_the_parent ? context().with_deadline(when) : context();
    group g(parent, errgroup::with_deadline(of_the_parent ? errgroup::clock::time_point::max() : when));
    make_early(g);
    EXPECT_FALSE(g.wait());
    g.cancel(error("first"));
    EXPECT_LT(errgroup::clock::now(), when) << "the machine stalled";
    (void)context().sleep_until(when + 1ms);
    if (of_the_parent) {
      EXPECT_EQ(parent.sleep_for(1h), errc::deadline_exceeded);
    }
    EXPECT_EQ(g.get_context().cause().message(), "first");
    EXPECT_EQ(g.get_context().err(), errc::canceled);
    EXPECT_FALSE(g.go([] {}));
    EXPECT_EQ(g.wait().message(), "first");
  }
}

TEST_P(FirstCauseTest, TheParentsCauseStaysThoughTheGroupIsCancelledAfterIt) {
  for (const bool between_rounds : {false, true}) {
    const auto [parent, cancel] = context().with_cancel();
    group g(parent);
    if (between_rounds) {
      EXPECT_FALSE(g.wait());
    } else {
      make_early(g);
    }
    cancel(error("first"));
    g.cancel(error("second"));
    EXPECT_EQ(g.get_context().cause().message(), "first");
    EXPECT_FALSE(g.go([] {}));
    EXPECT_EQ(g.wait().message(), "first");
  }
}

TEST_P(FirstCauseTest, ADeadlineStaysTheCauseThoughTheGroupIsCancelledAfterIt) {
  for (const bool between_rounds : {false, true}) {
    const auto when = errgroup::clock::now() + 5ms;
    group g(errgroup::with_deadline(when));
    if (between_rounds) {
      EXPECT_FALSE(g.wait());
    } else {
      make_early(g);
    }
    EXPECT_EQ(context().sleep_until(when + 1ms), error());
    if (!between_rounds) {
      EXPECT_EQ(g.get_context().sleep_for(1h), errc::deadline_exceeded);
    }
    g.cancel(error("second"));
    EXPECT_EQ(g.get_context().cause(), errc::deadline_exceeded);
    EXPECT_FALSE(g.go([] {}));
    EXPECT_EQ(g.wait(), errc::deadline_exceeded);
  }
}

// Rule 2.

struct move_only_task {
  std::unique_ptr<int> only = std::make_unique<int>(7);
  void operator()() {}
};
struct move_only_value {
  std::unique_ptr<int> only = std::make_unique<int>(7);
  int operator()() { return *only; }
};

// Counts what is done to it, and to its copies. Large or small: a task of either size.
template <std::size_t Size>
struct counting_task {
  int* touched;
  char more[Size] = {};
  explicit counting_task(int& count) : touched(&count) {}
  counting_task(const counting_task& other) : touched(other.touched) { ++*touched; }
  counting_task(counting_task&& other) noexcept : touched(other.touched) { ++*touched; }
  void operator()() {}
};

template <std::size_t Size>
void refuse_untouched() {
  int touched = 0;
  counting_task<Size> t(touched);
  group full(errgroup::with_limit(0)), done;
  done.cancel();
  EXPECT_FALSE(full.try_go(t));
  EXPECT_FALSE(full.try_go(std::move(t)));
  EXPECT_FALSE(done.go(t));
  EXPECT_FALSE(done.go(std::move(t)));
  EXPECT_FALSE(done.try_go(t));
  {
    blocked_thread in_go([&] { EXPECT_FALSE(full.go(t)); });
    EXPECT_EQ(touched, 0);
    full.cancel();
  }
  EXPECT_EQ(touched, 0);
}

TEST(GroupRulesTest, ARefusedCallableIsNeitherCopiedNorMoved) {
  refuse_untouched<1>();
  refuse_untouched<1'000>();
}

TEST(GroupRulesTest, ARefusedCallableIsUntouched) {
  move_only_task t;
  move_only_value v;
  group full(errgroup::with_limit(0));
  EXPECT_FALSE(full.try_go(std::move(t)));
  EXPECT_TRUE(t.only);
  {
    blocked_thread in_go([&] { EXPECT_FALSE(full.go(std::move(t))); });
    blocked_thread in_spawn([&] { EXPECT_FALSE(full.spawn(std::move(v)).get()); });
    full.cancel();
  }
  EXPECT_TRUE(t.only);
  EXPECT_TRUE(v.only);
  EXPECT_EQ(full.wait(), errc::canceled);

  group done;
  done.cancel();
  EXPECT_FALSE(done.go(std::move(t)));
  EXPECT_FALSE(done.try_go(std::move(t)));
  EXPECT_FALSE(done.spawn(std::move(v)).get());
  EXPECT_TRUE(t.only);
  EXPECT_TRUE(v.only);
  EXPECT_EQ(done.wait(), errc::canceled);
}

// The counts are no atomics: the thread sanitizer sees a wait that does not order them.
TEST(GroupRulesTest, WhatATaskDidIsVisibleAfterWait) {
  for (const bool timed : {false, true}) {
    for (const int limit : {-1, 3}) {
      group g(errgroup::with_limit(limit));
      std::vector<int> did(200);
      for (int& mine : did) g.go([&mine] { mine = 1; });
      EXPECT_FALSE(timed ? *g.wait_for(1h) : g.wait());
      for (const int mine : did) EXPECT_EQ(mine, 1);
    }
  }
}

// Nobody asks for the context, which would keep the cause.
TEST(GroupRulesTest, ARefusedHandleHasTheFirstCauseThoughTheParentIsCancelledAfterIt) {
  const auto [parent, cancel] = context().with_cancel();
  group g(parent);
  g.cancel(error("first"));
  cancel(error("second"));
  EXPECT_EQ(g.spawn([] { return 1; }).get().error().message(), "first");
  EXPECT_EQ(g.wait().message(), "first");
}

// By the worker that comes to them, since nobody else does: the one thread is the failing task's.
TEST(GroupRulesTest, WhatIsQueuedBehindAFailureIsDestroyedUnrunThoughNobodyWaits) {
  std::latch queued(1);
  std::atomic<bool> ran{false};
  errgroup::thread_cache cache({.max_threads = 1});
  group g(errgroup::with_executor(cache));
  g.go([&] {
    queued.wait();
    return error("boom");
  });
  auto held = std::make_shared<int>(0);
  g.go([&ran, held] { ran = true; });
  queued.count_down();
  while (held.use_count() != 1) std::this_thread::yield();
  EXPECT_FALSE(ran);
  EXPECT_EQ(g.wait().message(), "boom");
}

TEST(GroupRulesTest, ATaskThatIsDroppedIsAFailure) {
  late_executor ex;
  const auto [parent, cancel] = context().with_cancel();
  group g(parent, errgroup::with_executor(ex), errgroup::keep_going());
  bool ran = false;
  EXPECT_TRUE(g.go([&] { ran = true; }));
  cancel(error("why"));
  for (const auto& runner : ex.take()) runner();
  EXPECT_EQ(g.wait().message(), "why");
  EXPECT_FALSE(ran);
}

// Rule 3.

TEST(GroupRulesTest, WithKeepGoingADeadlineAndTheParentStillDrop) {
  for (const bool by_deadline : {false, true}) {
    late_executor ex;
    timer_gate gate;
    const auto [parent, cancel] = context().with_cancel();
    group g(by_deadline ? parent.with_timeout(5ms) : parent, errgroup::with_executor(ex), errgroup::keep_going());
    int ran = 0;
    EXPECT_TRUE(g.go([&] {
      ++ran;
      return error("first");
    }));
    for (const auto& runner : ex.take()) runner();
    EXPECT_TRUE(g.go([&] { ++ran; }));
    if (!by_deadline) cancel(error("why"));
    gate.open();
    EXPECT_TRUE(g.get_context().sleep_for(1h));
    EXPECT_FALSE(g.go([&] { ++ran; }));
    EXPECT_EQ(g.wait().message(), "first");
    EXPECT_EQ(ran, 1);
  }
}

// Rule 4.

TEST(GroupRulesTest, ALoweredLimitBindsWhatHasNotBegun) {
  for (const int before : {4, -1}) {
    late_executor ex;
    group g(errgroup::with_executor(ex), errgroup::with_limit(before));
    std::latch begun(1), release(1);
    std::vector<int> order;  // No two of the tasks run at a time.
    g.go([&] {
      begun.count_down();
      release.wait();
      order.push_back(0);
    });
    for (int i = 1; i != 4; ++i) {
      g.go([&order, i] { order.push_back(i); });
    }
    g.set_limit(1);
    const auto runners = ex.take();
    ASSERT_EQ(runners.size(), 4U);
    std::jthread first([&] { runners[0](); });
    begun.wait();
    for (std::size_t i = 1; i != runners.size(); ++i) runners[i]();  // They find no place, and return.
    EXPECT_TRUE(order.empty());
    release.count_down();
    first.join();
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
  }
}

TEST(GroupRulesTest, ALimitLoweredToZeroHoldsWhatHasNotBegunUntilItIsRaised) {
  late_executor ex;
  group g(errgroup::with_executor(ex));
  int ran = 0;
  for (int i = 0; i != 3; ++i) g.go([&] { ++ran; });
  g.set_limit(0);
  for (const auto& runner : ex.take()) runner();
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(g.wait_for(0s), std::nullopt);
  g.set_limit(2);
  const auto runners = ex.take();  // Somebody must come for them, though nobody waits.
  ASSERT_FALSE(runners.empty());
  for (const auto& runner : runners) runner();
  EXPECT_EQ(ran, 3);
  EXPECT_FALSE(g.wait());
}

TEST(GroupRulesTest, ALimitLoweredToZeroHoldsWhatWaitWouldRun) {
  late_executor ex;
  group g(errgroup::with_executor(ex));
  std::atomic<int> ran{0};
  g.go([&] { ++ran; });
  g.set_limit(0);
  blocked_thread waiter([&] { EXPECT_FALSE(g.wait()); });
  EXPECT_EQ(ran, 0);
  g.set_limit(1);
  waiter.join();
  EXPECT_EQ(ran, 1);
}

TEST(GroupRulesTest, WhatALoweredLimitHoldsIsDroppedOnCancel) {
  late_executor ex;
  group g(errgroup::with_executor(ex));
  auto shared = std::make_shared<int>();
  bool ran = false;
  for (int i = 0; i != 3; ++i) g.go([&ran, shared] { ran = true; });
  g.set_limit(0);
  g.cancel(error("why"));
  EXPECT_EQ(shared.use_count(), 1);
  EXPECT_EQ(g.wait().message(), "why");
  EXPECT_FALSE(ran);
}

// Rule 5.

TEST(GroupRulesTest, ALaterRoundThatSucceedsEndsWithNoEarlierRoundsError) {
  group g(errgroup::keep_going());
  const context first = g.get_context();
  g.go([] { return error("first"); });
  EXPECT_EQ(g.wait().message(), "first");
  EXPECT_EQ(first.cause().message(), "first");
  const context second = g.get_context();
  g.go([] {});
  EXPECT_EQ(g.wait().message(), "first");
  EXPECT_EQ(second.cause(), errc::canceled);
  EXPECT_NE(second.cause().message(), "first");
  const context third = g.get_context();
  g.go([] { return error("third"); });
  EXPECT_EQ(g.wait().message(), "first");
  EXPECT_NE(third.cause().message(), "first");
}

TEST(GroupRulesTest, FromAStopCallbackOfARoundsEndGoIsRefused) {
  for (const bool timed : {false, true}) {
    group g;
    move_only_task t;
    move_only_value v;
    std::atomic<int> called{0}, ran{0};
    {
      const std::stop_callback callback(g.get_stop_token(), [&] {
        ++called;
        EXPECT_FALSE(g.go([&] { ++ran; }));
        EXPECT_FALSE(g.try_go([&] { ++ran; }));
        EXPECT_FALSE(g.go(std::move(t)));
        const auto h = g.spawn(std::move(v));
        EXPECT_TRUE(h.ready());
        EXPECT_TRUE(h.get().error());
      });
      g.go([] {});
      EXPECT_FALSE(timed ? *g.wait_for(1h) : g.wait());
    }
    EXPECT_EQ(called, 1);
    EXPECT_TRUE(t.only);
    EXPECT_TRUE(v.only);
    EXPECT_FALSE(g.wait());  // Nothing was given that could have failed.
    EXPECT_TRUE(g.go([&] { ran += 10; }));
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(ran, 10);
  }
}

// Another thread has opened the next round by then.
TEST(GroupRulesTest, FromAStopCallbackOfARoundsEndGoIsRefusedThoughTheNextRoundIsOpen) {
  group g;
  std::atomic<int> ran{0};
  {
    const std::stop_callback callback(g.get_stop_token(), [&] {
      std::jthread([&] { EXPECT_TRUE(g.go([&] { ran += 10; })); }).join();
      EXPECT_FALSE(g.go([&] { ++ran; }));
    });
    EXPECT_FALSE(g.wait());
  }
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 10);
}

TEST(GroupRulesTest, OneGroupsGoIsTakenFromTheEndOfAnothersRound) {
  group g, other;
  bool ran = false;
  const std::stop_callback callback(g.get_stop_token(), [&] { EXPECT_TRUE(other.go([&] { ran = true; })); });
  EXPECT_FALSE(g.wait());
  EXPECT_FALSE(other.wait());
  EXPECT_TRUE(ran);
}

// Rule 7, beyond the limit.

struct throws_on_copy {
  std::shared_ptr<int> counted;
  explicit throws_on_copy(std::shared_ptr<int> c) : counted(std::move(c)) {}
  throws_on_copy(const throws_on_copy& other) : counted(other.counted) { throw std::runtime_error("copied"); }
  void operator()() {}
};

TEST(GroupRulesTest, ACopyThatThrowsBeyondTheLimitLeavesTheGroupAsItWas) {
  group g(errgroup::with_limit(1));
  auto counted = std::make_shared<int>();
  bool ran = false;
  g.go([&] {
    const throws_on_copy task(counted);
    EXPECT_THROW(g.go(task), std::runtime_error);
    EXPECT_THROW(g.try_go(task) || (throw std::runtime_error("full"), true), std::runtime_error);
    EXPECT_TRUE(g.go([&] { ran = true; }));
  });
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(ran);
  EXPECT_EQ(counted.use_count(), 1);
}

// errors().

TEST(GroupErrorsTest, ListsEveryTaskThatRanWhereverItRan) {
  struct inline_executor {
    void execute(const std::function<void()>& f) { f(); }
  };
  inline_executor at_once;
  late_executor late;
  {
    group g(errgroup::with_executor(at_once), errgroup::keep_going(), errgroup::collect_errors());
    for (const char* text : {"1", "2", "3"}) {
      g.go([text] { return error(text); });
    }
    EXPECT_EQ(g.wait().message(), "1");
    ASSERT_EQ(g.errors().size(), 3U);
    for (std::size_t i = 0; i != 3; ++i) EXPECT_EQ(g.errors()[i].message(), std::to_string(i + 1));
  }
  {
    group g(errgroup::with_executor(late), errgroup::keep_going(), errgroup::collect_errors());
    for (const char* text : {"1", "2"}) {
      g.go([text] { return error(text); });
    }
    EXPECT_EQ(g.wait().message(), "1");  // Which runs them.
    EXPECT_EQ(g.errors().size(), 2U);
  }
  {
    group g(errgroup::with_limit(1), errgroup::keep_going(), errgroup::collect_errors());
    g.go([&] {
      for (const char* text : {"2", "3", "4"}) {
        g.go([text] { return error(text); });
      }
      (void)g.spawn([]() -> int { throw std::runtime_error("5"); });
      return error("1");
    });
    EXPECT_EQ(g.wait().message(), "1");
    ASSERT_EQ(g.errors().size(), 5U);
    for (std::size_t i = 0; i != 5; ++i) EXPECT_EQ(g.errors()[i].message(), std::to_string(i + 1));
  }
  {
    group g(errgroup::with_limit(3), errgroup::keep_going(), errgroup::collect_errors());
    for (int i = 0; i != 1'000; ++i) {
      g.go([] { return errgroup::error(std::errc::io_error); });
    }
    EXPECT_EQ(g.wait(), std::errc::io_error);
    EXPECT_EQ(g.errors().size(), 1'000U);
  }
}

TEST(GroupErrorsTest, AddUpOverRounds) {
  group g(errgroup::keep_going(), errgroup::collect_errors(2));
  EXPECT_TRUE(g.errors().empty());
  for (const char* text : {"1", "2", "3"}) {
    g.go([text] { return error(text); });
    EXPECT_EQ(g.wait().message(), "1");
  }
  ASSERT_EQ(g.errors().size(), 2U);
  EXPECT_EQ(g.errors()[0].message(), "1");
  EXPECT_EQ(g.errors()[1].message(), "2");
}

// Durations of every kind.

template <class Duration>
void takes_timeout(Duration d, errgroup::clock::duration wanted, errgroup::clock::duration slack = 1s) {
  const auto before = errgroup::clock::now();
  group g(errgroup::with_timeout(d));
  const auto deadline = g.get_context().deadline();
  if (wanted == errgroup::clock::duration::max()) {
    EXPECT_EQ(deadline, std::nullopt);
  } else {
    ASSERT_NE(deadline, std::nullopt);
    EXPECT_GE(*deadline, before + wanted - slack);
    EXPECT_LE(*deadline, errgroup::clock::now() + wanted + slack);
  }
  EXPECT_FALSE(g.get_context().done());
}

TEST(GroupDurationTest, TimeoutsOfEveryKindAreWhatTheySay) {
  using std::chrono::duration;
  constexpr auto year = std::chrono::hours(8766);
  using acpi = duration<long long, std::ratio<1, 3'579'545>>;
  using samples = duration<std::int64_t, std::ratio<1, 44'100>>;
  using frames = duration<std::int64_t, std::ratio<1001, 30'000>>;
  takes_timeout(acpi(3'579'545LL * 5 * 3'600), 5h);
  takes_timeout(samples(std::int64_t{44'100} * 3'600 * 8'766), year);
  takes_timeout(frames(std::int64_t{30'000} * 3'600 * 8'766 * 100 / 1001), 100 * year);
  takes_timeout(duration<std::int32_t, std::ratio<86'400>>(36'525), 100 * year);
  takes_timeout(duration<std::int32_t, std::ratio<86'400>>(std::numeric_limits<std::int32_t>::max()),
                errgroup::clock::duration::max());
  takes_timeout(duration<float>(3'600.F), 1h);
  takes_timeout(duration<double, std::ratio<3'600>>(1.5), 90min);
  takes_timeout(duration<double>(1e300), errgroup::clock::duration::max());
  takes_timeout(duration<double>(std::numeric_limits<double>::infinity()), errgroup::clock::duration::max());
  takes_timeout(duration<double>(std::nan("")), errgroup::clock::duration::max());
  takes_timeout(std::chrono::hours::max(), errgroup::clock::duration::max());
  takes_timeout(std::chrono::nanoseconds::max(), errgroup::clock::duration::max());
}

TEST(GroupDurationTest, NegativeTimeoutsAreOver) {
  for (const double seconds : {-0.001, -1.0, -1e300, -std::numeric_limits<double>::infinity()}) {
    group g(errgroup::with_timeout(std::chrono::duration<double>(seconds)));
    EXPECT_FALSE(g.go([] {}));
    EXPECT_EQ(g.wait(), errc::deadline_exceeded);
  }
  group g(errgroup::with_timeout(std::chrono::hours::min()));
  EXPECT_EQ(g.get_context().err(), errc::deadline_exceeded);
}

TEST(GroupDurationTest, WaitForTakesDurationsOfEveryKind) {
  using std::chrono::duration;
  const auto outlasts = [](auto d) {
    group g;
    std::latch release(1);
    g.go([&] { release.wait(); });
    blocked_thread waiter([&, d] { EXPECT_EQ(g.wait_for(d), error()); });
    release.count_down();
  };
  outlasts(duration<long long, std::ratio<1, 3'579'545>>(3'579'545LL * 5 * 3'600));
  outlasts(duration<std::int64_t, std::ratio<1, 44'100>>(std::int64_t{44'100} * 3'600 * 8'766));
  outlasts(duration<float>(1e6F));
  outlasts(duration<double>(1e300));
  outlasts(duration<double>(std::nan("")));
  outlasts(std::chrono::hours::max());
  outlasts(std::chrono::nanoseconds::max());
  group g;
  std::latch release(1);
  g.go([&] { release.wait(); });
  EXPECT_EQ(g.wait_for(duration<double>(-1e300)), std::nullopt);
  EXPECT_EQ(g.wait_for(std::chrono::hours::min()), std::nullopt);
  EXPECT_EQ(g.wait_for(std::chrono::nanoseconds::min()), std::nullopt);
  EXPECT_EQ(g.wait_for((duration<std::int32_t, std::ratio<1, 1'000>>(1))), std::nullopt);
  EXPECT_EQ(g.wait_until(errgroup::clock::time_point::min()), std::nullopt);
  release.count_down();
  EXPECT_EQ(g.wait_until(errgroup::clock::time_point::max()), error());
}

// The destructor, where it would wait for itself.

#if !defined(NDEBUG) && defined(GTEST_HAS_DEATH_TEST)
class GroupDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  static void destroy_inside_its_own_task() {
    auto g = std::make_unique<group>();
    std::latch never(1);
    g->go([&] { g.reset(); });
    never.wait();
  }
  static void drop_the_last_reference_in_a_task() {
    auto g = std::make_shared<group>();
    std::latch given(1), never(1);
    g->go([g, &given] { given.wait(); });
    g.reset();
    given.count_down();
    never.wait();
  }
};

TEST_F(GroupDeathTest, DestroyedInsideItsOwnTask) {
  EXPECT_DEATH(destroy_inside_its_own_task(), "a group is destroyed inside one of its own tasks");
}

TEST_F(GroupDeathTest, ATaskDropsTheLastReferenceToItsGroup) {
  EXPECT_DEATH(drop_the_last_reference_in_a_task(), "a group is destroyed inside one of its own tasks");
}
#endif

}  // namespace
