// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: a task's destructor must not throw

#include <errgroup/errgroup.hpp>

struct throwing_destructor {
  ~throwing_destructor() noexcept(false) {}
  void operator()() const {}
};

int main() {
  errgroup::group g;
  g.go(throwing_destructor());
}
