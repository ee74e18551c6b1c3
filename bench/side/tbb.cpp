// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <oneapi/tbb/task_group.h>

#include "side.hpp"

namespace {

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

int main() { return side::serve({{"group", small_groups}, {"context", small_groups}}); }
