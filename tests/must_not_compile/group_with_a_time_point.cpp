// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: a time is no option: write group\(errgroup::with_deadline\(t\)\)
#include <chrono>

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  errgroup::group with_it(std::chrono::steady_clock::now());
}
