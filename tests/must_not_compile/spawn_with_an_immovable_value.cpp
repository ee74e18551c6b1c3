// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: spawn\(\) moves the task's value to its handle: return a std::unique_ptr

#include <errgroup/errgroup.hpp>

struct immovable {
  immovable() = default;
  immovable(const immovable&) = delete;
};

int main() {
  errgroup::group g;
  (void)g.spawn([] { return immovable(); });
}
