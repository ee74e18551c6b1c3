// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <atomic>

#include <errgroup/errgroup.hpp>

extern "C" int errgroup_test_plugin() {
  errgroup::group g;
  std::atomic<int> ran{0};
  for (int i = 0; i != 3; ++i) g.go([&] { ++ran; });
  return g.wait() ? -1 : ran.load();
}
