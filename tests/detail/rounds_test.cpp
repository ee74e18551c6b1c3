// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <chrono>
#include <stop_token>
#include <utility>

#include <gtest/gtest.h>

#include <errgroup/detail/group/rounds.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group_settings;
using errgroup::detail::failures;
using errgroup::detail::rounds;

struct counting_watcher final : errgroup::detail::done_watcher {
  bool try_retain() noexcept override { return true; }
  void on_done() noexcept override { ++told; }
  int told = 0;
};

/// Ends the open round as a wait() does, and returns the outcome.
error end(rounds& r) {
  error outcome = r.failed().outcome_of(r.number());
  const context ended = r.end(outcome);
  errgroup::detail::context_access::cancel(ended, r.failed().began_in(r.number()) ? outcome : error());
  return outcome;
}

TEST(FailuresTest, KeepTheFirstErrorAndItsRound) {
  failures f(0);
  EXPECT_FALSE(f.first());
  const error first("first");
  f.report(first, 2);
  f.report(error("second"), 3);
  EXPECT_EQ(f.first(), first);
  EXPECT_FALSE(f.outcome_of(1)) << "that round had ended well";
  EXPECT_EQ(f.outcome_of(2), first);
  EXPECT_EQ(f.outcome_of(3), first);
  EXPECT_TRUE(f.began_in(2));
  EXPECT_FALSE(f.began_in(3));
  f.clear();
  EXPECT_FALSE(f.first());
}

TEST(FailuresTest, ListAsManyErrorsAsAreWanted) {
  failures f(2);
  const error a("a"), b("b"), c("c");
  f.add(a);
  EXPECT_TRUE(f.list().empty()) << "no room was reserved";
  EXPECT_TRUE(f.may_grow());
  f.reserve(1);
  f.reserve(3);
  EXPECT_FALSE(f.may_grow());
  f.add(a);
  f.add(b);
  f.add(c);
  ASSERT_EQ(f.list().size(), 2U);
  EXPECT_EQ(f.list()[1], b);
}

TEST(RoundsTest, ARoundAfterASuccessHasAContextOfItsOwn) {
  const group_settings settings;
  rounds r(context(), settings);
  EXPECT_TRUE(r.is_open(1));
  const context first = r.current().make();
  EXPECT_FALSE(first.done());
  EXPECT_FALSE(end(r));
  EXPECT_TRUE(first.done());
  EXPECT_FALSE(r.is_open());
  r.open();
  EXPECT_TRUE(r.is_open(2));
  EXPECT_FALSE(r.is_open(1));
  EXPECT_FALSE(r.done());
  EXPECT_FALSE(r.current().make().done());
}

TEST(RoundsTest, AfterAFailureThereIsNoOtherRoundUnlessTheGroupGoesOn) {
  for (const bool keep_going : {false, true}) {
    group_settings settings;
    settings.keep_going = keep_going;
    rounds r(context(), settings);
    const error failed("failed");
    r.report_failure(failed);
    EXPECT_EQ(end(r), failed);
    r.open();
    EXPECT_EQ(r.is_open(), keep_going);
    EXPECT_EQ(r.failed().outcome_of(r.number()), failed);
  }
}

TEST(RoundsTest, AnErrorThatSaysNoMoreThanStoppedBecomesTheCause) {
  group_settings settings;
  settings.max_errors = 10;
  rounds r(context(), settings);
  r.failed().reserve(4);
  const error cause("the cause"), own("its own");
  r.cancel_round(cause).run();
  EXPECT_TRUE(r.stopped());
  error e = errc::canceled;
  (void)r.record(e);
  EXPECT_EQ(e, cause);
  e = own;
  (void)r.record(e);
  EXPECT_EQ(e, own);
  EXPECT_EQ(r.failed().first(), cause);
  ASSERT_EQ(r.failed().list().size(), 1U) << "what only repeats the cause is left out";
  EXPECT_EQ(r.failed().list()[0], own);
}

TEST(RoundsTest, BareErrorsStayBeforeTheContextIsDone) {
  const group_settings settings;
  rounds r(context(), settings);
  error e = errc::deadline_exceeded;
  (void)r.record(e);
  EXPECT_EQ(e, errc::deadline_exceeded);
  EXPECT_FALSE(r.done());
}

TEST(RoundsTest, ACancelIsForLaterRoundsTooAndWhatCameFirstIsTheCause) {
  const group_settings settings;
  const error given("given"), of_parent("of the parent");
  {
    rounds r(context(), settings);
    r.cancel_later_rounds(given);
    r.cancel_later_rounds(error("again"));
    EXPECT_FALSE(r.done());
    (void)end(r);
    r.open();
    EXPECT_TRUE(r.done());
    EXPECT_EQ(r.current().make().cause(), given);
  }
  const auto [parent, cancel] = context().with_cancel();
  rounds r(parent, settings);
  cancel(of_parent);
  r.cancel_later_rounds(given);
  (void)end(r);
  r.open();
  EXPECT_EQ(r.current().cause(), of_parent);
}

TEST(RoundsTest, TheTimeoutStartsAnewWithEachRoundAndTheDeadlineDoesNot) {
  group_settings settings;
  settings.timeout = 1h;
  settings.deadline = errgroup::clock::now() + 24h;
  rounds r(context(), settings);
  const auto first = r.current().get().deadline();
  ASSERT_TRUE(first);
  EXPECT_LT(*first, settings.deadline);
  (void)end(r);
  r.open();
  EXPECT_GT(r.current().get().deadline(), first);
}

TEST(RoundsTest, AWatcherIsToldOfAnEndFromOutside) {
  const group_settings settings;
  const auto [parent, cancel] = context().with_cancel();
  rounds r(parent, settings);
  counting_watcher watcher;
  EXPECT_TRUE(r.watch(watcher));
  EXPECT_TRUE(r.watch(watcher)) << "once is enough";
  cancel();
  EXPECT_EQ(watcher.told, 1);
  EXPECT_FALSE(r.watch(watcher));
  (void)r.unwatch(watcher);

  rounds other(context(), settings);
  EXPECT_TRUE(other.watch(watcher));
  (void)other.unwatch(watcher);
}

}  // namespace
