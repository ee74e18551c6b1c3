// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: task's error would be lost: return errgroup::error or std::error_code
#include <system_error>
#include <type_traits>

#include <errgroup/errgroup.hpp>

enum class disk_condition { full = 1 };
template <>
struct std::is_error_condition_enum<disk_condition> : std::true_type {};
std::error_condition make_error_condition(disk_condition e) {
  return {static_cast<int>(e), std::generic_category()};
}

int main() {
  errgroup::group g;
  (void)g.spawn([] { return disk_condition::full; });
}
