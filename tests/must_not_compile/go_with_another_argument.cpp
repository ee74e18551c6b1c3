// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
// Says: called with a const errgroup::context&, a std::stop_token or nothing

#include <errgroup/errgroup.hpp>

int main() {
  errgroup::group g;
  g.go([](int) {});
}
