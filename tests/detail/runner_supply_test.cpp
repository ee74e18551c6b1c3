// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <gtest/gtest.h>

#include <errgroup/detail/group/runner_supply.hpp>

namespace {

using errgroup::detail::executor_calls;
using errgroup::detail::executor_ref;
using errgroup::detail::runner_supply;

struct RunnerSupplyTest : testing::Test {
  int object = 0;
  const executor_ref custom{{}, &object, nullptr};
  const executor_ref pool{};
};

TEST_F(RunnerSupplyTest, CountsAllThatAreSureToCome) {
  runner_supply supply(pool);
  EXPECT_TRUE(supply.covers(0));
  EXPECT_FALSE(supply.covers(1));
  supply.begin_search();
  supply.expect_workers(2);
  supply.helpers().enter();
  EXPECT_EQ(supply.coming(), 3U) << "who sleeps does not come";
  supply.helpers().wake_one();
  EXPECT_EQ(supply.coming(), 4U);
  EXPECT_TRUE(supply.covers(4));
  EXPECT_FALSE(supply.covers(5));
  supply.end_expecting(1);
  supply.end_search();
  EXPECT_EQ(supply.coming(), 2U);
}

TEST_F(RunnerSupplyTest, TheEndOfARoundForgetsSearchersAndHelpersButNotWorkers) {
  runner_supply supply(pool);
  supply.begin_search();
  supply.helpers().enter();
  supply.helpers().wake_one();
  supply.expect_workers(1);
  supply.end_round();
  EXPECT_EQ(supply.coming(), 1U);
  EXPECT_EQ(supply.searchers(), 0U);
}

TEST_F(RunnerSupplyTest, ACustomExecutorLacksARunnerForEachTaskThatHasNone) {
  runner_supply of_pool(pool);
  EXPECT_FALSE(of_pool.lacks_runner(5));
  runner_supply supply(custom);
  EXPECT_TRUE(supply.custom());
  EXPECT_FALSE(supply.lacks_runner(0));
  EXPECT_TRUE(supply.lacks_runner(1));
  supply.calls().accept();
  EXPECT_FALSE(supply.lacks_runner(1));
  EXPECT_TRUE(supply.lacks_runner(2));
  supply.begin_search();
  EXPECT_FALSE(supply.lacks_runner(2));
  supply.calls().end_unbegun();
  EXPECT_TRUE(supply.lacks_runner(2));
}

TEST(ExecutorCallsTest, ACallKeepsItsTaskUntilItsRunnerHasBegunOrItEnds) {
  executor_calls calls;
  executor_calls::call one, two;
  one.serial = 1;
  two.serial = 2;
  calls.begin(one);
  calls.begin(two);
  EXPECT_TRUE(calls.keeps(1));
  EXPECT_TRUE(calls.keeps(2));
  EXPECT_FALSE(calls.keeps(3));
  calls.release(1);
  EXPECT_FALSE(calls.keeps(1));
  EXPECT_TRUE(calls.keeps(2));
  calls.end(two);
  EXPECT_FALSE(calls.keeps(2));
  calls.end(one);
}

}  // namespace
