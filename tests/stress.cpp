// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Builds random trees of groups and contexts, runs them, and holds what happened against a plain model. A scenario
// is made from its seed alone, which is printed when it fails: `stress --seed N` runs it again.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::errc;
using errgroup::error;
using errgroup::group;

std::uint64_t current_seed = 0;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "stress --seed %llu: %s\n", static_cast<unsigned long long>(current_seed), what);
  std::abort();
}

class randomness {
 public:
  explicit randomness(std::uint64_t seed) : engine_(seed) {}
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  bool one_in(int n) { return below(n) == 0; }
  std::uint64_t fork() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

// Counts callables, to see that each is destroyed once.
std::atomic<long> alive{0};
std::atomic<long> total_tasks{0};
struct counted {
  counted() { ++alive; }
  counted(counted&& other) noexcept : moved_from(std::exchange(other.moved_from, true)) { ++alive; }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --alive; }
  bool moved_from = false;
};

// What the model knows of a group's round.
struct record {
  std::atomic<int> given{0};    // Accepted.
  std::atomic<int> refused{0};  // Because the context was done, for sure.
  std::atomic<int> unclear{0};  // try_go() gave false, and the context was done by then.
  std::atomic<int> started{0};
  std::atomic<int> succeeded{0};
  std::atomic<int> failed{0};
  std::atomic<int> running{0};
  std::atomic<bool> over{false};  // wait() has returned.
  std::mutex mutex;
  std::vector<error> own;     // Errors that tasks have given of their own.
  std::vector<error> seen;    // What blocked tasks saw as the cause.
  std::vector<error> causes;  // What tasks and the canceler saw, or gave, as the cause.
};

bool contains(const std::vector<error>& list, const error& e) {
  for (const error& x : list) {
    if (x == e) return true;
  }
  return false;
}

struct inline_executor {
  template <class F>
  void execute(F f) {
    f();
  }
};
struct dropping_executor {
  template <class F>
  void execute(F) {}
};
struct thread_executor {  // A thread a runner.
  std::mutex mutex;
  std::vector<std::thread> threads;
  void execute(std::function<void()> f) {
    const std::lock_guard lock(mutex);
    threads.emplace_back(std::move(f));
  }
  ~thread_executor() {
    for (std::thread& t : threads) t.join();
  }
};

class scenario {
 public:
  void run(const context& parent, std::uint64_t seed, int depth) {
    randomness random(seed);
    const bool keep_going = random.one_in(4);
    const int limit = random.one_in(2) ? -1 : 1 + random.below(4);
    const bool collects = random.one_in(3);
    const bool has_deadline = random.one_in(5);
    std::vector<std::function<void(errgroup::group_settings&)>> options;
    if (keep_going) options.push_back(errgroup::keep_going());
    if (limit >= 0) options.push_back(errgroup::with_limit(limit));
    if (collects) options.push_back(errgroup::collect_errors());
    if (has_deadline) options.push_back(errgroup::with_timeout(std::chrono::microseconds(random.below(2000))));
    inline_executor in;
    dropping_executor dropping;
    thread_executor threads;
    const int where = random.below(12);
    const bool blocking_may_hang = where <= 1;  // Nobody runs beside the caller.
    if (where == 0) options.push_back(errgroup::with_executor(in));
    if (where == 1 && limit < 0) options.push_back(errgroup::with_executor(dropping));
    if (where == 2) options.push_back(errgroup::with_executor(threads));
    const auto all_options = [&](errgroup::group_settings& s) {
      for (const auto& o : options) o(s);
    };

    std::deque<record> records;  // They outlive the group: a task may still run when it is destroyed.
    group g(parent, all_options);
    const int rounds = random.one_in(3) ? 2 : 1;
    bool failed_before = false;
    for (int round = 0; round != rounds; ++round) {
      record& r = records.emplace_back();
      const bool asks = random.one_in(2);
      const context ctx = asks ? g.get_context() : context();
      std::vector<errgroup::handle<int>> handles;
      std::vector<int> values;
      const int tasks = 1 + random.below(depth > 0 ? 8 : 20);
      std::optional<std::jthread> other;
      if (random.one_in(4)) {
        other.emplace([&, s = random.fork()] {
          randomness mine(s);
          for (int i = mine.below(6); i > 0; --i) give(g, r, mine, 0, true, limit);
        });
      }
      std::optional<std::jthread> meddler;
      const bool meddled = random.one_in(6);
      if (meddled) {
        meddler.emplace([&, s = random.fork()] {
          randomness mine(s);
          (void)context().sleep_for(std::chrono::microseconds(mine.below(300)));
          if (limit >= 0) g.set_limit(1 + mine.below(4));
          if (mine.one_in(2)) {
            const error why("canceled from outside");
            note_cause(r, why);
            g.cancel(why);
            canceled_ = true;
          } else {
            (void)g.wait_for(std::chrono::microseconds(mine.below(200)));
          }
        });
      }
      for (int i = 0; i != tasks; ++i) {
        if (random.one_in(6)) {
          handles.push_back(spawn(g, r, i));
          values.push_back(i);
        } else {
          give(g, r, random, depth, blocking_may_hang, limit);
        }
      }
      if (other) other->join();
      if (random.one_in(10)) {  // Not waited for.
        if (meddler) meddler->join();
        return;
      }
      std::optional<std::jthread> second_waiter;
      std::optional<error> second_outcome;
      const bool second = random.one_in(5);
      if (second) second_waiter.emplace([&] { second_outcome = g.wait(); });
      const error outcome = g.wait();
      if (meddler) meddler->join();
      if (second) second_waiter->join();
      const error again = rounds == 1 ? g.wait() : outcome;
      require(again == outcome, "wait() is not idempotent");
      // The meddler's wait_for() and the second waiter may have ended the round before this wait() began; then all
      // of them have the same outcome unless a new round was opened, which nobody does here.
      if (second) require(*second_outcome == outcome, "two waiters differ");
      check(r, outcome, keep_going, failed_before, parent, has_deadline,
            collects ? std::optional(g.errors()) : std::nullopt);
      // Another waiter may end a round between two tasks, and then the next task opens a new one.
      const bool one_round = !second && !meddled;
      for (const error& e : r.seen) require(!one_round || e == r.seen.front(), "siblings saw different causes");
      if (asks && one_round && outcome && !keep_going && !failed_before && !canceled_ && !has_deadline &&
          !parent.done()) {
        require(ctx.cause() == outcome, "the first error is not the cause");
      }
      if (asks) {
        require(ctx.done(), "the context is not done after wait()");
      }
      for (std::size_t i = 0; i != handles.size(); ++i) {
        const auto value = handles[i].get();
        require(value ? *value == values[i] : static_cast<bool>(outcome),
                "a handle has neither its value nor an error");
      }
      failed_before = failed_before || outcome;
    }
  }

 private:
  struct random_task {
    scenario* s;
    group* g;
    record* r;
    int kind;
    std::uint64_t seed;
    int depth;
    counted c;

    error operator()(const context& ctx) {
      struct ending {
        record& r;
        ~ending() {
          require(!r.over, "a task ran after wait()");
          --r.running;
        }
      };
      require(!r->over, "a task was started after wait()");
      require(!ctx.done() || ctx.cause(), "a context is done without a cause");
      ++r->started;
      ++r->running;
      const ending end{*r};
      error e = s->act(*r, *g, ctx, kind, seed, depth);
      if (!e) ++r->succeeded;
      return e;
    }
  };

  void note_cause(record& r, const error& e) {
    const std::lock_guard lock(r.mutex);
    r.causes.push_back(e);
  }

  error fail(record& r, error e) {
    ++r.failed;
    const std::lock_guard lock(r.mutex);
    r.own.push_back(e);
    return e;
  }

  // What a task does, after its kind. True errors are those that it invents.
  error act(record& r, group& g, const context& ctx, int kind, std::uint64_t seed, int depth) {
    randomness random(seed);
    switch (kind) {
    case 0:
      return fail(r, error("failure " + std::to_string(seed)));
    case 1: {
      error e(std::make_exception_ptr(std::runtime_error("thrown")));
      (void)fail(r, e);
      throw e;
    }
    case 2:  // Blocks until it is stopped.
    case 3: {
      const error stopped = kind == 2 ? ctx.sleep_for(random.one_in(2) ? 1h : std::chrono::hours::max()) : [&] {
        std::mutex m;
        std::condition_variable_any cv;
        std::unique_lock lock(m);
        return ctx.wait(cv, lock, [] { return false; });
      }();
      require(static_cast<bool>(stopped) && ctx.done(), "a blocked task woke without a cause");
      require(stopped == ctx.cause(), "the cause has changed");
      {
        const std::lock_guard lock(r.mutex);
        r.seen.push_back(stopped);
      }
      ++r.failed;
      if (random.one_in(2)) return errc::canceled;
      return stopped;
    }
    case 4: {
      const error e = ctx.sleep_for(std::chrono::microseconds(random.below(300)));
      if (e) ++r.failed;
      return e;
    }
    case 5:
      if (depth > 0) run(ctx, seed, depth - 1);
      return {};
    case 6: {
      const bool cancels = random.one_in(2);
      const std::stop_callback on_stop(ctx.get_stop_token(), [&] {
        (void)g.errors();
        if (!cancels) return;
        canceled_ = true;
        g.cancel(error("from a stop callback"));  // Too late for this round: the first cause stays.
      });
      if (random.one_in(3)) (void)ctx.with_timeout(std::chrono::microseconds(random.below(100))).sleep_for(50us);
      return {};
    }
    case 7: {  // From inside: beyond the limit if full.
      if (random.one_in(2)) give(g, r, random, 0, true, 0);
      return {};
    }
    default:
      return {};
    }
  }

  // Gives a random task.
  void give(group& g, record& r, randomness& random, int depth, bool must_not_block, int limit) {
    ++total_tasks;
    int kind = random.below(40);
    if (kind == 2 || kind == 3) {
      // Blocks for ever unless something stops the group: give it a failing companion first.
      if (must_not_block || limit == 0) kind = 8;
    }
    const std::uint64_t seed = random.fork();
    const bool blocks = kind == 2 || kind == 3;
    random_task task{this, &g, &r, kind, seed, depth, {}};
    const bool done_before = g.get_context().done();
    const bool tries = random.one_in(4);
    const bool accepted = tries ? g.try_go(std::move(task)) : g.go(std::move(task));
    if (accepted) {
      ++r.given;
    } else {
      require(!task.c.moved_from, "a refused task was touched");
      if (!tries || done_before) {
        ++r.refused;
      } else {
        ++r.unclear;
      }
    }
    if (accepted && blocks) {  // Something must stop it.
      const error why("stop the blocked one");
      note_cause(r, why);
      if (random.one_in(2)) {
        g.cancel(why);
        canceled_ = true;
      } else {
        stop_later(g, why);
      }
    }
  }

  void stop_later(group& g, const error& why) {
    canceled_ = true;
    const std::stop_token token = g.get_stop_token();
    std::thread([&g, why] { g.cancel(why); }).join();
    require(token.stop_requested(), "cancel() has returned and the token is not stopped");
  }

  errgroup::handle<int> spawn(group& g, record& r, int value) {
    ++total_tasks;
    ++r.given;  // Corrected below if it was refused.
    return g.spawn([&r, value, c = counted()] {
      ++r.started;
      ++r.succeeded;
      return value;
    });
  }

  void check(record& r, const error& outcome, bool keep_going, bool failed_before, const context& parent,
             bool has_deadline, const std::optional<std::vector<error>>& collected) {
    r.over = true;
    require(r.running == 0, "a task still runs after wait()");
    require(r.started <= r.given, "more tasks were started than given");
    require(r.started == r.succeeded + r.failed, "a task's end was lost");
    const bool all_ran = r.started == r.given && r.failed == 0 && r.refused == 0;
    if (!failed_before) {
      if (r.unclear == 0) {
        require(!outcome == all_ran, "wait() is empty if and only if every task ran and succeeded");
      } else if (!all_ran) {
        require(static_cast<bool>(outcome), "wait() is empty though a task failed or did not run");
      }
    }
    if (keep_going && !canceled_ && !has_deadline && !parent.done()) {
      require(r.started == r.given, "keep_going() has dropped a task");
    }
    if (outcome && !failed_before) {
      const bool known = contains(r.own, outcome) || contains(r.causes, outcome) ||
                         outcome == errc::deadline_exceeded || outcome == errc::canceled ||
                         outcome == parent.cause() || canceled_;
      require(known, "the outcome is nobody's error");
    }
    if (collected) {
      for (const error& e : *collected) require(static_cast<bool>(e), "an empty error was collected");
    }
  }

  std::atomic<bool> canceled_{false};  // Some group of the tree was cancelled from outside.
};

void run(std::uint64_t seed) {
  current_seed = seed;
  randomness random(seed);
  {
    const auto [root, cancel] = context().with_cancel();
    std::optional<std::jthread> canceling;
    if (random.one_in(4)) {
      canceling.emplace([&stop = cancel, d = random.below(1000)] {
        (void)context().sleep_for(std::chrono::microseconds(d));
        stop(error("the root was cancelled"));
      });
    }
    const context ctx = random.one_in(4)
                            ? root.with_timeout(std::chrono::microseconds(random.below(3000)), error("too late"))
                            : root;
    scenario s;
    s.run(ctx, random.fork(), 2);
  }
  require(alive == 0, "a callable was not destroyed, or twice");
}

int usage(const std::string& why) {
  std::fprintf(stderr, "stress: %s\nusage: stress [--seconds N] [--seed N]\n", why.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  long seconds = 5;
  std::optional<std::uint64_t> only;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option != "--seconds" && option != "--seed") return usage("unknown option '" + option + "'");
    if (++i == argc) return usage(option + " needs a number");
    char* end = nullptr;
    const unsigned long long n = std::strtoull(argv[i], &end, 10);
    if (end == argv[i] || *end != '\0') return usage("'" + std::string(argv[i]) + "' is not a number");
    if (option == "--seed") {
      only = n;
    } else {
      seconds = static_cast<long>(n);
    }
  }
  if (only) {
    for (int i = 0; i != 100; ++i) run(*only);  // Threads do not repeat themselves.
    return 0;
  }
  const std::uint64_t first = std::random_device()();
  std::printf("seeds from %llu\n", static_cast<unsigned long long>(first));
  std::fflush(stdout);
  std::uint64_t seed = first;
  for (const auto end = errgroup::clock::now() + std::chrono::seconds(seconds); errgroup::clock::now() < end;) {
    run(seed++);
  }
  std::printf("%llu scenarios with %ld tasks\n", static_cast<unsigned long long>(seed - first),
              total_tasks.load());
}
