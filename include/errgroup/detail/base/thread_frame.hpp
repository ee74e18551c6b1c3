// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_BASE_THREAD_FRAME_HPP
#define ERRGROUP_DETAIL_BASE_THREAD_FRAME_HPP

namespace errgroup::detail {

/// Notes, for a scope, what the calling thread is inside of. The frames of a thread form a stack.
class thread_frame {
 public:
  enum class kind : unsigned char {
    task,    // A task of `of`, or the destructor of its callable.
    lent,    // A function that the executor `of` runs: the thread is one of its own, as long as that lasts.
    ending,  // The stop callbacks that the end of a round of `of` runs.
  };

  thread_frame(kind k, const void* of) noexcept : outer_(top()), of_(of), kind_(k) { top() = this; }
  thread_frame(const thread_frame&) = delete;
  thread_frame& operator=(const thread_frame&) = delete;
  ~thread_frame() { top() = outer_; }

  /// True if the calling thread is inside of nothing.
  static bool none() noexcept { return !top(); }
  /// True if one of the calling thread's frames is a `k` of `of`.
  static bool is_in(kind k, const void* of) noexcept {
    return is_in_any(k, [of](const void* other) { return other == of; });
  }
  /// True if the innermost of the calling thread's frames of `of` is a `k`.
  static bool innermost_is(kind k, const void* of) noexcept {
    const thread_frame* f = top();
    while (f && f->of_ != of) f = f->outer_;
    return f && f->kind_ == k;
  }
  /// True if one of them is a `k` of an object for which `matches(object)` is true. Asked from the inside out.
  template <class Matches>
  static bool is_in_any(kind k, Matches matches) noexcept {
    for (const thread_frame* f = top(); f; f = f->outer_) {
      if (f->kind_ == k && matches(f->of_)) return true;
    }
    return false;
  }

 private:
  static const thread_frame*& top() noexcept {
    thread_local constinit const thread_frame* frame = nullptr;
    return frame;
  }

  const thread_frame* const outer_;  // Constant, as all that follows. Of the same thread.
  const void* const of_;             // If it is a task's, it outlives the frame; otherwise it is compared only.
  const kind kind_;
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_BASE_THREAD_FRAME_HPP
