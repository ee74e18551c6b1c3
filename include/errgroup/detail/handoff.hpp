// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_HANDOFF_HPP
#define ERRGROUP_DETAIL_HANDOFF_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <errgroup/detail/task.hpp>

namespace errgroup::detail {

/// Hands tasks, one at a time, from the thread in go() to the runner that looks out for them.
///
/// A group with a small limit lives on such handovers. Each costs two cache lines on their way between two cores
/// here, instead of the dozen that the queue and its mutex need: the task lies in the line that the runner looks
/// at, and the runner ends it by one write to that line, without the mutex.
///
/// States: closed (no runner), empty, full, running; `asked` is set beside these by whoever is about to block
/// until the task has ended. Under the group's mutex: closed to empty, empty to closed, empty to full. By the
/// runner alone: full to running to empty. `asked` and the end of the task are two writes to one word, so either
/// the runner sees that somebody has asked, or the one who asks sees that the task has ended.
class handoff {
 public:
  static constexpr std::size_t size = 56;
  static constexpr std::size_t alignment = 8;

  handoff() noexcept = default;
  handoff(const handoff&) = delete;
  handoff& operator=(const handoff&) = delete;

  /// Begins to serve; false if another runner does. Under the mutex.
  bool open() noexcept {
    if (now() != state::closed) return false;
    line().state.store(word(state::empty), std::memory_order_relaxed);
    return true;
  }
  /// Ends to serve; false if there is a task, to be run first. Under the mutex, by the runner.
  bool close() noexcept {
    if (now() != state::empty) return false;
    line().state.store(word(state::closed), std::memory_order_relaxed);
    return true;
  }

  /// True while there is a task. A hint without the mutex.
  bool busy() const noexcept { return now() >= state::full; }
  /// Returns where to make a task, if the runner waits for one; else null. Under the mutex.
  void* room() noexcept { return now() == state::empty ? line().room : nullptr; }
  /// Gives the task that was made there. Under the mutex.
  void give() noexcept { line().state.store(word(state::full), std::memory_order_release); }
  /// Asks to be told of the end of the task, if there is one: look at busy() again afterwards. Under the mutex.
  void ask() noexcept {
    if (busy()) line().state.fetch_or(asked, std::memory_order_acq_rel);
  }

  /// Returns the task to run, if there is one. By the runner.
  task* take() noexcept {
    if (now() != state::full) return nullptr;
    line().state.fetch_add(word(state::running) - word(state::full), std::memory_order_acquire);
    return reinterpret_cast<task*>(line().room);
  }
  /// Ends the task, which was destroyed; then serves on, or not. True if somebody has asked. By the runner.
  bool end(bool serves_on) noexcept {
    const state next = serves_on ? state::empty : state::closed;
    return (line().state.exchange(word(next), std::memory_order_acq_rel) & asked) != 0;
  }

 private:
  enum class state : std::uint32_t { closed, empty, full, running };
  static constexpr std::uint32_t asked = 4;
  struct shared_line {
    std::atomic<std::uint32_t> state{0};
    alignas(alignment) std::byte room[size];
  };
  static constexpr std::size_t line_size = 64;
  static_assert(sizeof(shared_line) == line_size);

  static constexpr std::uint32_t word(state s) noexcept { return static_cast<std::uint32_t>(s); }
  state now() const noexcept { return static_cast<state>(line().state.load(std::memory_order_acquire) & ~asked); }

  // Finds a whole line in the memory, without asking for aligned memory, which is slower to get.
  static shared_line* make(std::byte* memory) noexcept {
    void* p = memory;
    std::size_t space = 2 * line_size;
    return ::new (std::align(line_size, line_size, p, space)) shared_line;
  }
  shared_line& line() const noexcept { return *line_; }

  std::byte memory_[2 * line_size];
  shared_line* const line_ = make(memory_);  // Constant.
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_HANDOFF_HPP
