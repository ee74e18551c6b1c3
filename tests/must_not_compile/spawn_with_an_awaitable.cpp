// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: a task is no coroutine: it would be left at its first suspension

#include <errgroup/errgroup.hpp>

struct awaiter {
  bool await_ready() const { return true; }
  void await_suspend(int) const {}
  int await_resume() const { return 1; }
};

int main() {
  errgroup::group g;
  (void)g.spawn([] { return awaiter(); });
}
