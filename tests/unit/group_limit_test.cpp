// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

// Streams of tiny tasks through a limit: there a runner looks out for the next task, which it is handed without
// the queue, as soon as the first few have passed. What comes right behind a stream meets it in that state.

#include <pthread.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <future>
#include <latch>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::error;
using errgroup::group;

constexpr int many = 300;

void stream(group& g, int n, std::atomic<int>& ran) {
  for (int i = 0; i != n; ++i) EXPECT_TRUE(g.go([&ran] { ++ran; }));
}

TEST(GroupLimitTest, EachTaskOfAStreamRunsOnceAndNoMoreThanTheLimitAtATime) {
  for (const int limit : {1, 2, 3, 8, 64, 200}) {
    group g(errgroup::with_limit(limit));
    std::vector<std::atomic<int>> ran(20'000);
    std::atomic<int> now{0}, most{0};
    for (std::atomic<int>& mine : ran) {
      g.go([&] {
        const int n = ++now;
        for (int m = most; m < n && !most.compare_exchange_weak(m, n);) {
        }
        ++mine;
        --now;
      });
    }
    EXPECT_FALSE(g.wait());
    for (const std::atomic<int>& n : ran) EXPECT_EQ(n, 1);
    EXPECT_LE(most, limit);
  }
}

TEST(GroupLimitTest, AStreamMayGoOnInTheNextRound) {
  group g(errgroup::with_limit(4));
  std::atomic<int> ran{0};
  for (int round = 1; round <= many; ++round) {
    stream(g, 20, ran);
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(ran, 20 * round);
  }
}

TEST(GroupLimitTest, ManyThreadsShareAStream) {
  group g(errgroup::with_limit(3));
  std::atomic<int> ran{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t != 4; ++t) threads.emplace_back([&] { stream(g, 5'000, ran); });
  }
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 20'000);
}

// A captured pointer that is shared makes a task go by the queue.
TEST(GroupLimitTest, ManyThreadsShareAStreamOfTasksOfBothKinds) {
  std::atomic<int> ran{0};
  for (int i = 0; i != 40; ++i) {
    group g(errgroup::with_limit(1));
    std::vector<std::jthread> threads;
    for (int t = 0; t != 3; ++t) {
      threads.emplace_back([&, t] {
        const auto shared = std::make_shared<int>(t);
        for (int n = 0; n != 300; ++n) {
          if ((n + t) % 3 == 0) {
            g.go([&ran, shared] { ++ran; });
          } else {
            g.go([&ran] { ++ran; });
          }
        }
      });
    }
    threads.clear();
    EXPECT_FALSE(g.wait());
  }
  EXPECT_EQ(ran, 40 * 900);
}

// Nobody calls the group meanwhile: this thread is one of those that are met.
TEST(GroupLimitTest, TasksMeetBehindAStream) {
  for (const int limit : {2, 8}) {
    group g(errgroup::with_limit(limit));
    std::atomic<int> ran{0};
    for (int i = 0; i != many; ++i) {
      stream(g, 50, ran);
      std::barrier meet(limit + 1);
      for (int t = 0; t != limit; ++t) g.go([&meet] { meet.arrive_and_wait(); });
      meet.arrive_and_wait();
      EXPECT_FALSE(g.wait());
    }
    EXPECT_EQ(ran, 50 * many);
  }
}

TEST(GroupLimitTest, WaitTakesWhatIsBehindABlockedTask) {
  group g(errgroup::with_limit(3));
  std::atomic<int> ran{0};
  for (int i = 0; i != many; ++i) {
    stream(g, 50, ran);
    std::latch later(1);
    g.go([&later] { later.wait(); });
    g.go([&later] { later.count_down(); });
    EXPECT_FALSE(g.wait());
  }
}

// The cache's one thread is blocked, so that nobody else can.
TEST(GroupLimitTest, WaitTakesWhatIsBehindABlockedTaskThoughNoThreadIsFree) {
  errgroup::thread_cache cache({.max_threads = 1});
  for (int i = 0; i != many; ++i) {
    group g(errgroup::with_limit(3), errgroup::with_executor(cache));
    std::atomic<int> ran{0};
    stream(g, 50, ran);
    std::latch later(1);
    std::atomic<bool> blocked{false};
    g.go([&] {
      blocked = true;
      later.wait();
    });
    while (!blocked) std::this_thread::yield();
    g.go([&later] { later.count_down(); });
    EXPECT_FALSE(g.wait());
  }
}

TEST(GroupLimitTest, EveryKindOfWaitOutlastsTheLastTaskOfAStream) {
  for (const int limit : {1, 8}) {
    group g(errgroup::with_limit(limit));
    std::atomic<int> ran{0};
    const auto slow = [&ran] {
      const auto end = errgroup::clock::now() + 20us;
      while (errgroup::clock::now() < end) {
      }
      ++ran;
    };
    for (int i = 1; i <= many; ++i) {
      stream(g, 20, ran);
      for (int t = 0; t != 5; ++t) g.go(slow);
      if (i % 2 == 0) {
        EXPECT_FALSE(g.wait());
      } else {
        EXPECT_FALSE(*g.wait_for(1h));
      }
      EXPECT_EQ(ran, 25 * i);
    }
  }
}

// It begins to wait when nothing of the stream is there yet.
TEST(GroupLimitTest, AWaiterIsToldTheEndOfATaskGivenMeanwhile) {
  for (int i = 0; i != 20; ++i) {
    std::atomic<int> ran{0};
    group g(errgroup::with_limit(4));
    std::latch end(1);
    std::atomic<bool> ended{false};
    g.go([&] {
      end.wait();
      ended = true;
    });
    std::jthread waiter([&] { EXPECT_FALSE(*g.wait_for(1h)); });
    std::this_thread::sleep_for(2ms);  // Most likely it is asleep by then. If it is not, that is no less right.
    stream(g, 50, ran);
    g.go([&ended] {
      while (!ended) std::this_thread::yield();
      std::this_thread::sleep_for(1ms);  // The other one's end is counted meanwhile.
    });
    end.count_down();
  }
}

// Likewise, and wait() is asleep when the second task comes.
TEST(GroupLimitTest, AWaiterThatSleepsTakesWhatIsBehindABlockedTask) {
  errgroup::thread_cache cache({.max_threads = 1});
  for (int i = 0; i != 20; ++i) {
    group g(errgroup::with_limit(3), errgroup::with_executor(cache));
    std::atomic<int> ran{0};
    stream(g, 50, ran);
    std::atomic<bool> blocked{false};
    std::latch later(1);
    g.go([&] {
      blocked = true;
      later.wait();
    });
    while (!blocked) std::this_thread::yield();
    std::jthread waiter([&] { EXPECT_FALSE(g.wait()); });
    std::this_thread::sleep_for(2ms);  // Most likely it is asleep by then.
    g.go([&later] { later.count_down(); });
  }
}

// The one may see that all has ended before those who have ended it tell the other.
TEST(GroupLimitTest, TwoWaitersReturn) {
  for (int i = 0; i != many; ++i) {
    group g(errgroup::with_limit(4));
    std::atomic<int> ran{0};
    stream(g, 30, ran);
    std::atomic<bool> end{false};
    g.go([&end] {
      while (!end) std::this_thread::yield();
    });
    std::jthread other([&] {
      if (i % 2 == 0) {
        EXPECT_FALSE(g.wait());
      } else {
        EXPECT_FALSE(*g.wait_for(1h));
      }
    });
    std::this_thread::sleep_for(200us);  // Most likely it is asleep by then.
    end = true;
    for (std::atomic<int> k = 0; k != i;) ++k;
    EXPECT_FALSE(g.wait());
  }
}

// One of two waiters ends the round, and goes on to the next while the other looks for more of the first.
TEST(GroupLimitTest, TheNextRoundBeginsBesideAWaiterOfTheLast) {
  group g;
  for (int i = 0; i != 10 * many; ++i) {
    std::atomic<bool> end{false}, started{false};
    g.go([&] {
      started = true;
      while (!end) std::this_thread::yield();
    });
    while (!started) std::this_thread::yield();
    std::jthread other([&] { EXPECT_FALSE(g.wait()); });
    end = true;
    EXPECT_FALSE(g.wait());
    std::promise<void> ran;
    g.go([&ran] { ran.set_value(); });
    ran.get_future().wait();  // So nobody calls wait() for it.
    other.join();
    EXPECT_FALSE(g.wait());
  }
}

TEST(GroupLimitTest, CancelDropsWhatIsBehindABlockedTask) {
  const error why("enough");
  for (int i = 0; i != many; ++i) {
    std::atomic<int> ran{0};
    std::atomic<bool> blocked{false};
    std::latch end(1);
    group g(errgroup::with_limit(1));
    stream(g, 50, ran);
    g.go([&] {
      blocked = true;
      end.wait();
    });
    while (!blocked) std::this_thread::yield();
    EXPECT_EQ(ran, 50);
    g.set_limit(4);
    for (int t = 0; t != 3 && i % 2 == 0; ++t) g.go([] {});
    g.cancel(why);
    EXPECT_FALSE(g.go([&ran] { ++ran; }));
    end.count_down();
    EXPECT_EQ(g.wait(), why);
    EXPECT_EQ(ran, 50);
  }
}

TEST(GroupLimitTest, AFailureEndsTheStream) {
  const error boom("boom");
  for (const int limit : {1, 5}) {
    group g(errgroup::with_limit(limit));
    int given = 0;
    std::atomic<int> ran{0};
    bool more = true;
    for (; more && given != 1'000'000; ++given) {
      more = given == 1'000 ? g.go([&boom] { return boom; }) : g.go([&ran] { ++ran; });
    }
    EXPECT_FALSE(more);
    EXPECT_EQ(g.wait(), boom);
    EXPECT_LE(ran, given);
    EXPECT_GE(ran, 1'000 - limit);
  }
}

TEST(GroupLimitTest, TheLimitMayChangeUnderAStream) {
  group g(errgroup::with_limit(2));
  std::atomic<bool> stop{false};
  std::jthread changes([&] {
    for (int n = 0; !stop; n = (n + 7) % 100) g.set_limit(n % 9 == 8 ? -1 : n % 9);
    g.set_limit(1);
  });
  std::atomic<int> ran{0};
  stream(g, 50'000, ran);
  stop = true;
  changes.join();
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 50'000);
  std::atomic<int> now{0};
  for (int i = 0; i != 1'000; ++i) {
    g.go([&now] {
      EXPECT_EQ(++now, 1);
      --now;
    });
  }
  EXPECT_FALSE(g.wait());
}

void tree(group& g, int depth, std::atomic<int>& ran) {
  ++ran;
  for (int i = 0; depth != 0 && i != 2; ++i) g.go([&g, depth, &ran] { tree(g, depth - 1, ran); });
}

TEST(GroupLimitTest, EveryWaiterIsToldTheEndOfTasksThatTasksAdd) {
  for (const int limit : {1, 2, 5}) {
    for (int i = 0; i != many; ++i) {
      group g(errgroup::with_limit(limit));
      std::atomic<int> ran{0};
      g.go([&] { tree(g, 5, ran); });
      std::jthread other([&] { EXPECT_FALSE(g.wait()); });
      EXPECT_FALSE(g.wait());
      EXPECT_EQ(ran, 63);
    }
  }
}

TEST(GroupLimitTest, TryGoMayJoinTheStream) {
  group g(errgroup::with_limit(2));
  std::atomic<int> now{0}, ran{0};
  int given = 0;
  for (int i = 0; i != 50'000; ++i) {
    given += g.try_go([&] {
      EXPECT_LE(++now, 2);
      ++ran;
      --now;
    });
  }
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, given);
  EXPECT_GT(given, 0);
}

TEST(GroupLimitTest, ATaskMayEndItsThreadInAStream) {
  group g(errgroup::with_limit(2), errgroup::keep_going());
  std::atomic<int> ran{0};
  for (int i = 0; i != 20; ++i) {
    stream(g, 100, ran);
    std::atomic<bool> elsewhere{false};
    g.go([&elsewhere] {
      elsewhere = true;
      pthread_exit(nullptr);
    });
    while (!elsewhere) std::this_thread::yield();  // So that it is not wait() that runs it.
    stream(g, 100, ran);
    EXPECT_EQ(g.wait(), std::errc::owner_dead);
  }
  EXPECT_EQ(ran, 20 * 200);
}

// The next one is handed over as the runner is about to go.
TEST(GroupLimitTest, ATaskBehindOneThatEndsItsThreadIsRun) {
  for (int i = 0; i != many; ++i) {
    group g(errgroup::with_limit(4), errgroup::keep_going());
    std::atomic<int> ran{0};
    stream(g, 40, ran);
    std::atomic<bool> elsewhere{false};
    g.go([&elsewhere] {
      elsewhere = true;
      pthread_exit(nullptr);
    });
    while (!elsewhere) std::this_thread::yield();
    g.set_limit(1);
    std::promise<void> next;
    while (!g.try_go([&next] { next.set_value(); })) {
    }
    next.get_future().wait();
    EXPECT_EQ(g.wait(), std::errc::owner_dead);
  }
}

}  // namespace
