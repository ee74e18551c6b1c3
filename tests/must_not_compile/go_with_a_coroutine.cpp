// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: a task is no coroutine: it would be left at its first suspension
#include <coroutine>

#include <errgroup/errgroup.hpp>

struct eager {
  struct promise_type {
    eager get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
};

int main() {
  errgroup::group g;
  g.go([]() -> eager { co_return; });
}
