// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_ERRGROUP_HPP
#define ERRGROUP_ERRGROUP_HPP

// The version of the library, and the only place where it is set: CMake reads these three lines.
#define ERRGROUP_VERSION_MAJOR 0
#define ERRGROUP_VERSION_MINOR 2
#define ERRGROUP_VERSION_PATCH 0
/// The version as one number for `#if`: 200 is 0.2.0, and 10203 would be 1.2.3.
#define ERRGROUP_VERSION (ERRGROUP_VERSION_MAJOR * 10000 + ERRGROUP_VERSION_MINOR * 100 + ERRGROUP_VERSION_PATCH)

#include <errgroup/context.hpp>
#include <errgroup/error.hpp>
#include <errgroup/executor.hpp>
#include <errgroup/group.hpp>
#include <errgroup/options.hpp>
#include <errgroup/result.hpp>

#endif  // ERRGROUP_ERRGROUP_HPP
