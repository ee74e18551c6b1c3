// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_CONTEXT_NODE_HPP
#define ERRGROUP_DETAIL_CONTEXT_NODE_HPP

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <utility>

#include <errgroup/detail/ref.hpp>
#include <errgroup/detail/time.hpp>
#include <errgroup/detail/timer.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

/// One node of a tree of contexts.
///
/// States: active, then canceled or deadline_exceeded, for good. `finish()` alone moves between them, for a
/// node and everything below it at once, under the tree's mutex (the root's): it detaches the subtree, writes
/// causes and states from the leaves up, so that no child is seen active after its parent, then unlocks, wakes
/// the sleepers and requests the stops, from the top down.
///
/// Ownership: a child keeps its parent; a parent's list only points at its children. A child unlinks itself in
/// its destructor, under the mutex under which `finish()` takes a reference, so the pointers never dangle.
class context_node final : public timer_client {
 public:
  enum state : unsigned char { active, canceled, deadline_exceeded };

  /// Makes a child of `parent` (null: of the background) that is done no later than `deadline` or the stop of
  /// `foreign`. `cause` is the deadline's; empty means errc::deadline_exceeded.
  /// Throws: std::bad_alloc; std::system_error if the timer's thread cannot be started.
  static ref<context_node> make(ref<context_node> parent, clock::time_point deadline = never, error cause = {},
                                std::stop_token foreign = {});

  void retain() noexcept { refs_.add(); }
  /// Gives a reference back. A loop up the parents: a chain of a million contexts must not overflow the stack.
  void release() noexcept;

  bool done() const noexcept { return state_.load(std::memory_order_acquire) != active; }
  error err() const noexcept;
  error cause() const noexcept { return done() ? cause_ : error(); }
  clock::time_point deadline() const noexcept { return deadline_; }
  const std::stop_token& token() const noexcept { return token_; }

  /// Makes the node and its descendants done, with `cause` (empty: the state's own error). First wins.
  /// Preconditions: the caller holds a reference.
  void cancel(error cause) noexcept { finish(canceled, std::move(cause)); }

  /// Blocks until `when` (empty), or until the node is done (its cause).
  error sleep_until(clock::time_point when);

 private:
  explicit context_node(ref<context_node> parent, clock::time_point deadline, error cause);
  ~context_node() = default;

  void attach(std::stop_token foreign);
  void detach() noexcept;
  void unlink() noexcept;
  void finish(state why, error cause) noexcept;
  void on_foreign_stop() noexcept;
  bool try_retain() noexcept override { return refs_.try_add(); }
  void fire() noexcept override;

  static error errc_of(state s) noexcept { return s == canceled ? errc::canceled : errc::deadline_exceeded; }

  ref_count refs_;
  // Written under the tree's mutex, once. Release, paired with the acquire of done(): who sees the node done
  // sees its cause.
  std::atomic<unsigned char> state_{active};  // A `state`; an atomic of that type takes a compiler 0.6 ms more.
  bool armed_ = false;                // The timer was told of the node. Set before make() returns, then constant.
  bool linked_ = false;               // Part of its parent's list. Guarded by root_->mutex_.
  error cause_;                       // Written once under root_->mutex_, before state_; read only after.
  ref<context_node> parent_;          // Constant until the destructor. Null: no parent but the background.
  context_node* const root_;          // Constant; kept alive by the chain of parents.
  context_node* child_ = nullptr;     // First of the list. Guarded by root_->mutex_.
  context_node* next_ = nullptr;      // In the parent's list: guarded by root_->mutex_; afterwards in the list
  context_node* prev_ = nullptr;      //   of finish(), which owns both.
  const clock::time_point deadline_;  // Constant: the nearest of the tree.
  const error deadline_cause_;        // Constant.
  std::stop_source source_;           // Constant.
  const std::stop_token token_;       // Constant.
  std::condition_variable sleepers_;  // Waits on root_->mutex_.
  std::mutex mutex_;                  // Used in the root only.
  std::stop_callback<callback>* foreign_ = nullptr;  // Owned. Set before make() returns, then constant.
};

// Implementation

inline ref<context_node> context_node::make(ref<context_node> parent, clock::time_point deadline, error cause,
                                            std::stop_token foreign) {
  auto node = ref<context_node>::adopt(new context_node(std::move(parent), deadline, std::move(cause)));
  node->attach(std::move(foreign));
  return node;
}

inline context_node::context_node(ref<context_node> parent, clock::time_point deadline, error cause)
    : parent_(std::move(parent)), root_(parent_ ? parent_->root_ : this),
      deadline_(parent_ && parent_->deadline_ < deadline ? parent_->deadline_ : deadline),
      deadline_cause_(std::move(cause)), token_(source_.get_token()) {}

// Linked first, armed second: what happens to the parent in between reaches the child.
inline void context_node::attach(std::stop_token foreign) {
  if (parent_) {
    const std::lock_guard lock(root_->mutex_);
    if (const auto s = parent_->state_.load(std::memory_order_relaxed); s != active) {
      cause_ = parent_->cause_;
      state_.store(s, std::memory_order_release);
    } else {
      linked_ = true;
      next_ = parent_->child_;
      if (next_) next_->prev_ = this;
      parent_->child_ = this;
    }
  }
  if (done()) {
    source_.request_stop();
    return;
  }
  if (deadline_ != never && (!parent_ || deadline_ < parent_->deadline_)) {
    if (deadline_ <= clock::now()) {
      finish(deadline_exceeded, deadline_cause_);
    } else {
      timer::shared().add(*this, deadline_);
      armed_ = true;
    }
  }
  if (foreign.stop_possible()) {
    const callback stop{[](void* node) { static_cast<context_node*>(node)->on_foreign_stop(); }, this};
    foreign_ = new std::stop_callback<callback>(std::move(foreign), stop);
  }
}

inline void context_node::release() noexcept {
  for (context_node* node = this; node && node->refs_.drop();) {
    node->detach();
    context_node* const parent = node->parent_.leak();
    delete node;
    node = parent;
  }
}

inline void context_node::detach() noexcept {
  delete foreign_;  // Unlocked, since its callback takes the tree's mutex.
  if (armed_) timer::shared().remove(*this);
  if (!parent_) return;
  const std::lock_guard lock(root_->mutex_);
  unlink();
}

inline void context_node::unlink() noexcept {
  if (!linked_) return;
  linked_ = false;
  (prev_ ? prev_->next_ : parent_->child_) = next_;
  if (next_) next_->prev_ = prev_;
}

inline void context_node::finish(state why, error cause) noexcept {
  if (!cause) cause = errc_of(why);
  {
    std::unique_lock lock(root_->mutex_);
    if (state_.load(std::memory_order_relaxed) != active) {
      lock.unlock();
      source_.request_stop();  // Whoever was first may not be there yet, and the caller counts on it.
      return;
    }
    unlink();
    next_ = prev_ = nullptr;
    context_node* last = this;
    for (context_node* node = this; node; node = node->next_) {
      for (context_node* child = node->child_; child;) {
        context_node* const sibling = child->next_;
        child->linked_ = false;
        if (child->refs_.try_add()) {  // Else it is on its way to unlink(), and has no children.
          child->next_ = nullptr;
          child->prev_ = last;
          last = last->next_ = child;
        }
        child = sibling;
      }
      node->child_ = nullptr;
    }
    for (context_node* node = last; node; node = node->prev_) {
      node->cause_ = cause;
      node->state_.store(why, std::memory_order_release);
    }
  }
  for (context_node* node = this; node; node = node->next_) node->sleepers_.notify_all();
  source_.request_stop();
  for (context_node* node = next_; node;) {
    context_node* const next = node->next_;
    node->source_.request_stop();
    node->release();
    node = next;
  }
}

inline void context_node::fire() noexcept {
  finish(deadline_exceeded, deadline_cause_);
  release();
}

// The destructor of the callback waits for a call under way, unless it is itself run by that call, by way of
// release(): nothing is touched after it.
inline void context_node::on_foreign_stop() noexcept {
  if (!refs_.try_add()) return;
  finish(canceled, {});
  release();
}

inline error context_node::err() const noexcept {
  const auto s = static_cast<state>(state_.load(std::memory_order_acquire));
  return s == active ? error() : errc_of(s);
}

inline error context_node::sleep_until(clock::time_point when) {
  if (!done() && clock::now() < when) {
    std::unique_lock lock(root_->mutex_);
    while (!done() && wait_until(sleepers_, lock, when)) {
    }
  }
  return cause();
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_CONTEXT_NODE_HPP
