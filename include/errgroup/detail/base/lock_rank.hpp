// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_BASE_LOCK_RANK_HPP
#define ERRGROUP_DETAIL_BASE_LOCK_RANK_HPP

#include <mutex>
#if defined(ERRGROUP_CHECK_LOCK_ORDER)
#include <cstdio>
#include <cstdlib>
#include <utility>
#endif

namespace errgroup::detail {

/// The library's locks, in the order in which a thread may take them: it holds none of the same rank or of a later
/// one when it takes one.
enum class lock_rank : unsigned char {
  group,  // group_state::mutex.
  tree,   // Of a tree of contexts: context_node's.
  timer,  // The timer's.
  pool,   // worker_pool's.
};

#if defined(ERRGROUP_CHECK_LOCK_ORDER)
/// Returns the ranks that the calling thread holds, a bit each.
inline unsigned& held_lock_ranks() noexcept {
  thread_local constinit unsigned ranks = 0;
  return ranks;
}

/// A std::unique_lock that ends the program if it is locked out of order. Our own tests are built with it.
template <lock_rank Rank>
class ranked_lock : public std::unique_lock<std::mutex> {
 public:
  ranked_lock() noexcept = default;
  explicit ranked_lock(std::mutex& m) : ranked_lock(m, std::defer_lock) { lock(); }
  ranked_lock(std::mutex& m, std::defer_lock_t) noexcept : std::unique_lock<std::mutex>(m, std::defer_lock) {}
  ranked_lock(ranked_lock&&) noexcept = default;
  ranked_lock& operator=(ranked_lock&& other) noexcept {
    if (owns_lock()) unlock();
    std::unique_lock<std::mutex>::operator=(std::move(other));
    return *this;
  }
  ~ranked_lock() {
    if (owns_lock()) unlock();
  }

  void lock() {
    check();
    std::unique_lock<std::mutex>::lock();
    held() |= bit;
  }
  bool try_lock() {
    check();
    if (!std::unique_lock<std::mutex>::try_lock()) return false;
    held() |= bit;
    return true;
  }
  void unlock() {
    held() &= ~bit;
    std::unique_lock<std::mutex>::unlock();
  }

 private:
  static constexpr unsigned bit = 1U << static_cast<unsigned>(Rank);

  static void check() noexcept {
    if (held() < bit) return;
    std::fprintf(stderr, "errgroup: a lock of rank %d is taken, and the ranks %#x are held\n",
                 static_cast<int>(Rank), held());
    std::abort();
  }
  static unsigned& held() noexcept { return held_lock_ranks(); }
};
template <lock_rank Rank>
using ranked_guard = ranked_lock<Rank>;
#else
template <lock_rank Rank>
using ranked_lock = std::unique_lock<std::mutex>;
template <lock_rank Rank>
using ranked_guard = std::lock_guard<std::mutex>;
#endif

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_BASE_LOCK_RANK_HPP
