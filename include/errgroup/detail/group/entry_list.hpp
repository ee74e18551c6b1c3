// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_ENTRY_LIST_HPP
#define ERRGROUP_DETAIL_GROUP_ENTRY_LIST_HPP

#include <cstddef>
#include <cstdint>

namespace errgroup::detail {

/// Whose memory a task lies in: its own, a block of the group's, or a slot of the group's handoff ring.
enum class task_home : unsigned char { heap, block, slot };

/// What a group can queue: a task, or a caller of go() that waits for a place at the limit.
struct queue_entry {
  explicit queue_entry(task_home h) noexcept : home(h), is_task(true) {}
  queue_entry() noexcept : home(task_home::heap), is_task(false) {}
  queue_entry(const queue_entry&) = delete;
  queue_entry& operator=(const queue_entry&) = delete;

  queue_entry* next = nullptr;  // In its list. Guarded by the group's mutex.
  std::uint32_t serial = 0;     // Tells tasks apart that live in the same block one after the other. As above.
  const task_home home;         // Constant.
  bool sent_back = false;       // It had a place, and is in line again. Guarded by the group's mutex.
  const bool is_task;           // Constant.
};

/// Links entries that it does not own, the first to come first. The user guards it.
class entry_list {
 public:
  bool empty() const noexcept { return !first_; }
  queue_entry* front() const noexcept { return first_; }

  void push_back(queue_entry& e) noexcept {
    e.next = nullptr;
    (first_ ? last_->next : first_) = &e;
    last_ = &e;
  }
  /// Preconditions: it is not empty.
  queue_entry& pop_front() noexcept {
    queue_entry& e = *first_;
    first_ = e.next;
    return e;
  }
  /// Puts `e` behind those in front that were sent back.
  void send_back(queue_entry& e) noexcept;
  /// Sends all but the first `n` entries of `from` back: to the front of this list, in their order.
  /// Preconditions: `from` has more than `n`.
  void send_back_tail(entry_list& from, std::size_t n) noexcept;
  /// Takes out the first entry that `wanted(entry)` is true for; null if there is none.
  template <class Wanted>
  queue_entry* take_first(Wanted wanted) noexcept;

 private:
  queue_entry* first_ = nullptr;  // As the user guards the list.
  queue_entry* last_ = nullptr;   // If it is not empty. As above.
};

// Implementation

inline void entry_list::send_back(queue_entry& e) noexcept {
  e.sent_back = true;
  queue_entry** at = &first_;
  while (*at && (*at)->sent_back) at = &(*at)->next;
  e.next = *at;
  *at = &e;
  if (!e.next) last_ = &e;
}

inline void entry_list::send_back_tail(entry_list& from, std::size_t n) noexcept {
  queue_entry* before = nullptr;
  queue_entry* e = from.first_;
  for (; n != 0; --n) {
    before = e;
    e = e->next;
  }
  for (queue_entry* back = e; back; back = back->next) back->sent_back = true;
  from.last_->next = first_;
  if (!first_) last_ = from.last_;
  first_ = e;
  (before ? before->next : from.first_) = nullptr;
  from.last_ = before;
}

template <class Wanted>
queue_entry* entry_list::take_first(Wanted wanted) noexcept {
  queue_entry* before = nullptr;
  for (queue_entry* e = first_; e; before = e, e = e->next) {
    if (!wanted(*e)) continue;
    (before ? before->next : first_) = e->next;
    if (e == last_) last_ = before;
    return e;
  }
  return nullptr;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_ENTRY_LIST_HPP
