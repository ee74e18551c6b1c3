// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: go\(\) would lose this task's value: use spawn
// Needs: expected

#include <expected>
#include <system_error>

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  g.go([]() -> std::expected<int, std::error_code> { return 1; });
}
