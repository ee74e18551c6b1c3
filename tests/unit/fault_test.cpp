// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Threads that do not start, memory that runs out, callables that throw: after each, no task is lost or run twice,
// and the group can still be used.

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <pthread.h>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

#include "allocation.hpp"
#include "thread_start.hpp"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || defined(ERRGROUP_TESTS_NO_REPLACED_NEW)
#define ERRGROUP_TESTS_SANITIZED 1
#endif

namespace {

std::atomic<unsigned> fail_every{0};  // Every k-th start of a thread fails; 0: none.
std::atomic<unsigned> starts{0};

}  // namespace

#if !defined(ERRGROUP_TESTS_SANITIZED)
// Stands before the C library's. A sanitizer has one of its own there.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* arg) {
  using function = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const function real = reinterpret_cast<function>(dlsym(RTLD_NEXT, "pthread_create"));
  const unsigned k = fail_every;
  if (k != 0 && ++starts % k == 0) return EAGAIN;
  return real(thread, attributes, run, arg);
}
#endif

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::error;
using errgroup::group;

// First, while the timer has not been started: a test is a process of its own in ctest.
TEST(FaultTest, DeadlineThrowsIfTheTimerCannotBeStarted) {
  const auto [parent, cancel] = context().with_cancel();
  {
    const no_thread_starts scope;
    EXPECT_THROW((void)parent.with_timeout(1h), std::system_error);
    EXPECT_THROW(group(parent, errgroup::with_timeout(1h)), std::system_error);
    EXPECT_TRUE(parent.with_timeout(-1s).done());  // Needs no timer.
  }
  EXPECT_FALSE(parent.done());
  EXPECT_EQ(parent.with_timeout(1ms).sleep_for(1h), errgroup::errc::deadline_exceeded);
}

TEST(FaultTest, EveryKthThreadFailsToStart) {
#if defined(ERRGROUP_TESTS_SANITIZED)
  GTEST_SKIP() << "pthread_create is the sanitizer's";
#endif
  for (unsigned k = 1; k != 5; ++k) {
    for (int round = 0; round != 20; ++round) {
      errgroup::thread_cache cache;
      group g(errgroup::with_executor(cache));
      std::atomic<int> ran{0};
      int accepted = 0;
      starts = 0;
      fail_every = k;
      for (int i = 0; i != 20; ++i) {
        try {
          accepted += g.go([&] {
            ++ran;
            std::this_thread::sleep_for(10us);  // So that there is need for more than one thread.
          });
        } catch (const std::system_error& e) {
          EXPECT_EQ(e.code(), std::errc::resource_unavailable_try_again);
        }
      }
      EXPECT_FALSE(g.wait());
      fail_every = 0;
      if (k == 1) {
        EXPECT_EQ(accepted, 0);
      }
      EXPECT_EQ(ran, accepted);
      EXPECT_TRUE(g.go([&] { ++ran; }));
      EXPECT_FALSE(g.wait());
      EXPECT_EQ(ran, accepted + 1);
    }
  }
}

// Each operation is tried with 0, 1, 2... allocations before the memory is exhausted, until it succeeds.
TEST(FaultTest, MemoryFailsAtEveryAllocationOfEveryFunction) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  struct late_executor {
    std::vector<std::function<void()>> given;
    void execute(std::function<void()> f) { given.push_back(std::move(f)); }
  };
  const std::string text = "a text too long for the small-string buffer";
  struct fixture {
    std::stop_source source;
    late_executor late;
    errgroup::thread_cache cache;
    context parent = context().with_cancel().first;
    std::atomic<int> ran{0};
    int accepted = 0;
    group g{parent, errgroup::with_executor(cache), errgroup::collect_errors()};
    group h{errgroup::with_executor(late)};
  };
  struct large {
    char bytes[500] = {};
  };
  const std::vector<std::function<void(fixture&)>> operations = {
      [](fixture&) { const group g; },
      [](fixture& f) { const group g(f.parent, errgroup::with_limit(1), errgroup::keep_going()); },
      [](fixture& f) { const group g(f.parent, errgroup::with_timeout(1h)); },
      [](fixture& f) { f.accepted += f.g.go([&f] { ++f.ran; }); },
      [](fixture& f) { f.accepted += f.g.try_go([&f](const context&) { ++f.ran; }); },
      [](fixture& f) { f.accepted += f.g.go([&f, l = large()] { f.ran += 1 + l.bytes[0]; }); },
      [&](fixture& f) { f.accepted += f.g.go([&f, text] { f.ran += text.empty() ? 0 : 1; }); },
      [](fixture& f) {
        (void)f.g.spawn([&f] { return ++f.ran; });
        ++f.accepted;
      },
      [](fixture& f) { f.accepted += f.h.go([&f] { ++f.ran; }); },
      [](fixture& f) { (void)f.g.get_context(); },
      [](fixture& f) { (void)f.g.errors(); },
      [](fixture& f) { (void)f.parent.with_cancel(); },
      [](fixture& f) { (void)f.parent.with_timeout(1h); },
      [](fixture& f) { (void)context(f.source.get_token()); },
      [](fixture&) { errgroup::thread_cache cache; },
      [](fixture& f) {
        f.cache.execute([&f] { ++f.ran; });
        ++f.accepted;
      },
      [&](fixture&) { (void)error(text); },
  };
  (void)context().with_timeout(1h);        // The timer's thread stays,
  (void)errgroup::thread_cache::shared();  // and so does this.
  for (std::size_t op = 0; op != operations.size(); ++op) {
    const std::ptrdiff_t before = allocation::live;
    std::size_t n = 0;
    for (bool succeeded = false; !succeeded; ++n) {
      ASSERT_LT(n, 40U) << "operation " << op;
      fixture f;
      try {
        const allocation::exhausted none(n);
        operations[op](f);
        succeeded = true;
      } catch (const std::bad_alloc&) {
      }
      EXPECT_FALSE(f.g.wait()) << "operation " << op << " after " << n;
      EXPECT_FALSE(f.h.wait()) << "operation " << op << " after " << n;
      EXPECT_TRUE(f.g.go([&f] { ++f.ran; }));
      ++f.accepted;
      EXPECT_FALSE(f.g.wait());
      std::atomic<bool> flushed{false};
      f.cache.execute([&] { flushed = true; });
      while (!flushed || f.ran != f.accepted) std::this_thread::yield();  // What was given to the cache itself.
    }
    EXPECT_EQ(allocation::live, before) << "operation " << op;
  }
}

// What never throws for want of memory.
TEST(FaultTest, WaitingAndCancelingNeedNoMemory) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  group g;
  for (int i = 0; i != 10; ++i) g.go([](const context& ctx) { return ctx.sleep_for(1h); });
  const error why("why");
  const allocation::exhausted none;
  EXPECT_EQ(g.wait_for(0s), std::nullopt);
  g.set_limit(3);
  g.cancel(why);
  EXPECT_EQ(g.wait(), why);
  EXPECT_FALSE(g.go([] {}));
}

// An exception that escapes from a task is its error, even if no memory is left to describe it.
TEST(FaultTest, FailureWithoutMemoryIsStillAFailure) {
  if (!allocation::replaced) GTEST_SKIP() << "operator new is the sanitizer's";
  group g;
  g.go([] {
    const allocation::exhausted none;
    throw std::runtime_error("a text too long for the small-string buffer");
  });
  const error e = g.wait();
  EXPECT_TRUE(e);
  EXPECT_TRUE(e == std::errc::not_enough_memory || !e.message().empty());
}

template <int Where>  // 0: the copy, 1: the call.
struct thrower {
  std::shared_ptr<int> counted;
  explicit thrower(std::shared_ptr<int> c) : counted(std::move(c)) {}
  thrower(const thrower& other) : counted(other.counted) {
    if (Where == 0) throw std::runtime_error("copy");
  }
  void operator()() {
    if (Where == 1) throw std::runtime_error("call");
  }
};

TEST(FaultTest, CallablesThatThrow) {
  for (int i = 0; i != 50; ++i) {
    auto counted = std::make_shared<int>(0);
    {
      group g(errgroup::with_limit(2));
      const thrower<0> copies(counted);
      const thrower<1> calls(counted);
      EXPECT_THROW(g.go(copies), std::runtime_error);
      EXPECT_THROW(g.try_go(copies), std::runtime_error);
      EXPECT_TRUE(g.go(calls));
      EXPECT_EQ(g.wait().message(), "call");
      EXPECT_FALSE(g.go(calls));
    }
    EXPECT_EQ(counted.use_count(), 1);
  }
}

}  // namespace
