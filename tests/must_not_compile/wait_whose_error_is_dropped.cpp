// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: nodiscard

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  g.wait();
}
