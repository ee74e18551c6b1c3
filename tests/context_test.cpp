// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/context.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <latch>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "allocation.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::canceler;
using errgroup::clock;
using errgroup::context;
using errgroup::errc;
using errgroup::error;

TEST(ContextTest, BackgroundIsNeverDone) {
  const context ctx;
  EXPECT_FALSE(ctx.done());
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(ctx.cause());
  EXPECT_EQ(ctx.deadline(), std::nullopt);
  EXPECT_FALSE(ctx.get_stop_token().stop_possible());
}

TEST(ContextTest, BackgroundAllocatesNothing) {
  EXPECT_EQ(allocation::count([] {
              const context ctx;
              const context copy = ctx;
              (void)copy.done();
              (void)copy.err();
              (void)copy.cause();
              (void)copy.get_stop_token();
              (void)copy.without_cancel();
              (void)copy.with_timeout(std::chrono::hours::max());
              (void)copy.sleep_for(0s);
            }),
            0U);
}

TEST(ContextTest, IsAsCheapAsAPointer) {
  EXPECT_EQ(sizeof(context), sizeof(void*));
  EXPECT_TRUE(std::is_nothrow_copy_constructible_v<context>);
  EXPECT_TRUE(std::is_nothrow_default_constructible_v<context>);
}

TEST(ContextTest, TokenIsReachedByReferenceValueAndConversion) {
  const auto [ctx, cancel] = context().with_cancel();
  EXPECT_TRUE((std::is_same_v<decltype(ctx.get_stop_token()), const std::stop_token&>));
  EXPECT_TRUE((std::is_same_v<decltype(context().get_stop_token()), std::stop_token>));
  const std::stop_token converted = ctx;
  EXPECT_EQ(converted, ctx.get_stop_token());
}

TEST(ContextTest, JoinsAForeignToken) {
  std::stop_source source;
  const context ctx(source.get_token());
  EXPECT_FALSE(ctx.done());
  source.request_stop();
  EXPECT_TRUE(ctx.done());
  EXPECT_TRUE(ctx.get_stop_token().stop_requested());
  EXPECT_EQ(ctx.err(), errc::canceled);
  EXPECT_EQ(ctx.cause(), errc::canceled);
  EXPECT_TRUE(context(source.get_token()).done());
}

TEST(ContextTest, TokenThatCannotStopIsTheBackground) {
  EXPECT_FALSE(context(std::stop_token()).get_stop_token().stop_possible());
}

TEST(ContextTest, DroppedWithItsForeignTokenAlive) {
  std::stop_source source;
  { const context ctx(source.get_token()); }
  source.request_stop();
}

TEST(ContextTest, CancelGivesItsCauseAndTheFirstWins) {
  const auto [ctx, cancel] = context().with_cancel();
  const canceler copy = cancel;
  copy(error("first"));
  cancel(error("second"));
  EXPECT_TRUE(ctx.done());
  EXPECT_TRUE(ctx.get_stop_token().stop_requested());
  EXPECT_EQ(ctx.err(), errc::canceled);
  EXPECT_EQ(ctx.cause().message(), "first");
}

TEST(ContextTest, CancelWithoutCauseIsCanceled) {
  for (int i = 0; i != 2; ++i) {
    const auto [ctx, cancel] = context().with_cancel();
    if (i == 0) {
      cancel();
    } else {
      cancel(error());
    }
    EXPECT_EQ(ctx.cause(), errc::canceled);
    EXPECT_EQ(ctx.cause(), std::errc::operation_canceled);
  }
}

TEST(ContextTest, DefaultCancelerDoesNothing) { canceler()(); }

TEST(ContextTest, ChildIsDoneWithItsParentsErrAndCause) {
  const auto [parent, cancel] = context().with_cancel();
  const context child = parent.with_timeout(1h);
  const auto [grandchild, cancel_grandchild] = child.with_cancel();
  cancel(error("why"));
  for (const context* c : {&parent, &child, &grandchild}) {
    EXPECT_TRUE(c->done());
    EXPECT_TRUE(c->get_stop_token().stop_requested());
    EXPECT_EQ(c->err(), errc::canceled);
    EXPECT_EQ(c->cause().message(), "why");
  }
  const context late = parent.with_timeout(1h);
  EXPECT_TRUE(late.done());
  EXPECT_TRUE(late.get_stop_token().stop_requested());
  EXPECT_EQ(late.cause().message(), "why");
}

TEST(ContextTest, ParentIsNotDoneBecauseOfAChild) {
  const auto [parent, cancel_parent] = context().with_cancel();
  const auto [child, cancel] = parent.with_cancel();
  const context past = parent.with_timeout(-1s);
  cancel();
  EXPECT_TRUE(child.done());
  EXPECT_TRUE(past.done());
  EXPECT_FALSE(parent.done());
}

TEST(ContextTest, WithoutCancelIsCutOff) {
  const auto [parent, cancel] = context().with_timeout(1h).with_cancel();
  const context ctx = parent.without_cancel();
  cancel();
  EXPECT_FALSE(ctx.done());
  EXPECT_EQ(ctx.deadline(), std::nullopt);
}

TEST(ContextTest, WhoSeesTheStopSeesTheCause) {
  const auto [parent, cancel] = context().with_cancel();
  const context child = parent.with_timeout(1h);
  error seen;
  const std::stop_callback on_stop(child.get_stop_token(), [&, &c = child] {
    EXPECT_TRUE(c.done());
    seen = c.cause();
  });
  cancel(error("why"));
  EXPECT_EQ(seen.message(), "why");
}

TEST(ContextTest, CallbacksRunOnTheCancelersThread) {
  const auto [ctx, cancel] = context().with_cancel();
  std::thread::id ran_on;
  const std::stop_callback on_stop(ctx.get_stop_token(), [&] { ran_on = std::this_thread::get_id(); });
  cancel();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(ContextTest, CallbackMayUseTheWholeTree) {
  auto [parent, cancel] = context().with_cancel();
  auto [child, cancel_child] = parent.with_cancel();
  context dropped = parent.with_timeout(1h);
  bool ran = false;
  const std::stop_callback on_stop(child.get_stop_token(), [&, &p = parent, &c = cancel, &cc = cancel_child] {
    EXPECT_TRUE(p.with_timeout(1h).done());
    EXPECT_TRUE(p.with_cancel().first.done());
    c(error("again"));
    cc();
    dropped = context();
    ran = true;
  });
  cancel(error("why"));
  EXPECT_TRUE(ran);
  EXPECT_EQ(child.cause().message(), "why");
}

TEST(ContextTest, DeadlineStopsTheTokenOnTimeWithNobodyWaiting) {
  const auto when = clock::now() + 20ms;
  const context ctx = context().with_deadline(when, error("too slow"));
  std::promise<std::thread::id> stopped;
  const std::stop_callback on_stop(ctx.get_stop_token(), [&] { stopped.set_value(std::this_thread::get_id()); });
  EXPECT_NE(stopped.get_future().get(), std::this_thread::get_id());
  EXPECT_GE(clock::now(), when);
  EXPECT_EQ(ctx.err(), errc::deadline_exceeded);
  EXPECT_EQ(ctx.err(), std::errc::timed_out);
  EXPECT_EQ(ctx.cause().message(), "too slow");
}

// Fires on the timer's own thread, and hands nothing over.
class recorder final : public errgroup::detail::timer_client {
 public:
  recorder(std::function<void()> f) : f_(std::move(f)) {}

 private:
  bool try_retain() noexcept override { return true; }
  void fire(errgroup::detail::timer_lead&) noexcept override { f_(); }

  std::function<void()> f_;
};

TEST(TimerTest, FiresTheEarliestFirstWhateverIsAddedAndRemoved) {
  using errgroup::detail::timer;
  constexpr std::size_t n = 2000;
  std::vector<std::size_t> fired, order(n);
  std::vector<std::unique_ptr<recorder>> clients;
  for (std::size_t i = 0; i != n; ++i) {
    clients.push_back(std::make_unique<recorder>([&, i] { fired.push_back(i); }));
  }
  std::latch entered(1), leave(1), all(1);
  recorder gate([&] {
    entered.count_down();
    leave.wait();
  });
  recorder last([&] { all.count_down(); });
  const auto start = clock::now();
  timer::shared().add(gate, start);
  entered.wait();          // The others are all due when it leaves.
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same order each time.
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), random);
  for (const std::size_t i : order) timer::shared().add(*clients[i], start - (n - i) * 1us);
  std::shuffle(order.begin(), order.end(), random);
  for (std::size_t i = 0; i != n / 2; ++i) timer::shared().remove(*clients[order[i]]);
  timer::shared().add(last, start);
  leave.count_down();
  all.wait();
  std::vector<std::size_t> kept(order.begin() + n / 2, order.end());
  std::sort(kept.begin(), kept.end());
  EXPECT_EQ(fired, kept);
}

TEST(ContextTest, EarlierDeadlineWins) {
  const auto now = clock::now();
  const context outer = context().with_deadline(now + 2h, error("outer"));
  EXPECT_EQ(outer.deadline(), now + 2h);
  EXPECT_EQ(outer.with_deadline(now + 1h).deadline(), now + 1h);
  EXPECT_EQ(outer.with_deadline(now + 3h).deadline(), now + 2h);
  EXPECT_EQ(outer.with_cancel().first.deadline(), now + 2h);

  const context soon = context().with_timeout(10ms, error("outer"));
  const context later = soon.with_timeout(1h, error("dropped"));
  EXPECT_EQ(later.sleep_for(1h).message(), "outer");
}

TEST(ContextTest, PastDeadlineIsDoneAtOnce) {
  for (const auto d : {0s, -1s, std::chrono::seconds::min()}) {
    const context ctx = context().with_timeout(d, error("past"));
    EXPECT_TRUE(ctx.done()) << d.count();
    EXPECT_TRUE(ctx.get_stop_token().stop_requested());
    EXPECT_EQ(ctx.err(), errc::deadline_exceeded);
    EXPECT_EQ(ctx.cause().message(), "past");
  }
  EXPECT_TRUE(context().with_deadline(clock::time_point::min()).done());
}

TEST(ContextTest, DeadlineTooLargeForTheClockIsNone) {
  EXPECT_EQ(context().with_timeout(std::chrono::hours::max()).deadline(), std::nullopt);
  EXPECT_EQ(context().with_timeout(std::chrono::nanoseconds::max()).deadline(), std::nullopt);
  EXPECT_EQ(context().with_timeout(std::chrono::duration<double>(1e300)).deadline(), std::nullopt);
  EXPECT_EQ(
      context().with_timeout(std::chrono::duration<float>(std::numeric_limits<float>::infinity())).deadline(),
      std::nullopt);
  EXPECT_EQ(context().with_deadline(clock::time_point::max()).deadline(), std::nullopt);
  EXPECT_NE(context().with_timeout(std::chrono::hours(24 * 365 * 100)).deadline(), std::nullopt);
}

TEST(ContextTest, LastReferenceReleasesTheNodeAndStopsNothing) {
  std::optional<context> ctx = context().with_timeout(1h);
  const std::stop_token token = ctx->get_stop_token();
  const context copy = *ctx;
  ctx.reset();
  EXPECT_TRUE(token.stop_possible());
  EXPECT_FALSE(token.stop_requested());
  ctx = copy.with_timeout(30min);
  EXPECT_TRUE(token.stop_possible());
  auto last = [](context c) { return c.with_timeout(10min); }(*std::exchange(ctx, std::nullopt));
  EXPECT_TRUE(token.stop_possible());
}

TEST(ContextTest, TokenAloneDoesNotKeepTheContext) {
  std::stop_token token = context().with_timeout(1h).get_stop_token();
  EXPECT_FALSE(token.stop_possible());
  canceler keep;
  {
    auto [ctx, cancel] = context().with_cancel();
    token = ctx.get_stop_token();
    keep = cancel;
  }
  EXPECT_TRUE(token.stop_possible());
  keep();
  EXPECT_TRUE(token.stop_requested());
}

TEST(ContextTest, ChainOfAHundredThousandIsReleased) {
  context ctx = context().with_cancel().first;
  const std::stop_token root = ctx.get_stop_token();
  for (int i = 0; i != 100'000; ++i) ctx = ctx.with_cancel().first;
  EXPECT_TRUE(root.stop_possible());
  ctx = context();
  EXPECT_FALSE(root.stop_possible());
}

TEST(ContextTest, SleepsForItsTime) {
  for (const context& ctx : {context(), context().with_timeout(1h)}) {
    const auto start = clock::now();
    EXPECT_FALSE(ctx.sleep_for(5ms));
    EXPECT_GE(clock::now() - start, 5ms);
    EXPECT_FALSE(ctx.sleep_until(start + 10ms));
    EXPECT_GE(clock::now() - start, 10ms);
    EXPECT_FALSE(ctx.sleep_for(-1s));
    EXPECT_FALSE(ctx.sleep_until(clock::time_point::min()));
  }
}

TEST(ContextTest, SleepLooksAtTheContextFirst) {
  const auto [ctx, cancel] = context().with_cancel();
  cancel(error("why"));
  EXPECT_EQ(ctx.sleep_for(0s).message(), "why");
  EXPECT_EQ(ctx.sleep_for(std::chrono::hours::max()).message(), "why");
}

TEST(ContextTest, CancelWakesEverySleeper) {
  const auto [ctx, cancel] = context().with_cancel();
  std::vector<std::future<error>> sleepers;
  std::latch about_to_sleep(20);
  for (int i = 0; i != 20; ++i) {
    sleepers.push_back(std::async(std::launch::async, [&, i, c = ctx.with_timeout(1h)] {
      about_to_sleep.count_down();
      return i % 2 == 0 ? c.sleep_for(1h) : c.sleep_for(std::chrono::hours::max());
    }));
  }
  about_to_sleep.wait();
  cancel(error("wake up"));
  for (auto& s : sleepers) EXPECT_EQ(s.get().message(), "wake up");
}

TEST(ContextTest, WaitLooksAtThePredicateFirst) {
  const auto [ctx, cancel] = context().with_cancel();
  cancel(error("why"));
  std::mutex mutex;
  std::condition_variable_any cv;
  std::unique_lock lock(mutex);
  EXPECT_FALSE(ctx.wait(cv, lock, [] { return true; }));
  EXPECT_EQ(ctx.wait(cv, lock, [] { return false; }).message(), "why");
  EXPECT_TRUE(lock.owns_lock());
}

TEST(ContextTest, WaitEndsWhenNotified) {
  for (const context& ctx : {context(), context().with_timeout(1h)}) {
    std::mutex mutex;
    std::condition_variable_any cv;
    bool ready = false;
    const std::jthread other([&] {
      const std::lock_guard lock(mutex);
      ready = true;
      cv.notify_all();
    });
    std::unique_lock lock(mutex);
    EXPECT_FALSE(ctx.wait(cv, lock, [&] { return ready; }));
    EXPECT_TRUE(lock.owns_lock());
  }
}

TEST(ContextTest, WaitEndsAtTheDeadline) {
  const auto when = clock::now() + 10ms;
  const context ctx = context().with_deadline(when);
  std::mutex mutex;
  std::condition_variable_any cv;
  std::unique_lock lock(mutex);
  EXPECT_EQ(ctx.wait(cv, lock, [] { return false; }), errc::deadline_exceeded);
  EXPECT_GE(clock::now(), when);
}

// Deriving, dropping, sleeping and firing against a cancel: a child seen after its parent is done is done.
TEST(ContextTest, DerivingRacesWithCancel) {
  for (int round = 0; round != 200; ++round) {
    auto [parent, cancel] = context().with_cancel();
    std::latch start(4);
    std::vector<std::jthread> threads;
    for (int t = 0; t != 3; ++t) {
      threads.emplace_back([&, p = parent] {
        start.arrive_and_wait();
        for (int i = 0; i != 20; ++i) {
          const context child = p.with_timeout(i % 2 == 0 ? std::chrono::microseconds(20 * i) : 1h);
          const bool parent_done = p.done();
          if (parent_done) {
            EXPECT_TRUE(child.done());
            EXPECT_TRUE(child.cause());
          }
          if (child.get_stop_token().stop_requested()) {
            EXPECT_TRUE(child.done());
          }
        }
        EXPECT_EQ(p.sleep_for(1h).message(), "why");
      });
    }
    start.arrive_and_wait();
    cancel(error("why"));
  }
}

}  // namespace
