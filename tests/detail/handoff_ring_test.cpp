// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <atomic>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/detail/group/handoff_ring.hpp>

namespace {

using errgroup::detail::call_site;
using errgroup::detail::handoff_ring;
using errgroup::detail::task;
using errgroup::detail::task_home;

struct small_task final : task {
  explicit small_task(int n) : task(task_home::slot), number(n) {}
  errgroup::error run(const errgroup::context&) override { return {}; }
  call_site& site() const noexcept override { return errgroup::detail::site_of<small_task>; }
  const int number;
};
static_assert(sizeof(small_task) <= handoff_ring::size);

bool give(handoff_ring& ring, int n, bool asks = false) {
  void* const room = ring.room();
  if (!room) return false;
  ::new (room) small_task(n);
  ring.give(asks);
  return true;
}

int run(task* t) {
  const int n = static_cast<small_task&>(*t).number;
  t->~task();
  return n;
}

TEST(HandoffRingTest, HasNoRoomWithoutAConsumer) {
  handoff_ring ring;
  EXPECT_EQ(ring.room(), nullptr);
  ASSERT_TRUE(ring.open(2));
  EXPECT_NE(ring.room(), nullptr);
  EXPECT_FALSE(ring.open(2)) << "there is a consumer";
  EXPECT_TRUE(ring.close());
  EXPECT_EQ(ring.room(), nullptr);
}

TEST(HandoffRingTest, GivesTasksInOrderAndNoMoreThanItHasSlots) {
  handoff_ring ring;
  ASSERT_TRUE(ring.open(2));
  handoff_ring::consumer consumer(ring);
  EXPECT_EQ(consumer.begin(), nullptr);
  for (int n = 1; n < 20; n += 2) {
    EXPECT_TRUE(give(ring, n));
    EXPECT_TRUE(give(ring, n + 1));
    EXPECT_TRUE(ring.crowded());
    EXPECT_FALSE(give(ring, 0));
    EXPECT_EQ(ring.busy(), 2U);
    EXPECT_TRUE(ring.backlog());
    EXPECT_FALSE(ring.close()) << "there is a task";
    for (const int expected : {n, n + 1}) {
      task* const t = consumer.begin();
      ASSERT_TRUE(t);
      EXPECT_EQ(run(t), expected);
      const auto outcome = consumer.end();
      EXPECT_FALSE(outcome.asked || outcome.recalled);
    }
    EXPECT_FALSE(ring.backlog());
    ring.note_ends();
    EXPECT_EQ(ring.busy(), 0U);
  }
  EXPECT_TRUE(ring.close());
}

TEST(HandoffRingTest, TellsOfAnEndOnceIfItWasAskedTo) {
  handoff_ring ring;
  ASSERT_TRUE(ring.open(2));
  handoff_ring::consumer consumer(ring);
  ring.ask();  // Of nothing.
  give(ring, 1, true);
  give(ring, 2);
  const handoff_ring::probe first = ring.first(), last = ring.last();
  run(consumer.begin());
  EXPECT_FALSE(first.ended());
  EXPECT_TRUE(consumer.end().asked);
  EXPECT_TRUE(first.ended());
  EXPECT_FALSE(last.ended());
  run(consumer.begin());
  EXPECT_FALSE(consumer.end().asked);
  give(ring, 3);
  run(consumer.begin());
  ring.ask();
  EXPECT_EQ(ring.busy(), 1U);
  EXPECT_TRUE(consumer.end().asked);
  ring.ask();
  EXPECT_EQ(ring.busy(), 0U);
  EXPECT_TRUE(ring.close());
}

TEST(HandoffRingTest, ARecallTakesWhatIsNotBegunAndTheEndOfWhatIs) {
  handoff_ring ring;
  ASSERT_TRUE(ring.open(4));
  std::optional<handoff_ring::consumer> consumer(std::in_place, ring);
  for (int n = 1; n <= 4; ++n) give(ring, n);
  run(consumer->begin());
  consumer->end();
  task* const second = consumer->begin();
  ASSERT_TRUE(second);
  std::vector<task*> taken;
  EXPECT_EQ(ring.recall([&](task& t) { taken.push_back(&t); }), 3U);
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(ring.busy(), 0U);
  EXPECT_FALSE(ring.backlog());
  EXPECT_EQ(ring.room(), nullptr);
  EXPECT_TRUE(consumer->recalled());
  EXPECT_EQ(run(second), 2);
  EXPECT_TRUE(consumer->end().recalled);
  EXPECT_TRUE(ring.close());

  ASSERT_TRUE(ring.open(4));
  consumer.emplace(ring);
  for (int n = 0; n != 2; ++n) {
    ASSERT_TRUE(give(ring, 5 + n)) << "these two slots are free";
    EXPECT_EQ(run(consumer->begin()), 5 + n);
    consumer->end();
  }
  EXPECT_EQ(ring.room(), nullptr) << "the next one holds a recalled task";
  EXPECT_EQ(run(taken[0]), 3);
  handoff_ring::take_back(taken[0]);
  EXPECT_TRUE(give(ring, 7));
  EXPECT_EQ(run(consumer->begin()), 7);
  consumer->end();
  EXPECT_EQ(run(taken[1]), 4);
  handoff_ring::take_back(taken[1]);
  EXPECT_TRUE(give(ring, 8));
  EXPECT_EQ(run(consumer->begin()), 8);
  consumer->end();
  EXPECT_TRUE(ring.close());
}

TEST(HandoffRingTest, ATaskIsBegunOrRecalledWhicheverComesFirst) {
  constexpr int rounds = 2000;
  handoff_ring ring;
  std::mutex mutex;  // The group's.
  for (int i = 0; i != rounds; ++i) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(ring.open(2));
    handoff_ring::consumer consumer(ring);
    give(ring, 1);
    lock.unlock();
    std::atomic<int> begun{0};
    std::thread worker([&] {
      task* const t = consumer.begin();
      if (t) {
        ++begun;
        run(t);
        consumer.end();
      }
      const std::lock_guard end(mutex);
      ring.close();
    });
    int recalled = 0;
    {
      const std::lock_guard again(mutex);
      if (ring.backlog()) {
        ring.recall([&](task& t) {
          ++recalled;
          run(&t);
          handoff_ring::take_back(&t);
        });
      }
    }
    worker.join();
    EXPECT_EQ(begun + recalled, 1);
  }
}

}  // namespace
