// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// What a group promises whatever its executor does: throw, drop, keep, come late, or be gone.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sched.h>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

#include "blocked_thread.hpp"
#include "test_executors.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group;

std::system_error no_threads() {
  return std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
}

// Executors that throw.

/// Its first call is held until the test lets it throw; the others are kept for the test.
class executor_that_throws_first {
 public:
  void execute(std::function<void()> f) {
    if (!first_.exchange(false)) return later_.execute(std::move(f));
    called_.count_down();
    throw_now_.wait();
    throw no_threads();
  }
  void wait_until_called() { called_.wait(); }
  void let_it_throw() { throw_now_.count_down(); }
  std::vector<std::function<void()>> take() { return later_.take(); }

 private:
  std::atomic<bool> first_{true};
  std::latch called_{1};
  std::latch throw_now_{1};
  late_executor later_;
};

TEST(GroupThrowingExecutorTest, ACallThatThrowsTakesItsOwnTaskBackAndStrandsNoOther) {
  executor_that_throws_first ex;
  group g(errgroup::with_executor(ex));
  auto counted = std::make_shared<int>();
  int first_ran = 0, second_ran = 0;
  blocked_thread first([&] { EXPECT_THROW(g.go([&, counted] { ++first_ran; }), std::system_error); });
  ex.wait_until_called();
  EXPECT_TRUE(g.go([&] { ++second_ran; }));
  const auto runners = ex.take();
  ASSERT_EQ(runners.size(), 1U);
  runners[0]();  // It is the second's, and must leave the first to the call that may yet throw.
  EXPECT_EQ(first_ran, 0);
  EXPECT_EQ(second_ran, 1);
  ex.let_it_throw();
  first.join();
  EXPECT_EQ(counted.use_count(), 1);
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(first_ran, 0);
}

TEST(GroupThrowingExecutorTest, ATaskThatWaitRanMeanwhileIsNoFailureOfItsGo) {
  executor_that_throws_first ex;
  group g(errgroup::with_executor(ex));
  std::latch ran(1);
  blocked_thread first([&] { EXPECT_TRUE(g.go([&] { ran.count_down(); })); });
  ex.wait_until_called();
  EXPECT_FALSE(g.wait());  // Takes the task.
  EXPECT_TRUE(ran.try_wait());
  ex.let_it_throw();
}

TEST(GroupThrowingExecutorTest, WithALimitThePlaceIsGivenToTheNextInLine) {
  executor_that_throws_first ex;
  group g(errgroup::with_executor(ex), errgroup::with_limit(1));
  int ran = 0;
  blocked_thread first([&] { EXPECT_THROW(g.go([&] { ran += 100; }), std::system_error); });
  blocked_thread second([&] { EXPECT_TRUE(g.go([&] { ++ran; })); });
  ex.let_it_throw();
  first.join();
  second.join();
  for (const auto& runner : ex.take()) runner();
  EXPECT_EQ(ran, 1);  // Nobody was in wait().
  EXPECT_FALSE(g.wait());
}

// What the executor throws is what go() throws, whatever that is.
TEST(GroupThrowingExecutorTest, GoThrowsWhatTheExecutorThrows) {
  struct throws_int {
    void execute(const std::function<void()>&) { throw 42; }
  };
  throws_int ex;
  group g(errgroup::with_executor(ex));
  EXPECT_THROW(g.go([] {}), int);
  EXPECT_THROW(g.try_go([] {}), int);
  EXPECT_THROW((void)g.spawn([] { return 1; }), int);
  EXPECT_FALSE(g.get_context().done());
  EXPECT_FALSE(g.wait());
}

TEST(GroupThrowingExecutorTest, EveryOtherCallThrowsAndEachTaskRunsOnceOrIsReported) {
  struct unreliable {
    fixed_pool pool{2};
    std::atomic<unsigned> calls{0};
    void execute(const std::function<void()>& f) {
      const unsigned n = ++calls;
      if (n % 4 == 1) throw no_threads();
      pool.execute(f);
      if (n % 4 == 3) throw no_threads();  // It has been taken, and is run all the same.
    }
  };
  for (const int limit : {-1, 2}) {
    for (int round = 0; round != 10; ++round) {
      std::atomic<int> accepted{0}, thrown{0}, ran{0};
      unreliable ex;
      group g(errgroup::with_executor(ex), errgroup::with_limit(limit));
      std::vector<std::jthread> callers;
      for (int t = 0; t != 3; ++t) {
        callers.emplace_back([&] {
          for (int i = 0; i != 50; ++i) {
            try {
              if (g.go([&] { ++ran; })) ++accepted;
            } catch (const std::system_error&) {
              ++thrown;
            }
          }
        });
      }
      callers.clear();
      EXPECT_FALSE(g.wait());
      EXPECT_EQ(ran, accepted);
      EXPECT_EQ(accepted + thrown, 150);
    }
  }
}

// Executors that drop what they are given, with a limit, and nobody in wait().

/// Destroys the first `n` runners in execute(), and hands the others to a pool.
struct executor_that_drops_first {
  std::atomic<int> n;
  std::atomic<int> dropped{0};
  fixed_pool pool{1};
  explicit executor_that_drops_first(int count) : n(count) {}
  void execute(std::function<void()> f) {
    if (n.fetch_sub(1) > 0) {
      ++dropped;
    } else {
      pool.execute(std::move(f));
    }
  }
};

TEST(GroupDroppingExecutorTest, ABlockedGoOutlastsAnExecutorThatDropsTheFirstRunners) {
  for (const int n : {1, 2, 5}) {
    for (const int limit : {1, 2}) {
      executor_that_drops_first ex(n);
      group g(errgroup::with_executor(ex), errgroup::with_limit(limit));
      std::latch ran(limit + 1);
      for (int i = 0; i != limit + 1; ++i) EXPECT_TRUE(g.go([&] { ran.count_down(); }));
      g.wait().raise_if();
      EXPECT_TRUE(ran.try_wait());
      EXPECT_GE(ex.dropped, std::min(n, limit));
    }
  }
}

TEST(GroupDroppingExecutorTest, ABlockedGoOutlastsRunnersThatAreDroppedLater) {
  for (const int times : {1, 3}) {
    late_executor ex;
    group g(errgroup::with_executor(ex), errgroup::with_limit(1));
    std::atomic<int> ran{0};
    EXPECT_TRUE(g.go([&] { ++ran; }));
    {
      blocked_thread blocked([&] { EXPECT_TRUE(g.go([&] { ++ran; })); });
      for (int i = 0; i != times; ++i) {
        auto runners = ex.take();
        while (runners.empty()) {  // Another one is to come: nobody else can get the task begun.
          std::this_thread::yield();
          runners = ex.take();
        }
        runners.clear();
      }
      auto runners = ex.take();
      while (runners.empty()) {
        std::this_thread::yield();
        runners = ex.take();
      }
      EXPECT_EQ(ran, 0);
      runners[0]();
    }
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(ran, 2);
  }
}

// One runner for each task, all dropped while the tasks are queued: wait() sleeps or not, it takes them.
TEST(GroupDroppingExecutorTest, WaitTakesWhatWasDroppedWhileItSlept) {
  late_executor ex;
  group g(errgroup::with_executor(ex));
  std::latch begun(1), release(1);
  g.go([&] {
    begun.count_down();
    release.wait();
  });
  auto runners = ex.take();
  std::jthread runs([&] { runners[0](); });
  begun.wait();
  std::atomic<bool> ran{false};
  blocked_thread waits([&] { EXPECT_FALSE(g.wait()); });
  g.go([&] { ran = true; });
  ex.take().clear();
  while (!ran) std::this_thread::yield();
  release.count_down();
}

// What runners may do late.

TEST(GroupLateExecutorTest, ARunnerThatIsRunAfterItsGroupIsGoneDoesNothing) {
  late_executor ex;
  bool ran = false;
  {
    group g(errgroup::with_executor(ex));
    g.go([&] { ran = true; });
  }
  const auto runners = ex.take();
  ASSERT_EQ(runners.size(), 1U);
  runners[0]();
  runners[0]();
  EXPECT_FALSE(ran);
}

TEST(GroupLateExecutorTest, ARunnerOfAnEndedRoundDoesNothingInTheNext) {
  late_executor ex;
  group g(errgroup::with_executor(ex));
  std::vector<int> order;
  g.go([&] { order.push_back(1); });
  EXPECT_FALSE(g.wait());
  const auto old = ex.take();
  g.go([&] { order.push_back(2); });
  const auto fresh = ex.take();
  for (const auto& runner : old) runner();
  for (const auto& runner : fresh) runner();
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(GroupLateExecutorTest, ARunnerIsCopyableConstCallableAndRunsOnce) {
  struct by_std_function {
    std::vector<std::function<void()>> given;
    void execute(const std::function<void()>& f) {
      given.push_back(f);
      given.push_back(f);
    }
  };
  by_std_function ex;
  group g(errgroup::with_executor(ex));
  int ran = 0;
  g.go([&] { ++ran; });
  for (const auto& runner : ex.given) runner();
  EXPECT_EQ(ran, 1);
  EXPECT_FALSE(g.wait());
}

// A cache that is destroyed while a group's job is queued.

TEST(GroupGoneCacheTest, TheDestructorOfACacheRunsAGroupsQueuedJob) {
  for (int i = 0; i != 50; ++i) {
    std::optional<errgroup::thread_cache> cache(std::in_place);
    group g(errgroup::with_executor(*cache));
    std::latch idle(3);
    for (int t = 0; t != 3; ++t) cache->execute([&] { idle.arrive_and_wait(); });
    idle.wait();
    std::atomic<int> ran{0};
    for (int t = 0; t != i % 4 + 1; ++t) EXPECT_TRUE(g.go([&] { ++ran; }));
    cache.reset();
    EXPECT_EQ(ran, i % 4 + 1);  // With nobody in wait().
    EXPECT_FALSE(g.wait());
  }
}

TEST(GroupGoneCacheTest, AFullCacheThatIsDestroyedRunsAGroupsQueuedJob) {
  for (int i = 0; i != 50; ++i) {
    std::optional<errgroup::thread_cache> cache(std::in_place, errgroup::thread_cache_options{.max_threads = 1});
    group g(errgroup::with_executor(*cache), errgroup::with_limit(i % 2 == 0 ? -1 : 8));
    std::latch begun(1), release(1);
    cache->execute([&] {
      begun.count_down();
      release.wait();
    });
    begun.wait();
    std::atomic<int> ran{0};
    for (int t = 0; t != 4; ++t) EXPECT_TRUE(g.go([&] { ++ran; }));
    EXPECT_EQ(ran, 0);
    std::jthread releases([&] { release.count_down(); });
    cache.reset();
    EXPECT_EQ(ran, 4);
    EXPECT_FALSE(g.wait());
  }
}

// After its destructor a group keeps nothing of the user's, whoever keeps a part of the group.

struct counted_exception : std::exception {
  static inline std::atomic<int> live{0};
  counted_exception() { ++live; }
  counted_exception(const counted_exception& other) : std::exception(other) { ++live; }
  counted_exception& operator=(const counted_exception&) = delete;
  ~counted_exception() override { --live; }
};

enum class life { failed, failed_and_waited, cancelled, succeeded, not_started };

// A token can still be stopped as long as anyone keeps its context.
template <class Executor>
void expect_nothing_kept(Executor& ex, life how) {
  std::stop_token parents;
  auto captured = std::make_shared<int>();
  {
    const context parent = context().with_timeout(1h, error(std::make_exception_ptr(counted_exception())));
    parents = parent.get_stop_token();
    group g(parent, errgroup::with_executor(ex), errgroup::collect_errors(), errgroup::with_limit(3));
    if (how == life::cancelled) g.cancel(error(std::make_exception_ptr(counted_exception())));
    for (int i = 0; i != 3; ++i) {
      g.go([captured, how](const context&) {
        if (how == life::failed || how == life::failed_and_waited) throw counted_exception();
      });
    }
    if (how != life::not_started && how != life::failed) (void)g.wait();
    EXPECT_TRUE(parents.stop_possible());
  }
  EXPECT_EQ(counted_exception::live, 0);
  EXPECT_FALSE(parents.stop_possible());
  EXPECT_EQ(captured.use_count(), 1);
}

constexpr life every_life[] = {life::failed, life::failed_and_waited, life::cancelled, life::succeeded,
                               life::not_started};

TEST(GroupKeepsNothingTest, ThoughTheExecutorKeepsRunnersThatItHasRun) {
  struct keeps {
    std::vector<std::function<void()>> given;
    void execute(const std::function<void()>& f) {
      given.push_back(f);
      f();
    }
  };
  keeps ex;
  for (const life how : every_life) expect_nothing_kept(ex, how);
  EXPECT_FALSE(ex.given.empty());
}

TEST(GroupKeepsNothingTest, ThoughTheExecutorKeepsRunnersThatItHasNotRun) {
  late_executor ex;
  for (const life how : every_life) expect_nothing_kept(ex, how);
  EXPECT_FALSE(ex.take().empty());
}

// A worker looks out for more tasks of the group when it has run one.
TEST(GroupKeepsNothingTest, ThoughAWorkerLingers) {
  errgroup::thread_cache cache;
  for (int i = 0; i != 300; ++i) {
    for (const life how : every_life) expect_nothing_kept(cache, how);
  }
}

/// A task whose destructor says that it has begun, and ends when it is released.
struct blocks_in_destructor {
  std::latch* begun;
  std::latch* release;
  blocks_in_destructor(std::latch& b, std::latch& r) : begun(&b), release(&r) {}
  blocks_in_destructor(blocks_in_destructor&& other) noexcept
      : begun(std::exchange(other.begun, nullptr)), release(other.release) {}
  ~blocks_in_destructor() {
    if (!begun) return;
    begun->count_down();
    release->wait();
  }
  void operator()() const {}
};

// The group is destroyed by a thread that sleeps until a worker tells it the end of the tasks. On one core it most
// likely goes on before that worker does.
TEST(GroupKeepsNothingTest, ThoughAWorkerHasDroppedWhatWasQueued) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  errgroup::thread_cache cache({.max_threads = 1});
  for (int i = 0; i != 200; ++i) {
    auto g = std::make_unique<group>(errgroup::with_executor(cache));
    std::latch fail(1), dropping(1), drop(1);
    g->go([&] {
      fail.wait();
      throw counted_exception();
    });
    g->go(blocks_in_destructor(dropping, drop));
    fail.count_down();
    dropping.wait();
    blocked_thread owner([&] {
      EXPECT_TRUE(*g->wait_for(1h));
      g.reset();
      EXPECT_EQ(counted_exception::live, 0);
    });
    drop.count_down();
  }
  EXPECT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

// The stop callbacks that the end of a round runs may not add tasks, but an executor may run a task of the next
// round inside one.
TEST(GroupExecutorTest, ATaskRunInsideTheStopCallbackOfTheRoundBeforeMayAddTasks) {
  late_executor ex;
  group g(errgroup::with_executor(ex));
  int ran = 0;
  bool refused = false;
  {
    const std::stop_token token = g.get_stop_token();
    const std::stop_callback at_the_end(token, [&] {
      refused = !g.go([] {});
      std::jthread([&] {
        EXPECT_TRUE(g.go([&] {
          ++ran;
          EXPECT_TRUE(g.go([&] { ++ran; }));
        }));
      }).join();
      for (const auto& runner : ex.take()) runner();
      EXPECT_GE(ran, 1);
    });
    EXPECT_FALSE(g.wait());
  }
  EXPECT_TRUE(refused);
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 2);
}

}  // namespace
