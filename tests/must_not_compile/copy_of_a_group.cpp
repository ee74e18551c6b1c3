// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: deleted

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  errgroup::group copy = g;
}
