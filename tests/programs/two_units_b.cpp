// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors

#include <errgroup/errgroup.hpp>

errgroup::error run_in_b(errgroup::thread_cache*& cache, const std::error_category*& category) {
  cache = &errgroup::thread_cache::shared();
  category = &errgroup::error_category();
  errgroup::group group;
  group.go([] { return errgroup::errc::canceled; });
  return group.wait();
}
