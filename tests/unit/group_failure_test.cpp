// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The group's rule 7, and what it allocates.

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <memory>
#include <new>
#include <system_error>
#include <thread>

#include <pthread.h>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

#include "allocation.hpp"
#include "thread_start.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group;

TEST(GroupFailureTest, GoThrowsIfNoThreadCanBeStarted) {
  errgroup::thread_cache cache;
  group g(errgroup::with_executor(cache), errgroup::with_limit(1));
  auto shared = std::make_shared<int>(0);
  std::atomic<int> ran{0};
  {
    const no_thread_starts scope;
    EXPECT_THROW(g.go([&, shared] { ++ran; }), std::system_error);
    EXPECT_EQ(shared.use_count(), 1);
    EXPECT_THROW(g.try_go([&] { ++ran; }), std::system_error);
    EXPECT_THROW((void)g.spawn([&] { return ++ran; }), std::system_error);
  }
  EXPECT_FALSE(g.get_context().done());
  EXPECT_TRUE(g.try_go([&] { ++ran; }));
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 1);
}

TEST(GroupFailureTest, AnIdleThreadIsEnough) {
  errgroup::thread_cache cache;
  std::promise<void> warm;
  cache.execute([&] { warm.set_value(); });
  warm.get_future().wait();
  const no_thread_starts scope;
  group g(errgroup::with_executor(cache));
  std::promise<void> ran;
  for (bool accepted = false; !accepted;) {  // Until the thread is done with its function, and idle.
    try {
      accepted = g.go([&] { ran.set_value(); });
    } catch (const std::system_error&) {
      std::this_thread::yield();
    }
  }
  ran.get_future().wait();
  EXPECT_FALSE(g.wait());
}

// The threads that there are run everything, though no more can be started.
TEST(GroupFailureTest, AllIsRunByWhoIsThere) {
  errgroup::thread_cache cache;
  group g(errgroup::with_executor(cache));
  std::latch release(1);
  g.go([&] { release.wait(); });
  std::atomic<int> ran{0};
  {
    const no_thread_starts scope;
    int accepted = 0;
    for (int i = 0; i != 20; ++i) {
      try {
        if (g.go([&] { ++ran; })) ++accepted;
      } catch (const std::system_error&) {
      }
    }
    release.count_down();
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(ran, accepted);
  }
}

TEST(GroupFailureTest, TaskMayEndItsThread) {
  group g;
  g.go([] { pthread_exit(nullptr); });
  EXPECT_EQ(*g.wait_for(1h), std::errc::owner_dead);  // wait() might run it, and end this thread.
}

TEST(GroupFailureTest, SpawnedTaskMayEndItsThread) {
  group g;
  auto h = g.spawn([] {
    pthread_exit(nullptr);
    return 1;
  });
  EXPECT_EQ(*g.wait_for(1h), std::errc::owner_dead);
  EXPECT_FALSE(h.get());
}

// Memory fails at the n-th allocation of each function in turn: it throws, and all is as before.
TEST(GroupFailureTest, ExhaustedMemoryLeavesTheGroupAsItWas) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  group g(errgroup::with_limit(1), errgroup::collect_errors());
  std::atomic<int> ran{0};
  int accepted = 0;
  for (std::size_t n = 0; n != 12; ++n) {
    auto shared = std::make_shared<int>(0);
    const auto attempt = [&](auto f) {
      try {
        const allocation::exhausted none(n);
        f();
        return true;
      } catch (const std::bad_alloc&) {
        return false;
      }
    };
    if (attempt([&] { g.go([&, shared] { ++ran; }); })) ++accepted;
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(shared.use_count(), 1);
    if (attempt([&] { (void)g.spawn([&, shared] { return ++ran; }); })) ++accepted;
    EXPECT_FALSE(g.wait());
    (void)attempt([&] { group h(g.get_context(), errgroup::with_timeout(1h)); });
    (void)attempt([&] { (void)g.get_context().with_timeout(1h).with_cancel(); });
    (void)attempt([&] { (void)g.errors(); });
    EXPECT_FALSE(g.wait());
  }
  EXPECT_EQ(ran, accepted);
  EXPECT_GT(accepted, 0);
}

// A thread that blocks at the limit needs memory to sleep the first time; without it go() throws, as for any other
// want of memory, and its place in line is gone.
TEST(GroupFailureTest, ExhaustedMemoryInABlockedGoLeavesTheLineAsItWas) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  for (std::size_t n = 0; n != 3; ++n) {
    group g(errgroup::with_limit(1));
    std::latch release(1);
    auto shared = std::make_shared<int>(0);
    std::atomic<int> ran{0};
    g.go([&] { release.wait(); });
    if (n == 0) {
      const allocation::exhausted none(n);
      EXPECT_THROW(g.go([&, shared] { ++ran; }), std::bad_alloc);
      EXPECT_THROW((void)g.spawn([&, shared] { return ++ran; }), std::bad_alloc);
    } else {
      std::jthread releases([&] { release.count_down(); });
      try {
        const allocation::exhausted none(n);
        g.go([&, shared] {});
      } catch (const std::bad_alloc&) {
      }
    }
    if (n == 0) release.count_down();
    EXPECT_TRUE(g.go([&] { ++ran; }));
    EXPECT_TRUE(g.go([&] { ++ran; }));
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(ran, 2);
    EXPECT_EQ(shared.use_count(), 1);
  }
}

TEST(GroupFailureTest, ExhaustedMemoryBeyondTheLimitLeavesTheGroupAsItWas) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  group g(errgroup::with_limit(1));
  auto shared = std::make_shared<int>(0);
  std::atomic<int> ran{0};
  int accepted = 0;
  g.go([&] {
    for (std::size_t n = 0; n != 6; ++n) {
      try {
        const allocation::exhausted none(n);
        accepted += g.go([&, shared] { ++ran; });
      } catch (const std::bad_alloc&) {
      }
    }
  });
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, accepted);
  EXPECT_GT(accepted, 0);
  EXPECT_EQ(shared.use_count(), 1);
}

// The thread's memory stays exhausted to its end.
TEST(GroupFailureTest, TaskMayEndItsThreadWithMemoryExhausted) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  for (const int limit : {-1, 2}) {
    for (const bool spawned : {false, true}) {
      errgroup::thread_cache cache;
      group g(errgroup::with_executor(cache), errgroup::with_limit(limit), errgroup::collect_errors());
      errgroup::handle<int> h;
      const context ctx = g.get_context();
      const auto end = [] {
        allocation::left = 0;
        pthread_exit(nullptr);
        return 1;
      };
      if (spawned) {
        h = g.spawn(end);
      } else {
        g.go([end] { (void)end(); });
      }
      EXPECT_EQ(*g.wait_for(1h), std::errc::owner_dead);
      EXPECT_EQ(ctx.cause(), std::errc::owner_dead);
      EXPECT_EQ(g.errors().size(), 1U);
      if (spawned) {
        EXPECT_EQ(h.get().error(), std::errc::owner_dead);
      }
    }
  }
}

TEST(GroupFailureTest, OneAllocationAGoAtMost) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  constexpr int tasks = 1000;
  group g;
  std::atomic<int> ran{0};
  const auto all = [&] {
    for (int i = 0; i != tasks; ++i) g.go([&] { ++ran; });
  };
  all();
  EXPECT_FALSE(g.wait());
  EXPECT_FALSE(g.get_context().done());  // The new round is open.
  EXPECT_LE(allocation::count(all), static_cast<std::size_t>(tasks));
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 2 * tasks);
}

TEST(GroupFailureTest, NoMemoryIsLost) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  const auto use = [] {
    errgroup::thread_cache cache;
    for (int round = 0; round != 20; ++round) {
      group g(context().with_timeout(1h), errgroup::with_executor(cache), errgroup::collect_errors());
      for (int i = 0; i != 10; ++i) g.go([i] { return i == 7 ? error("e") : error(); });
      (void)g.spawn([] { return 1; });
      if (round % 2 == 0) (void)g.wait();
    }
  };
  use();  // The timer keeps what it has made.
  const std::ptrdiff_t before = allocation::live;
  use();
  EXPECT_EQ(allocation::live, before);
}

}  // namespace
