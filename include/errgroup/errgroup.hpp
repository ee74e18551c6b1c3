// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_ERRGROUP_HPP
#define ERRGROUP_ERRGROUP_HPP

#include <errgroup/context.hpp>
#include <errgroup/error.hpp>
#include <errgroup/executor.hpp>
#include <errgroup/group.hpp>
#include <errgroup/options.hpp>
#include <errgroup/result.hpp>

#endif  // ERRGROUP_ERRGROUP_HPP
