// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: return errgroup::error

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  errgroup::result<errgroup::error> r = errgroup::errc::canceled;
}
