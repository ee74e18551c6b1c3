// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_BASE_NEVER_DESTROYED_HPP
#define ERRGROUP_DETAIL_BASE_NEVER_DESTROYED_HPP

#include <new>
#include <utility>

namespace errgroup::detail {

/// Holds a value that is never destroyed, without touching the heap: tasks on cached threads may use it while
/// the process's static destructors run.
template <class T>
class never_destroyed {
 public:
  template <class... Args>
  explicit never_destroyed(Args&&... args) {
    ::new (static_cast<void*>(storage_)) T{std::forward<Args>(args)...};
  }
  T& get() noexcept { return *std::launder(reinterpret_cast<T*>(storage_)); }

 private:
  alignas(T) unsigned char storage_[sizeof(T)];  // Holds the T from the constructor on.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_BASE_NEVER_DESTROYED_HPP
