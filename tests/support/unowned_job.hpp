// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_TESTS_UNOWNED_JOB_HPP
#define ERRGROUP_TESTS_UNOWNED_JOB_HPP

#include <errgroup/detail/pool/job.hpp>

/// A job that the test keeps alive until the pool is done with it.
class unowned_job : public errgroup::detail::pool_job {
 public:
  void not_coming() noexcept override {}
  void retain() noexcept override {}
  void release() noexcept override {}

 protected:
  ~unowned_job() = default;
};

#endif  // ERRGROUP_TESTS_UNOWNED_JOB_HPP
