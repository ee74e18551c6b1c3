// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Two translation units that include everything are linked, and share one cache and one category.

#include <errgroup/errgroup.hpp>

errgroup::error run_in_b(errgroup::thread_cache*& cache, const std::error_category*& category);

int main() {
  errgroup::thread_cache* cache = nullptr;
  const std::error_category* category = nullptr;
  errgroup::group group;
  group.go([&] { return run_in_b(cache, category); });
  const bool canceled = group.wait() == errgroup::errc::canceled;
  return canceled && cache == &errgroup::thread_cache::shared() && category == &errgroup::error_category() ? 0 : 1;
}
