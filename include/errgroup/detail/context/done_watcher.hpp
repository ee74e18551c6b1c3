// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_CONTEXT_DONE_WATCHER_HPP
#define ERRGROUP_DETAIL_CONTEXT_DONE_WATCHER_HPP

#include <atomic>

#include <errgroup/detail/base/intrusive_list.hpp>

namespace errgroup::detail {

class context_node;

/// A part of the library that is told once a context is done, before any stop callback runs: whom it wakes does
/// not wait for callbacks that block. The context points at it without owning it.
class done_watcher : public list_node<done_watcher> {
 public:
  done_watcher() = default;
  done_watcher(const done_watcher&) = delete;
  done_watcher& operator=(const done_watcher&) = delete;

 protected:
  ~done_watcher() = default;

 private:
  friend class context_node;

  /// Adds a reference unless the last one is gone. Called with the lock of the context's tree held, once for each
  /// registration.
  virtual bool try_retain() noexcept = 0;
  /// Wakes those who wait, then gives that reference back. Called with no lock held, after the registration has
  /// ended: the watcher may be registered anew by then. It must neither block nor run the user's code.
  virtual void on_done() noexcept = 0;

  // The node that it is registered with, or null. It becomes a node, and ceases to be that node, only under the
  // mutex of that node's tree: who holds the mutex may rely on whether it is that node, and on nothing else.
  // Nothing is read through it, so that it needs no order.
  std::atomic<context_node*> node_{nullptr};
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_CONTEXT_DONE_WATCHER_HPP
