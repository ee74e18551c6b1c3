// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_HANDOFF_RING_HPP
#define ERRGROUP_DETAIL_GROUP_HANDOFF_RING_HPP

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/group/task.hpp>

namespace errgroup::detail {

/// Hands tasks from the threads in go() to one runner, the consumer, that waits for them awake.
///
/// A group with a limit lives on such handovers, and each costs as many cache lines as have to cross from one core
/// to another: a dozen with the queue and its mutex. Here the tasks lie in a ring of lines, as many as the limit
/// lets in when the ring is first opened. A task and its mark share a line: go() sets the mark when the task is
/// there, the consumer sets it when the task has ended, and nobody reads it in between; so the one runs ahead of
/// the other and rarely waits for a line.
///
/// States: closed, open, recalled. Under the group's mutex the consumer moves the ring from closed to open and
/// back; a thread that takes back what the consumer has not begun moves it from open to recalled, and the consumer
/// from there to closed. The consumer counts the tasks it has begun in a word of its own, with one atomic
/// operation that also tells it of a recall; so a task is begun or taken back, never both. `asked` is a bit of
/// that word, set by a thread that is about to block until a task has ended: either the consumer sees the bit when
/// it ends one, or the thread that asks sees that the task has ended.
class handoff_ring {
 public:
  static constexpr std::size_t size = 56;
  static constexpr std::size_t alignment = 8;
  static constexpr std::size_t most_slots = 64;

  class consumer;

  /// Tells, without the mutex, whether one task has ended.
  class probe {
   public:
    bool ended() const noexcept { return !mark_ || mark_->load(std::memory_order_acquire) != given_; }

   private:
    friend class handoff_ring;
    const std::atomic<std::uint32_t>* mark_ = nullptr;
    std::uint32_t given_ = 0;
  };

  handoff_ring() noexcept = default;
  handoff_ring(const handoff_ring&) = delete;
  handoff_ring& operator=(const handoff_ring&) = delete;
  ~handoff_ring() { delete[] lines_; }

  // All under the group's mutex.

  /// Opens the ring for a consumer; false if there is one already, or no memory. `limit` is the group's, above 0.
  bool open(std::size_t limit) noexcept;
  /// Ends the consumer; false if there is a task, to be run first. Called by the consumer.
  bool close() noexcept;

  /// Returns how many tasks have been given, and have not been seen to end.
  std::size_t busy() const noexcept { return given_ - ended_; }
  /// Notes the end of the first of these; false if it has not ended.
  bool note_end() noexcept;
  /// Notes the ends of all that have ended.
  void note_ends() noexcept {
    while (note_end()) {
    }
  }
  /// True if a task was given that the consumer has not begun.
  bool backlog() const noexcept { return state_ == state::open && given_ != ended_ && begun(word()) != given_; }
  /// True if there is no room because as many tasks are busy as there are slots.
  bool crowded() noexcept { return state_ == state::open && busy() == slots_ && !note_end(); }
  /// Returns where to make a task; null if there is no consumer, or the next slot is taken.
  void* room() noexcept;
  /// Gives the task that was made there; `asks`: somebody is to be told of its end.
  void give(bool asks) noexcept;
  /// Asks to be told of the end of the next task to end; notes which have ended by now.
  void ask() noexcept;

  /// Returns the core that the consumer was last seen on.
  int consumer_core() const noexcept { return consumer_core_; }

  probe first() const noexcept { return probe_of(ended_ + 1); }
  probe last() const noexcept { return probe_of(given_); }

  /// Calls `take(task&)` for each task that the consumer has not begun: these are the caller's then, and so is the
  /// end of the one that the consumer is at. Returns how many that are, all told. Preconditions: backlog().
  template <class Take>
  std::size_t recall(Take take);
  /// Gives the slot of a recalled task back, which was destroyed.
  static void take_back(void* recalled_task) noexcept;

 private:
  enum class state : unsigned char { closed, open, recalled };

  // Of the consumer's word. The rest counts the tasks begun.
  static constexpr std::uint32_t running = 1;
  static constexpr std::uint32_t asked = 2;
  static constexpr std::uint32_t is_recalled = 4;
  static constexpr std::uint32_t one = 8;

  // The first line has the consumer's word for a mark, which nobody else touches as long as all goes well. A
  // slot's mark is 2 n - 1 when the n-th task is there, and 2 n, or anything even, when the slot is free.
  struct alignas(64) line {
    std::atomic<std::uint32_t> mark{0};
    std::int32_t core = no_core;  // Of the last one who set the mark.
    alignas(alignment) std::byte room[size];
  };
  static_assert(sizeof(line) == 64);

  std::uint32_t word() const noexcept { return lines_->mark.load(std::memory_order_acquire); }
  // The number of the last task begun, from the word, which has no room for all of it.
  std::uint32_t begun(std::uint32_t word) const noexcept {
    return ended_ + ((word / one - ended_) & (~std::uint32_t{0} / one));
  }
  line& slot_of(std::uint32_t n) const noexcept {
    const std::uint32_t at = at_ + slots_ - (given_ + 1 - n);
    return lines_[1 + (at < slots_ ? at : at - slots_)];
  }
  probe probe_of(std::uint32_t n) const noexcept;

  // All are guarded by the group's mutex; of the lines only the pointer is.
  line* lines_ = nullptr;        // Owned; of the first open() on.
  std::uint32_t slots_ = 0;      // Constant from then on.
  std::uint32_t given_ = 0;      // Number of the last task given.
  std::uint32_t ended_ = 0;      // Of the last one that is known to have ended, or was recalled.
  std::uint32_t at_ = 0;         // Where the next task goes.
  int consumer_core_ = no_core;  // Where a task was last seen to end.
  state state_ = state::closed;
};

/// The consumer's side. It keeps what it needs, since go() writes to the ring's own line.
class handoff_ring::consumer {
 public:
  struct outcome {
    bool asked;     // Somebody is to be told.
    bool recalled;  // The end of the task is the group's to count, and close() the ring's next.
  };

  /// Preconditions: open() was true, and the mutex is still locked.
  explicit consumer(const handoff_ring& h) noexcept
      : lines_(h.lines_), slots_(h.slots_), at_(h.at_), next_(h.given_ + 1) {}

  /// Begins the next task if it is there.
  task* begin() noexcept;
  bool recalled() const noexcept { return (lines_->mark.load(std::memory_order_relaxed) & is_recalled) != 0; }
  /// Returns the core that the last task begun came from.
  int core() const noexcept { return core_; }
  /// Ends the task, which was destroyed.
  outcome end() noexcept;

 private:
  line* const lines_;          // Constant.
  const std::uint32_t slots_;  // Constant.
  std::uint32_t at_;           // Slot of the next task. The consumer only, as is:
  std::uint32_t next_;         // Number of the next task.
  int core_ = no_core;
};

// Implementation

inline bool handoff_ring::open(std::size_t limit) noexcept {
  if (state_ != state::closed) return false;
  if (!lines_) {
    const std::size_t slots = std::min(limit, most_slots);
    lines_ = new (std::nothrow) line[1 + slots];
    if (!lines_) return false;
    slots_ = static_cast<std::uint32_t>(slots);
  }
  lines_->mark.store(given_ * one, std::memory_order_relaxed);
  state_ = state::open;
  return true;
}

inline bool handoff_ring::close() noexcept {
  if (state_ == state::open && begun(word()) != given_) return false;
  ended_ = given_;
  state_ = state::closed;
  return true;
}

ERRGROUP_ALWAYS_INLINE inline bool handoff_ring::note_end() noexcept {
  if (ended_ == given_ || !first().ended()) return false;
  consumer_core_ = slot_of(++ended_).core;
  return true;
}

inline void* handoff_ring::room() noexcept {
  if (state_ != state::open || (busy() == slots_ && !note_end())) return nullptr;
  line& next = lines_[1 + at_];
  return next.mark.load(std::memory_order_acquire) % 2 == 0 ? next.room : nullptr;
}

// Asks first: the task may have ended before this returns.
inline void handoff_ring::give(bool asks) noexcept {
  if (asks) lines_->mark.fetch_or(asked, std::memory_order_relaxed);
  ++given_;
  lines_[1 + at_].core = this_core();
  lines_[1 + at_].mark.store(2 * given_ - 1, std::memory_order_release);
  if (++at_ == slots_) at_ = 0;
}

// What has ended by the consumer's word may not be marked yet.
inline void handoff_ring::ask() noexcept {
  if (ended_ == given_) return;
  const std::uint32_t word = lines_->mark.fetch_or(asked, std::memory_order_acq_rel);
  ended_ = begun(word) - (word & running);
}

inline handoff_ring::probe handoff_ring::probe_of(std::uint32_t n) const noexcept {
  probe p;
  if (ended_ != given_) {
    p.mark_ = &slot_of(n).mark;
    p.given_ = 2 * n - 1;
  }
  return p;
}

template <class Take>
std::size_t handoff_ring::recall(Take take) {
  const std::uint32_t word = lines_->mark.fetch_or(is_recalled, std::memory_order_acq_rel);
  const std::uint32_t last_begun = begun(word);
  for (std::uint32_t n = last_begun; n != given_;) take(*reinterpret_cast<task*>(slot_of(++n).room));
  const std::size_t all = given_ - last_begun + (word & running);
  ended_ = given_;
  state_ = state::recalled;
  return all;
}

inline void handoff_ring::take_back(void* recalled_task) noexcept {
  auto& mark = reinterpret_cast<line*>(static_cast<std::byte*>(recalled_task) - offsetof(line, room))->mark;
  mark.store(mark.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

inline task* handoff_ring::consumer::begin() noexcept {
  line& slot = lines_[1 + at_];
  if (slot.mark.load(std::memory_order_acquire) != 2 * next_ - 1) return nullptr;
  if (lines_->mark.fetch_add(one + running, std::memory_order_acq_rel) & is_recalled) return nullptr;
  core_ = slot.core;
  return reinterpret_cast<task*>(slot.room);
}

inline handoff_ring::consumer::outcome handoff_ring::consumer::end() noexcept {
  const std::uint32_t word = lines_->mark.fetch_and(~(running | asked), std::memory_order_acq_rel);
  line& slot = lines_[1 + at_];
  slot.core = this_core();
  slot.mark.store(2 * next_, std::memory_order_release);
  ++next_;
  if (++at_ == slots_) at_ = 0;
  return {(word & asked) != 0, (word & is_recalled) != 0};
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_HANDOFF_RING_HPP
