// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/detail/pool/thread_activity.hpp>

#include <atomic>
#include <chrono>
#include <latch>
#include <thread>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using errgroup::detail::thread_activity;

#if defined(__linux__)

// A sleeper sleeps until it is told to end; that it has gone to sleep may take a moment, which is waited for. The
// one that computes is never seen asleep, however often one looks, though it may have to wait for a core.
TEST(ThreadActivityTest, TellsWhoSleeps) {
  using state = thread_activity::state;
  thread_activity sleeper, busy;
  std::atomic<bool> stop{false}, sleeper_is_past{false},
      busy_is_past{false};  // Past the latch, where it may sleep.
  std::latch begun(3), end(1);
  std::jthread a([&] {
    sleeper.begin();
    begun.arrive_and_wait();
    sleeper_is_past = true;
    end.wait();
  });
  std::jthread b([&] {
    busy.begin();
    begun.arrive_and_wait();
    busy_is_past = true;
    while (!stop) {
    }
  });
  begun.arrive_and_wait();
  while (!sleeper_is_past || !busy_is_past) std::this_thread::yield();
  while (sleeper.look() != state::asleep) std::this_thread::yield();
  EXPECT_EQ(sleeper.look(), state::asleep);
  for (int i = 0; i != 1000; ++i) ASSERT_EQ(busy.look(), state::awake);
  end.count_down();
  stop = true;
}

// It may have to wait for a core, and is asked until it has computed.
TEST(ThreadActivityTest, TellsWhoComputes) {
  thread_activity sleeper, busy;
  std::atomic<bool> stop{false};
  std::latch begun(3), end(1);
  std::jthread a([&] {
    sleeper.begin();
    begun.arrive_and_wait();
    end.wait();
  });
  std::jthread b([&] {
    busy.begin();
    begun.arrive_and_wait();
    while (!stop) {
    }
  });
  begun.arrive_and_wait();
  while (sleeper.look() != thread_activity::state::asleep) std::this_thread::yield();
  while (!busy.has_computed()) std::this_thread::yield();
  EXPECT_FALSE(sleeper.has_computed());
  end.count_down();
  stop = true;
}

#else

TEST(ThreadActivityTest, IsNotKnown) {
  thread_activity self;
  self.begin();
  EXPECT_EQ(self.look(), thread_activity::state::not_known);
  EXPECT_FALSE(self.has_computed());
}

#endif

}  // namespace
