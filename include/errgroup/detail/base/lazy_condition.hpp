// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_BASE_LAZY_CONDITION_HPP
#define ERRGROUP_DETAIL_BASE_LAZY_CONDITION_HPP

#include <condition_variable>
#include <new>

namespace errgroup::detail {

/// A condition variable that is made when it is first used. In a small group nobody ever waits, and three that are
/// made and destroyed for nothing take a tenth of its time. The user guards it by the mutex that it waits on.
class lazy_condition {
 public:
  lazy_condition() noexcept {}
  lazy_condition(const lazy_condition&) = delete;
  lazy_condition& operator=(const lazy_condition&) = delete;
  ~lazy_condition() {
    if (made_) cv_.~condition_variable();
  }

  std::condition_variable& operator*() {
    if (!made_) {
      ::new (&cv_) std::condition_variable;
      made_ = true;
    }
    return cv_;
  }
  std::condition_variable* operator->() { return &**this; }

 private:
  bool made_ = false;  // As the user guards.
  union {
    std::condition_variable cv_;  // If it is made.
  };
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_BASE_LAZY_CONDITION_HPP
