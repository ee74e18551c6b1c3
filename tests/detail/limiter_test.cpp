// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <array>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/detail/group/limiter.hpp>

namespace {

using errgroup::detail::arrival;
using errgroup::detail::call_site;
using errgroup::detail::handoff_ring;
using errgroup::detail::limiter;
using errgroup::detail::queue_entry;
using errgroup::detail::task;
using errgroup::detail::task_home;
using errgroup::detail::task_queue;

struct idle_task final : task {
  explicit idle_task(task_home h = task_home::heap) : task(h) {}
  errgroup::error run(const errgroup::context&) override { return {}; }
  call_site& site() const noexcept override { return errgroup::detail::site_of<idle_task>; }
};

TEST(LimiterTest, IsFullAtTheLimitAndNeverWithoutOne) {
  struct row {
    std::ptrdiff_t limit;
    std::size_t places;
    bool full, exceeded;
  };
  for (const row& r : {row{-1, 1000, false, false}, row{0, 0, true, false}, row{1, 0, false, false},
                       row{3, 2, false, false}, row{3, 3, true, false}, row{3, 4, true, true}}) {
    limiter limits(r.limit);
    limits.add_places(r.places);
    EXPECT_EQ(limits.full(), r.full) << r.limit << " " << r.places;
    EXPECT_EQ(limits.exceeded(), r.exceeded) << r.limit << " " << r.places;
    EXPECT_EQ(limits.pending(), r.places);
  }
}

TEST(LimiterTest, TasksInTheRingHoldPlacesUntilTheyEnd) {
  limiter limits(2);
  handoff_ring& ring = limits.ring();
  ASSERT_TRUE(ring.open(2));
  handoff_ring::consumer consumer(ring);
  limits.add_places(1);
  ::new (ring.room()) idle_task(task_home::slot);
  ring.give(false);
  EXPECT_TRUE(limits.full());
  EXPECT_EQ(limits.places(), 2U);
  EXPECT_EQ(limits.own_places(), 1U);
  consumer.begin()->~task();
  EXPECT_TRUE(limits.full());
  consumer.end();
  EXPECT_FALSE(limits.full());
  EXPECT_EQ(limits.places(), 1U);
  EXPECT_TRUE(ring.close());
}

TEST(LimiterTest, GrantsPlacesInTheOrderOfArrival) {
  limiter limits(2);
  limits.add_places(2);
  arrival first, last;
  idle_task between;
  limits.arrive(first);
  limits.arrive(between);
  limits.add_beyond();
  limits.arrive(last);
  EXPECT_TRUE(limits.is_first(first));
  EXPECT_EQ(limits.pending(), 3U);
  EXPECT_EQ(limits.grant_next(false), nullptr);
  limits.remove_places(1);
  EXPECT_EQ(limits.grant_next(false), &first);
  EXPECT_TRUE(first.is(arrival::granted));
  EXPECT_EQ(limits.grant_next(false), nullptr);
  limits.remove_places(2);
  EXPECT_EQ(limits.grant_next(false), &between);
  EXPECT_EQ(limits.beyond(), 0U);
  EXPECT_TRUE(last.is(arrival::waiting));
  EXPECT_EQ(limits.grant_next(false), &last);
  EXPECT_EQ(limits.places(), 2U);
  EXPECT_TRUE(limits.line_empty());
}

TEST(LimiterTest, OnceItDismissesCallersGetNoPlaceAndTasksDo) {
  limiter limits(0);
  arrival caller;
  idle_task beyond;
  limits.arrive(caller);
  limits.arrive(beyond);
  limits.add_beyond();
  EXPECT_EQ(limits.grant_next(true), &caller);
  EXPECT_TRUE(caller.is(arrival::dismissed));
  EXPECT_EQ(limits.grant_next(true), &beyond);
  EXPECT_EQ(limits.grant_next(true), nullptr);
  EXPECT_EQ(limits.places(), 1U);
  EXPECT_EQ(limits.beyond(), 0U);
}

TEST(LimiterTest, WhoLeavesTheLineIsSkipped) {
  limiter limits(1);
  arrival first, second;
  idle_task beyond;
  beyond.serial = 7;
  limits.arrive(first);
  limits.arrive(beyond);
  limits.arrive(second);
  std::vector<arrival*> callers;
  limits.for_each_caller([&](arrival& a) { callers.push_back(&a); });
  EXPECT_EQ(callers, (std::vector<arrival*>{&first, &second}));
  limits.leave(first);
  EXPECT_EQ(limits.take(8), nullptr);
  EXPECT_EQ(limits.take(0), nullptr) << "a caller is no task";
  EXPECT_EQ(limits.take(7), &beyond);
  EXPECT_EQ(limits.grant_next(false), &second);
}

TEST(LimiterTest, ALoweredLimitSendsQueuedTasksBackBeforeAllInLine) {
  limiter limits(4);
  task_queue queue;
  std::array<idle_task, 3> tasks;
  for (idle_task& t : tasks) queue.push(t);
  limits.add_places(4);  // One runs.
  arrival caller;
  limits.arrive(caller);
  EXPECT_FALSE(limits.send_back_excess(queue));
  limits.set_limit(2);
  EXPECT_TRUE(limits.send_back_excess(queue));
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(limits.places(), 2U);
  EXPECT_EQ(limits.beyond(), 2U);
  limits.set_limit(0);
  EXPECT_TRUE(limits.send_back_excess(queue));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(limits.places(), 1U) << "what runs goes on";
  EXPECT_FALSE(limits.send_back_excess(queue));
  limits.set_limit(-1);
  for (idle_task& t : tasks) EXPECT_EQ(limits.grant_next(false), &t);
  EXPECT_FALSE(tasks[0].sent_back);
  EXPECT_EQ(limits.grant_next(false), &caller);
}

TEST(LimiterTest, AReservedTaskThatIsTooMuchGoesBackToo) {
  limiter limits(1);
  limits.add_places(2);
  idle_task t;
  arrival caller;
  limits.arrive(caller);
  limits.send_back(t);
  EXPECT_EQ(limits.places(), 1U);
  EXPECT_EQ(limits.pending(), 2U);
  limits.remove_places(1);
  EXPECT_EQ(limits.grant_next(false), &t);
}

}  // namespace
