// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: an executor has a member function void execute

#include <errgroup/errgroup.hpp>

struct not_an_executor {};

int main() {
  errgroup::group g;
  not_an_executor ex;
  errgroup::group with_it{errgroup::with_executor(ex)};
}
