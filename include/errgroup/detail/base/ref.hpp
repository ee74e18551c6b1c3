// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_BASE_REF_HPP
#define ERRGROUP_DETAIL_BASE_REF_HPP

#include <atomic>
#include <cstddef>

namespace errgroup::detail {

/// Counts the references to an object, from inside it: one pointer a copy, and an allocation less than
/// `std::shared_ptr` needs. Starts at one, which the maker adopts.
class ref_count {
 public:
  void add() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }

  /// Adds a reference unless the last one is gone already, so that a list may point at what it does not own.
  bool try_add() noexcept {
    std::size_t n = count_.load(std::memory_order_relaxed);
    while (n != 0) {
      if (count_.compare_exchange_weak(n, n + 1, std::memory_order_acquire, std::memory_order_relaxed))
        return true;
    }
    return false;
  }

  /// True if there is one only; what others did to the object is visible then.
  bool is_one() const noexcept { return count_.load(std::memory_order_acquire) == 1; }

  /// True if that was the last one; what others did to the object is visible then.
  bool drop() noexcept { return count_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

 private:
  // Any thread. Acquire and release at the last drop order every use before the destruction.
  std::atomic<std::size_t> count_{1};
};

/// Points at a T and keeps it, by `T::retain()` and `T::release()`.
template <class T>
class ref {
 public:
  ref() noexcept = default;
  ref(const ref& other) noexcept : p_(other.p_) {
    if (p_) p_->retain();
  }
  ref(ref&& other) noexcept : p_(other.leak()) {}
  ref& operator=(ref other) noexcept {
    T* const before = p_;
    p_ = other.p_;
    other.p_ = before;
    return *this;
  }
  ~ref() {
    if (p_) p_->release();
  }

  /// Takes over a reference that the caller holds.
  static ref adopt(T* p) noexcept {
    ref r;
    r.p_ = p;
    return r;
  }
  /// Gives the reference up to the caller.
  T* leak() noexcept {
    T* const p = p_;
    p_ = nullptr;
    return p;
  }

  T* get() const noexcept { return p_; }
  T* operator->() const noexcept { return p_; }
  T& operator*() const noexcept { return *p_; }
  explicit operator bool() const noexcept { return p_ != nullptr; }

 private:
  T* p_ = nullptr;  // This object's owner only.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_BASE_REF_HPP
