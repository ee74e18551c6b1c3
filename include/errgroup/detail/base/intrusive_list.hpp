// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_BASE_INTRUSIVE_LIST_HPP
#define ERRGROUP_DETAIL_BASE_INTRUSIVE_LIST_HPP

namespace errgroup::detail {

template <class T>
class intrusive_list;

/// Base of what can be in one list at a time.
template <class T>
class list_node {
 private:
  friend class intrusive_list<T>;
  T* next_ = nullptr;    // Guarded as the list is.
  T* prev_ = nullptr;    // As above.
  bool linked_ = false;  // As above.
};

/// Links objects that it does not own, without allocating. The user guards it.
template <class T>
class intrusive_list {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  T* front() const noexcept { return first_; }
  T* next(const T& x) const noexcept { return node(x).next_; }

  /// True if `x` is in a list; this one, if it is ever in one only.
  bool contains(const T& x) const noexcept { return node(x).linked_; }

  void push_back(T& x) noexcept { insert(x, last_, nullptr); }
  void push_front(T& x) noexcept { insert(x, nullptr, first_); }

  /// Preconditions: `x` is in this list.
  void erase(T& x) noexcept {
    list_node<T>& n = node(x);
    (n.prev_ ? node(*n.prev_).next_ : first_) = n.next_;
    (n.next_ ? node(*n.next_).prev_ : last_) = n.prev_;
    n.linked_ = false;
  }

 private:
  static list_node<T>& node(T& x) noexcept { return x; }
  static const list_node<T>& node(const T& x) noexcept { return x; }

  void insert(T& x, T* prev, T* next) noexcept {
    list_node<T>& n = node(x);
    n.prev_ = prev;
    n.next_ = next;
    n.linked_ = true;
    (prev ? node(*prev).next_ : first_) = &x;
    (next ? node(*next).prev_ : last_) = &x;
  }

  T* first_ = nullptr;  // As the user guards the list.
  T* last_ = nullptr;   // As above.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_BASE_INTRUSIVE_LIST_HPP
