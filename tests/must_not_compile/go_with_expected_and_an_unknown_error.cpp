// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: task's error would be lost: let the E of its std::expected<T, E> convert to errgroup::error
// Needs: expected

#include <expected>
#include <string>

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  (void)g.go([]() -> std::expected<void, std::string> { return std::unexpected("lost"); });
}
