// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Builds random trees of groups and contexts, runs them, and holds what happened against a plain model. A scenario
// is made from its seed alone, which is printed when it fails, or when nothing has happened for a minute:
// `stress --seed N` runs it again.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
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
using errgroup::thread_cache;

std::atomic<std::uint64_t> current_seed{0};  // Of the scenario that runs; read by any thread for a message.

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "stress --seed %llu: %s\n", static_cast<unsigned long long>(current_seed.load()), what);
  std::abort();
}
void require(bool holds, const char* what) {
  if (!holds) give_up(what);
}

class randomness {
 public:
  explicit randomness(std::uint64_t seed) : engine_(seed) {}
  int below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  bool one_in(int n) { return below(n) == 0; }
  std::uint64_t fork() { return engine_(); }
  void pause(int microseconds) {
    if (const int n = below(microseconds); n > microseconds / 4) {
      (void)context().sleep_for(std::chrono::microseconds(n));
    }
  }

 private:
  std::mt19937_64 engine_;
};

// Aborts when no scenario has ended for a minute: a thread sleeps for ever, or two chase one another.
class watchdog {
 public:
  void ended() { ++scenarios_; }

 private:
  void watch(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
      const long before = scenarios_;
      if (wake_.wait_for(lock, stop, 60s, [&] { return stop.stop_requested(); })) return;
      if (scenarios_ == before) give_up("nothing has happened for a minute");
    }
  }

  std::mutex mutex_;  // For the wait alone.
  std::condition_variable_any wake_;
  std::atomic<long> scenarios_{0};  // Counted by the main thread, read by the watching one.
  std::jthread thread_{[this](const std::stop_token& stop) { watch(stop); }};
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

bool contains(const std::vector<error>& list, const error& e) {
  return std::any_of(list.begin(), list.end(), [&](const error& x) { return x == e; });
}

struct no_thread : std::runtime_error {
  no_thread() : std::runtime_error("no thread") {}
};

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
// Drops a runner now and then, throws now and then, before it has taken the runner or after.
class flaky_executor {
 public:
  explicit flaky_executor(std::uint64_t seed) : random_(seed) {}
  void execute(const std::function<void()>& f) {
    switch (throw_of_the_dice()) {
    case 0:
      return;
    case 1:
      throw no_thread();
    case 2:
      thread_cache::shared().execute(f);
      throw no_thread();
    default:
      thread_cache::shared().execute(f);
    }
  }

 private:
  int throw_of_the_dice() {
    const std::lock_guard lock(mutex_);
    return random_.below(8);
  }
  std::mutex mutex_;
  randomness random_;  // Guarded by mutex_.
};

class tree;
struct group_facts;

// Whether a thread of the tree works for the cache of the tree, and whether it does so by way of another executor.
// What runs in that cache may use it again, but not after it has left it: all threads of the cache could wait for
// that one.
struct lineage {
  bool in_cache = false;
  bool left_cache = false;
};

// What the model knows of a round.
struct record {
  record(tree& t, group_facts& f) : in(t), of(f) {}

  tree& in;
  group_facts& of;
  std::atomic<int> given{0};    // Accepted.
  std::atomic<int> refused{0};  // Because the context was done, for sure.
  std::atomic<int> unclear{0};  // try_go() gave false, and the context may have been done.
  std::atomic<int> started{0};
  std::atomic<int> succeeded{0};
  std::atomic<int> failed{0};
  std::atomic<int> running{0};
  std::atomic<bool> over{false};  // wait() has returned.
  std::mutex mutex;
  std::vector<error> own;              // Errors that tasks have given of their own.
  std::vector<error> seen;             // What blocked tasks saw as the cause.
  std::vector<error> causes;           // What tasks and the canceler saw, or gave, as the cause.
  std::deque<std::atomic<int>> fates;  // Of the tasks: see below.
};

// What it knows of a group, and who may do what with it.
struct group_facts {
  group_facts(group_facts* o, int limit, lineage l) : outer(o), down(l), bound(limit) {}

  // At most as many run as the highest limit that was ever set.
  void begin() {
    const int now = ++running;
    const int most = bound;
    require(most < 0 || now <= most, "more tasks run than the limit lets in");
  }
  void set_limit(int n) {
    if (bound < 0) return;  // It has none, and goes without.
    for (int most = bound; most < n && !bound.compare_exchange_weak(most, n);) {
    }
    g->set_limit(n);
  }

  group* g = nullptr;
  group_facts* const outer;  // Of the group in whose task this one was made; null if there is none.
  const lineage down;        // Of what its tasks do.
  bool takes_more = true;    // Its executor lives until it is destroyed.
  std::atomic<record*> round{nullptr};
  std::atomic<int> running{0};
  std::atomic<int> bound;       // Negative: none.
  std::atomic<int> unclear{0};  // go() from a stop callback that came in no certain round.
};

enum fate { given, begun, thrown };  // What has become of a task: thrown, if its go() threw.

// What a task is to do. As small as can be handed over.
struct order {
  record* r;
  std::atomic<int>* what;
  std::uint64_t seed;
  short kind;
  short depth;
};
error perform(const order& o, const context* ctx);

struct small_task {
  order o;
  error operator()(const context& ctx) const { return perform(o, &ctx); }
};
struct small_blind_task {  // For which no context is made.
  order o;
  error operator()() const { return perform(o, nullptr); }
};
struct large_task {
  order o;
  counted c;
  error operator()(const context& ctx) const { return perform(o, &ctx); }
};
struct large_blind_task {
  order o;
  counted c;
  error operator()() const { return perform(o, nullptr); }
};

// A task with a value, and what its handle must give.
struct spawned {
  enum kind { value, failure, stopped };
  kind what = value;
  int number = 0;
  error own;              // Of a failure; the cause that a stopped one has seen. Written by the task.
  bool ran = false;       // Written by the task.
  bool accepted = false;  // spawn() has returned.
  errgroup::handle<int> handle;
};

class tree {
 public:
  explicit tree(randomness& random)
      : flaky_(random.fork()),
        cache_(errgroup::thread_cache_options{.idle_timeout = random.one_in(2) ? 10s : 1ms,
                                              .max_threads = static_cast<std::size_t>(1 + random.below(3))}) {}

  void run(const context& parent, std::uint64_t seed, int depth, group_facts* outer = nullptr, lineage up = {});

  error act(record& r, const context& ctx, const order& o);

 private:
  enum class outcome { accepted, refused, threw };

  void give(record& r, randomness& random, int depth, bool must_not_block);
  template <class Task>
  outcome attempt(record& r, Task& task, bool tries);
  void spawn(record& r, randomness& random, spawned& s, bool must_not_block);
  void use(record& r, randomness& random, bool in_its_task, bool may_add);
  static void expect_wait(group& g);
  static void expect_refusal_to_wait(group& g, randomness& random);
  void stop_blocked(record& r, randomness& random);
  error fail(record& r, error e);
  static void note_cause(record& r, const error& e) {
    const std::lock_guard lock(r.mutex);
    r.causes.push_back(e);
  }
  void check(record& r, const error& result, bool keep_going, bool failed_before, const context& parent,
             bool has_deadline, const std::optional<std::vector<error>>& collected);

  std::atomic<bool> canceled_{false};  // Some group of the tree was cancelled from outside.
  flaky_executor flaky_;
  thread_cache cache_;  // Of few threads, for all the groups of the tree.
};

error perform(const order& o, const context* ctx) {
  record& r = *o.r;
  struct ending {
    record& r;
    ~ending() {
      require(!r.over, "a task ran after wait()");
      --r.of.running;
      --r.running;
    }
  };
  require(o.what->exchange(begun) == given, "a task ran twice, or though its go() threw");
  require(!r.over, "a task was started after wait()");
  ++r.started;
  ++r.running;
  r.of.begin();
  const ending end{r};
  require(!ctx || !ctx->done() || ctx->cause(), "a context is done without a cause");
  error e = r.in.act(r, ctx ? *ctx : r.of.g->get_context(), o);
  if (!e) ++r.succeeded;
  return e;
}

void tree::run(const context& parent, std::uint64_t seed, int depth, group_facts* outer, lineage up) {
  randomness random(seed);
  const bool keep_going = random.one_in(4);
  const int where = random.below(16);
  const bool drops_all = where == 1;
  const int limit = drops_all || random.one_in(2) ? -1 : 1 + random.below(4);
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
  std::optional<thread_cache> short_lived;
  const bool nobody_beside = where <= 1;  // Nobody runs beside the caller: a task that blocks may hang.
  bool beside_workers = true;             // A thread of its own may block in go(): the executor can spare that.
  if (where == 0) options.push_back(errgroup::with_executor(in));
  if (where == 1) options.push_back(errgroup::with_executor(dropping));
  if (where == 2) options.push_back(errgroup::with_executor(threads));
  if (where == 3 || where == 4) options.push_back(errgroup::with_executor(flaky_));
  lineage down{up.in_cache, up.left_cache || up.in_cache};
  if (where >= 5 && where <= 7 && !up.left_cache) {
    options.push_back(errgroup::with_executor(cache_));
    beside_workers = !up.in_cache;
    down = {true, false};
  }
  const bool dies_early = where == 8;
  if (dies_early) {
    short_lived.emplace(errgroup::thread_cache_options{.idle_timeout = random.one_in(2) ? 10s : 0s,
                                                       .max_threads = static_cast<std::size_t>(random.below(4))});
    options.push_back(errgroup::with_executor(*short_lived));
  }
  const auto all_options = [&](errgroup::group_settings& s) {
    for (const auto& o : options) o(s);
  };

  // They outlive the group: a task may still run when it is destroyed.
  group_facts facts(outer, limit, down);
  facts.takes_more = !dies_early;
  std::deque<record> records;
  std::deque<spawned> with_values;
  group g(parent, all_options);
  facts.g = &g;
  const int rounds = !dies_early && random.one_in(3) ? 2 : 1;
  bool failed_before = false;
  for (int round = 0; round != rounds; ++round) {
    record& r = records.emplace_back(*this, facts);
    facts.round = &r;
    with_values.clear();
    const bool asks = random.one_in(3);
    const context ctx = asks ? g.get_context() : context();

    // Stop callbacks that use the group, and may come at any time, between rounds as well.
    std::optional<std::stop_callback<std::function<void()>>> on_own, on_parent;
    const bool has_callbacks = random.one_in(5);
    if (has_callbacks) {
      const auto callback = [&](bool waits) {
        return [this, &r, s = random.fork(), waits, may_add = beside_workers && !dies_early] {
          randomness mine(s);
          if (waits) expect_wait(*r.of.g);
          for (int i = mine.below(3); i >= 0; --i) use(r, mine, false, may_add);
        };
      };
      const std::stop_token own = g.get_stop_token();
      if (random.one_in(2)) on_own.emplace(own, callback(random.one_in(2)));
      if (random.one_in(2)) on_parent.emplace(parent.get_stop_token(), callback(random.one_in(2)));
    }

    std::optional<std::jthread> other;
    if (beside_workers && random.one_in(4)) {
      other.emplace([&, s = random.fork()] {
        randomness mine(s);
        for (int i = mine.below(6); i > 0; --i) give(r, mine, 0, true);
      });
    }
    std::optional<std::jthread> meddler;
    const bool meddled = random.one_in(6);
    if (meddled) {
      meddler.emplace([&, s = random.fork()] {
        randomness mine(s);
        mine.pause(300);
        if (mine.one_in(2)) {
          facts.set_limit(0);
          mine.pause(100);
        }
        facts.set_limit(1 + mine.below(4));
        if (mine.one_in(2)) {
          const error why("canceled from outside");
          note_cause(r, why);
          canceled_ = true;
          g.cancel(why);
        } else {
          (void)g.wait_for(std::chrono::microseconds(mine.below(200)));
        }
      });
    }
    std::optional<std::jthread> late;  // Asks for the context at some moment.
    context late_context;
    const bool asks_late = random.one_in(4);
    if (asks_late) {
      late.emplace([&, s = random.fork()] {
        randomness mine(s);
        mine.pause(200);
        late_context = g.get_context();
      });
    }

    for (int i = 1 + random.below(depth > 0 ? 8 : 20); i != 0; --i) {
      if (random.one_in(6)) {
        spawn(r, random, with_values.emplace_back(), nobody_beside);
      } else {
        give(r, random, depth, nobody_beside);
      }
    }
    if (other) other->join();
    std::optional<std::jthread> destroyer;
    if (dies_early) {
      if (random.one_in(2)) {
        destroyer.emplace([&] { short_lived.reset(); });
      } else {
        short_lived.reset();
      }
    }
    if (random.one_in(10)) {  // Not waited for.
      if (meddler) meddler->join();
      if (late) late->join();
      return;
    }
    std::optional<std::jthread> second_waiter;
    std::optional<error> second_result;
    const bool second = random.one_in(5);
    if (second) second_waiter.emplace([&] { second_result = g.wait(); });
    const error result = g.wait();
    if (meddler) meddler->join();
    if (late) late->join();
    if (second) second_waiter->join();
    const error again = rounds == 1 ? g.wait() : result;
    require(has_callbacks || again == result, "wait() is not idempotent");
    // The meddler's wait_for() and the second waiter may have ended the round before this wait() began; then all
    // of them have the same outcome unless a new round was opened, which only a stop callback does here.
    if (second && !has_callbacks) require(*second_result == result, "two waiters differ");
    check(r, result, keep_going, failed_before, parent, has_deadline,
          collects ? std::optional(g.errors()) : std::nullopt);
    // Another waiter may end a round between two tasks, and then the next task opens a new one.
    const bool one_round = !second && !meddled && !has_callbacks;
    for (const error& e : r.seen) require(!one_round || e == r.seen.front(), "siblings saw different causes");
    const bool failed_alone =
        one_round && result && !keep_going && !failed_before && !canceled_ && !has_deadline && !parent.done();
    if (asks && failed_alone) require(ctx.cause() == result, "the first error is not the cause");
    if (asks_late && failed_alone) require(late_context.cause() == result, "a late context has another cause");
    if (failed_alone) require(g.get_context().cause() == result, "a context asked for at last has another cause");
    if (asks) require(ctx.done(), "the context is not done after wait()");
    for (spawned& s : with_values) {
      if (!s.accepted) continue;
      require(s.handle.ready(), "a handle is not ready after wait()");
      const auto& got = s.handle.get();
      if (s.ran) {
        require(s.what == spawned::value ? got && *got == s.number : !got && got.error() == s.own,
                "a handle has not what its task has returned, or the real reason");
      } else {
        require(!got && got.error(), "the handle of a task that did not run has no error");
        require(result || has_callbacks, "a task did not run, and wait() is empty");
        if (asks && one_round)
          require(got.error() == ctx.cause(), "the handle of a dropped task has another cause");
      }
    }
    failed_before = failed_before || result;
  }
}

// Waits for a group from anywhere: from inside that throws.
void tree::expect_wait(group& g) {
  try {
    (void)g.wait();
  } catch (const std::system_error& e) {
    require(e.code() == std::errc::resource_deadlock_would_occur, "wait() throws another error");
  }
}

void tree::expect_refusal_to_wait(group& g, randomness& random) {
  bool refused = false;
  try {
    if (random.one_in(2)) {
      (void)g.wait();
    } else {
      (void)g.wait_for(random.one_in(2) ? 0h : 1h);
    }
  } catch (const std::system_error& e) {
    refused = e.code() == std::errc::resource_deadlock_would_occur;
  }
  require(refused, "a wait from inside did not throw");
}

error tree::fail(record& r, error e) {
  ++r.failed;
  const std::lock_guard lock(r.mutex);
  r.own.push_back(e);
  return e;
}

// What a task does, after its kind. True errors are those that it invents.
error tree::act(record& r, const context& ctx, const order& o) {
  randomness random(o.seed);
  group_facts* any = &r.of;  // Its own group, or one above it, by whatever way.
  while (any->outer && random.one_in(2)) any = any->outer;
  switch (o.kind) {
  case 0:
    return fail(r, error("failure " + std::to_string(o.seed)));
  case 1: {
    error e(std::make_exception_ptr(std::runtime_error("thrown")));
    (void)fail(r, e);
    throw e;
  }
  case 2:  // Blocks until it is stopped.
  case 3: {
    const error stopped = o.kind == 2 ? ctx.sleep_for(random.one_in(2) ? 1h : std::chrono::hours::max()) : [&] {
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
    if (o.depth > 0) {
      const context below = random.one_in(6)   ? ctx.without_cancel()
                            : random.one_in(6) ? ctx.with_timeout(std::chrono::microseconds(random.below(1000)))
                            : random.one_in(2) ? ctx
                                               : r.of.g->get_context();
      run(below, o.seed, o.depth - 1, &r.of, r.of.down);
    }
    return {};
  case 6: {
    const std::stop_callback on_stop(ctx.get_stop_token(), [&, s = random.fork()] {
      randomness mine(s);
      use(r, mine, true, r.of.takes_more);
    });
    if (random.one_in(3)) (void)ctx.with_timeout(std::chrono::microseconds(random.below(100))).sleep_for(50us);
    return {};
  }
  case 7:
  case 8:
  case 9:  // From inside: beyond the limit if full.
    if (any->takes_more) {
      for (int i = random.below(3); i >= 0; --i) give(*any->round.load(), random, 0, true);
    }
    return {};
  case 10:
    expect_refusal_to_wait(*any->g, random);
    return {};
  case 11:
    if (random.one_in(2)) use(*any->round.load(), random, true, false);
    return {};
  default:
    return {};
  }
}

// Uses a group in a stop callback, or in a task. `in_its_task`: while a task of its open round runs; otherwise the
// round, if there is any, may be another one.
void tree::use(record& r, randomness& random, bool in_its_task, bool may_add) {
  group& g = *r.of.g;
  const int what = random.below(8);
  if (what <= 2) {
    if (!may_add) return;
    // A task that leaves no trace, but that it is refused: the model cannot say whether that is in its round.
    if (in_its_task) {
      ++r.unclear;
    } else {
      ++r.of.unclear;
    }
    const auto nothing = [] {};
    try {
      (void)(what == 0 ? g.try_go(nothing) : g.go(nothing));
    } catch (const no_thread&) {
    } catch (const std::system_error&) {  // The cache is gone.
      require(!r.of.takes_more, "go() throws in a stop callback");
    }
  } else if (what == 3) {
    const error why("from a stop callback");
    note_cause(r, why);
    canceled_ = true;
    g.cancel(why);
  } else if (what == 4) {
    r.of.set_limit(1 + random.below(4));
  } else if (what == 5) {
    try {
      (void)g.wait_for(0s);
    } catch (const std::system_error& e) {
      require(e.code() == std::errc::resource_deadlock_would_occur, "wait_for() throws another error");
    }
  } else if (what == 6) {
    (void)g.get_context();
  } else {
    (void)g.errors();
  }
}

// Gives a task, or fails to.
template <class Task>
tree::outcome tree::attempt(record& r, Task& task, bool tries) {
  std::atomic<int>& fate = *task.o.what;
  ++r.given;  // First, since it may run at once.
  try {
    if (tries ? r.of.g->try_go(std::move(task)) : r.of.g->go(std::move(task))) return outcome::accepted;
    --r.given;
    return outcome::refused;
  } catch (const no_thread&) {
    --r.given;
    require(fate.exchange(thrown) == given, "go() has thrown, and its task ran");
    return outcome::threw;
  }
}

void tree::give(record& r, randomness& random, int depth, bool must_not_block) {
  ++total_tasks;
  short kind = static_cast<short>(random.below(40));
  if ((kind == 2 || kind == 3) && must_not_block) kind = 39;
  const bool blocks = kind == 2 || kind == 3;
  std::atomic<int>* what = nullptr;
  {
    const std::lock_guard lock(r.mutex);
    what = &r.fates.emplace_back(fate::given);
  }
  const order o{&r, what, random.fork(), kind, static_cast<short>(depth)};
  const bool done_before = random.one_in(3) && r.of.g->get_context().done();
  const bool tries = random.one_in(4);
  outcome how;
  const auto large = [&](auto task) {
    how = attempt(r, task, tries);
    require(how != outcome::refused || !task.c.moved_from, "a refused task was touched");
  };
  const int shape = random.below(4);
  if (shape == 0) {
    large(large_task{o, {}});
  } else if (shape == 1) {
    large(large_blind_task{o, {}});
  } else if (shape == 2) {
    small_task task{o};
    how = attempt(r, task, tries);
  } else {
    small_blind_task task{o};
    how = attempt(r, task, tries);
  }
  if (how == outcome::refused) ++(tries && !done_before ? r.unclear : r.refused);
  if (how == outcome::accepted && blocks) stop_blocked(r, random);
}

// Makes sure that what blocks is stopped.
void tree::stop_blocked(record& r, randomness& random) {
  group& g = *r.of.g;
  const error why("stop the blocked one");
  note_cause(r, why);
  canceled_ = true;
  if (random.one_in(2)) {
    g.cancel(why);
    return;
  }
  const context ctx = g.get_context();
  std::thread([&] { g.cancel(why); }).join();
  require(ctx.done(), "cancel() has returned and the context is not done");
}

void tree::spawn(record& r, randomness& random, spawned& s, bool must_not_block) {
  ++total_tasks;
  s.what = random.one_in(8)                      ? spawned::failure
           : !must_not_block && random.one_in(8) ? spawned::stopped
                                                 : spawned::value;
  s.number = random.below(1000);
  ++r.given;
  try {
    s.handle = r.of.g->spawn([&r, &s, c = counted()](const context& ctx) -> errgroup::result<int> {
      ++r.started;
      ++r.running;
      r.of.begin();
      s.ran = true;
      if (s.what == spawned::stopped) s.own = ctx.sleep_for(1h);
      --r.of.running;
      --r.running;
      if (s.what == spawned::value) {
        ++r.succeeded;
        return s.number;
      }
      if (s.what == spawned::failure) {
        s.own = error("no value");
        return r.in.fail(r, s.own);
      }
      ++r.failed;
      return error(errc::canceled);  // The handle says why.
    });
    s.accepted = true;
  } catch (const no_thread&) {
    --r.given;
    require(!s.ran, "spawn() has thrown, and its task ran");
    return;
  }
  if (s.what == spawned::stopped) stop_blocked(r, random);
}

void tree::check(record& r, const error& result, bool keep_going, bool failed_before, const context& parent,
                 bool has_deadline, const std::optional<std::vector<error>>& collected) {
  r.over = true;
  require(r.running == 0, "a task still runs after wait()");
  require(r.started <= r.given, "more tasks were started than given");
  require(r.started == r.succeeded + r.failed, "a task's end was lost");
  const bool all_ran = r.started == r.given && r.failed == 0 && r.refused == 0;
  if (!failed_before) {
    if (r.unclear == 0 && r.of.unclear == 0) {
      require(!result == all_ran, "wait() is empty if and only if every task ran and succeeded");
    } else if (!all_ran && r.of.unclear == 0) {
      require(static_cast<bool>(result), "wait() is empty though a task failed or did not run");
    }
  }
  if (keep_going && !canceled_ && !has_deadline && !parent.done()) {
    require(r.started == r.given, "keep_going() has dropped a task");
  }
  if (result && !failed_before) {
    const std::lock_guard lock(r.mutex);  // A stop callback may come late.
    const bool known = contains(r.own, result) || contains(r.causes, result) ||
                       result == errc::deadline_exceeded || result == errc::canceled || result == parent.cause() ||
                       canceled_;
    require(known, "the outcome is nobody's error");
  }
  if (collected) {
    for (const error& e : *collected) require(static_cast<bool>(e), "an empty error was collected");
  }
}

// Counts the tasks of a group whose limit the scenario knows at all times.
struct running_tasks {
  void begin() {
    const int now = ++running;
    const int most = bound;
    require(most < 0 || now <= most, "more tasks run than the limit lets in");
    ++begun;
  }
  void end() {
    --running;
    ++ended;
  }

  std::atomic<int> running{0};
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  std::atomic<int> bound{-1};  // Negative: none.
};

// Holds tasks until it is opened.
class gate {
 public:
  void open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    opened_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }
  // The same until `ctx` is done; gives its cause then.
  error pass(const context& ctx) {
    std::unique_lock lock(mutex_);
    return ctx.wait(opened_, lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any opened_;
  bool open_ = false;  // Guarded by mutex_.
};

// Drops every runner until it is opened, and tells who has handed one over: a thread that does so inside go(),
// which is to have its task run, is blocked at the limit, and in line.
class announcing_executor {
 public:
  void execute(const std::function<void()>& f) {
    {
      const std::lock_guard lock(mutex_);
      callers_.push_back(std::this_thread::get_id());
      called_.notify_all();
      if (!open_) return;
    }
    thread_cache::shared().execute(f);
  }
  void await(std::thread::id who) {
    std::unique_lock lock(mutex_);
    called_.wait(lock, [&] { return std::find(callers_.begin(), callers_.end(), who) != callers_.end(); });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable called_;
  std::vector<std::thread::id> callers_;  // Guarded by mutex_.
  bool open_ = false;                     // Guarded by mutex_.
};

// The numbers of tasks in the order in which they began.
class sequence {
 public:
  void begin(int number) {
    const std::lock_guard lock(mutex_);
    require(number == next_, "a task has overtaken another one");
    ++next_;
  }
  int length() {
    const std::lock_guard lock(mutex_);
    return next_;
  }

 private:
  std::mutex mutex_;
  int next_ = 0;  // Guarded by mutex_.
};

// A limit of 1: callers that are known to be in line, and tasks given from inside, begin in their order (rule 10);
// if the group is cancelled meanwhile, the first of them.
void run_in_line(randomness& random) {
  const auto [root, cancel_root] = context().with_cancel();
  announcing_executor ex;
  sequence order;
  std::vector<std::jthread> callers;
  std::atomic<int> refused{0};
  group g(root, errgroup::with_limit(1), errgroup::with_executor(ex));
  group inner(g.get_context());
  const auto numbered = [&order](int n) { return [&order, n] { order.begin(n); }; };
  require(g.go(numbered(0)), "the first task is refused");
  const int tasks = 2 + random.below(5);
  for (int n = 1; n != tasks; ++n) {
    ++total_tasks;
    if (random.one_in(2)) {
      inner.go([&, n] { require(g.go(numbered(n)), "a task from inside is refused"); });
      require(!inner.wait(), "the inner group has failed");
    } else {
      std::jthread& caller = callers.emplace_back([&, n] { refused += !g.go(numbered(n)); });
      ex.await(caller.get_id());
    }
  }
  require(!g.try_go(numbered(tasks)), "try_go() has overtaken those in line");
  const bool cancels = random.one_in(3);
  const bool opens = !cancels || random.one_in(2);
  const error why("cancelled in line");
  if (opens) ex.open();
  if (cancels) {
    random.pause(100);
    if (random.one_in(2)) {
      g.cancel(why);
    } else {
      cancel_root(why);
    }
  }
  if (cancels || random.one_in(4)) callers.clear();  // Joined: whom nobody else helps has to help itself.
  error result = g.wait();
  callers.clear();
  if (!result) result = g.wait();
  require(order.length() == tasks ? refused == 0 : cancels, "a task in line was lost");
  require(order.length() == tasks ? !result || result == why : result == why, "the outcome is not the cause");
  require(opens || order.length() == 0 || result == why, "a task ran that nobody has run");
}

// A limit of 0 that becomes 1: what came from inside goes first, in its order.
void run_from_zero(randomness& random) {
  sequence order;
  group g(errgroup::with_limit(0));
  group inner(g.get_context());
  const auto numbered = [&order](int n) { return [&order, n] { order.begin(n); }; };
  const int inside = 1 + random.below(5);
  const int tasks = inside + random.below(20);
  inner.go([&] {
    for (int n = 0; n != inside; ++n) require(g.go(numbered(n)), "a task from inside is refused");
  });
  require(!inner.wait(), "the inner group has failed");
  require(order.length() == 0, "a task ran at a limit of 0");
  std::optional<std::jthread> later;
  if (random.one_in(2)) {
    later.emplace([&, us = random.below(100)] {
      (void)context().sleep_for(std::chrono::microseconds(us));
      g.set_limit(1);
    });
  } else {
    g.set_limit(1);
  }
  for (int n = inside; n != tasks; ++n) require(g.go(numbered(n)), "a task is refused");
  total_tasks += tasks;
  require(!g.wait(), "the group has failed");
  require(order.length() == tasks, "a task was lost");
}

// Callers that are blocked at the limit, behind tasks that do not end, when something happens.
void run_crowd(randomness& random) {
  enum event { group_canceled, parent_canceled, both_canceled, deadline, failure, raised, released };
  const int limit = random.below(3);
  const event what = static_cast<event>(random.below(7));
  const bool released_by_tasks = limit != 0 && (what == failure || what == released);
  const bool stops = what <= deadline;
  const bool aware = random.one_in(2);  // The tasks end when the group is stopped.
  const error why("what happened"), or_why("what happened at the same time");
  const auto [root, cancel_root] = context().with_cancel();
  const context parent =
      what == deadline ? root.with_timeout(std::chrono::microseconds(random.below(300)), why) : root;

  running_tasks tasks;
  tasks.bound = limit;
  gate held;
  std::atomic<bool> fails{false};
  std::atomic<int> accepted{0}, refused{0};
  std::mutex mutex;
  std::vector<errgroup::handle<int>> handles;  // Guarded by mutex.
  std::optional<thread_cache> few;
  thread_executor threads;
  std::vector<std::function<void(errgroup::group_settings&)>> options{errgroup::with_limit(limit)};
  const int where = random.below(3);
  if (where == 1) {
    few.emplace(errgroup::thread_cache_options{.max_threads = static_cast<std::size_t>(std::max(limit, 1))});
    options.push_back(errgroup::with_executor(*few));
  }
  if (where == 2) options.push_back(errgroup::with_executor(threads));
  group g(parent, [&](errgroup::group_settings& s) {
    for (const auto& o : options) o(s);
  });

  for (int i = 0; i != limit; ++i) {
    const auto end = [&] {
      tasks.end();
      return fails.exchange(false) ? why : error();
    };
    const bool taken = aware ? g.go([&, end](const context& ctx) -> error {
      tasks.begin();
      const error stopped = held.pass(ctx);
      const error e = end();
      return stopped ? error(errc::canceled) : e;
    })
                             : g.go([&, end] {
                                 tasks.begin();
                                 held.pass();
                                 return end();
                               });
    require(taken || what == deadline, "a task is refused");
    if (taken) ++accepted;
  }
  std::vector<std::jthread> callers;
  for (int i = 1 + random.below(4); i != 0; --i) {
    callers.emplace_back([&, times = 1 + random.below(3), shape = random.below(3)] {
      for (int n = 0; n != times; ++n) {
        const auto small = [&tasks] {
          tasks.begin();
          tasks.end();
        };
        bool taken = false;
        if (shape == 0) {
          taken = g.go(small);
        } else if (shape == 1) {
          taken = g.go([small, c = counted()] { small(); });
        } else {
          const auto handle = g.spawn([small] {
            small();
            return 1;
          });
          taken = !handle.ready() || handle.get();
          const std::lock_guard lock(mutex);
          handles.push_back(handle);
        }
        ++(taken ? accepted : refused);
      }
    });
  }
  std::optional<std::jthread> late;
  if (random.one_in(3)) {
    late.emplace([&, us = random.below(150)] {
      (void)context().sleep_for(std::chrono::microseconds(us));
      (void)g.get_context();
    });
  }
  random.pause(150);
  if (what == group_canceled) g.cancel(why);
  if (what == parent_canceled) cancel_root(why);
  if (what == both_canceled) {
    const std::jthread beside([&stop = cancel_root, &or_why] { stop(or_why); });
    g.cancel(why);
  }
  if (what == raised || (limit == 0 && !stops)) {
    const int n = random.one_in(2) ? -1 : limit + 1 + random.below(3);
    tasks.bound = n;
    g.set_limit(n);
    if (n < 0 || (!few && random.one_in(2))) callers.clear();
  }
  if (stops) callers.clear();  // Joined: they are let go though no task has ended.
  if (released_by_tasks && what == failure) fails = true;
  held.open();
  callers.clear();
  const error result = g.wait();
  total_tasks += accepted;
  if (stops) {
    require(result == why || (what == both_canceled && result == or_why), "the outcome is not the cause");
    require(refused > 0, "a blocked go() was not refused");
    if (late) require(g.get_context().cause() == result, "the context has another cause");
    for (const auto& h : handles) {
      require(h.get() || h.get().error() == result, "the handle of a refused task has another cause");
    }
  } else if (released_by_tasks && what == failure) {
    require(result == why, "the outcome is not the error");
  } else {
    require(!result && refused == 0, "the group has failed");
    require(tasks.ended == accepted, "a task was lost");
  }
  require(tasks.begun == tasks.ended && tasks.ended <= accepted, "a task still runs after wait()");
}

// A limit that is lowered binds what has not begun, and one that is raised lets it in.
void run_limits(randomness& random) {
  const int before = 1 + random.below(4);
  const bool bounded = random.one_in(2);
  const int holders = bounded ? 1 + random.below(before) : before;  // These have begun; the others have a place.
  std::optional<thread_cache> few;
  std::vector<std::function<void(errgroup::group_settings&)>> options{errgroup::with_limit(before)};
  if (bounded) {
    few.emplace(errgroup::thread_cache_options{.max_threads = static_cast<std::size_t>(holders)});
    options.push_back(errgroup::with_executor(*few));
  }
  running_tasks tasks;
  tasks.bound = before;
  gate held;
  std::latch all_begun(holders);
  std::vector<std::jthread> callers;
  group g([&](errgroup::group_settings& s) {
    for (const auto& o : options) o(s);
  });
  int given = holders;
  for (int i = 0; i != holders; ++i) {
    g.go([&] {
      tasks.begin();
      all_begun.count_down();
      held.pass();
      tasks.end();
    });
  }
  all_begun.wait();
  const auto small = [&tasks] {
    tasks.begin();
    tasks.end();
  };
  for (int i = holders; i != before; ++i) {
    require(random.one_in(2) ? g.go(small) : g.go([small, c = counted()] { small(); }), "a task is refused");
    ++given;
  }
  require(!g.try_go(small), "the limit is reached, and try_go() is true");
  if (const int inside = random.below(4); inside != 0) {
    group inner(g.get_context());
    inner.go([&] {
      for (int i = 0; i != inside; ++i) require(g.go(small), "a task from inside is refused");
    });
    require(!inner.wait(), "the inner group has failed");
    given += inside;
  }
  const int accepted = given;
  for (int i = random.below(3); i != 0; --i) {
    callers.emplace_back([&] { require(g.go(small), "a caller is refused"); });
    ++given;
  }
  require(tasks.begun == holders, "more tasks have begun than the limit lets in");
  const int lowered = random.below(before);
  g.set_limit(lowered);
  tasks.bound = lowered;
  if (random.one_in(2)) require(!g.try_go(small), "try_go() is true though the limit was lowered");
  held.open();
  if (lowered == 0) {
    if (accepted != holders) require(!g.wait_for(100us), "wait_for() is over, and tasks are in line");
    require(tasks.begun == holders, "a task has begun at a limit of 0");
  } else {
    random.pause(50);
  }
  if (lowered == 0 || random.one_in(2)) {
    const int raised = random.one_in(3) ? -1 : lowered + 1 + random.below(3);
    tasks.bound = raised;
    g.set_limit(raised);
  }
  callers.clear();
  require(!g.wait(), "the group has failed");
  require(tasks.ended == given, "a task was lost");
  total_tasks += given;
}

void run_tree(randomness& random) {
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
  tree t(random);
  t.run(ctx, random.fork(), 2);
}

void run(std::uint64_t seed) {
  current_seed = seed;
  randomness random(seed);
  switch (random.below(10)) {
  case 0:
    run_in_line(random);
    break;
  case 1:
    run_from_zero(random);
    break;
  case 2:
  case 3:
    run_crowd(random);
    break;
  case 4:
    run_limits(random);
    break;
  default:
    run_tree(random);
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
  watchdog dog;
  if (only) {
    for (int i = 0; i != 100; ++i) {  // Threads do not repeat themselves.
      run(*only);
      dog.ended();
    }
    return 0;
  }
  const std::uint64_t first = std::random_device()();
  std::printf("seeds from %llu\n", static_cast<unsigned long long>(first));
  std::fflush(stdout);
  std::uint64_t seed = first;
  for (const auto end = errgroup::clock::now() + std::chrono::seconds(seconds); errgroup::clock::now() < end;) {
    run(seed++);
    dog.ended();
  }
  std::printf("%llu scenarios with %ld tasks\n", static_cast<unsigned long long>(seed - first),
              total_tasks.load());
}
