// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <future>
#include <vector>

#include "side.hpp"

namespace {

double small_groups(long n, long reps) {
  const double t = side::time(reps, [n] {
    std::vector<std::future<void>> futures;
    futures.reserve(static_cast<std::size_t>(n));
    for (long i = 0; i != n; ++i) futures.push_back(std::async(std::launch::async, [] { side::tick(); }));
    for (auto& f : futures) f.get();
  });
  side::check(n * reps);
  return t;
}

}  // namespace

int main() { return side::serve({{"group", small_groups}, {"context", small_groups}}); }
