// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: task's error would be lost: return errgroup::error or std::error_code
#include <system_error>

#include <errgroup/errgroup.hpp>

struct status {
  operator std::error_code() const { return {}; }
};

int main() {
  errgroup::group g;
  (void)g.go([] { return status(); });
}
