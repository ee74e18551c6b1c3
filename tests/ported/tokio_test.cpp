// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The tests of tokio's JoinSet (tokio/tests/task_join_set.rs) and of tokio-util's CancellationToken
// (tokio-util/tests/sync_cancellation_token.rs) that ask what errgroup promises, in their order. Each test names
// its original. A JoinSet is a group, join_next() until there is none is wait(), a JoinError is the error of a
// handle; a CancellationToken is a context with its canceler, and a waker that is woken is a stop callback that is
// run.
//
// Left out:
// - alternating, extend, join_set_coop: there is no join_next() and no collecting from an iterator.
// - abort_tasks: one task of a group cannot be stopped alone.
// - The spawn_local ones but for "shutdown": they ask for the thread of a LocalSet.
// - replace_parent_waker_drops_outside_lock: there are no wakers.
// - derives_send_sync: a thread may use any context.

#include <array>
#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
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
using errgroup::handle;
using errgroup::result;

// tokio: test_with_sleep, whose last sleep is 9 s on a clock that jumps.
TEST(TokioJoinSetTest, EveryTaskIsJoinedAndTheSetIsUsedAgain) {
  group set;
  for (int round = 0; round < 3; ++round) {
    std::vector<handle<int>> handles;
    for (int i = 0; i < 10; ++i) {
      handles.push_back(set.spawn([round, i](const context& ctx) -> result<int> {
        if (round != 0) {
          if (error stopped = ctx.sleep_for(std::chrono::milliseconds(i))) return stopped;
        }
        return i;
      }));
    }
    EXPECT_EQ(set.wait(), error());
    for (int i = 0; i < 10; ++i) EXPECT_EQ(handles[static_cast<std::size_t>(i)].get().value(), i);
    EXPECT_EQ(set.wait(), error());
  }
}

// tokio: test_abort_on_drop, spawn_then_drop.
TEST(TokioJoinSetTest, DestroyingItAbortsTheTasks) {
  std::atomic<int> dropped{0};
  struct sender {
    std::atomic<int>* count;
    explicit sender(std::atomic<int>& c) : count(&c) {}
    sender(sender&& other) noexcept : count(std::exchange(other.count, nullptr)) {}
    ~sender() {
      if (count) ++*count;
    }
  };
  {
    group set;
    for (int i = 0; i < 16; ++i) {
      EXPECT_TRUE(set.go([send = sender(dropped)](const context& ctx) {
        return ctx.sleep_for(1h);  // This task will never complete on its own.
      }));
    }
  }
  EXPECT_EQ(dropped, 16);
}

// tokio: runtime_gone. There the task is lost with its runtime; here the group runs it.
TEST(TokioJoinSetTest, ATaskWhoseExecutorIsGoneIsRun) {
  auto rt = std::make_unique<late_executor>();
  group set(errgroup::with_executor(*rt));
  const handle<int> one = set.spawn([] { return 1; });
  rt.reset();
  EXPECT_EQ(set.wait(), error());
  EXPECT_EQ(one.get().value(), 1);
}

// tokio: join_all.
TEST(TokioJoinSetTest, JoinAllGivesEveryValue) {
  group set;
  std::vector<handle<int>> handles;
  for (int i = 0; i < 5; ++i) handles.push_back(set.spawn([] { return 1; }));
  EXPECT_EQ(set.wait(), error());
  EXPECT_EQ(handles.size(), 5U);
  for (const handle<int>& h : handles) EXPECT_EQ(h.get().value(), 1);
}

// tokio: task_panics.
TEST(TokioJoinSetTest, AnExceptionAbortsTheOthers) {
  std::atomic<bool> sent{false};
  group set;
  set.go([&](const context& ctx) -> error {
    if (error stopped = ctx.sleep_for(1h)) return stopped;
    sent = true;
    return {};
  });
  set.go([] { throw std::logic_error("panic"); });
  const error err = set.wait();
  EXPECT_FALSE(sent);
  EXPECT_TRUE(err.as<std::logic_error>());
}

// tokio: abort_all.
TEST(TokioJoinSetTest, AbortAllStopsWhatIsPendingAndKeepsWhatIsReady) {
  std::latch all_run(10);
  group set;
  std::vector<handle<int>> handles;
  for (int i = 0; i < 5; ++i) {
    handles.push_back(set.spawn([&](const context& ctx) -> result<int> {
      all_run.count_down();
      return ctx.sleep_for(1h);
    }));
  }
  for (int i = 0; i < 5; ++i) {
    handles.push_back(set.spawn([&, i] {
      all_run.count_down();
      return i;
    }));
  }
  all_run.wait();
  set.cancel();
  EXPECT_EQ(set.wait(), errc::canceled);
  int count = 0, cancelled = 0;
  for (const handle<int>& h : handles) {
    ASSERT_TRUE(h.ready());
    ++count;
    if (h.get().error() == errc::canceled) ++cancelled;
  }
  EXPECT_EQ(count, 10);
  EXPECT_EQ(cancelled, 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(handles[static_cast<std::size_t>(i) + 5].get().value(), i);
}

// tokio: try_join_next. A hundred tasks in place of a thousand, since each has a thread.
TEST(TokioJoinSetTest, NothingIsReadyUntilItIs) {
  constexpr int task_num = 100;
  std::latch changed(1);
  group set;
  std::vector<handle<int>> handles;
  for (int i = 0; i < task_num; ++i) {
    handles.push_back(set.spawn([&, i] {
      changed.wait();
      return i;
    }));
  }
  EXPECT_EQ(set.wait_for(0s), std::nullopt);
  for (const handle<int>& h : handles) EXPECT_FALSE(h.ready());
  changed.count_down();
  EXPECT_EQ(set.wait_for(1h), error());
  for (int i = 0; i < task_num; ++i) EXPECT_EQ(handles[static_cast<std::size_t>(i)].get().value(), i);
}

// tokio: spawn_then_shutdown.
TEST(TokioJoinSetTest, ShutdownStopsAndJoins) {
  std::latch started(8);
  std::atomic<int> aborted{0};
  group set;
  for (int i = 0; i < 8; ++i) {
    set.go([&](const context& ctx) {
      started.count_down();
      error stopped = ctx.sleep_for(1h);
      if (stopped) ++aborted;
      return stopped;
    });
  }
  EXPECT_EQ(set.wait_for(0s), std::nullopt);
  started.wait();
  set.cancel();
  EXPECT_EQ(set.wait(), errc::canceled);
  EXPECT_EQ(aborted, 8);
}

// Counts how many of the contexts that it watches have been stopped: futures_test's new_count_waker().
class wake_counter {
 public:
  struct wake {
    std::atomic<int>* count;
    void operator()() const { ++*count; }
  };
  using future = std::stop_callback<wake>;

  std::unique_ptr<future> poll(const context& ctx) {
    return std::make_unique<future>(ctx.get_stop_token(), wake{&count_});
  }
  int count() const { return count_; }

 private:
  std::atomic<int> count_{0};
};

// tokio-util: cancel_token.
TEST(TokioCancellationTokenTest, CancelWakesWhoWaits) {
  wake_counter waker;
  const auto [token, cancel] = context().with_cancel();
  EXPECT_FALSE(token.done());
  const auto wait_fut = waker.poll(token);
  EXPECT_EQ(waker.count(), 0);
  cancel();
  EXPECT_EQ(waker.count(), 1);
  EXPECT_TRUE(token.done());
  const auto wait_fut_2 = waker.poll(token);
  EXPECT_EQ(waker.count(), 2);
}

// tokio-util: cancel_child_token_through_parent.
TEST(TokioCancellationTokenTest, AChildIsCancelledThroughItsParent) {
  wake_counter waker;
  const auto [token, cancel] = context().with_cancel();
  const context child = token.with_cancel().first;
  EXPECT_FALSE(child.done());
  const auto child_fut = waker.poll(child), parent_fut = waker.poll(token);
  EXPECT_EQ(waker.count(), 0);
  cancel();
  EXPECT_EQ(waker.count(), 2);
  EXPECT_TRUE(token.done());
  EXPECT_TRUE(child.done());
}

// tokio-util: cancel_grandchild_token_through_parent_if_child_was_dropped.
TEST(TokioCancellationTokenTest, AGrandchildIsCancelledThoughTheChildWasDropped) {
  wake_counter waker;
  const auto [token, cancel] = context().with_cancel();
  context intermediate = token.with_cancel().first;
  const context child = intermediate.with_cancel().first;
  intermediate = {};  // Drops it.
  EXPECT_FALSE(child.done());
  const auto child_fut = waker.poll(child), parent_fut = waker.poll(token);
  EXPECT_EQ(waker.count(), 0);
  cancel();
  EXPECT_EQ(waker.count(), 2);
  EXPECT_TRUE(token.done());
  EXPECT_TRUE(child.done());
}

// tokio-util: cancel_child_token_without_parent.
TEST(TokioCancellationTokenTest, AChildIsCancelledWithoutItsParent) {
  wake_counter waker;
  const auto [token, cancel] = context().with_cancel();
  const auto [child1, cancel_child1] = token.with_cancel();
  const auto child_fut = waker.poll(child1), parent_fut = waker.poll(token);
  EXPECT_EQ(waker.count(), 0);
  cancel_child1();
  EXPECT_EQ(waker.count(), 1);
  EXPECT_FALSE(token.done());
  EXPECT_TRUE(child1.done());

  const context child2 = token.with_cancel().first;
  const auto child_fut_2 = waker.poll(child2);
  EXPECT_EQ(waker.count(), 1);
  cancel();
  EXPECT_EQ(waker.count(), 3);
  EXPECT_TRUE(token.done());
  EXPECT_TRUE(child2.done());
}

// tokio-util: create_child_token_after_parent_was_cancelled.
TEST(TokioCancellationTokenTest, AChildOfACancelledParentIsCancelled) {
  for (const bool drop_child_first : {true, false}) {
    wake_counter waker;
    context token = [] {
      const auto [ctx, cancel] = context().with_cancel();
      cancel();
      return ctx;
    }();
    context child = token.with_cancel().first;
    EXPECT_TRUE(child.done());
    (void)waker.poll(child);
    (void)waker.poll(token);
    EXPECT_EQ(waker.count(), 2);
    (drop_child_first ? child : token) = {};
    EXPECT_TRUE((drop_child_first ? token : child).done());
    (drop_child_first ? token : child) = {};
  }
}

// tokio-util: drop_multiple_child_tokens.
TEST(TokioCancellationTokenTest, ChildrenMayBeDroppedInAnyOrder) {
  for (const bool drop_first_child_first : {true, false}) {
    const auto [token, cancel] = context().with_cancel();
    std::array<context, 3> children;
    for (auto& child : children) child = token.with_cancel().first;
    EXPECT_FALSE(token.done());
    EXPECT_FALSE(children[0].done());
    for (std::size_t i = 0; i != children.size(); ++i) {
      children[drop_first_child_first ? i : children.size() - 1 - i] = {};
      EXPECT_FALSE(token.done());
    }
    cancel();
    EXPECT_TRUE(token.done());
  }
}

// tokio-util: cancel_only_all_descendants.
TEST(TokioCancellationTokenTest, AllDescendantsAreCancelledAndNoOthers) {
  wake_counter waker;
  const context parent = context().with_cancel().first;
  const auto [token, cancel] = parent.with_cancel();
  const context sibling = parent.with_cancel().first;
  const context child1 = token.with_cancel().first;
  const context child2 = token.with_cancel().first;
  const context grandchild = child1.with_cancel().first;
  const context grandchild2 = child1.with_cancel().first;
  const context great_grandchild = grandchild.with_cancel().first;
  const std::vector<context> spared = {parent, sibling};
  const std::vector<context> cancelled = {token, child1, child2, grandchild, grandchild2, great_grandchild};
  std::vector<std::unique_ptr<wake_counter::future>> futures;
  for (const auto& all : {spared, cancelled}) {
    for (const context& ctx : all) {
      EXPECT_FALSE(ctx.done());
      futures.push_back(waker.poll(ctx));
    }
  }
  EXPECT_EQ(waker.count(), 0);
  cancel();
  EXPECT_EQ(waker.count(), 6);
  for (const context& ctx : spared) EXPECT_FALSE(ctx.done());
  for (const context& ctx : cancelled) EXPECT_TRUE(ctx.done());
}

// tokio-util: drop_parent_before_child_tokens.
TEST(TokioCancellationTokenTest, AParentMayBeDroppedBeforeItsChildren) {
  context token = context().with_cancel().first;
  const context child1 = token.with_cancel().first;
  const context child2 = token.with_cancel().first;
  token = {};
  EXPECT_FALSE(child1.done());
  EXPECT_FALSE(child2.done());
}

}  // namespace
