// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Rules 6 and 10 of the group: who is inside, what go() does there, and who comes first at the limit.

#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <functional>
#include <latch>
#include <list>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

#include "blocked_thread.hpp"
#include "test_executors.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::error;
using errgroup::group;

std::vector<int> first_numbers(int n) {
  std::vector<int> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// Who comes first. A limit of 1 orders what the tasks do.

TEST(GroupFairTest, BlockedCallersGetPlacesInTheOrderOfArrival) {
  for (const bool raised : {false, true}) {
    group g(errgroup::with_limit(raised ? 0 : 1));
    std::latch release(1);
    if (!raised) g.go([&] { release.wait(); });
    std::vector<int> order;
    std::list<blocked_thread> callers;
    for (int i = 0; i != 8; ++i) {
      callers.emplace_back([&, i] { EXPECT_TRUE(g.go([&order, i] { order.push_back(i); })); });
    }
    release.count_down();
    if (raised) g.set_limit(1);
    callers.clear();
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(order, first_numbers(8));
  }
}

TEST(GroupFairTest, TasksQueuedFromInsideAndCallersOutsideAreServedInTheOrderOfArrival) {
  group g(errgroup::with_limit(1));
  std::barrier turn(2);
  std::latch release(1);
  std::vector<int> order;
  const auto put = [&](int i) { EXPECT_TRUE(g.go([&order, i] { order.push_back(i); })); };
  g.go([&] {
    for (const int i : {1, 4, 5}) {
      turn.arrive_and_wait();
      put(i);
      turn.arrive_and_wait();
    }
    release.wait();
  });
  std::list<blocked_thread> callers;
  const auto let_the_task_put_one = [&] {
    turn.arrive_and_wait();
    turn.arrive_and_wait();
  };
  callers.emplace_back([&] { put(0); });
  let_the_task_put_one();
  callers.emplace_back([&] { put(2); });
  callers.emplace_back([&] { put(3); });
  let_the_task_put_one();
  let_the_task_put_one();
  callers.emplace_back([&] { put(6); });
  release.count_down();
  callers.clear();
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(order, first_numbers(7));
}

TEST(GroupFairTest, NoNewcomerOvertakesABlockedCaller) {
  for (const int limit : {1, 2, 8}) {
    for (int round = 0; round != 12; ++round) {
      group g(errgroup::with_limit(limit));
      std::latch release(1), release_others(1);
      g.go([&] { release.wait(); });
      for (int i = 1; i != limit; ++i) g.go([&] { release_others.wait(); });
      std::atomic<int> newcomers{0}, overtook{-1}, tries{0};
      blocked_thread first([&] { EXPECT_TRUE(g.go([&] { overtook = newcomers.load(); })); });
      std::jthread tries_go([&] {
        while (overtook < 0) {
          g.try_go([&] { ++newcomers; });
          ++tries;
        }
      });
      std::jthread goes([&] {
        while (overtook < 0) g.go([&] { ++newcomers; });
      });
      while (tries < 3) std::this_thread::yield();
      release.count_down();  // One place, and the first in line is to have it.
      first.join();
      tries_go.join();
      release_others.count_down();
      goes.join();
      EXPECT_FALSE(g.wait());
      EXPECT_EQ(overtook, 0);
    }
  }
}

TEST(GroupFairTest, NoNewcomerOvertakesATaskQueuedFromInside) {
  for (int round = 0; round != 12; ++round) {
    group g(errgroup::with_limit(1));
    std::latch queued(1), release(1);
    std::atomic<int> newcomers{0}, overtook{-1}, tries{0};
    g.go([&] {
      EXPECT_TRUE(g.go([&] { overtook = newcomers.load(); }));
      queued.count_down();
      release.wait();
    });
    queued.wait();
    std::jthread tries_go([&] {
      while (overtook < 0) {
        g.try_go([&] { ++newcomers; });
        ++tries;
      }
    });
    std::jthread goes([&] {
      while (overtook < 0) g.go([&] { ++newcomers; });
    });
    while (tries < 3) std::this_thread::yield();
    release.count_down();
    tries_go.join();
    goes.join();
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(overtook, 0);
  }
}

// A task that puts its successor in line goes on for ever, and so does one that never lets the place go for long.
TEST(GroupFairTest, ACallerComesInThoughATaskQueuesItsSuccessorForEver) {
  struct successor {
    group* g;
    std::atomic<bool>* stop;
    void operator()() const {
      if (!*stop) g->go(*this);
    }
  };
  group g(errgroup::with_limit(1));
  std::atomic<bool> stop{false};
  g.go(successor{&g, &stop});
  for (int i = 0; i != 100; ++i) EXPECT_TRUE(g.go([] {}));
  stop = true;
  EXPECT_FALSE(g.wait());
}

// From inside.

struct chain {
  group* g;
  int left;
  int* ran;
  void operator()() const {
    ++*ran;
    if (left != 0) g->go(chain{g, left - 1, ran});
  }
};

TEST(GroupInsideTest, AChainOfAHundredThousandTasksAtALimitOfOneEnds) {
  group g(errgroup::with_limit(1));
  int ran = 0;
  g.go(chain{&g, 99'999, &ran});
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 100'000);
}

constexpr std::size_t buffer_size = 16 * 1024;

int sum_of_a_buffer() {
  volatile char buffer[buffer_size];
  for (std::size_t i = 0; i < buffer_size; i += 512) buffer[i] = 1;
  int sum = 0;
  for (std::size_t i = 0; i < buffer_size; i += 512) sum += buffer[i];
  return sum;
}

struct buffered_chain {
  group* g;
  int left;
  std::atomic<int>* ran;
  void operator()() const {
    std::array<char, buffer_size> buffer{};
    for (char& c : buffer) c = 1;
    if (left != 0) g->go(buffered_chain{g, left - 1, ran});
    *ran += std::accumulate(buffer.begin(), buffer.end(), 0) / static_cast<int>(buffer_size);
  }
};

struct buffered_tree {
  group* g;
  int depth;
  std::atomic<int>* ran;
  char carried[buffer_size] = {};
  void operator()() const {
    *ran += sum_of_a_buffer() / 32;
    for (int i = 0; depth != 0 && i != 2; ++i) g->go(buffered_tree{g, depth - 1, ran});
  }
};

TEST(GroupInsideTest, TasksWithBuffersInChainsAndTreesEnd) {
  for (const int limit : {1, 2}) {
    group g(errgroup::with_limit(limit));
    std::atomic<int> in_chain{0}, in_tree{0};
    g.go(buffered_chain{&g, 1'999, &in_chain});
    g.go(buffered_tree{&g, 9, &in_tree});
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(in_chain, 2'000);
    EXPECT_EQ(in_tree, 1'023);
  }
}

TEST(GroupInsideTest, ACallerMayHoldAMutexThatTheTaskTakes) {
  for (int limit : {1, 2}) {
    group g(errgroup::with_limit(limit));
    std::mutex mutex;
    int ran = 0;
    for (int i = 0; i != 5; ++i) {
      g.go([&] {
        const std::lock_guard lock(mutex);
        for (int k = 0; k != 3; ++k) {
          g.go([&] {
            const std::lock_guard inner(mutex);
            ++ran;
          });
        }
      });
    }
    EXPECT_FALSE(g.wait());
    EXPECT_EQ(ran, 15);
  }
}

bool would_deadlock(group& g, int how) {
  try {
    if (how == 0) (void)g.wait();
    if (how == 1) (void)g.wait_for(0s);
    if (how == 2) (void)g.wait_until(errgroup::clock::now() + 1h);
    return false;
  } catch (const std::system_error& e) {
    return e.code() == std::errc::resource_deadlock_would_occur;
  }
}

// To be called in a task of `outer`, or of a group below it, while `outer` is full.
void expect_to_be_inside(group& outer, const std::atomic<bool>& outer_ended, std::atomic<int>& ran) {
  for (const int how : {0, 1, 2}) EXPECT_TRUE(would_deadlock(outer, how)) << how;
  EXPECT_FALSE(outer.try_go([] {}));
  EXPECT_TRUE(outer.go([&] {
    EXPECT_TRUE(outer_ended);
    ++ran;
  }));
}

// The task below runs on another thread, since wait_for() runs none, and ends before the one that waits for it.
TEST(GroupInsideTest, ATaskOfAGroupBelowIsInsideWhateverItsContextWasDerivedBy) {
  const std::vector<std::function<context(const context&)>> derive = {
      [](const context& ctx) { return ctx; },
      [](const context& ctx) { return ctx.with_timeout(1h); },
      [](const context& ctx) { return ctx.with_cancel().first; },
      [](const context& ctx) { return ctx.without_cancel(); },
      [](const context& ctx) { return ctx.with_cancel().first.without_cancel().with_timeout(1h); },
  };
  for (std::size_t i = 0; i != derive.size(); ++i) {
    for (const bool two_levels : {false, true}) {
      group outer(errgroup::with_limit(1));
      std::atomic<bool> outer_ended{false};
      std::atomic<int> ran{0};
      outer.go([&](const context& ctx) {
        const auto outer_thread = std::this_thread::get_id();
        group inner(derive[i](ctx));
        inner.go([&](const context& inner_ctx) {
          EXPECT_NE(std::this_thread::get_id(), outer_thread);
          if (!two_levels) {
            expect_to_be_inside(outer, outer_ended, ran);
            return error();
          }
          group innermost(derive[i](inner_ctx));
          innermost.go([&] { expect_to_be_inside(outer, outer_ended, ran); });
          return *innermost.wait_for(1h);
        });
        error e = *inner.wait_for(1h);
        outer_ended = true;
        return e;
      });
      EXPECT_FALSE(outer.wait());
      EXPECT_EQ(ran, 1) << i;
    }
  }
}

// It is not made inside a task of the outer group, and in the second round neither is the context it descends
// from.
TEST(GroupInsideTest, ATaskOfAGroupBelowIsInsideWhoeverMadeTheGroup) {
  group outer(errgroup::with_limit(1));
  for (int round = 0; round != 2; ++round) {
    std::latch release(1);
    std::atomic<bool> outer_ended{false};
    std::atomic<int> ran{0};
    outer.go([&] {
      release.wait();
      outer_ended = true;
    });
    group inner(outer.get_context());
    inner.go([&] { expect_to_be_inside(outer, outer_ended, ran); });
    EXPECT_FALSE(inner.wait());
    release.count_down();
    EXPECT_FALSE(outer.wait());
    EXPECT_EQ(ran, 1);
  }
}

// Fills `g`, so that its go() blocks a task of `beside`, which calls `first()` before.
template <class First>
void expect_go_to_block(group& g, group& beside, First first) {
  std::latch release(1);
  std::atomic<bool> blocked{false};
  g.go([&] { release.wait(); });
  beside.go([&] {
    first();
    blocked = true;
    EXPECT_TRUE(g.go([] {}));
    blocked = false;
  });
  while (!blocked) std::this_thread::yield();
  EXPECT_EQ(beside.wait_for(20ms), std::nullopt);  // A call that does not block ends in microseconds.
  EXPECT_TRUE(blocked);
  release.count_down();
  EXPECT_FALSE(beside.wait());
  EXPECT_FALSE(g.wait());
}

// Nor is it inside its parent's other groups.
TEST(GroupInsideTest, ATaskBesideIsOutside) {
  const auto [parent, cancel] = context().with_cancel();
  group g(parent, errgroup::with_limit(1)), beside(parent);
  expect_go_to_block(g, beside, [&] {
    (void)g.get_context();
    EXPECT_EQ(g.wait_for(0s), std::nullopt);
  });
}

TEST(GroupInsideTest, ATaskAboveMayWaitForItsGroupsAndBlockAtTheirLimit) {
  group outer;
  outer.go([](const context& ctx) {
    group inner(ctx, errgroup::with_limit(1));
    std::atomic<int> now{0};
    for (int i = 0; i != 50; ++i) {
      inner.go([&] {
        EXPECT_EQ(++now, 1);
        --now;
      });
    }
    return inner.wait();
  });
  EXPECT_FALSE(outer.wait());
}

// A destructor of a callable is user code of the task's, too.
TEST(GroupInsideTest, TheDestructorOfATasksCallableIsInside) {
  struct queues_in_destructor {
    group* g;
    std::atomic<int>* ran;
    queues_in_destructor(group* group_, std::atomic<int>* r) : g(group_), ran(r) {}
    queues_in_destructor(queues_in_destructor&& other) noexcept
        : g(std::exchange(other.g, nullptr)), ran(other.ran) {}
    ~queues_in_destructor() {
      if (!g) return;
      EXPECT_TRUE(would_deadlock(*g, 0));
      EXPECT_TRUE(g->go([r = ran] { ++*r; }));
    }
    void operator()() const {}
  };
  group g(errgroup::with_limit(1));
  std::atomic<int> ran{0};
  g.go(queues_in_destructor(&g, &ran));
  EXPECT_FALSE(g.wait());
  EXPECT_EQ(ran, 1);
}

// On threads that are lent.

constexpr int threads = 8;

// Three tasks through a limit of two, on a thread of `ex`, while all the other threads of `ex` do the same.
template <class Executor>
void serve_request(const context& ctx, Executor& ex, std::barrier<>& all_are_here, std::atomic<int>& ran) {
  all_are_here.arrive_and_wait();
  group g(ctx, errgroup::with_executor(ex), errgroup::with_limit(2));
  for (int i = 0; i != 3; ++i) EXPECT_TRUE(g.go([&] { ++ran; }));
  EXPECT_FALSE(g.wait());
}

template <class Executor>
void serve_requests_of_a_group(Executor& ex) {
  for (int round = 0; round != 50; ++round) {
    group server(errgroup::with_executor(ex));
    std::barrier all_are_here(threads);
    std::atomic<int> ran{0};
    for (int i = 0; i != threads; ++i) {
      server.go([&](const context& ctx) { serve_request(ctx, ex, all_are_here, ran); });
    }
    EXPECT_EQ(server.wait_for(1h), error());  // Not one of the tasks runs on this thread.
    EXPECT_EQ(ran, 3 * threads);
  }
}

TEST(GroupLentThreadTest, RequestsOnABoundedCacheEachWithALimitedGroupEnd) {
  errgroup::thread_cache cache({.max_threads = threads});
  serve_requests_of_a_group(cache);
}

TEST(GroupLentThreadTest, RequestsOnAFixedPoolEachWithALimitedGroupEnd) {
  fixed_pool pool(threads);
  serve_requests_of_a_group(pool);
}

TEST(GroupLentThreadTest, FunctionsOfABoundedCacheEachWithALimitedGroupEnd) {
  errgroup::thread_cache cache({.max_threads = threads});
  for (int round = 0; round != 50; ++round) {
    std::barrier all_are_here(threads);
    std::atomic<int> ran{0};
    std::latch ended(threads);
    for (int i = 0; i != threads; ++i) {
      cache.execute([&] {
        serve_request(context(), cache, all_are_here, ran);
        ended.count_down();
      });
    }
    ended.wait();
    EXPECT_EQ(ran, 3 * threads);
  }
}

// With nobody in wait(): the one thread there is must come back for what it has queued.
TEST(GroupLentThreadTest, GoOnALentThreadQueuesBeyondTheLimit) {
  errgroup::thread_cache cache({.max_threads = 1});
  fixed_pool pool(1);
  const auto check = [](auto& ex) {
    group outer(errgroup::with_executor(ex)), g(errgroup::with_executor(ex), errgroup::with_limit(1));
    std::atomic<int> ran{0};
    std::latch ended(3);
    outer.go([&] {
      for (int i = 0; i != 3; ++i) {
        EXPECT_TRUE(g.go([&] {
          ++ran;
          ended.count_down();
        }));
      }
      EXPECT_EQ(ran, 0);
    });
    EXPECT_EQ(outer.wait_for(1h), error());
    ended.wait();
    EXPECT_EQ(ran, 3);
    EXPECT_FALSE(g.wait());
  };
  check(cache);
  check(pool);
}

// Without a bound the cache has threads for whoever holds the places, so the limit is kept.
TEST(GroupLentThreadTest, GoOnAThreadOfAnUnboundedCacheBlocks) {
  errgroup::thread_cache cache;
  group g(errgroup::with_executor(cache), errgroup::with_limit(1)), beside(errgroup::with_executor(cache));
  expect_go_to_block(g, beside, [] {});
}

// The thread is lent by another executor, which has nothing to do with who holds the places.
TEST(GroupLentThreadTest, GoOnAThreadOfAnotherExecutorBlocks) {
  errgroup::thread_cache mine({.max_threads = 1}), other({.max_threads = 1});
  group g(errgroup::with_executor(mine), errgroup::with_limit(1)), beside(errgroup::with_executor(other));
  expect_go_to_block(g, beside, [] {});
}

}  // namespace
