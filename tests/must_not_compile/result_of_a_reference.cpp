// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: instead of a reference
// More may follow.

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  errgroup::result<int&> r = errgroup::errc::canceled;
}
