// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
//
// Tasks that return a std::expected. Compiled as C++23, where the library has it.

#include <expected>
#include <memory>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

#include <errgroup/errgroup.hpp>

namespace {

using errgroup::errc;
using errgroup::error;
using errgroup::group;

template <class Task>
error outcome(Task task) {
  group g;
  g.go(task);
  return g.wait();
}

TEST(GroupExpectedTest, GoTakesTheErrorOfAnExpectedVoid) {
  EXPECT_FALSE(outcome([]() -> std::expected<void, error> { return {}; }));
  EXPECT_FALSE(outcome([]() -> std::expected<void, std::errc> { return {}; }));
  EXPECT_EQ(outcome([]() -> std::expected<void, error> { return std::unexpected(error("text")); }).message(),
            "text");
  EXPECT_EQ(outcome([]() -> std::expected<void, std::errc> { return std::unexpected(std::errc::io_error); }),
            std::errc::io_error);
  EXPECT_EQ(outcome([]() -> std::expected<void, std::error_code> {
              return std::unexpected(std::make_error_code(std::errc::io_error));
            }),
            std::errc::io_error);
}

TEST(GroupExpectedTest, AnUnexpectedThatHoldsAnEmptyErrorIsAFailure) {
  EXPECT_EQ(outcome([]() -> std::expected<void, error> { return std::unexpected(error()); }), errc::failed);
  group g;
  const auto h =
      g.spawn([]() -> std::expected<int, std::error_code> { return std::unexpected(std::error_code()); });
  EXPECT_EQ(g.wait(), errc::failed);
  EXPECT_EQ(h.get().error(), errc::failed);
}

TEST(GroupExpectedTest, SpawnTakesTheValueAndTheError) {
  group g(errgroup::keep_going());
  auto value = g.spawn([]() -> std::expected<std::unique_ptr<int>, error> { return std::make_unique<int>(7); });
  const auto failed =
      g.spawn([]() -> std::expected<std::string, std::errc> { return std::unexpected(std::errc::io_error); });
  EXPECT_EQ(g.wait(), std::errc::io_error);
  EXPECT_EQ(**value.get(), 7);
  EXPECT_EQ(failed.get().error(), std::errc::io_error);
}

}  // namespace
