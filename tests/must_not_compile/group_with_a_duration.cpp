// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: a duration is no option: write group\(errgroup::with_timeout\(d\)\)
#include <chrono>

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  errgroup::group with_it(std::chrono::seconds(1));
}
