// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_PARKING_HPP
#define ERRGROUP_DETAIL_GROUP_PARKING_HPP

#include <condition_variable>

namespace errgroup::detail {

/// Where one thread sleeps, so that it can be woken alone.
struct parking_spot {
  std::condition_variable wake;  // Waits on the mutex that guards the parking.
  parking_spot* next = nullptr;  // Of all spots that are free. Guarded as the parking is.
};

/// Lends spots, and keeps them until its end: who wakes a thread may do so after it let go of the mutex, when that
/// thread may be gone. A spot that was lent anew meanwhile is woken for nothing. The user guards it.
class parking {
 public:
  parking() noexcept = default;
  parking(const parking&) = delete;
  parking& operator=(const parking&) = delete;
  /// Preconditions: all spots were given back.
  ~parking() {
    while (parking_spot* const s = free_) {
      free_ = s->next;
      delete s;
    }
  }

  /// Throws: std::bad_alloc.
  parking_spot& take() {
    if (!free_) return *new parking_spot;
    parking_spot& s = *free_;
    free_ = s.next;
    return s;
  }
  void give(parking_spot& s) noexcept {
    s.next = free_;
    free_ = &s;
  }

 private:
  parking_spot* free_ = nullptr;  // As the user guards.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_PARKING_HPP
