// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// The tests of Go's context package (context_test.go, x_test.go, afterfunc_test.go) that ask what our context
// promises, with their tables and in their order. Each test bears the name of its original.
//
// A WithCancel of Go's is with_cancel() and `defer cancel()` the destructor. A context of Go's that is "not one of
// the types defined in context.go" is a foreign std::stop_token here, the one way in from outside.
//
// Left out:
// - TestTODO, and what context.String() returns: there are none.
// - TestWithValueChecksKey, TestInvalidDerivedFail: neither a null key nor a null parent compiles.
// - TestCustomContextPropagation, TestCustomContextGoroutines: nobody derives from context.
// - TestCustomContextAfterFuncUnregister*: a std::stop_source does not say how many callbacks it has.
// ADroppedChild
//   below asks the same of our own tree.
// - The linkage that TestParentFinishesChild and TestChildFinishesFirst look at: it is not Go's.
// - TestValues, TestAfterFunc*, and the values in TestLayers*: a later part of the library.

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/context.hpp>

#include "allocation.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::canceler;
using errgroup::clock;
using errgroup::context;
using errgroup::errc;
using errgroup::error;

constexpr auto short_duration = 1ms;
constexpr auto very_long_duration = 1000h;
constexpr auto quiescent = 5s;  // By when all that is to happen has.

// As `<-ctx.Done()`, by the token, so that it says whether the stop comes and not only whether done() is true.
bool stops(const context& ctx) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  (void)changed.wait_for(lock, ctx.get_stop_token(), quiescent, [] { return false; });
  return ctx.get_stop_token().stop_requested() && ctx.done();
}

void expect_not_done(const context& ctx, const char* name) {
  EXPECT_FALSE(ctx.done()) << name;
  EXPECT_FALSE(ctx.get_stop_token().stop_requested()) << name;
  EXPECT_EQ(ctx.err(), error()) << name;
}

void expect_canceled(const context& ctx, const char* name) {
  EXPECT_TRUE(ctx.done()) << name;
  EXPECT_TRUE(ctx.get_stop_token().stop_requested()) << name;
  EXPECT_EQ(ctx.err(), errc::canceled) << name;
}

// Go: TestBackground.
TEST(GoContextTest, Background) {
  const context c;
  expect_not_done(c, "background");
  EXPECT_FALSE(c.get_stop_token().stop_possible());
}

// Go: TestWithCancel.
TEST(GoContextTest, WithCancel) {
  const auto [c1, cancel] = context().with_cancel();
  const context o(c1.get_stop_token());
  const context c2 = o.with_cancel().first;
  const std::vector<context> contexts = {c1, o, c2};
  for (const context& c : contexts) {
    EXPECT_TRUE(c.get_stop_token().stop_possible());
    expect_not_done(c, "before");
  }
  cancel();  // Propagates synchronously.
  for (const context& c : contexts) expect_canceled(c, "after");
}

// Go: TestParentFinishesChild.
TEST(GoContextTest, ParentFinishesChild) {
  const auto [parent, cancel] = context().with_cancel();
  const context cancel_child = parent.with_cancel().first;
  const context timer_child = parent.with_timeout(very_long_duration);
  expect_not_done(parent, "parent");
  expect_not_done(cancel_child, "cancel_child");
  expect_not_done(timer_child, "timer_child");
  cancel();
  expect_canceled(parent, "parent");
  expect_canceled(cancel_child, "cancel_child");
  expect_canceled(timer_child, "timer_child");
  expect_canceled(parent.with_cancel().first, "precanceled child");
}

// Go: TestChildFinishesFirst.
TEST(GoContextTest, ChildFinishesFirst) {
  const auto [cancelable, stop] = context().with_cancel();
  for (const context& parent : {context(), cancelable}) {
    const auto [child, cancel] = parent.with_cancel();
    expect_not_done(parent, "parent");
    expect_not_done(child, "child");
    cancel();
    expect_canceled(child, "child");
    expect_not_done(parent, "parent");
  }
}

void expect_deadline(const context& c, const char* name) {
  EXPECT_TRUE(stops(c)) << name;
  EXPECT_EQ(c.err(), errc::deadline_exceeded) << name;
}

// Go: TestDeadline.
TEST(GoContextTest, Deadline) {
  expect_deadline(context().with_deadline(clock::now() + short_duration), "with_deadline");
  {
    const context c = context().with_deadline(clock::now() + short_duration);
    expect_deadline(c.with_cancel().first, "with_deadline + with_cancel");
  }
  {
    const context c = context().with_deadline(clock::now() + short_duration).with_cancel().first;
    expect_deadline(c.with_deadline(clock::now() + very_long_duration), "with_deadline + with_deadline");
  }
  expect_deadline(context().with_deadline(clock::now() - short_duration), "in the past");
  expect_deadline(context().with_deadline(clock::now()), "now");
}

// Go: TestTimeout.
TEST(GoContextTest, Timeout) {
  expect_deadline(context().with_timeout(short_duration), "with_timeout");
  expect_deadline(context().with_timeout(short_duration).with_cancel().first, "with_timeout + with_cancel");
  const context c = context().with_timeout(short_duration).with_cancel().first;
  expect_deadline(c.with_timeout(very_long_duration), "with_timeout + with_timeout");
}

// Go: TestCanceledTimeout.
TEST(GoContextTest, CanceledTimeout) {
  const context outer = context().with_timeout(very_long_duration);
  const auto [c, cancel] = outer.with_timeout(very_long_duration).with_cancel();
  cancel();  // Propagates synchronously.
  expect_canceled(c, "c");
  expect_not_done(outer, "outer");
}

// Go: TestAllocs, with the limits of its table.
TEST(GoContextTest, Allocs) {
  if (!allocation::replaced) GTEST_SKIP();
  struct test_case {
    const char* desc;
    std::function<void()> f;
    std::size_t limit;
  };
  const context bg;
  const std::vector<test_case> cases = {
      {"context()", [] { (void)context(); }, 0},
      {"with_timeout(1ns)", [&] { EXPECT_TRUE(stops(bg.with_timeout(1ns))); }, 12},
      {"with_cancel()",
       [&] {
         const auto [c, cancel] = bg.with_cancel();
         cancel();
         EXPECT_TRUE(stops(c));
       },
       5},
      {"with_timeout(5ms), cancelled",
       [&] {
         const auto [c, cancel] = bg.with_timeout(5ms).with_cancel();
         cancel();
         EXPECT_TRUE(stops(c));
       },
       8},
  };
  for (const auto& [desc, f, limit] : cases) {
    f();  // As Go does, so that what is made once is not counted.
    EXPECT_LE(allocation::count(f), limit) << desc;
  }
}

// Go: TestSimultaneousCancels.
TEST(GoContextTest, SimultaneousCancels) {
  std::vector<std::pair<context, canceler>> m = {context().with_cancel()};
  for (std::size_t next = 0; m.size() < 100; ++next) {
    for (int i = 0; i < 4; ++i) m.push_back(context(m[next].first).with_cancel());
  }
  std::shuffle(m.begin(), m.end(), std::minstd_rand(1));
  std::vector<std::jthread> cancels;
  for (const auto& entry : m) cancels.emplace_back([&cancel = entry.second] { cancel(); });
  for (const auto& entry : m) EXPECT_TRUE(stops(entry.first));
}

// Go: TestInterlockedCancels.
TEST(GoContextTest, InterlockedCancels) {
  const auto [parent, cancel_parent] = context().with_cancel();
  const auto [child, cancel_child] = parent.with_cancel();
  const std::jthread other([&parent = parent, &cancel_child = cancel_child] {
    EXPECT_TRUE(stops(parent));
    cancel_child();
  });
  cancel_parent();
  EXPECT_TRUE(stops(child));
}

void test_layers(bool test_timeout) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed=" + std::to_string(seed));
  std::minstd_rand random(seed);
  constexpr int min_layers = 30;
  std::vector<canceler> cancels;
  int timers = 0;
  context ctx;
  for (int i = 0; i < min_layers || timers == 0 || cancels.empty(); ++i) {
    if (random() % 2 != 0) {
      ctx = test_timeout ? ctx.with_timeout(short_duration) : ctx.with_timeout(very_long_duration);
      ++timers;
    }
    auto [next, cancel] = ctx.with_cancel();
    ctx = next;
    cancels.push_back(cancel);
  }
  if (test_timeout) {
    EXPECT_TRUE(stops(ctx));
    EXPECT_EQ(ctx.err(), errc::deadline_exceeded);
  } else {
    expect_not_done(ctx, "before cancel");
    cancels[random() % cancels.size()]();
    expect_canceled(ctx, "after cancel");
  }
}

// Go: TestLayersCancel.
TEST(GoContextTest, LayersCancel) { test_layers(false); }

// Go: TestLayersTimeout.
TEST(GoContextTest, LayersTimeout) { test_layers(true); }

// Go: TestCancelRemoves. There a cancelled child leaves its parent's list; here one that nobody refers to does.
TEST(GoContextTest, ADroppedChildLeavesNothingWithItsParent) {
  if (!allocation::replaced) GTEST_SKIP();
  const context ctx = context().with_cancel().first;
  (void)ctx.with_timeout(60min);  // What is made once.
  const std::ptrdiff_t before = allocation::live;
  (void)ctx.with_cancel();
  EXPECT_EQ(allocation::live, before);
  (void)ctx.with_timeout(60min);
  EXPECT_EQ(allocation::live, before);
  {
    const auto [child, cancel] = ctx.with_cancel();
    cancel();
  }
  EXPECT_EQ(allocation::live, before);
  expect_not_done(ctx, "parent");
}

// Go: TestWithCancelCanceledParent.
TEST(GoContextTest, WithCancelCanceledParent) {
  const auto [parent, cancel] = context().with_cancel();
  const error cause("Because!");
  cancel(cause);
  const context c = parent.with_cancel().first;
  expect_canceled(c, "child");
  EXPECT_EQ(c.cause(), cause);
}

// Go: TestWithCancelSimultaneouslyCanceledParent.
TEST(GoContextTest, WithCancelSimultaneouslyCanceledParent) {
  for (int i = 0; i < 100; ++i) {
    const auto [parent, cancel] = context().with_cancel();
    const error cause("Because!");
    const std::jthread other([&cancel = cancel, &cause] { cancel(cause); });
    const context c = parent.with_cancel().first;
    EXPECT_TRUE(stops(c));
    EXPECT_EQ(c.err(), errc::canceled);
    EXPECT_EQ(c.cause(), cause);
  }
}

// Go: TestDeadlineExceededSupportsTimeout. What a net.Error says by Timeout(), a code says by its condition.
TEST(GoContextTest, DeadlineExceededSupportsTimeout) {
  EXPECT_EQ(error(errc::deadline_exceeded), std::errc::timed_out);
}

// Go: TestCause.
TEST(GoContextTest, Cause) {
  constexpr auto forever = 1'000'000s;
  const error parent_cause("parentCause");
  const error child_cause("childCause");
  const error too_slow("tooSlow");
  const error finished_early("finishedEarly");
  struct test_case {
    const char* name;
    std::function<context()> ctx;
    error err;
    error cause;
  };
  const std::vector<test_case> cases = {
      {"Background", [] { return context(); }, {}, {}},
      {"WithCancel",
       [] {
         auto [ctx, cancel] = context().with_cancel();
         cancel();
         return ctx;
       },
       errc::canceled, errc::canceled},
      {"WithCancelCause",
       [&] {
         auto [ctx, cancel] = context().with_cancel();
         cancel(parent_cause);
         return ctx;
       },
       errc::canceled, parent_cause},
      {"WithCancelCause nil",
       [] {
         auto [ctx, cancel] = context().with_cancel();
         cancel(nullptr);
         return ctx;
       },
       errc::canceled, errc::canceled},
      {"WithCancelCause: parent cause before child",
       [&] {
         auto [parent, cancel_parent] = context().with_cancel();
         auto [ctx, cancel_child] = parent.with_cancel();
         cancel_parent(parent_cause);
         cancel_child(child_cause);
         return ctx;
       },
       errc::canceled, parent_cause},
      {"WithCancelCause: parent cause after child",
       [&] {
         auto [parent, cancel_parent] = context().with_cancel();
         auto [ctx, cancel_child] = parent.with_cancel();
         cancel_child(child_cause);
         cancel_parent(parent_cause);
         return ctx;
       },
       errc::canceled, child_cause},
      {"WithCancelCause: parent cause before nil",
       [&] {
         auto [parent, cancel_parent] = context().with_cancel();
         auto [ctx, cancel_child] = parent.with_cancel();
         cancel_parent(parent_cause);
         cancel_child();
         return ctx;
       },
       errc::canceled, parent_cause},
      {"WithCancelCause: parent cause after nil",
       [&] {
         auto [parent, cancel_parent] = context().with_cancel();
         auto [ctx, cancel_child] = parent.with_cancel();
         cancel_child();
         cancel_parent(parent_cause);
         return ctx;
       },
       errc::canceled, errc::canceled},
      {"WithCancelCause: child cause after nil",
       [&] {
         auto [parent, cancel_parent] = context().with_cancel();
         auto [ctx, cancel_child] = parent.with_cancel();
         cancel_parent();
         cancel_child(child_cause);
         return ctx;
       },
       errc::canceled, errc::canceled},
      {"WithCancelCause: child cause before nil",
       [&] {
         auto [parent, cancel_parent] = context().with_cancel();
         auto [ctx, cancel_child] = parent.with_cancel();
         cancel_child(child_cause);
         cancel_parent();
         return ctx;
       },
       errc::canceled, child_cause},
      {"WithTimeout",
       [] {
         auto [ctx, cancel] = context().with_timeout(0s).with_cancel();
         cancel();
         return ctx;
       },
       errc::deadline_exceeded, errc::deadline_exceeded},
      {"WithTimeout canceled",
       [&] {
         auto [ctx, cancel] = context().with_timeout(forever).with_cancel();
         cancel();
         return ctx;
       },
       errc::canceled, errc::canceled},
      {"WithTimeoutCause",
       [&] {
         auto [ctx, cancel] = context().with_timeout(0s, too_slow).with_cancel();
         cancel();
         return ctx;
       },
       errc::deadline_exceeded, too_slow},
      {"WithTimeoutCause canceled",
       [&] {
         auto [ctx, cancel] = context().with_timeout(forever, too_slow).with_cancel();
         cancel();
         return ctx;
       },
       errc::canceled, errc::canceled},
      {"WithTimeoutCause stacked",
       [&] {
         auto [parent, cancel] = context().with_cancel();
         context ctx = parent.with_timeout(0s, too_slow);
         cancel(finished_early);
         return ctx;
       },
       errc::deadline_exceeded, too_slow},
      {"WithTimeoutCause stacked canceled",
       [&] {
         auto [parent, cancel] = context().with_cancel();
         context ctx = parent.with_timeout(forever, too_slow);
         cancel(finished_early);
         return ctx;
       },
       errc::canceled, finished_early},
      {"WithoutCancel", [] { return context().without_cancel(); }, {}, {}},
      {"WithoutCancel canceled",
       [&] {
         auto [parent, cancel] = context().with_cancel();
         context ctx = parent.without_cancel();
         cancel(finished_early);
         return ctx;
       },
       {},
       {}},
      {"WithoutCancel timeout", [&] { return context().with_timeout(0s, too_slow).without_cancel(); }, {}, {}},
  };
  for (const auto& [name, make, err, cause] : cases) {
    const context ctx = make();
    EXPECT_EQ(ctx.err(), err) << name;
    EXPECT_EQ(ctx.cause(), cause) << name;
  }
}

// Go: TestCauseRace. It asks for the cause, not for done(), so that the thread sanitizer sees how it is published.
TEST(GoContextTest, CauseRace) {
  const error cause("TestCauseRace");
  const auto [ctx, cancel] = context().with_cancel();
  const std::jthread other([&cancel = cancel, &cause] { cancel(cause); });
  for (;;) {
    if (const error err = ctx.cause()) {
      EXPECT_EQ(err, cause);
      break;
    }
    std::this_thread::yield();
  }
}

// Go: TestWithoutCancel.
TEST(GoContextTest, WithoutCancel) {
  const context ctx = context().with_timeout(very_long_duration).without_cancel();
  EXPECT_EQ(ctx.deadline(), std::nullopt);
  EXPECT_EQ(ctx.err(), error());
  EXPECT_FALSE(ctx.done());
}

// On the stack, g++ 12 warns of its own header.
using foreign_source = std::unique_ptr<std::stop_source>;
foreign_source make_foreign() { return std::make_unique<std::stop_source>(); }

// Go: TestCustomContextCause.
TEST(GoContextTest, CustomContextCause) {
  {
    const foreign_source foreign = make_foreign();
    foreign->request_stop();
    const context stopped(foreign->get_token());
    EXPECT_EQ(stopped.err(), errc::canceled);
    EXPECT_EQ(stopped.cause(), errc::canceled);
  }
  {
    const foreign_source foreign = make_foreign();
    const context custom(foreign->get_token());
    const auto [ctx, cancel] = custom.with_cancel();
    const error cause("TestCustomContextCause");
    cancel(cause);
    EXPECT_EQ(ctx.err(), errc::canceled);
    EXPECT_EQ(ctx.cause(), cause);
    EXPECT_EQ(custom.err(), error());
    EXPECT_EQ(custom.cause(), error());

    foreign->request_stop();
    EXPECT_EQ(ctx.err(), errc::canceled);
    EXPECT_EQ(ctx.cause(), cause);
    EXPECT_EQ(custom.err(), errc::canceled);
    EXPECT_EQ(custom.cause(), errc::canceled);
  }
  {
    const foreign_source foreign = make_foreign();
    const context custom(foreign->get_token());
    const context ctx = custom.with_cancel().first;
    foreign->request_stop();
    EXPECT_EQ(ctx.err(), errc::canceled);
    EXPECT_EQ(ctx.cause(), errc::canceled);
    EXPECT_EQ(custom.err(), errc::canceled);
    EXPECT_EQ(custom.cause(), errc::canceled);
  }
}

// Go: TestCustomContextAfterFuncCancel.
TEST(GoContextTest, CustomContextAfterFuncCancel) {
  const foreign_source foreign = make_foreign();
  const context ctx = context(foreign->get_token()).with_cancel().first;
  foreign->request_stop();
  EXPECT_TRUE(stops(ctx));
}

// Go: TestCustomContextAfterFuncTimeout.
TEST(GoContextTest, CustomContextAfterFuncTimeout) {
  const foreign_source foreign = make_foreign();
  const context ctx = context(foreign->get_token()).with_timeout(very_long_duration);
  foreign->request_stop();
  EXPECT_TRUE(stops(ctx));
  EXPECT_EQ(ctx.err(), errc::canceled);
}

}  // namespace
