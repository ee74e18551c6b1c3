// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: outlive the group: pass a variable

#include <errgroup/errgroup.hpp>

struct executor {
  template <class F>
  void execute(F f) {
    f();
  }
};

int main() {
  errgroup::group g;
  errgroup::group with_it{errgroup::with_executor(executor())};
}
