// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/detail/pool/growth_policy.hpp>

#include <chrono>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using errgroup::detail::growth_policy;
using errgroup::detail::task_kind;
using decision = growth_policy::decision;

TEST(GrowthPolicyTest, DecidesByTheFigures) {
  constexpr bool no = false, yes = true;
  struct row {
    const char* what;
    growth_policy::figures f;
    decision d;
  };
  // cores, awake, just_woken, seen_before, taken, owner_steps, stuck_for, has_runner
  const row table[] = {
      {"a new job waits for one nap", {2, 0, no, no, 0, 0, 0us, yes}, decision::leave},
      {"to wake up was a nap", {2, 0, yes, no, 0, 0, 0us, yes}, decision::take},
      {"a core is free", {2, 1, no, yes, 1, 0, 0us, yes}, decision::take},
      {"the owner has that core", {2, 1, no, yes, 1, 1, 0us, yes}, decision::leave},
      {"all cores are used, and it gets on", {2, 2, no, yes, 1, 0, 0us, yes}, decision::leave},
      {"all cores are used, and nobody gets on", {2, 2, no, yes, 0, 0, 30us, yes}, decision::check},
      {"a new job where all cores are used", {2, 2, no, no, 0, 0, 0us, yes}, decision::leave},
      {"a new job where all cores are used, and to wake up was a nap",
       {2, 2, yes, no, 0, 0, 0us, yes},
       decision::check},
      {"the owner runs many tasks", {2, 0, yes, yes, 50, 100, 0us, yes}, decision::leave},
      {"the owner adds many tasks", {2, 0, yes, yes, 0, 100, 299us, yes}, decision::leave},
      {"the owner only adds, for too long", {2, 0, yes, yes, 0, 100, 300us, yes}, decision::take},
      {"the owner does little", {2, 0, yes, yes, 0, 63, 0us, yes}, decision::take},
      {"nobody gets on for long: nearly", {2, 2, no, yes, 0, 0, 9999us, yes}, decision::check},
      {"nobody gets on for long", {2, 2, no, yes, 0, 0, 10ms, yes}, decision::take},
      {"nobody has it, and the workers compute for long: nearly",
       {2, 2, no, yes, 0, 0, 149us, no},
       decision::check},
      {"nobody has it, and the workers compute for long", {2, 2, no, yes, 0, 0, 150us, no}, decision::take},
      {"one core is used", {1, 1, no, yes, 0, 0, 0us, yes}, decision::check},
      {"many cores", {64, 63, no, yes, 0, 0, 0us, yes}, decision::take},
  };
  for (const row& r : table) EXPECT_EQ(growth_policy::at_search(r.f), r.d) << r.what;
}

TEST(GrowthPolicyTest, SendsAWorkerAtOnceWhereItIsWorthIt) {
  EXPECT_TRUE(growth_policy::at_once(task_kind::blocking, 100, 2));
  EXPECT_TRUE(growth_policy::at_once(task_kind::unknown, 1, 2));
  EXPECT_FALSE(growth_policy::at_once(task_kind::unknown, 2, 2));
  EXPECT_TRUE(growth_policy::at_once(task_kind::computing, 1, 2));
  EXPECT_FALSE(growth_policy::at_once(task_kind::computing, 2, 2));
  EXPECT_TRUE(growth_policy::at_once(task_kind::awaited, 1, 2));
  EXPECT_FALSE(growth_policy::at_once(task_kind::quick, 0, 2));
}

TEST(GrowthPolicyTest, SendsWorkersForUnknownTasksUntilSomebodyComputesOrThereAreMany) {
  EXPECT_TRUE(growth_policy::at_once_unknown(63, false, false));
  EXPECT_FALSE(growth_policy::at_once_unknown(63, false, true));
  EXPECT_FALSE(growth_policy::at_once_unknown(64, false, false));
  EXPECT_TRUE(growth_policy::at_once_unknown(511, true, false));
  EXPECT_FALSE(growth_policy::at_once_unknown(511, true, true));
  EXPECT_FALSE(growth_policy::at_once_unknown(512, true, false));
}

TEST(GrowthPolicyTest, TasksMaySleepIfEachWorkerGotOnByOne) {
  EXPECT_TRUE(growth_policy::may_sleep({64, 3, false, true, 1, 0, 0us, true}));
  EXPECT_FALSE(growth_policy::may_sleep({64, 3, false, true, 2, 0, 0us, true}));
  EXPECT_FALSE(growth_policy::may_sleep({64, 3, false, true, 1, 1, 0us, true}));
  EXPECT_FALSE(growth_policy::may_sleep({64, 3, true, false, 0, 0, 0us, true}));
}

TEST(GrowthPolicyTest, AJobIsLateThatNobodyHasTouchedSinceTheLastPass) {
  EXPECT_TRUE(growth_policy::late({2, 0, false, true, 0, 0, 0us, false}));
  EXPECT_FALSE(growth_policy::late({2, 0, true, true, 0, 0, 0us, false}));
  EXPECT_FALSE(growth_policy::late({2, 0, false, false, 0, 0, 0us, false}));
  EXPECT_FALSE(growth_policy::late({2, 0, false, true, 1, 0, 0us, false}));
  EXPECT_FALSE(growth_policy::late({2, 0, false, true, 0, 1, 0us, false}));
}

TEST(GrowthPolicyTest, NapsAreShortWhereSomethingHappensAndNeverLong) {
  EXPECT_EQ(growth_policy::nap(0), 20us);
  EXPECT_EQ(growth_policy::nap(1), 40us);
  EXPECT_EQ(growth_policy::nap(1000), 160us);  // A task that is late for two of them is late by less than 0.5 ms.
}

}  // namespace
