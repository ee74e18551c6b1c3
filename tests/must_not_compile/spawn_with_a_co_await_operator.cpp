// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: a task is no coroutine: it would be left at its first suspension
#include <coroutine>

#include <errgroup/errgroup.hpp>

namespace user {
struct lazy {};
std::suspend_never operator co_await(lazy) { return {}; }
}  // namespace user

int main() {
  errgroup::group g;
  (void)g.spawn([] { return user::lazy(); });
}
