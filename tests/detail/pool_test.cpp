// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The parts of the pool that decide: what tasks do at a place in the program, who sleeps, and how many workers
// that makes.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

#include <errgroup/detail/pool/call_site.hpp>
#include <errgroup/detail/pool/growth_policy.hpp>
#include <errgroup/detail/pool/thread_activity.hpp>
#include <errgroup/errgroup.hpp>

#include <gtest/gtest.h>

namespace {

using namespace std::chrono_literals;
using errgroup::detail::call_site;
using errgroup::detail::growth_policy;
using errgroup::detail::task_kind;
using decision = growth_policy::decision;

void compute_for(std::chrono::nanoseconds d) {
  for (const auto until = errgroup::clock::now() + d; errgroup::clock::now() < until;) {
  }
}

TEST(GrowthPolicyTest, DecidesByTheFigures) {
  constexpr bool no = false, yes = true;
  struct row {
    const char* what;
    growth_policy::figures f;
    decision d;
  };
  // cores, awake, fresh, here_before, progressed, pace, deferred, stuck_for, given_up, untouched
  const row table[] = {
      {"a new job waits for one nap", {2, 0, no, no, no, 0, 0, 0us, 0, no}, decision::leave},
      {"to wake up was a nap", {2, 0, yes, no, no, 0, 0, 0us, 0, no}, decision::take},
      {"a core is free", {2, 1, no, yes, yes, 0, 0, 0us, 0, no}, decision::take},
      {"the owner has that core", {2, 1, no, yes, yes, 1, 0, 0us, 0, no}, decision::leave},
      {"all cores are used, and it gets on", {2, 2, no, yes, yes, 0, 0, 0us, 0, no}, decision::leave},
      {"all cores are used, and nobody gets on", {2, 2, no, yes, no, 0, 0, 30us, 0, no}, decision::check},
      {"a new job where all cores are used", {2, 2, no, no, no, 0, 0, 0us, 0, no}, decision::leave},
      {"a new job where all cores are used, and to wake up was a nap",
       {2, 2, yes, no, no, 0, 0, 0us, 0, no},
       decision::check},
      {"the owner is brisk", {2, 0, yes, yes, yes, 100, 0, 0us, 0, no}, decision::leave},
      {"the owner is brisk in adding", {2, 0, yes, yes, no, 100, 3, 60us, 0, no}, decision::leave},
      {"the owner only adds, for too long", {2, 0, yes, yes, no, 100, 4, 80us, 0, no}, decision::take},
      {"nobody gets on for long", {2, 2, no, yes, no, 0, 0, 10ms, 0, no}, decision::take},
      {"nobody gets on for long, again: nearly", {2, 3, no, yes, no, 0, 0, 4999us, 1, no}, decision::check},
      {"nobody gets on for long, again", {2, 3, no, yes, no, 0, 0, 5ms, 1, no}, decision::take},
      {"nobody gets on for long, the hundredth time", {2, 99, no, yes, no, 0, 0, 625us, 100, no}, decision::take},
      {"nobody has it, and the workers compute for long: nearly",
       {2, 2, no, yes, no, 0, 0, 149us, 0, yes},
       decision::check},
      {"nobody has it, and the workers compute for long",
       {2, 2, no, yes, no, 0, 0, 150us, 0, yes},
       decision::take},
      {"one core is used", {1, 1, no, yes, no, 0, 0, 0us, 0, no}, decision::check},
      {"many cores", {64, 63, no, yes, no, 0, 0, 0us, 0, no}, decision::take},
  };
  for (const row& r : table) EXPECT_EQ(growth_policy::at_look(r.f), r.d) << r.what;
}

TEST(GrowthPolicyTest, SendsAWorkerAtOnceWhereItIsWorthIt) {
  EXPECT_TRUE(growth_policy::at_once(task_kind::blocking, 100, 2));
  EXPECT_TRUE(growth_policy::at_once(task_kind::unknown, 1, 2));
  EXPECT_FALSE(growth_policy::at_once(task_kind::unknown, 2, 2));
  EXPECT_TRUE(growth_policy::at_once(task_kind::computing, 1, 2));
  EXPECT_FALSE(growth_policy::at_once(task_kind::computing, 2, 2));
  EXPECT_FALSE(growth_policy::at_once(task_kind::quick, 0, 2));
}

TEST(GrowthPolicyTest, NapsAreShortWhereSomethingHappensAndNeverLong) {
  EXPECT_EQ(growth_policy::nap(0), 20us);
  EXPECT_EQ(growth_policy::nap(1), 40us);
  EXPECT_EQ(growth_policy::nap(1000), 160us);  // A task that is late for two of them is late by less than 0.5 ms.
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

#if defined(__linux__)

// A sleeper sleeps until it is told to end; that it has gone to sleep may take a moment, which is waited for. The
// one that computes is never seen asleep, however often one looks, though it may have to wait for a core.
TEST(ThreadActivityTest, TellsWhoSleeps) {
  using state = errgroup::detail::thread_activity::state;
  errgroup::detail::thread_activity sleeper, busy;
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

#endif

// Through the pool: whatever a site believes, a task is never queued for ever behind a blocked one.

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

TEST(WorkerPoolTest, TasksThatComputeUseTheCoresAndNoMoreThreads) {
  if (!computing_never_sleeps) GTEST_SKIP() << "a sanitizer makes tasks sleep";
  std::atomic<int> running{0}, most{0};
  errgroup::thread_cache cache;
  for (int round = 0; round != 5; ++round) {
    errgroup::group g(errgroup::with_executor(cache));
    for (int i = 0; i != 64; ++i) {
      g.go([&] {
        const int now = ++running;
        for (int before = most; before < now && !most.compare_exchange_weak(before, now);) {
        }
        compute_for(300us);
        --running;
      });
    }
    EXPECT_FALSE(g.wait());
  }
  // As many as there are cores, and the thread in wait(), which runs tasks, too.
  EXPECT_LE(most, static_cast<int>(std::max(1U, std::thread::hardware_concurrency())) + 1);
}

}  // namespace
