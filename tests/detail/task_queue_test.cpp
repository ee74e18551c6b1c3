// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <array>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <errgroup/detail/group/task_queue.hpp>

namespace {

using errgroup::detail::call_site;
using errgroup::detail::entry_list;
using errgroup::detail::queue_entry;
using errgroup::detail::task;
using errgroup::detail::task_home;
using errgroup::detail::task_queue;

struct numbered_task final : task {
  numbered_task() : task(task_home::heap) {}
  errgroup::error run(const errgroup::context&) override { return {}; }
  call_site& site() const noexcept override { return errgroup::detail::site_of<numbered_task>; }
};

class TaskQueueTest : public testing::Test {
 protected:
  TaskQueueTest() {
    for (numbered_task& t : tasks) queue.number(t);
  }
  void push_all() {
    for (numbered_task& t : tasks) queue.push(t);
  }
  static std::vector<std::uint32_t> drain(entry_list& list) {
    std::vector<std::uint32_t> serials;
    while (!list.empty()) serials.push_back(list.pop_front().serial);
    return serials;
  }

  std::array<numbered_task, 5> tasks;  // Their serials are 1 to 5.
  task_queue queue;
  entry_list line;
};

using serials = std::vector<std::uint32_t>;

TEST_F(TaskQueueTest, GivesTasksInTheOrderInWhichTheyCame) {
  push_all();
  EXPECT_EQ(queue.size(), 5U);
  for (numbered_task& t : tasks) {
    EXPECT_EQ(&queue.front(), &t);
    EXPECT_EQ(&queue.pop(), &t);
  }
  EXPECT_TRUE(queue.empty());
  queue.push(tasks[3]);
  EXPECT_EQ(&queue.pop(), &tasks[3]);
}

TEST_F(TaskQueueTest, TakesOutTheFirstThatIsWantedWhereverItIs) {
  for (const std::uint32_t wanted : {1U, 3U, 5U}) {
    push_all();
    const auto is_it = [wanted](const queue_entry& e) { return e.serial >= wanted; };
    EXPECT_EQ(queue.take_first(is_it), &tasks[wanted - 1]);
    EXPECT_EQ(queue.size(), 4U);
    queue.push(tasks[wanted - 1]);
    entry_list rest = queue.take_all();
    serials expected = {1, 2, 3, 4, 5};
    expected.erase(expected.begin() + (wanted - 1));
    expected.push_back(wanted);
    EXPECT_EQ(drain(rest), expected);
    EXPECT_TRUE(queue.empty());
  }
  EXPECT_EQ(queue.take_first([](const queue_entry&) { return true; }), nullptr);
}

TEST_F(TaskQueueTest, SendsItsLastTasksBackToTheFrontOfALine) {
  queue_entry caller;
  caller.serial = 9;
  line.push_back(caller);
  push_all();
  queue.send_back_last(2, line);
  EXPECT_EQ(queue.size(), 3U);
  EXPECT_EQ(&queue.front(), &tasks[0]);
  numbered_task late;
  late.serial = 7;
  line.send_back(late);  // Behind those that were sent back before, and before the caller.
  EXPECT_TRUE(tasks[3].sent_back && late.sent_back && !caller.sent_back);
  EXPECT_EQ(drain(line), (serials{4, 5, 7, 9}));
  queue.push(tasks[4]);
  entry_list rest = queue.take_all();
  EXPECT_EQ(drain(rest), (serials{1, 2, 3, 5}));
}

TEST_F(TaskQueueTest, SendsAllBackToAnEmptyLine) {
  push_all();
  queue.send_back_last(5, line);
  EXPECT_TRUE(queue.empty());
  queue_entry caller;
  caller.serial = 9;
  line.push_back(caller);
  EXPECT_EQ(drain(line), (serials{1, 2, 3, 4, 5, 9}));
  queue.push(tasks[0]);
  EXPECT_EQ(&queue.pop(), &tasks[0]);
}

}  // namespace
