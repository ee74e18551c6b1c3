// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// With CASE 0 this compiles; every other case must not, and the message says what to write instead.

#include <memory>
#include <utility>

#include <errgroup/errgroup.hpp>

struct not_an_executor {};
struct executor {
  template <class F>
  void execute(F f) {
    f();
  }
};
struct throwing_destructor {
  ~throwing_destructor() noexcept(false) {}
  void operator()() const {}
};
struct alignas(128) over_aligned {
  void operator()() const {}
};

int main() {
  errgroup::group g;
#if CASE == 0
  g.go([] {});
  auto h = g.spawn([] { return 1; });
  executor ex;
  errgroup::group with_ex{errgroup::with_executor(ex)};
#elif CASE == 1
  g.go([] { return 1; });
#elif CASE == 2
  g.go([]() -> errgroup::result<int> { return 1; });
#elif CASE == 3
  auto h = g.spawn([] {});
#elif CASE == 4
  auto h = g.spawn([] { return errgroup::error(); });
#elif CASE == 5
  g.go([](int) {});
#elif CASE == 6
  auto task = [p = std::make_unique<int>(1)] {};
  g.go(task);
#elif CASE == 7
  errgroup::group with_ex{errgroup::with_executor(executor())};
#elif CASE == 8
  not_an_executor ex;
  errgroup::group with_ex{errgroup::with_executor(ex)};
#elif CASE == 9
  errgroup::result<int&> r = errgroup::errc::canceled;
#elif CASE == 10
  errgroup::result<errgroup::error> r = errgroup::errc::canceled;
#elif CASE == 11
  errgroup::group copy = g;
#elif CASE == 12
  g.wait();
#elif CASE == 13
  g.go(throwing_destructor());
#elif CASE == 14
  g.go(over_aligned());
#elif CASE == 15
  errgroup::thread_cache().execute([](int) {});
#elif CASE == 16
  g.try_go([] { return 1; });
#endif
}
