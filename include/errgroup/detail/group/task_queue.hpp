// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_TASK_QUEUE_HPP
#define ERRGROUP_DETAIL_GROUP_TASK_QUEUE_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <errgroup/detail/group/entry_list.hpp>
#include <errgroup/detail/group/task.hpp>

namespace errgroup::detail {

/// Holds the tasks of a group that have a place and have not begun, the first to come first. It does not own them.
/// The group's mutex guards it; size() may be asked without, as a hint.
class task_queue {
 public:
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  bool empty() const noexcept { return size() == 0; }

  /// Gives `t` a serial number of its own.
  void number(task& t) noexcept { t.serial = ++serial_; }

  void push(task& t) noexcept {
    tasks_.push_back(t);
    set_size(size() + 1);
  }
  /// Preconditions: it is not empty, as for front().
  task& pop() noexcept {
    set_size(size() - 1);
    return static_cast<task&>(tasks_.pop_front());
  }
  const task& front() const noexcept { return static_cast<const task&>(*tasks_.front()); }

  /// Takes out the first task that `wanted(task)` is true for; null if there is none.
  template <class Wanted>
  task* take_first(Wanted wanted) noexcept {
    queue_entry* const e = tasks_.take_first(wanted);
    if (e) set_size(size() - 1);
    return static_cast<task*>(e);
  }
  entry_list take_all() noexcept {
    set_size(0);
    return std::exchange(tasks_, {});
  }
  /// Sends the last `n` tasks back to the front of `line`. Preconditions: 0 < n <= size().
  void send_back_last(std::size_t n, entry_list& line) noexcept {
    set_size(size() - n);
    line.send_back_tail(tasks_, size());
  }

 private:
  void set_size(std::size_t n) noexcept { size_.store(n, std::memory_order_relaxed); }

  entry_list tasks_;                  // Guarded by the group's mutex.
  std::atomic<std::size_t> size_{0};  // Written under the group's mutex; read without it as a hint, so relaxed.
  std::uint32_t serial_ = 0;          // The last one given. Guarded by the group's mutex.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_TASK_QUEUE_HPP
