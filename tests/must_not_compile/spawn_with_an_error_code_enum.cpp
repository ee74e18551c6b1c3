// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: spawn\(\) is for a task that returns a value: use go\(\)
#include <system_error>
#include <type_traits>

#include <errgroup/errgroup.hpp>

enum class disk_error { full = 1 };
template <>
struct std::is_error_code_enum<disk_error> : std::true_type {};
std::error_code make_error_code(disk_error e) { return {static_cast<int>(e), std::generic_category()}; }

int main() {
  errgroup::group g;
  (void)g.spawn([] { return disk_error::full; });
}
