// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: function without parameters

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  errgroup::thread_cache().execute([](int) {});
}
