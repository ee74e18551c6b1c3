// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <oneapi/tbb/task_group.h>

#include "side.hpp"
#include "tasks.hpp"

namespace {

struct tbb_tasks {
  template <class F>
  void go(F&& f) {
    tasks.run(std::forward<F>(f));
  }
  void wait() { tasks.wait(); }
  tbb::task_group tasks;
};

double small_groups(long n, long reps) {
  const double t = side::time(reps, [n] {
    tbb::task_group g;
    for (long i = 0; i != n; ++i) g.run([] { side::tick(); });
    g.wait();
  });
  side::check(n * reps);
  return t;
}

}  // namespace

int main() {
  return side::serve({{"group", small_groups},
                      {"context", small_groups},
                      {"compute-1us", side::compute<tbb_tasks, 1>},
                      {"compute-10us", side::compute<tbb_tasks, 10>},
                      {"compute-100us", side::compute<tbb_tasks, 100>},
                      {"compute-1ms", side::compute<tbb_tasks, 1000>}});
}
