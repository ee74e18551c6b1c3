// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/options.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/group.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::clock;
using errgroup::errc;
using errgroup::error;
using errgroup::group;
using errgroup::group_settings;

template <class... Options>
group_settings apply(Options... options) {
  group_settings s;
  (options(s), ...);
  return s;
}

TEST(OptionsTest, DefaultsAreNoLimitNoDeadlineFailFast) {
  const group_settings s;
  EXPECT_LT(s.limit, 0);
  EXPECT_EQ(s.timeout, clock::duration::max());
  EXPECT_EQ(s.deadline, clock::time_point::max());
  EXPECT_FALSE(s.keep_going);
  EXPECT_EQ(s.max_errors, 0U);
}

TEST(OptionsTest, TheLastOneWins) {
  EXPECT_EQ(apply(errgroup::with_limit(1), errgroup::with_limit(7)).limit, 7);
  EXPECT_EQ(apply(errgroup::collect_errors(1), errgroup::collect_errors()).max_errors,
            std::numeric_limits<std::size_t>::max());
}

TEST(OptionsTest, TheEarliestDeadlineWins) {
  const auto now = clock::now();
  EXPECT_EQ(apply(errgroup::with_timeout(1s), errgroup::with_timeout(5min)).timeout, 1s);
  EXPECT_EQ(apply(errgroup::with_timeout(5min), errgroup::with_timeout(1s)).timeout, 1s);
  EXPECT_EQ(apply(errgroup::with_deadline(now + 1h), errgroup::with_deadline(now)).deadline, now);
  EXPECT_EQ(apply(errgroup::with_deadline(now), errgroup::with_deadline(now + 1h)).deadline, now);
  EXPECT_EQ(group(errgroup::with_timeout(2h), errgroup::with_deadline(now + 1h)).get_context().deadline(),
            now + 1h);
  EXPECT_LE(group(errgroup::with_timeout(1h), errgroup::with_deadline(now + 3h)).get_context().deadline(),
            now + 2h);
}

TEST(OptionsTest, TimeoutsOfAnySize) {
  EXPECT_EQ(apply(errgroup::with_timeout(std::chrono::hours::max())).timeout, clock::duration::max());
  EXPECT_EQ(apply(errgroup::with_timeout(std::chrono::duration<double>(1e300))).timeout, clock::duration::max());
  EXPECT_EQ(apply(errgroup::with_timeout(std::chrono::duration<double, std::nano>(0.5))).timeout, 1ns);
  EXPECT_EQ(apply(errgroup::with_timeout(-1s)).timeout, 0s);
  group g(errgroup::with_timeout(std::chrono::hours::min()));
  EXPECT_FALSE(g.go([] {}));
  EXPECT_EQ(g.wait(), errc::deadline_exceeded);
}

TEST(OptionsTest, UsersWriteTheirOwn) {
  const auto for_databases = [](group_settings& s) {
    s.limit = 0;
    s.keep_going = true;
  };
  group g(for_databases);
  EXPECT_FALSE(g.try_go([] {}));
  EXPECT_FALSE(g.wait());
}

TEST(OptionsTest, GroupTakesAContextOrATokenFirst) {
  std::stop_source source;
  source.request_stop();
  EXPECT_TRUE(group(source.get_token()).get_context().done());
  EXPECT_TRUE(group(errgroup::context(source.get_token()), errgroup::keep_going()).get_context().done());
  EXPECT_FALSE((std::is_constructible_v<group, int>));
  EXPECT_FALSE((std::is_convertible_v<errgroup::context, group>));
}

// Keeps what it is given, as a pool of std::function does.
struct late_executor {
  std::vector<std::function<void()>> given;
  void execute(std::function<void()> f) { given.push_back(std::move(f)); }
};

TEST(OptionsTest, RunnerIsCopyableAndRunsOnce) {
  late_executor ex;
  int ran = 0;
  {
    group g(errgroup::with_executor(ex));
    g.go([&] { ++ran; });
    ASSERT_EQ(ex.given.size(), 1U);
    const std::function<void()> copy = ex.given[0];
    copy();
    ex.given[0]();
    EXPECT_EQ(ran, 1);
    g.go([&] { ++ran; });
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(ran, 2);
  }
  for (const auto& f : ex.given) f();  // After the group is gone.
  EXPECT_EQ(ran, 2);
}

TEST(OptionsTest, ARunnerThatHasRunRunsNoLaterTask) {
  late_executor ex;
  group g(errgroup::with_executor(ex));
  g.go([] {});
  const std::function<void()> first = ex.given.at(0);
  first();
  bool ran = false;
  g.go([&] { ran = true; });
  first();
  ex.given[0]();
  EXPECT_FALSE(ran);
  ex.given.at(1)();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(g.wait());
}

TEST(OptionsTest, NoMoreRunnersThanQueuedTasks) {
  late_executor ex;
  group g(errgroup::with_executor(ex));
  for (int i = 0; i != 3; ++i) g.go([] {});
  EXPECT_EQ(ex.given.size(), 3U);
  ex.given[0]();  // It runs all three; the other two are still to begin.
  g.go([] {});
  g.go([] {});
  EXPECT_EQ(ex.given.size(), 3U);
  g.go([] {});
  EXPECT_EQ(ex.given.size(), 4U);
  EXPECT_FALSE(g.wait());
}

// Runs at once, in go().
struct inline_executor {
  template <class F>
  void execute(F f) const {
    f();
  }
};

TEST(OptionsTest, ExecutorMayRunInline) {
  const inline_executor ex;
  group g(errgroup::with_executor(ex), errgroup::with_limit(1));
  std::vector<int> order;
  for (int i = 0; i != 3; ++i) {
    g.go([&order, i] { order.push_back(i); });
    EXPECT_EQ(order.size(), static_cast<std::size_t>(i) + 1);
  }
  g.go([] { return error("inline"); });
  EXPECT_FALSE(g.go([] {}));
  EXPECT_EQ(g.wait().message(), "inline");
}

TEST(OptionsTest, ExecutorMayBeAThreadCache) {
  errgroup::thread_cache cache;
  group g(errgroup::with_executor(cache));
  g.go([] {});
  EXPECT_FALSE(g.wait());
}

}  // namespace
