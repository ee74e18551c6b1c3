// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// What the library does in the life of a process; each case is a run of this program, which must end with code 0,
// in time. Linux only.

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <latch>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <dlfcn.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::error;
using errgroup::group;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(1);
}

// A group that meets: it needs three threads, this one and two of the cache's.
void use() {
  group g(errgroup::with_timeout(1h));
  std::latch meet(3);
  for (int i = 0; i != 3; ++i) g.go([&] { meet.arrive_and_wait(); });
  require(!g.wait(), "a group failed");
}

std::string mode;

// Uses the library before main() and after it.
struct early_and_late {
  early_and_late() { use(); }
  ~early_and_late() { use(); }
};

int wait_for_child(pid_t child) {
  int status = 0;
  require(waitpid(child, &status, 0) == child, "waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int exit_while_threads_idle() {
  use();
  return 0;
}

int exit_while_threads_work() {
  static std::latch working(2);
  static group* const g = new group;
  for (int i = 0; i != 2; ++i) {
    g->go([](const errgroup::context& ctx) {
      working.count_down();
      while (!ctx.sleep_for(1us)) {
      }
    });
  }
  g->go([](const errgroup::context& ctx) { return ctx.sleep_for(1h); });
  working.wait();
  return 0;
}

int use_in_static_objects() {
  static early_and_late object;
  use();
  return 0;
}

// The child has its own threads.
int fork_before_first_use() {
  const pid_t child = fork();
  use();
  if (child == 0) return 0;
  return wait_for_child(child);
}

// The child has none of the parent's threads, so it must not use the library: but it may end.
int fork_after_first_use() {
  use();
  const pid_t child = fork();
  if (child == 0) return 0;  // By exit(): static destructors run.
  const int code = wait_for_child(child);
  use();
  return code;
}

void on_signal(int) {}

// Handlers run and interrupt system calls, on any thread that has not blocked the signal.
int signals_arrive() {
  struct sigaction action = {};
  action.sa_handler = on_signal;  // Without SA_RESTART.
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    while (!stop) {
      kill(getpid(), SIGUSR1);
      std::this_thread::yield();
    }
  });
  for (int i = 0; i != 500; ++i) {
    use();
    const auto until = errgroup::clock::now() + 100us;
    require(!errgroup::context().sleep_for(100us), "a sleep of the background ended with an error");
    require(errgroup::clock::now() >= until, "a signal has cut a sleep short");
    group g(errgroup::with_timeout(200us));
    g.go([](const errgroup::context& ctx) { return ctx.sleep_for(1h); });
    require(g.wait() == errgroup::errc::deadline_exceeded, "a deadline was lost");
  }
  stop = true;
  sender.join();
  return 0;
}

void mask_all_but(int signal) {
  sigset_t mask;
  sigfillset(&mask);
  sigdelset(&mask, signal);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
}

// The child would sleep for some seconds.
void require_that_sigterm_ends_a_child() {
  char sleep[] = "sleep", seconds[] = "10";
  char* const args[] = {sleep, seconds, nullptr};
  pid_t child = 0;
  require(posix_spawnp(&child, sleep, nullptr, nullptr, args, environ) == 0, "posix_spawnp");
  kill(child, SIGTERM);
  int status = 0;
  require(waitpid(child, &status, 0) == child, "waitpid");
  require(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "a child did not end by SIGTERM");
}

// A thread that blocks SIGTERM makes threads of the cache start. Their children have the mask of who made the
// cache.
int children_end_by_signals() {
  errgroup::thread_cache own;
  errgroup::thread_cache::shared();
  std::thread starter([&] {
    mask_all_but(SIGUSR1);
    group on_own(errgroup::with_executor(own)), on_shared;
    for (group* const g : {&on_own, &on_shared}) {
      std::latch meet(2);  // So that wait() runs none of them.
      for (int i = 0; i != 2; ++i) {
        g->go([&] {
          meet.arrive_and_wait();
          require_that_sigterm_ends_a_child();
        });
      }
      meet.wait();
      require(!g->wait(), "a group failed");
    }
  });
  starter.join();
  return 0;
}

std::ptrdiff_t threads_of_this_process() {
  namespace fs = std::filesystem;
  return std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator());
}

// The cache is made when it is first used, as its threads' signal mask shows, and starts a thread when there is
// something to run.
int shared_starts_lazily() {
  mask_all_but(SIGUSR1);
  const std::ptrdiff_t before = threads_of_this_process();
  errgroup::thread_cache& cache = errgroup::thread_cache::shared();
  require(threads_of_this_process() == before, "a thread was started for nothing");
  std::latch done(1);
  cache.execute([&] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    require(sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 0, "not the first user's mask");
    require(threads_of_this_process() > before, "no thread was counted");  // A sanitizer may have its own.
    done.count_down();
  });
  done.wait();
  return 0;
}

// Each thread needs 8 MiB of address space for its stack: at some point none starts.
int little_address_space() {
  rlimit limit = {};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = 400UL << 20;
  setrlimit(RLIMIT_AS, &limit);
  group g;
  std::atomic<bool> release{false};
  std::atomic<int> ran{0};
  int accepted = 0;
  bool refused = false;
  for (int i = 0; i != 200; ++i) {
    try {
      g.go([&] {
        ++ran;
        release.wait(false);
      });
      ++accepted;
    } catch (const std::system_error&) {
      refused = true;
    }
    (void)g.wait_for(100us);  // So that a thread is looked for, for each of them.
  }
  release = true;
  release.notify_all();
  require(!g.wait(), "a task failed");
  require(ran == accepted, "a task was lost");
  require(refused || accepted == 200, "neither run nor refused");
  return 0;
}

// A plug-in that is closed while the cache's threads idle: it was linked with -z nodelete, so that it stays.
int unload_a_library(const char* path) {
  for (int i = 0; i != 3; ++i) {
    void* const library = dlopen(path, RTLD_NOW);
    require(library != nullptr, "dlopen");
    void* const f = dlsym(library, "errgroup_test_plugin");
    require(f != nullptr, "dlsym");
    int (*run)() = nullptr;
    std::memcpy(&run, &f, sizeof(run));
    require(run() == 3, "the library's group failed");
    dlclose(library);
  }
  use();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  mode = argc > 1 ? argv[1] : "";
  if (mode == "exit_while_threads_idle") return exit_while_threads_idle();
  if (mode == "exit_while_threads_work") return exit_while_threads_work();
  if (mode == "use_in_static_objects") return use_in_static_objects();
  if (mode == "fork_before_first_use") return fork_before_first_use();
  if (mode == "fork_after_first_use") return fork_after_first_use();
  if (mode == "signals_arrive") return signals_arrive();
  if (mode == "children_end_by_signals") return children_end_by_signals();
  if (mode == "shared_starts_lazily") return shared_starts_lazily();
  if (mode == "little_address_space") return little_address_space();
  if (mode == "unload_a_library" && argc > 2) return unload_a_library(argv[2]);
  std::fprintf(stderr, "process: unknown case '%s'\n", mode.c_str());
  return 2;
}
