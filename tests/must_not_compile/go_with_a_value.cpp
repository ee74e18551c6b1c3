// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: go\(\) would lose this task's value: use spawn\(\), or return void or an error

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  g.go([] { return 1; });
}
