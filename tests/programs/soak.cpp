// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Runs tasks, groups and contexts with deadlines by the million, and shows that threads and memory stay as they
// are.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>

#include <errgroup/errgroup.hpp>

namespace {

using namespace std::chrono_literals;
using errgroup::context;
using errgroup::group;

long status(const std::string& key) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key + ":")) return std::stol(line.substr(key.size() + 1));
  }
  return -1;
}

struct figures {
  long threads = status("Threads");
  long resident = status("VmRSS");  // KiB.
};

void show(const char* what, long n, long of) {
  const figures now;
  std::printf("\r%s: %ld of %ld, %ld threads, %ld KiB   ", what, n, of, now.threads, now.resident);
  std::fflush(stdout);
  if (n == of) std::printf("\n");
}

void tasks(long n) {
  constexpr long batch = 100'000;
  std::atomic<long> ran{0};
  for (long done = 0; done < n; done += batch) {
    group g(done / batch % 2 == 0 ? errgroup::with_limit(-1) : errgroup::with_limit(8));
    for (long i = 0; i != batch; ++i) g.go([&] { ran.fetch_add(1, std::memory_order_relaxed); });
    if (g.wait()) std::abort();
    if (done / batch % 10 == 9 || done + batch >= n) show("tasks", ran, n);
  }
}

void groups(long n) {
  for (long i = 1; i <= n; ++i) {
    group g(errgroup::collect_errors());
    g.go([] {});
    g.go([i]() -> errgroup::error {
      if (i % 10 == 0) return errgroup::error("every tenth fails");
      return nullptr;
    });
    if (static_cast<bool>(g.wait()) != (i % 10 == 0)) std::abort();
    if (i % 100'000 == 0) show("groups", i, n);
  }
}

void contexts(long n) {
  const auto [root, cancel] = context().with_cancel();
  std::optional<context> last;
  for (long i = 1; i <= n; ++i) {
    last = root.with_timeout(i % 1000 == 0 ? 1us : std::chrono::microseconds(1h));
    if (i % 1000 == 0 && last->sleep_for(1h) != errgroup::errc::deadline_exceeded) std::abort();
    if (i % 100'000 == 0) show("contexts with deadlines", i, n);
  }
}

}  // namespace

int main(int argc, char** argv) {
  char* end = nullptr;
  const long n = argc == 2 ? std::strtol(argv[1], &end, 10) : 0;
  if (argc > 2 || (argc == 2 && (*end != '\0' || n <= 0))) {
    std::fprintf(stderr, "soak: a number of millions is needed\nusage: soak [MILLIONS]\n");
    return 2;
  }
  const long millions = argc == 2 ? n : 1;
  // Once for the threads and the memory that are kept.
  tasks(1'000'000);
  groups(100'000);
  contexts(100'000);
  const figures before;
  tasks(100 * millions * 1'000'000);
  groups(millions * 1'000'000);
  contexts(millions * 1'000'000);
  const figures after;
  std::printf("threads %ld before, %ld after; resident %ld KiB before, %ld KiB after\n", before.threads,
              after.threads, before.resident, after.resident);
  // Some workers more or less may be idle; the stack of each is some tens of KiB.
  return after.threads <= before.threads + 8 && after.resident <= before.resident + 2048 ? 0 : 1;
}
