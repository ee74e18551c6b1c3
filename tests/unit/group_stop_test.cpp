// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Stops that reach a group from outside: through callbacks that wait or block, past those who sleep in its
// functions, and to threads that are ended where they sleep.

#include <atomic>
#include <barrier>
#include <chrono>
#include <functional>
#include <future>
#include <latch>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <pthread.h>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

#include "blocked_thread.hpp"
#include "test_executors.hpp"
#include "timer_gate.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define ERRGROUP_TESTS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ERRGROUP_TESTS_ADDRESS_SANITIZER 1
#endif
#endif

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group;

// A context, and what makes it done: its canceler, its deadline, or the failure of the group whose it is.
class stoppable {
 public:
  enum class by { cancel, deadline, failure };

  explicit stoppable(by how) : how_(how) {
    if (how == by::cancel) std::tie(ctx_, cancel_) = context().with_cancel();
    if (how == by::deadline) {
      gate_ = std::make_unique<timer_gate>();
      ctx_ = context().with_timeout(1ms, error("why"));
    }
    if (how == by::failure) ctx_ = group_.get_context();
  }
  stoppable(const stoppable&) = delete;
  stoppable& operator=(const stoppable&) = delete;

  const context& get_context() const { return ctx_; }
  // Runs the stop callbacks on another thread, or has them run there.
  void stop() {
    if (how_ == by::cancel) stopping_ = std::jthread([this] { cancel_(error("why")); });
    if (how_ == by::deadline) gate_->open();
    if (how_ == by::failure) group_.go([] { return error("why"); });
  }

 private:
  const by how_;
  std::unique_ptr<timer_gate> gate_;  // Of the deadline.
  group group_;
  context ctx_;
  errgroup::canceler cancel_;
  std::jthread stopping_;
};

class StoppedByTest : public testing::TestWithParam<stoppable::by> {};
INSTANTIATE_TEST_SUITE_P(CancelDeadlineFailure, StoppedByTest,
                         testing::Values(stoppable::by::cancel, stoppable::by::deadline, stoppable::by::failure));

// Sleeps until the token stops: as a user does who has no context.
void sleep_until_stopped(const std::stop_token& token) {
  std::latch stopped(1);
  const std::stop_callback callback(token, [&] { stopped.count_down(); });
  stopped.wait();
}

TEST_P(StoppedByTest, ACallbackOnTheParentMayWaitForTheGroupsBelow) {
  for (const bool timed : {false, true}) {
    stoppable parent(GetParam());
    group child(parent.get_context());
    child.go([](const context& ctx) {
      group grandchild(ctx);
      grandchild.go([](const std::stop_token& token) { sleep_until_stopped(token); });
      return grandchild.wait();
    });
    child.go([](const std::stop_token& token) {
      sleep_until_stopped(token);
      return errc::canceled;
    });
    std::promise<error> waited;
    const std::stop_callback callback(parent.get_context().get_stop_token(),
                                      [&] { waited.set_value(timed ? *child.wait_for(1h) : child.wait()); });
    parent.stop();
    EXPECT_EQ(waited.get_future().get().message(), "why");
  }
}

TEST_P(StoppedByTest, ACallbackThatBlocksDelaysNobodyInTheGroupsBelow) {
  std::latch unblock(1), blocked(1);
  stoppable parent(GetParam());
  group in_wait(parent.get_context()), in_wait_for(parent.get_context()),
      in_go(parent.get_context(), errgroup::with_limit(0));
  late_executor late;
  group in_wait_for_the_queued(parent.get_context(), errgroup::with_executor(late));
  in_wait.go([](const context& ctx) { return ctx.sleep_for(1h); });
  in_wait_for.go([](const context& ctx) { return ctx.sleep_for(1h); });
  in_wait_for_the_queued.go([] {});
  const auto block = [&] {
    if (!parent.get_context().done()) ADD_FAILURE();
    blocked.count_down();
    unblock.wait();
  };
  const std::stop_callback on_parent(parent.get_context().get_stop_token(), block);
  {
    blocked_thread waits([&] { EXPECT_EQ(in_wait.wait().message(), "why"); });
    blocked_thread waits_for([&] { EXPECT_EQ(in_wait_for.wait_for(1h)->message(), "why"); });
    blocked_thread waits_for_the_queued([&] { EXPECT_EQ(in_wait_for_the_queued.wait_for(1h)->message(), "why"); });
    blocked_thread goes([&] { EXPECT_FALSE(in_go.go([] {})); });
    parent.stop();
    blocked.wait();
  }  // They all return, while the callback blocks.
  EXPECT_EQ(in_go.wait().message(), "why");
  unblock.count_down();
}

// The callback is on the groups' own contexts: each blocks its own thread that stops it, and no more.
TEST(GroupStopTest, ACallbackOnTheGroupsOwnContextThatBlocksDelaysNobodyInIt) {
  std::latch unblock(1), blocked(1);
  group g(errgroup::with_limit(1));
  g.go([](const context& ctx) { return ctx.sleep_for(1h); });
  const std::stop_callback callback(g.get_stop_token(), [&] {
    blocked.count_down();
    unblock.wait();
  });
  std::jthread cancels;
  {
    blocked_thread waits([&] { EXPECT_EQ(g.wait().message(), "why"); });
    blocked_thread waits_for([&] { EXPECT_EQ(g.wait_for(1h)->message(), "why"); });
    blocked_thread goes([&] { EXPECT_FALSE(g.go([] {})); });
    cancels = std::jthread([&] { g.cancel(error("why")); });
    blocked.wait();
  }
  unblock.count_down();
}

TEST(GroupStopTest, ACallbackOfADeadlineThatBlocksDelaysNoOtherGroupsDeadline) {
  std::latch unblock(1), blocked(1);
  timer_gate gate;
  group slow(errgroup::with_timeout(1ms));
  const std::stop_callback callback(slow.get_stop_token(), [&] {
    blocked.count_down();
    unblock.wait();
  });
  gate.open();
  blocked.wait();
  for (int i = 0; i != 3; ++i) {
    group g(errgroup::with_timeout(5ms), errgroup::with_limit(1));
    g.go([](const std::stop_token& token) { sleep_until_stopped(token); });
    EXPECT_FALSE(g.go([] {}));
    EXPECT_EQ(g.wait(), errc::deadline_exceeded);
  }
  unblock.count_down();
}

// Who sleeps in a group, while its context is made only then, and stopped.

enum class stop_by { cancel, failure, parent, deadline };

struct sleeper_case {
  stop_by how;
  bool in_go;        // Else in wait_for(), with a task that nobody has begun.
  bool waits_first;  // The thread sleeps before the context is made; else both race.
};

void stop_while_someone_sleeps(const sleeper_case& c) {
  late_executor ex;
  const auto [cancelable, cancel] = context().with_cancel();
  const context parent = c.how == stop_by::deadline ? cancelable.with_timeout(1ms, error("why")) : cancelable;
  group g(parent, errgroup::with_executor(ex), errgroup::with_limit(c.how == stop_by::failure ? 2 : 0));
  std::vector<std::function<void()>> runners;
  if (c.how == stop_by::failure) {
    g.go([] { return error("why"); });
    g.go([] {});
    runners = ex.take();
  } else if (!c.in_go) {
    g.set_limit(1);
    g.go([] {});
  }
  const auto sleep = [&] {
    if (c.in_go) {
      while (g.go([] {})) {
      }
    } else {
      EXPECT_EQ(g.wait_for(1h)->message(), "why");
    }
  };
  const auto stop = [&, cancel = cancel] {
    (void)g.get_context();
    if (c.how == stop_by::cancel) g.cancel(error("why"));
    if (c.how == stop_by::parent) cancel(error("why"));
    if (c.how == stop_by::failure) runners[0]();
  };
  if (c.waits_first) {
    blocked_thread sleeper(sleep);
    stop();
  } else {
    std::jthread sleeper(sleep);
    stop();
  }
  EXPECT_EQ(g.wait().message(), "why");
}

constexpr stop_by every_stop[] = {stop_by::cancel, stop_by::failure, stop_by::parent, stop_by::deadline};

TEST(GroupSleeperTest, AStopReachesAGoThatSleptBeforeTheContextWasMade) {
  for (const stop_by how : every_stop) stop_while_someone_sleeps({how, true, true});
}

TEST(GroupSleeperTest, AStopReachesAWaitUntilThatSleptBeforeTheContextWasMade) {
  for (const stop_by how : every_stop) stop_while_someone_sleeps({how, false, true});
}

// The callback is on the context that was made meanwhile, and is not the sleeper's business.
TEST(GroupSleeperTest, AStopReachesAGoThatSleptBeforeTheContextWasMadeThoughACallbackBlocks) {
  for (const bool by_failure : {false, true}) {
    late_executor ex;
    group g(errgroup::with_executor(ex), errgroup::with_limit(2));
    g.go([] { return error("why"); });
    g.go([] {});
    const auto runners = ex.take();
    blocked_thread goes([&] { EXPECT_FALSE(g.go([] {})); });
    std::latch unblock(1), blocked(1);
    const std::stop_callback callback(g.get_stop_token(), [&] {
      blocked.count_down();
      unblock.wait();
    });
    std::jthread stops([&] {
      if (by_failure) {
        runners[0]();
      } else {
        g.cancel(error("why"));
      }
    });
    blocked.wait();
    goes.join();
    unblock.count_down();
    stops.join();
    EXPECT_EQ(g.wait().message(), "why");
  }
}

TEST(GroupSleeperTest, ACancelReachesAWaitUntilThatSleptBeforeTheContextWasMadeThoughACallbackBlocks) {
  late_executor ex;
  group g(errgroup::with_executor(ex));
  g.go([] {});
  blocked_thread waits([&] { EXPECT_EQ(g.wait_for(1h)->message(), "why"); });
  std::latch unblock(1), blocked(1);
  const std::stop_callback callback(g.get_stop_token(), [&] {
    blocked.count_down();
    unblock.wait();
  });
  std::jthread stops([&] { g.cancel(error("why")); });
  blocked.wait();
  waits.join();
  unblock.count_down();
}

TEST(GroupSleeperTest, AStopReachesAGoWhileTheContextIsBeingMade) {
  for (int i = 0; i != 100; ++i) {
    for (const stop_by how : every_stop) stop_while_someone_sleeps({how, true, false});
  }
}

TEST(GroupSleeperTest, AStopReachesAWaitUntilWhileTheContextIsBeingMade) {
  for (int i = 0; i != 100; ++i) {
    for (const stop_by how : every_stop) stop_while_someone_sleeps({how, false, false});
  }
}

// In the first round a thread sleeps, and in the second: its context is another one.
TEST(GroupSleeperTest, AStopReachesAGoThatOutsleptARound) {
  for (const bool from_the_parent : {false, true}) {
    const auto [parent, cancel] = context().with_cancel();
    group g(parent, errgroup::with_limit(0));
    blocked_thread goes([&] { EXPECT_FALSE(g.go([] {})); });
    EXPECT_FALSE(g.wait());  // It has nothing to wait for: the call has not been let in.
    (void)g.get_context();
    if (from_the_parent) {
      cancel(error("why"));
    } else {
      g.cancel(error("why"));
    }
    goes.join();
    EXPECT_EQ(g.wait().message(), "why");
  }
}

TEST(GroupSleeperTest, ARaisedLimitReachesAGoThatOutsleptARound) {
  group g(errgroup::with_limit(0));
  std::atomic<bool> ran{false};
  blocked_thread goes([&] { EXPECT_TRUE(g.go([&] { ran = true; })); });
  EXPECT_FALSE(g.wait());
  g.set_limit(1);
  goes.join();
  EXPECT_FALSE(g.wait());
  EXPECT_TRUE(ran);
}

// Who waits for a round, though a next one follows at once.
TEST(GroupSleeperTest, EveryOneOfManyWaitersReturnsAfterTheRoundsContextIsDone) {
  for (int i = 0; i != 100; ++i) {
    group g;
    std::latch start(5);
    g.go([&] { start.arrive_and_wait(); });
    const context ctx = g.get_context();
    std::vector<std::jthread> waiters;
    for (int w = 0; w != 3; ++w) {
      waiters.emplace_back([&, w] {
        start.arrive_and_wait();
        EXPECT_FALSE(w == 0 ? *g.wait_for(1h) : g.wait());
        EXPECT_TRUE(ctx.done());
        EXPECT_EQ(ctx.cause(), errc::canceled);
      });
    }
    start.arrive_and_wait();
    EXPECT_FALSE(g.wait());
    EXPECT_TRUE(ctx.done());
    EXPECT_TRUE(g.go([] {}));  // In the next.
    EXPECT_FALSE(g.wait());
  }
}

// The group goes on when a thread that sleeps in it is ended.

class GroupEndedThreadTest : public testing::Test {
 protected:
  void SetUp() override {
#if defined(ERRGROUP_TESTS_ADDRESS_SANITIZER)
    GTEST_SKIP() << "the address sanitizer takes the frames that a cancelled thread has left for overflows";
#endif
  }
};

// Gives a task that has begun on return, so that no wait() takes it, and ends when it is released.
void give_blocked(group& g, std::latch& release) {
  std::latch begun(1);
  EXPECT_TRUE(g.go([&] {
    begun.count_down();
    release.wait();
  }));
  begun.wait();
}

// `n` tasks run at a time, with no thread in wait().
void expect_places(group& g, int n) {
  const auto meet = std::make_shared<std::barrier<>>(n + 1);  // Each may be the last to leave it.
  for (int i = 0; i != n; ++i) EXPECT_TRUE(g.go([meet] { meet->arrive_and_wait(); }));
  meet->arrive_and_wait();
}

TEST_F(GroupEndedThreadTest, OneThatSleptInWaitGetsNoTask) {
  for (const int limit : {-1, 2}) {
    group g(errgroup::with_limit(limit));
    std::latch release(1);
    give_blocked(g, release);
    for (int i = 0; i != 3; ++i) {
      blocked_thread waits([&] { (void)g.wait(); });
      waits.end();
    }
    for (int i = 0; i != 3; ++i) {
      std::promise<void> started;
      EXPECT_TRUE(g.go([&] { started.set_value(); }));
      started.get_future().wait();  // And nobody is in wait().
    }
    release.count_down();
    EXPECT_FALSE(g.wait());
  }
}

// Another one sleeps there, and must not be the one that is overlooked.
TEST_F(GroupEndedThreadTest, OneOfTwoThatSleptInWaitLeavesTheOther) {
  fixed_pool pool(1);  // Its thread is blocked, so that only a waiter can run anything.
  group g(errgroup::with_executor(pool));
  std::latch release(1);
  give_blocked(g, release);
  blocked_thread stays([&] { EXPECT_FALSE(g.wait()); });
  blocked_thread goes([&] { (void)g.wait(); });
  goes.end();
  std::promise<void> started;
  EXPECT_TRUE(g.go([&] { started.set_value(); }));
  started.get_future().wait();
  release.count_down();
}

TEST_F(GroupEndedThreadTest, OneThatSleptInWaitForLeavesTheGroupWhole) {
  const auto [parent, cancel] = context().with_cancel();
  group g(parent);
  std::latch release(1);
  give_blocked(g, release);
  for (int i = 0; i != 3; ++i) {
    blocked_thread waits([&] { (void)g.wait_for(1h); });
    waits.end();
  }
  std::promise<void> started;
  EXPECT_TRUE(g.go([&] { started.set_value(); }));
  started.get_future().wait();
  EXPECT_EQ(g.wait_for(0s), std::nullopt);
  cancel(error("why"));
  EXPECT_FALSE(g.go([] {}));
  release.count_down();
  EXPECT_EQ(g.wait().message(), "why");
}

TEST_F(GroupEndedThreadTest, OneThatSleptInGoLosesNoPlace) {
  for (const int limit : {1, 2}) {
    group g(errgroup::with_limit(limit));
    std::latch release(1), ended(limit);
    for (int i = 0; i != limit; ++i) {
      g.go([&] {
        release.wait();
        ended.count_down();
      });
    }
    std::atomic<bool> ran{false};
    auto counted = std::make_shared<int>();
    std::list<blocked_thread> callers;
    for (int i = 0; i != 3; ++i) callers.emplace_back([&, counted] { g.go([&ran, counted] { ran = true; }); });
    for (blocked_thread& caller : callers) caller.end();
    callers.clear();
    EXPECT_EQ(counted.use_count(), 1);
    release.count_down();
    ended.wait();
    expect_places(g, limit);
    EXPECT_FALSE(g.wait());
    EXPECT_FALSE(ran);
  }
}

// One before it in the line, and one after it, get their places in turn.
TEST_F(GroupEndedThreadTest, OneThatSleptInGoLeavesTheLineToTheOthers) {
  group g(errgroup::with_limit(1));
  std::latch release(1);
  give_blocked(g, release);
  std::vector<int> order;  // The limit orders the tasks.
  const auto put = [&](int i) { g.go([&order, i] { order.push_back(i); }); };
  blocked_thread first([&] { put(1); }), ended([&] { put(2); }), last([&] { put(3); });
  ended.end();
  release.count_down();
  first.join();
  last.join();
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(order, (std::vector<int>{1, 3}));
}

// As it is given a place: whether it takes it or not, the place is there for the next.
TEST_F(GroupEndedThreadTest, OneThatIsEndedAsItGetsAPlaceLosesNone) {
  for (int i = 0; i != 100; ++i) {
    group g(errgroup::with_limit(1));
    std::latch release(1);
    give_blocked(g, release);
    std::atomic<int> ran{0};
    blocked_thread caller([&] { g.go([&] { ++ran; }); });
    std::jthread releases([&] { release.count_down(); });
    caller.end();
    expect_places(g, 1);
    EXPECT_FALSE(g.wait());
    EXPECT_LE(ran, 1);
  }
}

TEST_F(GroupEndedThreadTest, OneThatIsEndedAsItIsWokenForATaskLeavesItToAnother) {
  for (int i = 0; i != 100; ++i) {
    errgroup::thread_cache cache({.max_threads = 2});
    group g(errgroup::with_executor(cache));
    std::latch release(1);
    give_blocked(g, release);
    blocked_thread waits([&] { (void)g.wait(); });
    std::promise<void> started;
    std::jthread gives([&] { EXPECT_TRUE(g.go([&] { started.set_value(); })); });
    waits.cancel();
    started.get_future().wait();
    gives.join();
    release.count_down();
    EXPECT_FALSE(g.wait());
  }
}

}  // namespace
