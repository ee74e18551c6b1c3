// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_CONTEXT_TIMER_HPP
#define ERRGROUP_DETAIL_CONTEXT_TIMER_HPP

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <errgroup/detail/base/never_destroyed.hpp>
#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/time.hpp>

namespace errgroup::detail {

class timer;

/// The lead of the timer, in the hands of the thread that fires a client.
class timer_lead {
 public:
  explicit timer_lead(timer& of) noexcept : timer_(of) {}

  /// Makes sure that another thread leads from now on, so that the caller may block. If no thread can be started
  /// for that, the caller leads on, and deadlines are late until it has returned.
  void hand_over() noexcept;
  bool handed_over() const noexcept { return handed_over_; }

 private:
  timer& timer_;              // Constant.
  bool handed_over_ = false;  // The firing thread only.
};

/// What the timer fires: something counted, that may be about to die when its time comes.
class timer_client {
 public:
  timer_client() = default;
  timer_client(const timer_client&) = delete;
  timer_client& operator=(const timer_client&) = delete;

 protected:
  ~timer_client() = default;

 private:
  friend class timer;

  /// Adds a reference unless the last one is gone. Called with the timer's lock held.
  virtual bool try_retain() noexcept = 0;
  /// Does what was to be done, then gives that reference back. Called with no lock held. What may block, or run
  /// the user's code, goes after `lead.hand_over()`.
  virtual void fire(timer_lead& lead) noexcept = 0;

  clock::time_point when_;          // Guarded by timer::mutex_, as are all below.
  timer_client* parent_ = nullptr;  // In the heap; null in its root.
  timer_client* left_ = nullptr;    // The child whose `rank_` is no smaller.
  timer_client* right_ = nullptr;   // The other.
  int rank_ = 0;                    // Length of the chain of right children. 0: not in the heap.
};

/// Fires clients at their time, for the whole process.
///
/// Of its threads one leads: it waits for the earliest deadline. Before it does what may block, it hands the lead
/// to the follower, a thread that waits for that, or to a new thread; when it has returned it becomes the
/// follower, or ends if there is one. So there are two threads at most, but for those that are blocked in a user's
/// stop callback, and no such callback delays another deadline. The first thread starts at first use. All have the
/// signal mask of the thread that used the timer first; they are never told to end, since the timer is never
/// destroyed.
///
/// The heap points at clients without owning them: a client removes itself in its destructor, under the same
/// lock under which the leader takes a reference. The leader sleeps until `wake_at_`, so that only a deadline
/// earlier than that has to wake it; a removed deadline never does.
///
/// The heap is a leftist one (Crane 1972; Knuth, The Art of Computer Programming, 5.2.3): it needs no memory but
/// the clients' own, and adds or removes any of n in about log2(n) steps at worst.
class timer {
 public:
  static timer& shared() {
    static never_destroyed<timer> instance;
    return instance.get();
  }

  /// Fires `client` at `when`, once. Throws: std::system_error or std::bad_alloc if the first thread cannot be
  /// started; then nothing has changed. Preconditions: `client` was not added before.
  void add(timer_client& client, clock::time_point when);

  /// Forgets `client`; does nothing if it has been fired.
  void remove(timer_client& client) noexcept;

 private:
  friend class timer_lead;

  void start_thread();
  bool hand_over() noexcept;
  void run() noexcept;
  bool follow(std::unique_lock<std::mutex>& lock) noexcept;
  void lead(std::unique_lock<std::mutex>& lock) noexcept;
  static int rank(const timer_client* heap) noexcept { return heap ? heap->rank_ : 0; }
  static timer_client* merge(timer_client* a, timer_client* b) noexcept;
  static bool balance(timer_client& top) noexcept;
  void erase(timer_client& client) noexcept;

  const signal_mask signals_;  // Constant.
  std::mutex mutex_;
  std::condition_variable leader_;                        // Waits on mutex_; only the leader waits.
  std::condition_variable follower_;                      // Waits on mutex_; only the follower waits.
  timer_client* first_ = nullptr;                         // Root of the heap, the earliest. Guarded by mutex_.
  clock::time_point wake_at_ = clock::time_point::min();  // min: no leader sleeps. Guarded by mutex_.
  bool started_ = false;                                  // Guarded by mutex_.
  bool lead_is_free_ = true;                              // No thread leads. Guarded by mutex_.
  bool has_follower_ = false;                             // Guarded by mutex_.
};

// Implementation

inline void timer_lead::hand_over() noexcept { handed_over_ = handed_over_ || timer_.hand_over(); }

inline void timer::add(timer_client& client, clock::time_point when) {
  const std::lock_guard lock(mutex_);
  if (!started_) {
    start_thread();
    started_ = true;
  }
  client.when_ = when;
  client.rank_ = 1;
  first_ = merge(first_, &client);
  if (when < wake_at_) leader_.notify_one();
}

inline void timer::remove(timer_client& client) noexcept {
  const std::lock_guard lock(mutex_);
  if (client.rank_ != 0) erase(client);
}

inline void timer::start_thread() {
  const signals_blocked quiet;
  std::jthread(callback{[](void* self) { static_cast<timer*>(self)->run(); }, this}).detach();
}

// A new thread, or a follower that is on its way, may find that another one was faster to take the lead: it
// follows then, or ends.
inline bool timer::hand_over() noexcept {
  const std::lock_guard lock(mutex_);
  if (!has_follower_) {
    try {
      start_thread();
    } catch (...) {
      return false;
    }
  }
  lead_is_free_ = true;
  follower_.notify_one();
  return true;
}

inline void timer::run() noexcept {
  signals_.apply();
  name_this_thread("errgroup-timer");
  punctual_this_thread();
  std::unique_lock lock(mutex_);
  while (follow(lock)) lead(lock);
}

// Waits for the lead, and takes it. False if another thread does that already.
inline bool timer::follow(std::unique_lock<std::mutex>& lock) noexcept {
  while (!lead_is_free_) {
    if (has_follower_) return false;
    has_follower_ = true;
    follower_.wait(lock);
    has_follower_ = false;
  }
  lead_is_free_ = false;
  return true;
}

// Returns once the lead has been handed over.
inline void timer::lead(std::unique_lock<std::mutex>& lock) noexcept {
  for (timer_lead held(*this); !held.handed_over();) {
    if (!first_ || clock::now() < first_->when_) {
      wake_at_ = first_ ? first_->when_ : never;
      wait_until(leader_, lock, wake_at_);
      wake_at_ = clock::time_point::min();
      continue;
    }
    timer_client& due = *first_;
    erase(due);
    if (!due.try_retain()) continue;
    lock.unlock();
    due.fire(held);
    lock.lock();
  }
}

// Recursive, as deep as the two chains of right children are long together: 2 * log2(n) at most.
inline timer_client* timer::merge(timer_client* a, timer_client* b) noexcept {
  if (!a) return b;
  if (!b) return a;
  if (b->when_ < a->when_) return merge(b, a);
  a->right_ = merge(a->right_, b);
  a->right_->parent_ = a;
  balance(*a);
  return a;
}

// Puts the children in order, and updates the rank: false if that has not changed.
inline bool timer::balance(timer_client& top) noexcept {
  if (timer_client* const left = top.left_; rank(left) < rank(top.right_)) {
    top.left_ = top.right_;
    top.right_ = left;
  }
  const int before = top.rank_;
  top.rank_ = rank(top.right_) + 1;
  return top.rank_ != before;
}

inline void timer::erase(timer_client& client) noexcept {
  timer_client* const rest = merge(client.left_, client.right_);
  timer_client* above = client.parent_;
  if (rest) rest->parent_ = above;
  (!above ? first_ : above->left_ == &client ? above->left_ : above->right_) = rest;
  while (above && balance(*above)) above = above->parent_;
  client.parent_ = client.left_ = client.right_ = nullptr;
  client.rank_ = 0;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_CONTEXT_TIMER_HPP
