// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: must be movable: pass a temporary, or std::move\(\) it
#include <memory>

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  auto task = [p = std::make_unique<int>(1)] {};
  g.go(task);
}
