// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: spawn\(\) is for a task that returns a value: use go\(\)
// Needs: expected

#include <expected>
#include <system_error>

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  (void)g.spawn([]() -> std::expected<void, std::error_code> { return {}; });
}
