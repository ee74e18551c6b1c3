// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_TASK_BLOCKS_HPP
#define ERRGROUP_DETAIL_GROUP_TASK_BLOCKS_HPP

#include <algorithm>
#include <cstddef>
#include <new>

namespace errgroup::detail {

/// Gives memory for tasks of one size, and takes it back. The first few blocks are its own; more come in slabs,
/// each twice as large as the last one, so that a thousand tasks cost seven allocations. The user guards it.
class task_blocks {
 public:
  static constexpr std::size_t size = 64;  // A task with up to five captured pointers.

  task_blocks() noexcept = default;
  task_blocks(const task_blocks&) = delete;
  task_blocks& operator=(const task_blocks&) = delete;
  ~task_blocks() { reset(); }

  /// Returns a block of `size` bytes. Throws: std::bad_alloc.
  void* take() {
    if (void* const block = free_) {
      free_ = free_->next;
      return block;
    }
    if (next_ == end_) grow();
    next_ += size;
    return next_ - size;
  }
  void give(void* block) noexcept { free_ = ::new (block) link{free_}; }

  /// Frees what is more than is worth keeping. Preconditions: all blocks were given back.
  void trim() noexcept {
    if (bytes_ > worth_keeping) reset();
  }

 private:
  struct link {
    link* next;
  };
  static constexpr std::size_t own_blocks = 4;
  static constexpr std::size_t largest_slab = std::size_t{64} * 1024;
  static constexpr std::size_t worth_keeping = std::size_t{1024} * 1024;

  void grow() {
    const std::size_t bytes = std::min(2 * std::max(last_slab_, sizeof(own_)), largest_slab);
    void* const slab = ::operator new(bytes);
    slabs_ = ::new (slab) link{slabs_};
    last_slab_ = bytes;
    bytes_ += bytes;
    next_ = static_cast<std::byte*>(slab) + size;  // The first block of a slab is its link.
    end_ = static_cast<std::byte*>(slab) + bytes;
  }
  void reset() noexcept {
    while (slabs_) {
      link* const next = slabs_->next;
      ::operator delete(slabs_);
      slabs_ = next;
    }
    free_ = nullptr;
    last_slab_ = 0;
    bytes_ = 0;
    next_ = own_;
    end_ = own_ + sizeof(own_);
  }

  link* free_ = nullptr;   // Given back, the last first: it is still in the cache. As the user guards, like all.
  link* slabs_ = nullptr;  // All slabs.
  std::size_t bytes_ = 0;  // Of all slabs.
  std::size_t last_slab_ = 0;  // Bytes of the last one.
  alignas(__STDCPP_DEFAULT_NEW_ALIGNMENT__) std::byte own_[own_blocks * size];
  std::byte* next_ = own_;                // Never used yet: from here
  std::byte* end_ = own_ + sizeof(own_);  //   to here.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_TASK_BLOCKS_HPP
