// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The pool as a whole: whom it sends, and that a task is never queued for ever behind a blocked one, whatever its
// site believes.

#include <errgroup/detail/pool/worker_pool.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include <pthread.h>

#include <errgroup/errgroup.hpp>

#include <gtest/gtest.h>

#include "thread_start.hpp"
#include "unowned_job.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::detail::call_site;
using errgroup::detail::pool_job;
using errgroup::detail::pool_worker;
using errgroup::detail::ref;
using errgroup::detail::task_kind;
using errgroup::detail::worker_pool;

/// Runs one task on each worker that it is given.
class task_job final : public unowned_job {
 public:
  explicit task_job(std::function<void()> task) : task_(std::move(task)) {}
  void run(pool_worker& self) override {
    self.begin_task(site_);
    task_();
    self.end_task();
  }

 private:
  const std::function<void()> task_;
  call_site site_;
};

ref<worker_pool> make_pool() {
  return ref<worker_pool>::adopt(new worker_pool(worker_pool::options{10s, 0, "pool", false, nullptr}));
}

TEST(WorkerPoolTest, EachTaskThatNothingIsKnownOfGetsAWorkerAtOnce) {
  constexpr int n = 64;
  std::latch all(n + 1);
  task_job job([&] { all.arrive_and_wait(); });
  const auto pool = make_pool();
  int sent = 0;
  // Where somebody is taken for computing, as may be on a machine that is busy, the next one is asked for again.
  while (sent != n) sent += pool->send(job, task_kind::unknown);
  all.arrive_and_wait();
  pool->shut_down();
}

#if defined(__linux__)

TEST(WorkerPoolTest, NoMoreWorkersAreSentForUnknownTasksOnceSomebodyComputes) {
  std::atomic<bool> stop{false};
  task_job computing([&] {
    while (!stop) {
    }
  });
  const auto pool = make_pool();
  int sent = 0;
  while (sent != 511 && pool->send(computing, task_kind::unknown)) ++sent;
  EXPECT_LT(sent, 511);
  EXPECT_FALSE(pool->send(computing, task_kind::computing));
  EXPECT_TRUE(pool->send(computing, task_kind::blocking));
  stop = true;
  pool->shut_down();
}

#endif

TEST(WorkerPoolTest, NoWorkerIsSentForQuickTasks) {
  task_job job([] {});
  const auto pool = make_pool();
  EXPECT_FALSE(pool->send(job, task_kind::quick));
  pool->shut_down();
}

// Counts down as the thread ends, when it has left the cache.
struct at_thread_end {
  std::latch* end = nullptr;
  ~at_thread_end() {
    if (end) end->count_down();
  }
};
thread_local at_thread_end end_of_thread;

// The thread that was started for the function ends first, and no other can be started. The next thread that comes
// runs the function, which may end that thread, too.
TEST(WorkerPoolTest, AFunctionWhoseWorkerDoesNotComeIsRunByTheNext) {
  std::atomic<int> starts{0};
  std::latch hooked(1), none_starts(1), left(1), ran(1);
  errgroup::thread_cache cache({.on_thread_start = [&] {
    if (starts++ != 0) return;
    end_of_thread.end = &left;
    hooked.count_down();
    none_starts.wait();
    pthread_exit(nullptr);
  }});
  cache.execute([&] {
    ran.count_down();
    pthread_exit(nullptr);
  });
  hooked.wait();
  {
    const no_thread_starts scope;
    none_starts.count_down();
    left.wait();
  }
  EXPECT_FALSE(ran.try_wait());
  cache.execute([] {});
  ran.wait();
}

// The tasks of all kinds have one type, and so one site.
struct scripted {
  std::function<void()> f;
  void operator()() { f(); }
};

void give_quick_ones(int n) {
  errgroup::group g;
  for (int i = 0; i != n; ++i) g.go(scripted{[] {}});
  EXPECT_FALSE(g.wait());
}

TEST(WorkerPoolTest, TasksOfAQuickSiteMayMeetAllTheSame) {
  for (const int n : {2, 3, 20}) {
    give_quick_ones(2000);
    std::latch all(n + 1);
    errgroup::group g;
    for (int i = 0; i != n; ++i) g.go(scripted{[&] { all.arrive_and_wait(); }});
    all.arrive_and_wait();
    EXPECT_FALSE(g.wait());
  }
}

// They never sleep, so that nothing shows that they wait for one another.
TEST(WorkerPoolTest, TasksMayWaitForOneAnotherInALoop) {
  constexpr int n = 6;
  std::atomic<int> there{0};
  errgroup::group g;
  for (int i = 0; i != n; ++i) {
    g.go([&] {
      ++there;
      while (there != n) std::this_thread::yield();
    });
  }
  EXPECT_FALSE(g.wait());
}

void compute_for(std::chrono::nanoseconds d) {
  for (const auto until = errgroup::clock::now() + d; errgroup::clock::now() < until;) {
  }
}

// With a sanitizer even tasks that compute sleep now and then, for its own locks.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool computing_never_sleeps = false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
constexpr bool computing_never_sleeps = false;
#else
constexpr bool computing_never_sleeps = true;
#endif
#else
constexpr bool computing_never_sleeps = true;
#endif

// Of five rounds one has to be so: on a machine that is busy with other things, a task that waits for long for its
// core looks like one that does not get on.
TEST(WorkerPoolTest, TasksThatComputeUseTheCoresAndNoMoreThreads) {
  if (!computing_never_sleeps) GTEST_SKIP() << "a sanitizer makes tasks sleep";
  std::atomic<int> running{0}, most{0};
  errgroup::thread_cache cache;
  const auto run = [&](int n) {
    errgroup::group g(errgroup::with_executor(cache));
    for (int i = 0; i != n; ++i) {
      g.go([&] {
        const int now = ++running;
        for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
        }
        compute_for(300us);
        --running;
      });
    }
    EXPECT_FALSE(g.wait());
    return most.exchange(0);
  };
  run(1);  // It shows what the others will do.
  int least = run(64);
  for (int round = 1; round != 5; ++round) least = std::min(least, run(64));
  // As many as there are cores, and the thread in wait(), which runs tasks, too.
  EXPECT_LE(least, static_cast<int>(std::max(1U, std::thread::hardware_concurrency())) + 1);
}

}  // namespace
