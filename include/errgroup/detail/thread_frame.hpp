// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_THREAD_FRAME_HPP
#define ERRGROUP_DETAIL_THREAD_FRAME_HPP

namespace errgroup {

class context;

namespace detail {

/// Notes, for a scope, what the calling thread is inside of. The frames of a thread form a stack.
class thread_frame {
 public:
  enum class kind : unsigned char {
    task,    // A task of the group `of`, or the destructor of its callable.
    lent,    // A function that the executor `of` runs: the thread is one of its own, as long as that lasts.
    ending,  // The stop callbacks that the end of a round of the group `of` runs.
  };

  thread_frame(kind k, const void* of, const context* parent = nullptr) noexcept
      : kind_(k), of_(of), parent_(parent), outer_(top()) {
    top() = this;
  }
  thread_frame(const thread_frame&) = delete;
  thread_frame& operator=(const thread_frame&) = delete;
  ~thread_frame() { top() = outer_; }

  /// True if one of the calling thread's frames is a `k` of `of`.
  static bool is_in(kind k, const void* of) noexcept {
    return any([=](const thread_frame& f) { return f.kind_ == k && f.of_ == of; });
  }

  /// True if `below(parent)` is for the parent context of a group whose task the calling thread runs.
  template <class Below>
  static bool runs_task_below(Below below) {
    return any([&](const thread_frame& f) { return f.kind_ == kind::task && f.parent_ && below(*f.parent_); });
  }

  /// True if the calling thread is inside of nothing.
  static bool none() noexcept { return !top(); }

 private:
  template <class Matches>
  static bool any(Matches matches) {
    for (const thread_frame* f = top(); f; f = f->outer_) {
      if (matches(*f)) return true;
    }
    return false;
  }
  static const thread_frame*& top() noexcept {
    thread_local constinit const thread_frame* frame = nullptr;
    return frame;
  }

  const kind kind_;                  // Constant, as all that follows.
  const void* const of_;             // Compared only.
  const context* const parent_;      // Of a task's group, which outlives the frame; else null.
  const thread_frame* const outer_;  // Of the same thread.
};

}  // namespace detail
}  // namespace errgroup

#endif  // ERRGROUP_DETAIL_THREAD_FRAME_HPP
