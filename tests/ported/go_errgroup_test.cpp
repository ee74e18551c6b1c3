// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The tests of Go's golang.org/x/sync/errgroup, with their tables and in their order.

#include <atomic>
#include <latch>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

namespace {

using errgroup::error;
using errgroup::group;

// Go: TestZeroGroup. The zero Group is our keep_going().
TEST(GroupGoTest, ZeroGroup) {
  const error err1("errgroup_test: 1");
  const error err2("errgroup_test: 2");
  const std::vector<std::vector<error>> cases = {{}, {nullptr}, {err1}, {err1, nullptr}, {err1, nullptr, err2}};
  for (const auto& errs : cases) {
    group g(errgroup::keep_going());
    error first;
    for (const error& err : errs) {
      g.go([err] { return err; });
      if (!first) first = err;
      EXPECT_EQ(g.wait(), first);
    }
    EXPECT_EQ(g.wait(), first);
  }
}

// Go: TestWithContext.
TEST(GroupGoTest, WithContext) {
  const error doom("group_test: doomed");
  struct test_case {
    std::vector<error> errs;
    error want;
  };
  const std::vector<test_case> cases = {
      {{}, {}}, {{nullptr}, {}}, {{doom}, doom}, {{doom, nullptr}, doom}, {{nullptr, doom}, doom}};
  for (const auto& [errs, want] : cases) {
    const errgroup::context parent;
    group g(parent);
    const errgroup::context ctx = g.get_context();
    for (const error& err : errs) g.go([err] { return err; });
    EXPECT_EQ(g.wait(), want);
    EXPECT_TRUE(ctx.done());
    EXPECT_TRUE(ctx.get_stop_token().stop_requested());
    EXPECT_FALSE(parent.done());
  }
}

// Go: TestTryGo.
TEST(GroupGoTest, TryGo) {
  group g;
  const int n = 42;
  g.set_limit(n);
  std::latch hold(1);
  const auto fn = [&] { hold.wait(); };
  for (int i = 0; i < n; ++i) EXPECT_TRUE(g.try_go(fn)) << i;
  EXPECT_FALSE(g.try_go(fn));
  hold.count_down();
  EXPECT_FALSE(g.wait());

  std::latch second(1);
  const auto wait_second = [&] { second.wait(); };
  EXPECT_TRUE(g.try_go(wait_second));
  g.set_limit(1);
  EXPECT_FALSE(g.try_go(wait_second));
  second.count_down();
  EXPECT_FALSE(g.wait());

  g.set_limit(-1);
  for (int i = 0; i < n; ++i) EXPECT_TRUE(g.try_go([] {})) << i;
  EXPECT_FALSE(g.wait());

  g.set_limit(0);
  EXPECT_FALSE(g.try_go([] {}));
  EXPECT_FALSE(g.wait());
}

// Go: TestGoLimit.
TEST(GroupGoTest, GoLimit) {
  const int limit = 10;
  group g(errgroup::with_limit(limit));
  std::atomic<int> active{0};
  for (int i = 0; i <= 1 << 10; ++i) {
    g.go([&]() -> error {
      const int n = ++active;
      if (n > limit) return error("saw " + std::to_string(n) + " active tasks; want <= 10");
      for (int k = 0; k < 100; ++k) std::this_thread::yield();
      --active;
      return {};
    });
  }
  EXPECT_EQ(g.wait(), error());
}

// Go: TestCancelCause.
TEST(GroupGoTest, CancelCause) {
  const error doom("group_test: doomed");
  struct test_case {
    std::vector<error> errs;
    error want;
  };
  const std::vector<test_case> cases = {{{}, errgroup::errc::canceled},
                                        {{nullptr}, errgroup::errc::canceled},
                                        {{doom}, doom},
                                        {{doom, nullptr}, doom}};
  for (const auto& [errs, want] : cases) {
    group g;
    const errgroup::context ctx = g.get_context();
    for (const error& err : errs) g.go([err] { return err; });
    (void)g.wait();
    EXPECT_EQ(ctx.cause(), want);
    EXPECT_EQ(ctx.err(), errgroup::errc::canceled);
  }
}

}  // namespace
