// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/detail/pool/job_queue.hpp>

#include <mutex>

#include <gtest/gtest.h>

namespace {

using errgroup::detail::job_queue;
using errgroup::detail::pool_job;
using errgroup::detail::pool_worker;
using errgroup::detail::sleep_watch;
using errgroup::detail::watched_thread;

struct job final : pool_job {
  void run(pool_worker&) override {}
  void not_coming() noexcept override {}
  void retain() noexcept override {}
  void release() noexcept override {}
};

struct JobQueueTest : testing::Test {
  std::mutex mutex;
  sleep_watch watch{mutex};
  job_queue queue{watch, 2};
  pool_worker searcher{watch};
  job a, b;
};

TEST_F(JobQueueTest, KeepsTheOrder) {
  queue.push(a);
  queue.push(b);
  EXPECT_EQ(queue.front(), &a);
  queue.erase(a);
  EXPECT_FALSE(queue.contains(a));
  EXPECT_EQ(queue.front(), &b);
  queue.erase(b);
  EXPECT_TRUE(queue.empty());
}

TEST_F(JobQueueTest, ANewJobIsTakenAtTheSecondPassAndIsLateThen) {
  queue.push(a);
  EXPECT_EQ(queue.choose(searcher, false), nullptr);
  EXPECT_EQ(queue.choose(searcher, false), &a);
  EXPECT_TRUE(searcher.late);
}

TEST_F(JobQueueTest, ASearcherThatWasWokenTakesANewJobAtOnce) {
  queue.push(a);
  EXPECT_EQ(queue.choose(searcher, true), &a);
  EXPECT_FALSE(searcher.late);
}

TEST_F(JobQueueTest, WhatIsPushedAgainIsNewAgain) {
  queue.push(a);
  EXPECT_EQ(queue.choose(searcher, false), nullptr);
  queue.erase(a);
  queue.push(a);
  EXPECT_EQ(queue.choose(searcher, false), nullptr);
}

TEST_F(JobQueueTest, AJobWhoseOwnerGetsOnIsLeftToItAndGoesToTheBack) {
  queue.push(a);
  EXPECT_EQ(queue.choose(searcher, false), nullptr);
  for (int i = 0; i != 100; ++i) {
    a.progress();
    a.outside_progress();
  }
  queue.push(b);
  EXPECT_EQ(queue.choose(searcher, false), nullptr);
  EXPECT_EQ(queue.front(), &b);
  EXPECT_EQ(queue.choose(searcher, false), &b);
}

TEST_F(JobQueueTest, WhoHasJustEndedAJobTakesWhatNobodyIsAt) {
  EXPECT_EQ(queue.ready(), nullptr);
  queue.push(a);
  EXPECT_EQ(queue.ready(), &a);
  a.outside_progress();  // Its owner is left some time, until the searcher has passed by.
  EXPECT_EQ(queue.ready(), nullptr);
  EXPECT_EQ(queue.choose(searcher, false), nullptr);
  EXPECT_EQ(queue.ready(), &a);
}

TEST_F(JobQueueTest, WhereAllCoresAreUsedAJobThatGetsOnIsLeft) {
  watched_thread first, second;
  watch.begin_job(first, false);
  watch.begin_job(second, false);
  queue.push(a);
  for (int i = 0; i != 3; ++i) {
    a.progress();
    EXPECT_EQ(queue.choose(searcher, false), nullptr);
  }
  watch.end_job(first);
  a.progress();
  EXPECT_EQ(queue.choose(searcher, false), &a);
  watch.end_job(second);
}

TEST_F(JobQueueTest, IsQuietIfNothingWasPushedSinceTheLastPass) {
  EXPECT_TRUE(queue.quiet());
  queue.push(a);
  queue.erase(a);
  EXPECT_FALSE(queue.quiet());
  EXPECT_EQ(queue.choose(searcher, false), nullptr);
  EXPECT_TRUE(queue.quiet());
}

}  // namespace
