// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_CONTEXT_STOP_ON_DONE_HPP
#define ERRGROUP_DETAIL_CONTEXT_STOP_ON_DONE_HPP

#include <stop_token>

#include <errgroup/detail/context/done_watcher.hpp>
#include <errgroup/detail/context/node.hpp>

namespace errgroup::detail {

/// Stops a token of its own once a context is done. For a wait of the library's that takes a stop token: the
/// context's own may be late, behind a user's callback that blocks.
class stop_on_done final : private done_watcher {
 public:
  /// Throws: std::bad_alloc. Preconditions: `node` outlives the object.
  explicit stop_on_done(context_node& node) : context_(node) {
    if (!context_.watch(*this)) source_.request_stop();
  }
  ~stop_on_done() { context_.unwatch_and_wait(*this); }

  std::stop_token token() const noexcept { return source_.get_token(); }

 private:
  bool try_retain() noexcept override { return true; }  // The destructor waits.
  void on_done() noexcept override { source_.request_stop(); }

  context_node& context_;    // Constant.
  std::stop_source source_;  // Constant; callbacks of the library's alone.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_CONTEXT_STOP_ON_DONE_HPP
