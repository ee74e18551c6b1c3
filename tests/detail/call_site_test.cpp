// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/detail/pool/call_site.hpp>

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using errgroup::detail::call_site;
using errgroup::detail::task_kind;

void compute_for(std::chrono::nanoseconds d) {
  for (const auto until = errgroup::clock::now() + d; errgroup::clock::now() < until;) {
  }
}

TEST(CallSiteTest, BelievesTheFirstTask) {
  for (const task_kind k : {task_kind::quick, task_kind::computing, task_kind::blocking}) {
    call_site site;
    EXPECT_EQ(site.kind(), task_kind::unknown);
    site.learn(k);
    EXPECT_EQ(site.kind(), k);
  }
}

TEST(CallSiteTest, OneSleeperIsProof) {
  call_site site;
  for (int i = 0; i != 100; ++i) site.learn(task_kind::quick);
  site.learn(task_kind::blocking);
  EXPECT_EQ(site.kind(), task_kind::blocking);
}

TEST(CallSiteTest, BlockingIsGivenUpAfterSomeTasksInARowThatDidNotSleep) {
  call_site site;
  site.learn(task_kind::blocking);
  for (int i = 0; i != 100; ++i) {  // Every other one sleeps.
    site.learn(task_kind::quick);
    EXPECT_EQ(site.kind(), task_kind::blocking);
    site.learn(task_kind::blocking);
  }
  int n = 0;
  for (; site.kind() == task_kind::blocking; ++n) site.learn(task_kind::quick);
  EXPECT_GT(n, 4);
  EXPECT_LT(n, 20);
  EXPECT_EQ(site.kind(), task_kind::quick);
}

TEST(CallSiteTest, OneLongTaskDoesNotMakeQuickOnesCompute) {
  call_site site;
  for (int i = 0; i != 10; ++i) site.learn(task_kind::quick);
  site.learn(task_kind::computing);
  EXPECT_EQ(site.kind(), task_kind::quick);
  site.learn(task_kind::computing);
  EXPECT_EQ(site.kind(), task_kind::computing);
}

TEST(CallSiteTest, LearnsFromWhatItRuns) {
  call_site quick, computing, blocking;
  for (int i = 0; i != 2000; ++i) quick.run([] {});
  EXPECT_EQ(quick.kind(), task_kind::quick);
  const int value = blocking.run([] {
    std::this_thread::sleep_for(1ms);
    return 7;
  });
  EXPECT_EQ(value, 7);
#if defined(__linux__)
  for (int i = 0; i != 200; ++i) computing.run([] { compute_for(50us); });
  EXPECT_EQ(computing.kind(), task_kind::computing);
  EXPECT_EQ(blocking.kind(), task_kind::blocking);
#endif
}

TEST(CallSiteTest, LearnsFromATaskThatThrows) {
  call_site site;
  EXPECT_THROW(site.run([]() -> int { throw 1; }), int);
  EXPECT_NE(site.kind(), task_kind::unknown);
}

TEST(CallSiteTest, EachTypeOfTaskIsASite) {
  auto a = [] {};
  auto b = [] {};
  EXPECT_NE(&errgroup::detail::site_of<decltype(a)>, &errgroup::detail::site_of<decltype(b)>);
}

}  // namespace
