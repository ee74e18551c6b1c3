// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include <errgroup/detail/group/parking.hpp>

namespace {

using errgroup::detail::caller_lot;
using errgroup::detail::helper_lot;
using errgroup::detail::never;
using errgroup::detail::parking_spot;
using errgroup::detail::watcher_lot;

/// Waits until `asleep()` is true, under the mutex: the sleepers give it up as they sleep.
template <class Asleep>
void wait_until_asleep(std::unique_lock<std::mutex>& lock, Asleep asleep) {
  while (!asleep()) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
}

TEST(CallerLotTest, LendsEachCallerASpotOfItsOwnAndUsesItAgain) {
  caller_lot lot;
  parking_spot& a = lot.take();
  parking_spot& b = lot.take();
  EXPECT_NE(&a, &b);
  lot.give(a);
  EXPECT_EQ(&lot.take(), &a);
  lot.give(b);
  lot.give(a);
}

TEST(CallerLotTest, CountsWhoSleepsHoweverThatEnds) {
  caller_lot lot;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  parking_spot& spot = lot.take();
  lot.sleep(spot, lock, errgroup::clock::time_point::min());
  EXPECT_EQ(lot.sleeping(), 0U);
  bool woken = false;
  std::thread sleeper([&] {
    std::unique_lock mine(mutex);
    while (!woken) lot.sleep(spot, mine, never);
  });
  wait_until_asleep(lock, [&] { return lot.sleeping() == 1; });
  woken = true;
  spot.wake.notify_one();
  lock.unlock();
  sleeper.join();
  EXPECT_EQ(lot.sleeping(), 0U);
  lot.give(spot);
}

TEST(HelperLotTest, AWakeUpIsPromisedOnceAndTakenByTheFirstThatLeaves) {
  helper_lot lot;
  lot.wake_one();  // There is nobody.
  EXPECT_EQ(lot.promised_wakeups(), 0U);
  lot.enter();
  lot.enter();
  EXPECT_EQ(lot.parked(), 2U);
  lot.wake_one();
  EXPECT_EQ(lot.parked(), 1U);
  EXPECT_EQ(lot.promised_wakeups(), 1U);
  lot.leave();
  EXPECT_EQ(lot.parked(), 1U);
  EXPECT_EQ(lot.promised_wakeups(), 0U);
  lot.leave();
  EXPECT_EQ(lot.parked(), 0U);
}

TEST(HelperLotTest, ThePromiseWakesASleeper) {
  helper_lot lot;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::thread helper([&] {
    std::unique_lock mine(mutex);
    lot.enter();
    while (lot.promised_wakeups() == 0) lot.sleep(mine);
    lot.leave();
  });
  wait_until_asleep(lock, [&] { return lot.parked() == 1; });
  lot.wake_one();
  lock.unlock();
  helper.join();
  EXPECT_EQ(lot.promised_wakeups(), 0U);
}

TEST(HelperLotTest, TheEndOfARoundWakesAllAndTakesPromisesBack) {
  helper_lot lot;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  bool over = false;
  const auto sleep = [&] {
    std::unique_lock mine(mutex);
    lot.enter();
    while (!over) lot.sleep(mine);
  };
  std::thread one(sleep), two(sleep);
  wait_until_asleep(lock, [&] { return lot.parked() == 2; });
  lot.wake_one();
  over = true;
  lot.end_round();
  EXPECT_EQ(lot.parked() + lot.promised_wakeups(), 0U);
  lock.unlock();
  one.join();
  two.join();
}

TEST(WatcherLotTest, WakesAllThatSleepAndTellsWhenTheTimeIsOver) {
  watcher_lot lot;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  lot.wake_all();
  EXPECT_FALSE(lot.sleep_until(lock, errgroup::clock::time_point::min()));
  EXPECT_EQ(lot.sleeping(), 0U);
  bool over = false;
  const auto sleep = [&] {
    std::unique_lock mine(mutex);
    while (!over) EXPECT_TRUE(lot.sleep_until(mine, never));
  };
  std::thread one(sleep), two(sleep);
  wait_until_asleep(lock, [&] { return lot.sleeping() == 2; });
  over = true;
  lot.wake_all();
  lock.unlock();
  one.join();
  two.join();
  EXPECT_EQ(lot.sleeping(), 0U);
}

}  // namespace
