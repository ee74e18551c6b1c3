// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// What must_not_compile/ is next to, and compiles.

#include <cstddef>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>
#include <version>

#if defined(__cpp_lib_expected)
#include <expected>
#endif

#include <errgroup/errgroup.hpp>

struct executor {
  template <class F>
  void execute(F f) {
    f();
  }
};
struct alignas(128) over_aligned {
  void operator()() const {}
};
struct converts_to_error {
  operator errgroup::error() const { return {}; }
};

static_assert(!std::is_constructible_v<errgroup::group, int>);
static_assert(!std::is_constructible_v<errgroup::group, errgroup::context, int>);
static_assert(!std::is_copy_constructible_v<errgroup::group> && !std::is_move_constructible_v<errgroup::group>);

int main() {
  executor ex;
  errgroup::group g{errgroup::with_executor(ex)};
  g.go([] {});
  g.go([] { return nullptr; });
  g.go([] { return std::errc(); });
  g.go([] { return converts_to_error(); });
  g.go(over_aligned());
  g.go([p = std::make_unique<int>(1)] {});
  (void)g.spawn([] { return 1; });
  (void)g.spawn([] { return std::make_unique<int>(1); });
  (void)g.spawn([]() -> errgroup::result<std::unique_ptr<int>> { return std::make_unique<int>(1); });
#if defined(__cpp_lib_expected)
  g.go([]() -> std::expected<void, std::error_code> { return {}; });
  g.go([]() -> std::expected<void, errgroup::error> { return std::unexpected(errgroup::error("e")); });
  (void)g.spawn([]() -> std::expected<std::unique_ptr<int>, errgroup::error> { return nullptr; });
#endif
  return g.wait() ? 1 : 0;
}
