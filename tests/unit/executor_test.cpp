// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/executor.hpp>
#include <errgroup/group.hpp>

#include <atomic>
#include <barrier>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
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
#include "unowned_job.hpp"

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

TEST(ThreadCacheTest, ExecuteReturnsWhileAllOfMaxThreadsAreBlocked) {
  std::latch blocked(1), go(1);
  std::atomic<int> ran{0};
  {
    thread_cache cache({.max_threads = 1});
    cache.execute([&] {
      blocked.count_down();
      go.wait();
    });
    blocked.wait();
    for (int i = 0; i != 10; ++i) cache.execute([&] { ++ran; });
    EXPECT_EQ(ran, 0);
    go.count_down();
  }
  EXPECT_EQ(ran, 10);
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

// The cache only has to outlive the group's last go(): its destructor finds the group's job queued, and threads
// that are parked, or look for work.
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

// Who comes too late is told so, and the group is as before.
TEST(ThreadCacheTest, GoThrowsWhenTheCacheIsGone) {
  std::optional<thread_cache> cache(std::in_place);
  errgroup::group g(errgroup::with_executor(*cache));
  cache.reset();
  bool ran = false;
  EXPECT_THROW(g.go([&] { ran = true; }), std::system_error);
  EXPECT_FALSE(g.wait());
  EXPECT_FALSE(ran);
}

TEST(ThreadCacheTest, ReusesAnIdleThread) {
  std::atomic<int> started{0};
  thread_cache cache({.max_threads = 1, .on_thread_start = [&] { ++started; }});
  for (int i = 0; i != 10; ++i) run(cache, [] {});
  EXPECT_EQ(started, 1);
}

// Calls its function as the thread ends.
struct at_thread_end {
  std::function<void()> call;
  ~at_thread_end() {
    if (call) call();
  }
};
thread_local at_thread_end end_of_thread;

TEST(ThreadCacheTest, IdleThreadEndsAfterItsTimeout) {
  std::promise<void> ended;
  thread_cache cache({.idle_timeout = 1ms});
  cache.execute([&] { end_of_thread.call = [&] { ended.set_value(); }; });
  ended.get_future().wait();  // While the cache lives.
  run(cache, [] {});
}

TEST(ThreadCacheTest, ThreadsHaveEndedWhenTheDestructorReturns) {
  for (int i = 0; i != 100; ++i) {
    std::atomic<int> ended{0};
    {
      std::latch all(4);  // The last thread may still be in it when the cache's destructor is called.
      thread_cache cache;
      for (int k = 0; k != 4; ++k) {
        cache.execute([&] {
          end_of_thread.call = [&] {
            std::this_thread::yield();  // So that one that is not waited for comes late.
            ++ended;
          };
          all.arrive_and_wait();
        });
      }
    }
    EXPECT_EQ(ended, 4);
  }
}

// The cache's destructor has told the thread to leave, and waits for its end.
TEST(ThreadCacheTest, WorkGivenByAThreadThatEndsIsRun) {
  std::atomic<int> ran{0};
  {
    thread_cache cache;
    run(cache, [&] { end_of_thread.call = [&] { cache.execute([&] { ++ran; }); }; });
  }
  EXPECT_EQ(ran, 1);
}

TEST(ThreadCacheTest, NamesItsThreads) {
  const auto name_in = [](thread_cache& cache) {
    char name[32] = {};
    run(cache, [&] { pthread_getname_np(pthread_self(), name, sizeof(name)); });
    return std::string(name);
  };
  thread_cache named({.thread_name = "my-cache-with-a-long-name"}), unnamed;
  EXPECT_EQ(name_in(named), "my-cache-with-a");
  EXPECT_EQ(name_in(unnamed), "errgroup");
}

// Compares the calling thread's mask with one that blocks these signals.
bool mask_is(std::initializer_list<int> blocked) {
  sigset_t mask, expected;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  sigemptyset(&expected);
  for (const int s : blocked) sigaddset(&expected, s);
  for (int s = 1; s != SIGRTMIN; ++s) {
    if (sigismember(&mask, s) != sigismember(&expected, s)) return false;
  }
  return true;
}

// Blocks these signals on the calling thread, and no others, for a scope.
class masked {
 public:
  explicit masked(std::initializer_list<int> blocked) {
    sigset_t mask;
    sigemptyset(&mask);
    for (const int s : blocked) sigaddset(&mask, s);
    pthread_sigmask(SIG_SETMASK, &mask, &before_);
  }
  masked(const masked&) = delete;
  masked& operator=(const masked&) = delete;
  ~masked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

TEST(ThreadCacheTest, ThreadsHaveTheSignalMaskOfTheCachesMaker) {
  std::optional<thread_cache> cache;
  {
    const masked maker({SIGUSR2});
    cache.emplace();
  }
  std::latch all(3);
  std::atomic<int> right{0};
  {
    const masked starter({SIGTERM, SIGINT});
    for (int i = 0; i != 3; ++i) {
      cache->execute([&] {
        right += mask_is({SIGUSR2});
        all.arrive_and_wait();
      });
    }
    EXPECT_TRUE(mask_is({SIGTERM, SIGINT}));  // As before: a thread is started under another.
  }
  cache.reset();
  EXPECT_EQ(right, 3);
}

// Here a thread of the cache, with a mask that the function has set, makes the next one start.
TEST(ThreadCacheTest, AThreadStartedByAFunctionHasTheSignalMaskOfTheCachesMaker) {
  const masked maker({SIGUSR2});
  thread_cache cache;
  run(cache, [&] {
    const masked starter({SIGTERM});
    bool right = false;
    run(cache, [&] { right = mask_is({SIGUSR2}); });
    EXPECT_TRUE(right);
  });
}

thread_local bool began_with_the_hook = false;

TEST(ThreadCacheTest, OnThreadStartIsCalledFirstOnEachThread) {
  std::atomic<int> calls{0}, ready{0}, after{0};
  {
    const masked maker({SIGUSR2});
    std::latch all(3);
    thread_cache cache({.thread_name = "hooked", .on_thread_start = [&] {
                          char name[32] = {};
                          pthread_getname_np(pthread_self(), name, sizeof(name));
                          ++calls;
                          ready += std::strcmp(name, "hooked") == 0 && mask_is({SIGUSR2});
                          began_with_the_hook = true;
                        }});
    for (int round = 0; round != 2; ++round) {
      for (int i = 0; i != 3; ++i) {
        cache.execute([&, round] {
          after += began_with_the_hook;
          if (round == 0) all.arrive_and_wait();
        });
      }
      if (round == 0) all.wait();
    }
  }
  EXPECT_GE(calls, 3);
  EXPECT_EQ(ready, calls);
  EXPECT_EQ(after, 6);
}

TEST(ThreadCacheTest, OnThreadStartIsCalledOnceAThread) {
  int calls = 0;  // Of one thread only.
  {
    thread_cache cache({.max_threads = 1, .on_thread_start = [&] { ++calls; }});
    for (int i = 0; i != 10; ++i) cache.execute([] {});
  }
  EXPECT_EQ(calls, 1);
}

TEST(ThreadCacheTest, OnThreadStartMayUseTheCache) {
  std::atomic<int> ran{0};
  {
    std::optional<thread_cache> cache;
    cache.emplace(
        thread_cache_options{.max_threads = 1, .on_thread_start = [&] { cache->execute([&] { ++ran; }); }});
    run(*cache, [&] { ++ran; });
  }
  EXPECT_EQ(ran, 2);
}

TEST(ThreadCacheTest, OnThreadStartMayEndItsThread) {
  std::atomic<int> calls{0};
  thread_cache cache({.max_threads = 1, .on_thread_start = [&] {
                        if (++calls == 1) pthread_exit(nullptr);
                      }});
  run(cache, [] {});
  EXPECT_EQ(calls, 2);
}

TEST(ThreadCacheTest, OnThreadStartIsDestroyedWithTheCache) {
  auto shared = std::make_shared<int>(1);
  std::optional<thread_cache> cache;
  cache.emplace(thread_cache_options{.on_thread_start = [shared] {}});
  errgroup::group g(errgroup::with_executor(*cache));  // Outlives it.
  run(*cache, [] {});
  cache.reset();
  EXPECT_EQ(shared.use_count(), 1);
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

TEST(ThreadCacheDeathTest, ExceptionFromOnThreadStartTerminates) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        thread_cache cache({.on_thread_start = [] { throw std::runtime_error("escaped"); }});
        cache.execute([] {});
      },
      "escaped|terminate");
}

#if GTEST_HAS_DEATH_TEST && !defined(NDEBUG)
TEST(ThreadCacheDeathTest, DestroyedOnOneOfItsOwnThreads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        auto* const cache = new thread_cache;
        std::latch never(1);
        cache->execute([&] { delete cache; });
        never.wait();
      },
      "a thread_cache must not be destroyed on one of its own threads");
}
#endif

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

// Varies when a thread of the cache is cancelled: as it ends a function, looks for more (some 50 µs), or is
// parked.
void pass_time(std::chrono::microseconds d) {
  for (const auto until = errgroup::clock::now() + d; errgroup::clock::now() < until;) {
  }
}

// It ends where it next waits, and must not be counted any more: there is room for no other thread.
TEST(ThreadCacheTest, AThreadMayCancelItself) {
  if (cancelling_is_reported) GTEST_SKIP() << "google/sanitizers issue 1399";
  for (int i = 0; i != 200; ++i) {
    std::atomic<int> ran{0};
    {
      thread_cache cache({.max_threads = 1});
      cache.execute([&] {
        ++ran;
        pthread_cancel(pthread_self());
      });
      pass_time(std::chrono::microseconds(i));
      run(cache, [&] { ++ran; });
    }
    EXPECT_EQ(ran, 2);
  }
}

// What is given next may be given to it, since it has yet to see that it was cancelled.
TEST(ThreadCacheTest, AnIdleThreadMayBeCancelled) {
  if (cancelling_is_reported) GTEST_SKIP() << "google/sanitizers issue 1399";
  for (int i = 0; i != 1000; ++i) {
    thread_cache cache({.max_threads = 1});
    pthread_t idle{};
    run(cache, [&] { idle = pthread_self(); });
    pass_time(std::chrono::microseconds(i % 200));
    pthread_cancel(idle);
    if (i % 2 != 0) pass_time(std::chrono::microseconds(i % 20));
    run(cache, [] {});
  }
}

TEST(ThreadCacheTest, AllIdleThreadsMayBeCancelledBeforeTheDestructor) {
  if (cancelling_is_reported) GTEST_SKIP() << "google/sanitizers issue 1399";
  for (int i = 0; i != 200; ++i) {
    std::atomic<int> n{0};
    pthread_t idle[3] = {};
    std::latch all(4);
    thread_cache cache({.max_threads = 3});
    for (int k = 0; k != 3; ++k) {
      cache.execute([&] {
        idle[n++] = pthread_self();
        all.arrive_and_wait();
      });
    }
    all.arrive_and_wait();
    pass_time(std::chrono::microseconds(i));
    for (const pthread_t t : idle) pthread_cancel(t);
    if (i % 2 != 0) cache.execute([] {});
  }
}

// A job whose owner and runner are seen to get on, so that the worker that looks takes long naps and leaves it
// alone.
class brisk_job final : public unowned_job {
 public:
  void run(errgroup::detail::pool_worker&) override {
    if (runs_.fetch_add(1) == 0) {
      first_.set_value();
      end_.get_future().wait();
    } else {
      again_.set_value();
    }
  }

  void wait_for_first_run() { first_.get_future().wait(); }
  void get_on() {
    for (int i = 0; i != 1000; ++i) {
      progress();
      outside_progress();
    }
  }
  void wait_for_second_run() { again_.get_future().wait(); }
  void end_first_run() { end_.set_value(); }
  int runs() const { return runs_; }

 private:
  std::atomic<int> runs_{0};
  std::promise<void> first_, again_, end_;
};

struct ordinary_job final : unowned_job {
  void run(errgroup::detail::pool_worker&) override {}
};

// While a job is queued, somebody looks, also when the one who did is cancelled in its nap.
TEST(WorkerPoolTest, TheWorkerThatLooksMayBeCancelled) {
  if (cancelling_is_reported) GTEST_SKIP() << "google/sanitizers issue 1399";
  using errgroup::detail::worker_pool;
  for (int i = 0; i != 100; ++i) {
    std::atomic<int> starting{0}, started{0};
    pthread_t threads[64] = {};
    const auto pool = errgroup::detail::ref<worker_pool>::adopt(
        new worker_pool(worker_pool::options{10s, 0, "looks", false, [&] {
                                               const int n = starting++;
                                               if (n < 64) threads[n] = pthread_self();
                                               ++started;
                                             }}));
    brisk_job job;
    pool->submit(job);
    job.wait_for_first_run();
    pool->submit(job);
    while (started != 2 && job.runs() == 1) job.get_on();
    for (const auto until = errgroup::clock::now() + 5us * i; errgroup::clock::now() < until;) job.get_on();
    if (job.runs() == 1) {
      pthread_cancel(threads[1]);
      while (started != 3 && job.runs() == 1) job.get_on();
    }
    ordinary_job other;
    pool->submit(other);  // Wakes the one that naps now.
    job.wait_for_second_run();
    job.end_first_run();
    pool->shut_down();
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
