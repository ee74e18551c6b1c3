// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/detail/pool/crew.hpp>

#include <chrono>
#include <latch>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include <gtest/gtest.h>

#include "thread_start.hpp"
#include "unowned_job.hpp"

namespace {

using namespace std::chrono_literals;
using errgroup::detail::crew;
using errgroup::detail::pool_job;
using errgroup::detail::pool_worker;
using errgroup::detail::sleep_watch;
using errgroup::detail::worker;

/// Waits in its run until it is told to end.
class waiting_job final : public unowned_job {
 public:
  void run(pool_worker&) override {
    begun_.count_down();
    end_.wait();
  }

  void wait_until_it_runs() { begun_.wait(); }
  void end() { end_.count_down(); }

 private:
  std::latch begun_{1}, end_{1};
};

/// A crew whose workers run what they are sent with, and park.
struct CrewTest : testing::Test {
  ~CrewTest() override { leave(); }

  void make(std::size_t max_threads = 0, errgroup::clock::duration idle_timeout = 1h) {
    c.emplace(crew::options{idle_timeout, max_threads, "crew", false, nullptr}, watch, this, &enter);
  }

  static void enter(void* self, worker& w) { static_cast<CrewTest*>(self)->work(w); }
  void work(worker& w) {
    lock_type lock(mutex, std::defer_lock);
    for (auto why = crew::reason::sent; why != crew::reason::idle;) {
      if (w.job) {
        if (lock.owns_lock()) lock.unlock();
        w.on_its_way = false;
        w.job->run(w);
        lock.lock();
        c->end_job(w);
      } else {
        if (!lock.owns_lock()) lock.lock();
        if (w.stop.stop_requested()) break;
      }
      why = c->park(lock, w);
    }
    if (!lock.owns_lock()) lock.lock();
    std::jthread before = c->leave(w);
    lock.unlock();
    delete &w;
    if (before.joinable()) before.join();
  }

  worker* send(pool_job& job) {
    const lock_type lock(mutex);
    return c->wake_or_start(&job);
  }
  void wait_until_parked(const worker* w) {
    for (;;) {
      {
        const lock_type lock(mutex);
        if (w->parked) return;
      }
      std::this_thread::yield();
    }
  }
  std::size_t size() {
    const lock_type lock(mutex);
    return c->size();
  }
  /// Returns when all threads have ended.
  void leave() {
    if (!c) return;
    lock_type lock(mutex);
    c->tell_all_to_leave();
    c->wait_until_empty(lock);
    std::jthread last = c->last_to_leave();
    lock.unlock();
  }

  using lock_type = errgroup::detail::ranked_lock<errgroup::detail::lock_rank::pool>;
  std::mutex mutex;
  sleep_watch watch{mutex};
  waiting_job a, b;
  std::optional<crew> c;
};

TEST_F(CrewTest, AParkedWorkerIsWokenAndNoOtherStarted) {
  make();
  worker* const w = send(a);
  a.wait_until_it_runs();
  a.end();
  wait_until_parked(w);
  EXPECT_EQ(watch.busy(), 0U);
  EXPECT_EQ(send(b), w);
  b.wait_until_it_runs();
  EXPECT_EQ(size(), 1U);
  EXPECT_EQ(watch.busy(), 1U);
  b.end();
}

TEST_F(CrewTest, TheWorkerThatParkedLastIsWokenFirst) {
  make();
  worker* const first = send(a);
  worker* const last = send(b);
  EXPECT_NE(first, last);
  a.end();
  wait_until_parked(first);
  b.end();
  wait_until_parked(last);
  waiting_job again;
  EXPECT_EQ(send(again), last);
  again.end();
  wait_until_parked(last);
}

TEST_F(CrewTest, NoWorkerComesAtMaxThreads) {
  make(1);
  EXPECT_NE(send(a), nullptr);
  EXPECT_EQ(send(b), nullptr);
  EXPECT_EQ(size(), 1U);
  a.end();
}

TEST_F(CrewTest, AnIdleWorkerLeaves) {
  make(0, 1ms);
  send(a);
  a.end();
  lock_type lock(mutex);
  c->wait_until_empty(lock);
  EXPECT_EQ(c->size(), 0U);
}

TEST_F(CrewTest, AWorkerThatIsStartedAfterAllWereToldLeavesOnceItHasRunItsJob) {
  make();
  {
    const lock_type lock(mutex);
    c->tell_all_to_leave();
  }
  send(a);
  a.end();
  lock_type lock(mutex);
  c->wait_until_empty(lock);
  EXPECT_EQ(watch.busy(), 0U);
}

TEST_F(CrewTest, WhereNoThreadStartsTheCrewIsAsBefore) {
  make();
  {
    const no_thread_starts scope;
    EXPECT_THROW(send(a), std::system_error);
  }
  EXPECT_EQ(size(), 0U);
  EXPECT_EQ(watch.busy(), 0U);
  EXPECT_NE(send(a), nullptr);
  a.wait_until_it_runs();
  a.end();
}

}  // namespace
