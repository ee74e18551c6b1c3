// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_CONTEXT_NODE_HPP
#define ERRGROUP_DETAIL_CONTEXT_NODE_HPP

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include <errgroup/detail/base/intrusive_list.hpp>
#include <errgroup/detail/base/ref.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/context/done_watcher.hpp>
#include <errgroup/detail/context/timer.hpp>
#include <errgroup/error.hpp>

namespace errgroup::detail {

class context_node;

/// The later half of making a subtree of contexts done, to be run with no lock held: it wakes those who sleep,
/// then requests the stops. One that is destroyed unrun runs. Keeps the contexts. Empty (false) if they were done
/// already.
class [[nodiscard]] cancellation {
 public:
  cancellation() noexcept = default;
  cancellation(cancellation&& other) noexcept;
  /// Runs what it held before, if anything.
  cancellation& operator=(cancellation other) noexcept;
  ~cancellation() {
    if (last_) run();
  }

  explicit operator bool() const noexcept { return last_ != nullptr; }

  /// True if stop() may run callbacks of the user's, which may block: somebody has asked for a token.
  bool may_run_callbacks() const noexcept { return asked_; }

  /// Wakes the sleepers and tells the watchers. Never blocks, nor runs the user's code. Done once.
  void wake() noexcept;

  /// Requests the stops, from the leaves up, on this thread, after wake(). The object may be destroyed meanwhile.
  void stop() noexcept;

  void run() noexcept {
    wake();
    stop();
  }

 private:
  friend class context_node;

  // This object's owner only, as are all below. The last of a list, linked backwards by the nodes' `prev_`, in
  // which each node stands before its descendants. It holds a reference to each.
  context_node* last_ = nullptr;
  bool asked_ = false;
  bool woken_ = false;
};

/// One node of a tree of contexts.
///
/// States: active, then canceled or deadline_exceeded, for good. `mark()` alone moves between them, for a node and
/// everything below it at once, under the tree's mutex (the root's): it detaches the subtree and writes causes and
/// states from the leaves up, so that no child is seen active after its parent. What is to be done unlocked, it
/// returns: waking those who wait, then the stops, from the leaves up, so that a stop callback may wait for what
/// belongs to a node below its own. Who loses the race to mark a node has nothing to do.
///
/// Ownership: a child keeps its parent; a parent's list only points at its children. A child unlinks itself in
/// its destructor, under the mutex under which `mark()` takes a reference, so the pointers never dangle.
///
/// A node that is cut off is the root of a tree of its own, and has a parent all the same: it descends from that
/// one, but is not done with it.
class context_node final : public timer_client {
 public:
  enum state : unsigned char { active, canceled, deadline_exceeded };

  /// Makes a child of `parent` (null: of the background) that is done no later than `deadline` or the stop of
  /// `foreign`. `cause` is the deadline's; empty means errc::deadline_exceeded. `group` is the number of the group
  /// that it is the context of, or 0.
  /// Throws: std::bad_alloc; std::system_error if the timer's thread cannot be started.
  static ref<context_node> make(ref<context_node> parent, clock::time_point deadline = never, error cause = {},
                                std::stop_token foreign = {}, std::uint64_t group = 0);

  /// Makes a child of `parent` that is canceled with `cause` from the first, whatever its parent is.
  /// Throws: std::bad_alloc.
  static ref<context_node> make_done(ref<context_node> parent, const error& cause,
                                     clock::time_point deadline = never, std::uint64_t group = 0);

  /// Makes a child of `parent` that is cut off. Throws: std::bad_alloc.
  static ref<context_node> make_cut_off(ref<context_node> parent);

  void retain() noexcept { refs_.add(); }
  /// Gives a reference back. A loop up the parents: a chain of a million contexts must not overflow the stack.
  void release() noexcept;

  bool done() const noexcept { return (bits_.load(std::memory_order_acquire) & state_mask) != active; }
  error err() const noexcept;
  error cause() const noexcept { return done() ? cause_ : error(); }
  clock::time_point deadline() const noexcept { return deadline_; }
  const std::stop_token& token() noexcept;

  /// True if this node or one that it descends from is the context of group number `group`.
  bool is_below(std::uint64_t group) const noexcept;

  /// Makes the node and its descendants done, with `cause` (empty: the state's own error), and returns what is to
  /// be run after that, with no lock held; nothing if the node is done already. Neither blocks but for the tree's
  /// mutex, nor runs the user's code. Preconditions: the caller holds a reference.
  [[nodiscard]] cancellation mark(state why, const error& cause) noexcept;

  /// Marks the node as canceled and runs what that returns. The node may lose all other references meanwhile.
  /// Preconditions: the caller holds a reference.
  void cancel(const error& cause) noexcept { mark(canceled, cause).run(); }

  /// Tells `watcher` once the node is done; false, and it is not told, if it is that already.
  /// Preconditions: `watcher` is registered nowhere.
  [[nodiscard]] bool watch(done_watcher& watcher) noexcept;
  /// Forgets `watcher`, if it is registered with this node. Then it is not told, unless it was retained already.
  void unwatch(done_watcher& watcher) noexcept;
  /// Forgets `watcher`, and blocks while it is being told: it may be destroyed then, counted or not.
  /// Preconditions: the caller holds a reference, and no lock that on_done() takes.
  void unwatch_and_wait(done_watcher& watcher) noexcept;

  /// Blocks until `when` (empty), or until the node is done (its cause).
  error sleep_until(clock::time_point when);

 private:
  friend class cancellation;

  enum class kind : bool { linked, cut_off };

  // Of bits_, beside the state in the lowest two.
  static constexpr unsigned char state_mask = 3;
  static constexpr unsigned char asked_for_token = 4;
  static constexpr unsigned char done_before_asked = 8;  // Nobody had a token when the node was marked.

  explicit context_node(ref<context_node> parent, clock::time_point deadline, error cause, std::uint64_t group,
                        kind k = kind::linked);
  ~context_node() = default;

  void attach(std::stop_token foreign);
  void detach() noexcept;
  void unlink() noexcept;
  bool write_state(state why, const error& cause) noexcept;
  void forget(done_watcher& watcher) noexcept;
  void tell_watchers() noexcept;
  void on_foreign_stop() noexcept;
  bool try_retain() noexcept override { return refs_.try_add(); }
  void fire(timer_lead& lead) noexcept override;

  static error errc_of(state s) noexcept { return s == canceled ? errc::canceled : errc::deadline_exceeded; }

  ref_count refs_;
  // The state is written under the tree's mutex, once. Release, paired with the acquire of done(): who sees the
  // node done sees its cause. Any thread that asks for the token sets asked_for_token; see token().
  std::atomic<unsigned char> bits_{active};
  bool armed_ = false;                // The timer was told of the node. Set before make() returns, then constant.
  bool linked_ = false;               // Part of its parent's list. Guarded by root_->mutex_.
  bool watched_ = false;              // Written once by mark(); read by its cancellation.
  error cause_;                       // Written once under root_->mutex_, before the state; read only after.
  ref<context_node> parent_;          // Constant until the destructor. Null: no parent but the background.
  context_node* const root_;          // Constant; kept alive by the chain of parents.
  context_node* child_ = nullptr;     // First of the list. Guarded by root_->mutex_.
  context_node* next_ = nullptr;      // In the parent's list: guarded by root_->mutex_; afterwards in the list
  context_node* prev_ = nullptr;      //   of a cancellation, which owns both.
  const std::uint64_t group_;         // Constant.
  const clock::time_point deadline_;  // Constant: the nearest of the tree.
  const error deadline_cause_;        // Constant.
  std::stop_source source_;           // Constant.
  const std::stop_token token_;       // Constant.
  std::condition_variable sleepers_;  // Waits on root_->mutex_.
  intrusive_list<done_watcher> watchers_;  // Guarded by root_->mutex_.
  done_watcher* telling_ = nullptr;        // Told at the moment; not to be followed. Guarded by root_->mutex_.
  std::mutex mutex_;                       // Used in the root only.
  std::stop_callback<callback>* foreign_ = nullptr;  // Owned. Set before make() returns, then constant.
};

// Implementation

inline cancellation::cancellation(cancellation&& other) noexcept
    : last_(std::exchange(other.last_, nullptr)), asked_(std::exchange(other.asked_, false)),
      woken_(std::exchange(other.woken_, false)) {}

inline cancellation& cancellation::operator=(cancellation other) noexcept {
  std::swap(last_, other.last_);
  std::swap(asked_, other.asked_);
  std::swap(woken_, other.woken_);
  return *this;
}

inline void cancellation::wake() noexcept {
  if (std::exchange(woken_, true)) return;
  for (context_node* node = last_; node; node = node->prev_) {
    node->sleepers_.notify_all();
    if (node->watched_) node->tell_watchers();
  }
}

inline void cancellation::stop() noexcept {
  for (context_node* node = std::exchange(last_, nullptr); node;) {
    context_node* const before = node->prev_;
    node->source_.request_stop();
    node->release();
    node = before;
  }
}

inline ref<context_node> context_node::make(ref<context_node> parent, clock::time_point deadline, error cause,
                                            std::stop_token foreign, std::uint64_t group) {
  auto node = ref<context_node>::adopt(new context_node(std::move(parent), deadline, std::move(cause), group));
  node->attach(std::move(foreign));
  return node;
}

inline ref<context_node> context_node::make_done(ref<context_node> parent, const error& cause,
                                                 clock::time_point deadline, std::uint64_t group) {
  auto node = ref<context_node>::adopt(new context_node(std::move(parent), deadline, {}, group));
  node->write_state(canceled, cause ? cause : errc_of(canceled));
  return node;
}

inline ref<context_node> context_node::make_cut_off(ref<context_node> parent) {
  return ref<context_node>::adopt(new context_node(std::move(parent), never, {}, 0, kind::cut_off));
}

inline context_node::context_node(ref<context_node> parent, clock::time_point deadline, error cause,
                                  std::uint64_t group, kind k)
    : parent_(std::move(parent)), root_(parent_ && k == kind::linked ? parent_->root_ : this), group_(group),
      deadline_(root_ != this && parent_->deadline_ < deadline ? parent_->deadline_ : deadline),
      deadline_cause_(std::move(cause)), token_(source_.get_token()) {}

// Linked first, armed second: what happens to the parent in between reaches the child.
inline void context_node::attach(std::stop_token foreign) {
  if (root_ != this) {
    const std::lock_guard lock(root_->mutex_);
    const int s = parent_->bits_.load(std::memory_order_relaxed) & state_mask;
    if (s != active) {
      write_state(static_cast<state>(s), parent_->cause_);
      return;
    }
    linked_ = true;
    next_ = parent_->child_;
    if (next_) next_->prev_ = this;
    parent_->child_ = this;
  }
  if (deadline_ != never && (root_ == this || deadline_ < parent_->deadline_)) {
    if (deadline_ <= clock::now()) {
      mark(deadline_exceeded, deadline_cause_).run();
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
  if (root_ == this) return;
  const std::lock_guard lock(root_->mutex_);
  unlink();
}

inline void context_node::unlink() noexcept {
  if (!linked_) return;
  linked_ = false;
  (prev_ ? prev_->next_ : parent_->child_) = next_;
  if (next_) next_->prev_ = prev_;
}

// The token's stop comes a moment after the state, and the callbacks that it runs may block. Where nobody has a
// token at the time of the state, nobody has a callback, and none is run: who asks for the token afterwards
// requests the stop before it is given out. One atomic holds both bits, so either write_state() sees that the
// token was asked for, or who asks for it sees done_before_asked.
inline const std::stop_token& context_node::token() noexcept {
  unsigned bits = bits_.load(std::memory_order_acquire);
  if ((bits & (asked_for_token | done_before_asked)) == 0) {
    bits = bits_.fetch_or(asked_for_token, std::memory_order_acq_rel);
  }
  if ((bits & done_before_asked) != 0) source_.request_stop();
  return token_;
}

inline bool context_node::is_below(std::uint64_t group) const noexcept {
  for (const context_node* node = this; node; node = node->parent_.get()) {
    if (node->group_ == group) return group != 0;
  }
  return false;
}

inline cancellation context_node::mark(state why, const error& cause) noexcept {
  cancellation later;
  const error& reason = cause ? cause : errc_of(why);
  const std::lock_guard lock(root_->mutex_);
  if (done()) return later;
  unlink();
  next_ = prev_ = nullptr;
  refs_.add();
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
    node->watched_ = !node->watchers_.empty();
    later.asked_ |= node->write_state(why, reason);
  }
  later.last_ = last;
  return later;
}

// True if somebody has asked for the token before.
inline bool context_node::write_state(state why, const error& cause) noexcept {
  cause_ = cause;
  unsigned char expected = active;
  const auto unasked = static_cast<unsigned char>(why | done_before_asked);
  if (bits_.compare_exchange_strong(expected, unasked, std::memory_order_acq_rel)) return false;
  bits_.store(static_cast<unsigned char>(why | asked_for_token), std::memory_order_release);
  return true;
}

inline bool context_node::watch(done_watcher& watcher) noexcept {
  const std::lock_guard lock(root_->mutex_);
  if (done()) return false;
  watcher.node_.store(this, std::memory_order_relaxed);
  watchers_.push_back(watcher);
  return true;
}

// Preconditions: the mutex is held, and `watcher` is registered here.
inline void context_node::forget(done_watcher& watcher) noexcept {
  watcher.node_.store(nullptr, std::memory_order_relaxed);
  watchers_.erase(watcher);
}

inline void context_node::unwatch(done_watcher& watcher) noexcept {
  const std::lock_guard lock(root_->mutex_);
  if (watcher.node_.load(std::memory_order_relaxed) == this) forget(watcher);
}

// Not on a condition variable, where a pthread_cancel would take effect, in a destructor; it does not take long.
inline void context_node::unwatch_and_wait(done_watcher& watcher) noexcept {
  std::unique_lock lock(root_->mutex_);
  if (watcher.node_.load(std::memory_order_relaxed) == this) forget(watcher);
  while (telling_ == &watcher) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  }
}

// One at a time, since the mutex is not held while a watcher is told, and others may be forgotten meanwhile. No
// new one comes: the node is done.
inline void context_node::tell_watchers() noexcept {
  std::unique_lock lock(root_->mutex_);
  while (done_watcher* const first = watchers_.front()) {
    forget(*first);
    if (!first->try_retain()) continue;
    telling_ = first;
    lock.unlock();
    first->on_done();
    lock.lock();
    telling_ = nullptr;
  }
}

inline void context_node::fire(timer_lead& lead) noexcept {
  cancellation later = mark(deadline_exceeded, deadline_cause_);
  later.wake();
  if (later.may_run_callbacks()) lead.hand_over();
  later.stop();
  release();
}

// The destructor of the callback waits for a call under way, unless it is itself run by that call, by way of
// release(): nothing is touched after it.
inline void context_node::on_foreign_stop() noexcept {
  if (!refs_.try_add()) return;
  cancel({});
  release();
}

inline error context_node::err() const noexcept {
  const int s = bits_.load(std::memory_order_acquire) & state_mask;
  return s == active ? error() : errc_of(static_cast<state>(s));
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
