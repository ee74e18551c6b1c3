// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/executor.hpp>
#include <errgroup/group.hpp>

#include <atomic>
#include <barrier>
#include <chrono>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <pthread.h>

#include <gtest/gtest.h>

#include "thread_start.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::thread_cache;
using errgroup::thread_cache_options;

// Runs `f` on the cache and waits for it.
template <class F>
void run(thread_cache& cache, F f) {
  std::promise<void> done;
  cache.execute([&] {
    f();
    done.set_value();
  });
  done.get_future().wait();
}

TEST(ThreadCacheTest, RunsOnAnotherThread) {
  thread_cache cache;
  std::thread::id id;
  run(cache, [&] { id = std::this_thread::get_id(); });
  EXPECT_NE(id, std::this_thread::get_id());
  EXPECT_NE(id, std::thread::id());
}

TEST(ThreadCacheTest, TakesAMoveOnlyFunctionAndDestroysIt) {
  auto shared = std::make_shared<int>(1);
  {
    thread_cache cache;
    cache.execute([only = std::make_unique<int>(2), shared] { EXPECT_EQ(*only, 2); });
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(ThreadCacheTest, CallsTheFunctionAsAnRvalue) {
  struct once {
    std::promise<bool>* p;
    void operator()() & { p->set_value(false); }
    void operator()() && { p->set_value(true); }
  };
  std::promise<bool> p;
  thread_cache cache;
  const once f{&p};
  cache.execute(f);
  EXPECT_TRUE(p.get_future().get());
}

TEST(ThreadCacheTest, GrowsWhenAllThreadsAreBusy) {
  std::barrier meet(301);
  thread_cache cache;
  for (int i = 0; i != 300; ++i) cache.execute([&] { meet.arrive_and_wait(); });
  meet.arrive_and_wait();
}

TEST(ThreadCacheTest, WorkFromAWorkerIsNotHeldUpByIt) {
  thread_cache cache;
  run(cache, [&] {
    std::latch inner(1);
    cache.execute([&] { inner.count_down(); });
    inner.wait();
  });
}

TEST(ThreadCacheTest, QueuesAtMaxThreadsInOrder) {
  std::vector<int> order;
  std::size_t most = 0, now = 0;  // Of one thread only.
  {
    thread_cache cache({.max_threads = 1});
    for (int i = 0; i != 100; ++i) {
      cache.execute([&, i] {
        most = std::max(most, ++now);
        order.push_back(i);
        --now;
      });
    }
  }
  EXPECT_EQ(most, 1U);
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i != 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(ThreadCacheTest, NeverMoreThanMaxThreads) {
  std::atomic<int> now{0}, most{0};
  {
    std::barrier meet(3);  // Three do run at the same time.
    thread_cache cache({.max_threads = 3});
    for (int i = 0; i != 30; ++i) {
      cache.execute([&] {
        const int n = ++now;
        for (int m = most; m < n && !most.compare_exchange_weak(m, n);) {
        }
        meet.arrive_and_wait();
        --now;
      });
    }
  }
  EXPECT_EQ(most, 3);
}

TEST(ThreadCacheTest, DestructorRunsWhatIsQueuedAndJoins) {
  std::atomic<int> ran{0};
  {
    thread_cache cache({.max_threads = 2});
    for (int i = 0; i != 1000; ++i) cache.execute([&] { ++ran; });
  }
  EXPECT_EQ(ran, 1000);
}

TEST(ThreadCacheTest, WorkGivenWhileTheDestructorRunsIsRun) {
  std::atomic<int> ran{0};
  std::latch closing(1);
  {
    thread_cache cache;
    cache.execute([&] {
      closing.wait();
      cache.execute([&] { ++ran; });
    });
    closing.count_down();
  }
  EXPECT_EQ(ran, 1);
}

// The cache only has to outlive the group's last go(): its destructor finds the group's job queued, and threads that
// are parked, or look for work.
TEST(ThreadCacheTest, DestructorRunsTheTasksOfAGroupThatOutlivesIt) {
  for (int i = 0; i != 500; ++i) {
    std::atomic<int> ran{0};
    std::optional<thread_cache> cache(std::in_place);
    std::latch all(3);
    for (int k = 0; k != 3; ++k) cache->execute([&] { all.arrive_and_wait(); });
    all.wait();
    errgroup::group g(errgroup::with_executor(*cache));
    g.go([&] { ++ran; });
    cache.reset();
    EXPECT_EQ(ran, 1);
    EXPECT_FALSE(g.wait());
  }
}

TEST(ThreadCacheTest, ReusesAnIdleThread) {
  thread_cache cache({.max_threads = 1});
  std::thread::id first, second;
  run(cache, [&] { first = std::this_thread::get_id(); });
  run(cache, [&] { second = std::this_thread::get_id(); });
  EXPECT_EQ(first, second);
}

struct tells_its_end {
  std::promise<void>* told = nullptr;
  ~tells_its_end() {
    if (told) told->set_value();
  }
};
thread_local tells_its_end end_of_thread;

TEST(ThreadCacheTest, IdleThreadEndsAfterItsTimeout) {
  std::promise<void> ended;
  thread_cache cache({.idle_timeout = 1ms});
  cache.execute([&] { end_of_thread.told = &ended; });
  ended.get_future().wait();  // While the cache lives.
  run(cache, [] {});
}

TEST(ThreadCacheTest, NamesItsThreads) {
  thread_cache cache({.thread_name = "my-cache-with-a-long-name"});
  char name[32] = {};
  run(cache, [&] { pthread_getname_np(pthread_self(), name, sizeof(name)); });
  EXPECT_EQ(std::string(name), "my-cache-with-a");
}

TEST(ThreadCacheTest, SharedIsOneAndRuns) {
  EXPECT_EQ(&thread_cache::shared(), &thread_cache::shared());
  run(thread_cache::shared(), [] {});
}

TEST(ThreadCacheTest, ThrowsIfNoThreadStarts) {
  std::atomic<int> ran{0};
  thread_cache cache;
  {
    const no_thread_starts scope;
    EXPECT_THROW(cache.execute([&] { ++ran; }), std::system_error);
  }
  EXPECT_EQ(ran, 0);
  run(cache, [&] { ++ran; });
  EXPECT_EQ(ran, 1);
  {
    const no_thread_starts scope;  // But one is idle, as soon as it is done with the function before.
    std::latch done(1);
    for (bool accepted = false; !accepted;) {
      try {
        cache.execute([&] {
          ++ran;
          done.count_down();
        });
        accepted = true;
      } catch (const std::system_error&) {
        std::this_thread::yield();
      }
    }
    done.wait();
  }
  EXPECT_EQ(ran, 2);
}

TEST(ThreadCacheTest, ThrowingMoveLeavesTheCacheAsItWas) {
  struct throws_on_copy {
    throws_on_copy() = default;
    throws_on_copy(const throws_on_copy&) { throw std::runtime_error("copied"); }
    void operator()() {}
  };
  thread_cache cache;
  const throws_on_copy f;
  EXPECT_THROW(cache.execute(f), std::runtime_error);
  run(cache, [] {});
}

TEST(ThreadCacheDeathTest, EscapingExceptionTerminates) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        thread_cache cache;
        cache.execute([] { throw std::runtime_error("escaped"); });
      },
      "escaped|terminate");
}

// A function that ends its thread takes the thread from the cache, and nothing else.
TEST(ThreadCacheTest, FunctionMayEndItsThread) {
  std::atomic<int> ran{0};
  thread_cache cache({.max_threads = 1});
  cache.execute([&] {
    ++ran;
    pthread_exit(nullptr);
  });
  run(cache, [&] { ++ran; });
  EXPECT_EQ(ran, 2);
}

// g++'s AddressSanitizer reports what it does itself while a cancelled thread is unwound.
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
constexpr bool cancelling_is_reported = true;
#else
constexpr bool cancelling_is_reported = false;
#endif

// It ends where it next waits: as it looks for more to run, or is idle.
TEST(ThreadCacheTest, AThreadMayBeCancelled) {
  if (cancelling_is_reported) GTEST_SKIP() << "google/sanitizers issue 1399";
  for (int i = 0; i != 5; ++i) {
    std::atomic<int> ran{0};
    {
      thread_cache cache;
      cache.execute([&] {
        ++ran;
        pthread_cancel(pthread_self());
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(i));
      run(cache, [&] { ++ran; });
    }
    EXPECT_EQ(ran, 2);
  }
}

// The cache is destroyed as the thread is about to look for more, so that it leaves before it has waited.
TEST(ThreadCacheTest, AThreadMayBeCancelledAsItLeaves) {
  if (cancelling_is_reported) GTEST_SKIP() << "google/sanitizers issue 1399";
  for (int i = 0; i != 200; ++i) {
    std::latch both(2);
    thread_cache cache;
    for (int k = 0; k != 2; ++k) {
      cache.execute([&] {
        both.arrive_and_wait();
        pthread_cancel(pthread_self());
      });
    }
  }
}

}  // namespace
