// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_TESTS_ALLOCATION_HPP
#define ERRGROUP_TESTS_ALLOCATION_HPP

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>

// Clang's sanitizers link their own operator new into the program, and two make an error.
#if defined(__clang__)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define ERRGROUP_TESTS_NO_REPLACED_NEW 1
#endif
#endif

/// Replaces the global operator new, to count what a thread allocates and to let it fail. To be included by one
/// source file of a test program.
namespace allocation {

#if defined(ERRGROUP_TESTS_NO_REPLACED_NEW)
inline constexpr bool replaced = false;  // Nothing is counted and nothing fails: such a test is skipped.
#else
inline constexpr bool replaced = true;
#endif

inline constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

inline thread_local std::size_t made = 0;          // Allocations of this thread.
inline thread_local std::size_t left = unlimited;  // Allocations that succeed before all fail.
inline std::atomic<std::ptrdiff_t> live{0};        // Blocks of all threads that are not freed.

/// Counts the allocations of this thread during `f()`.
template <class F>
std::size_t count(F&& f) {
  const std::size_t before = made;
  f();
  return made - before;
}

/// Lets this thread's allocations fail after the first `n`, for a scope.
class exhausted {
 public:
  explicit exhausted(std::size_t n = 0) noexcept { left = n; }
  exhausted(const exhausted&) = delete;
  exhausted& operator=(const exhausted&) = delete;
  ~exhausted() { left = unlimited; }
};

}  // namespace allocation

#if !defined(ERRGROUP_TESTS_NO_REPLACED_NEW)

#if defined(__GNUC__)
#define ERRGROUP_TESTS_NOINLINE __attribute__((noinline))
#else
#define ERRGROUP_TESTS_NOINLINE
#endif

ERRGROUP_TESTS_NOINLINE void* operator new(std::size_t size) {
  if (allocation::left == 0) throw std::bad_alloc();
  if (allocation::left != allocation::unlimited) --allocation::left;
  void* const p = std::malloc(size != 0 ? size : 1);
  if (!p) throw std::bad_alloc();
  ++allocation::made;
  allocation::live.fetch_add(1, std::memory_order_relaxed);
  return p;
}

ERRGROUP_TESTS_NOINLINE void operator delete(void* p) noexcept {
  if (p) allocation::live.fetch_sub(1, std::memory_order_relaxed);
  std::free(p);
}

ERRGROUP_TESTS_NOINLINE void operator delete(void* p, std::size_t) noexcept { operator delete(p); }

#endif  // ERRGROUP_TESTS_NO_REPLACED_NEW

#endif  // ERRGROUP_TESTS_ALLOCATION_HPP
