// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/detail/pool/sleep_watch.hpp>

#include <atomic>
#include <chrono>
#include <latch>
#include <mutex>
#include <thread>

#include <errgroup/detail/pool/worker.hpp>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using errgroup::detail::call_site;
using errgroup::detail::pool_worker;
using errgroup::detail::sleep_watch;
using errgroup::detail::task_kind;
using errgroup::detail::watched_thread;

TEST(SleepWatchTest, CountsWhoRunsJobsAndWhoOfThemIsAwake) {
  std::mutex mutex;
  sleep_watch watch(mutex);
  watched_thread a, b;
  watch.begin_job(a, false);
  watch.begin_job(b, true);
  EXPECT_EQ(watch.busy(), 2U);
  EXPECT_EQ(watch.awake(), 1U);
  EXPECT_TRUE(b.counts_as_asleep());
  watch.wake_up(b);
  watch.wake_up(a);  // It was awake.
  EXPECT_EQ(watch.awake(), 2U);
  watch.end_job(b);
  watch.end_job(a);
  watch.begin_job(a, true);
  watch.end_job(a);
  EXPECT_EQ(watch.busy(), 0U);
  EXPECT_EQ(watch.awake(), 0U);
  EXPECT_FALSE(a.counts_as_asleep());
}

TEST(SleepWatchTest, AWorkerIsAwakeAgainAtATaskThatIsNotKnownToSleep) {
  std::mutex mutex;
  sleep_watch watch(mutex);
  pool_worker w(watch);
  call_site sleeping, quick;
  sleeping.learn(task_kind::blocking);
  quick.learn(task_kind::quick);
  watch.begin_job(w, true);
  w.begin_task(sleeping);
  EXPECT_EQ(watch.awake(), 0U);
  w.end_task();
  w.begin_task(quick);
  EXPECT_EQ(watch.awake(), 1U);
  w.end_task();
  watch.end_job(w);
}

TEST(SleepWatchTest, WhoHasNotBegunATaskIsNotChecked) {
  std::mutex mutex;
  sleep_watch watch(mutex);
  watched_thread a;
  watch.begin_job(a, false);
  EXPECT_FALSE(watch.check(errgroup::clock::now()));
  EXPECT_EQ(watch.awake(), 1U);
  watch.end_job(a);
}

#if defined(__linux__)

// That the sleeper has gone to sleep may take a moment, which is waited for.
TEST(SleepWatchTest, FindsWhoSleepsInATaskAndTellsItsSite) {
  std::mutex mutex;
  sleep_watch watch(mutex);
  watched_thread sleeper, busy;
  call_site sleeping, computing;
  std::atomic<bool> stop{false};
  std::latch begun(3), end(1);
  watch.begin_job(sleeper, false);
  watch.begin_job(busy, false);
  std::jthread a([&] {
    sleeper.begin_activity();
    sleeper.set_site(&sleeping);
    begun.arrive_and_wait();
    end.wait();
  });
  std::jthread b([&] {
    busy.begin_activity();
    begun.count_down();
    begun.wait();
    busy.set_site(&computing);  // From here on it does not sleep.
    while (!stop) {
    }
  });
  begun.arrive_and_wait();
  while (!sleeper.counts_as_asleep()) watch.check(errgroup::clock::now());
  EXPECT_EQ(sleeping.kind(), task_kind::blocking);
  while (!watch.anyone_computes()) std::this_thread::yield();
  EXPECT_FALSE(busy.counts_as_asleep());
  EXPECT_EQ(computing.kind(), task_kind::unknown);
  EXPECT_EQ(watch.awake(), 1U);
  const auto now = errgroup::clock::now() + 1s;
  EXPECT_FALSE(watch.check(now));  // The sleeper is not found again.
  end.count_down();
  stop = true;
  a.join();
  b.join();
  watch.end_job(sleeper);
  watch.end_job(busy);
}

#endif

}  // namespace
