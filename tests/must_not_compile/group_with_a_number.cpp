// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: no matching (function|constructor)

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  errgroup::group with_it(4);
}
