// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <mutex>
#include <utility>

#include <gtest/gtest.h>

#include <errgroup/detail/base/lock_rank.hpp>

namespace {

using errgroup::detail::lock_rank;
using errgroup::detail::ranked_lock;
using group_lock = ranked_lock<lock_rank::group>;
using tree_lock = ranked_lock<lock_rank::tree>;
using pool_lock = ranked_lock<lock_rank::pool>;

TEST(LockRankTest, LocksMayBeTakenInTheirOrder) {
  std::mutex group, tree, pool;
  for (int i = 0; i != 2; ++i) {
    group_lock first(group);
    const tree_lock second(tree);
    pool_lock third(pool, std::defer_lock);
    EXPECT_TRUE(third.try_lock());
    third.unlock();
    third.lock();
  }
}

TEST(LockRankTest, ALockThatIsMovedIsHeldOnce) {
  std::mutex group, other;
  group_lock a(group);
  group_lock b(std::move(a));
  EXPECT_TRUE(b.owns_lock());
  b = group_lock();
  const group_lock c(other);
}

#if GTEST_HAS_DEATH_TEST
TEST(LockRankDeathTest, ALockOutOfOrderEndsTheProgram) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  std::mutex group, pool;
  const pool_lock later(pool);
  EXPECT_DEATH(group_lock{group}, "a lock of rank 0 is taken");
}

TEST(LockRankDeathTest, TwoLocksOfOneRankEndTheProgram) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  std::mutex one, two;
  const group_lock first(one);
  EXPECT_DEATH(group_lock{two}, "a lock of rank 0 is taken");
}
#endif

}  // namespace
