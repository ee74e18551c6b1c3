// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_SHARED_GROUP_HPP
#define ERRGROUP_DETAIL_GROUP_SHARED_GROUP_HPP

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <errgroup/context.hpp>
#include <errgroup/detail/base/ref.hpp>
#include <errgroup/detail/base/thread.hpp>
#include <errgroup/detail/base/thread_frame.hpp>
#include <errgroup/detail/group/group_state.hpp>
#include <errgroup/detail/group/recruiting.hpp>
#include <errgroup/detail/group/run_loop.hpp>
#include <errgroup/detail/group/task_ending.hpp>
#include <errgroup/detail/group/waiting.hpp>
#include <errgroup/error.hpp>
#include <errgroup/options.hpp>

namespace errgroup::detail {

/// What a group and the runners of its tasks share: the state, and how the pool, a custom executor and a context
/// call into it.
class shared_group final : public group_state {
 public:
  static ref<shared_group> make(const context& parent, group_settings&& settings) {
    return ref<shared_group>::adopt(new shared_group(parent, std::move(settings)));
  }

  void retain() noexcept override { refs_.add(); }
  void release() noexcept override {
    if (refs_.drop()) delete this;
  }

  context current_context();
  std::vector<error> errors();
  void cancel(error cause) noexcept;
  void set_limit(std::ptrdiff_t n);
  error wait() { return waiting(*this).wait(); }
  std::optional<error> wait_until(clock::time_point when) { return waiting(*this).wait_until(when); }
  /// Cancels, drops what has not started, waits for the rest, and lets go of all that is the user's.
  void close() noexcept;

 private:
  shared_group(const context& parent, group_settings&& s) : group_state(parent, std::move(s)) {}
  ~shared_group() = default;

  void run(pool_worker& self) override { run_loop(*this).run_worker(self); }
  void not_coming() noexcept override;
  void begin_runner(bool accepted, std::uint32_t serial) override { run_loop(*this).run_lent(accepted, serial); }
  void drop_runner() noexcept override;
  bool try_retain() noexcept override { return refs_.try_add(); }
  void on_done() noexcept override;

  ref_count refs_;
};

// Implementation

inline context shared_group::current_context() {
  const guard_type lock(mutex);
  if (!history.is_open()) history.open();
  return history.current().make();
}

inline std::vector<error> shared_group::errors() {
  const guard_type lock(mutex);
  return history.failed().list();
}

inline void shared_group::cancel(error cause) noexcept {
  if (!cause) cause = errc::canceled;
  lock_type lock(mutex);
  history.cancel_later_rounds(cause);
  if (!history.is_open()) return;
  cancellation callbacks = cancel_round(cause);
  lock.unlock();
  callbacks.run();
  lock.lock();
  if (!history.done()) return;
  recall();
  if (has_unstarted()) task_ending(*this).drop_unstarted(lock);
}

inline void shared_group::set_limit(std::ptrdiff_t n) {
  lock_type lock(mutex);
  limits.set_limit(n);
  recall();
  if (limits.send_back_excess(queue)) withdraw_job();
  if (limits.line_empty()) return;
  if (!history.is_open()) return wake_callers();
  (void)history.watch(*this);
  limits.ring().ask();
  grant_and_wake();
  recruiting(*this).ensure_runners(lock);
}

// No call to the group is under way but this one, and no round is opened by anyone else: whether one is open may
// be read unlocked, and what no runner reads between rounds be let go of.
inline void shared_group::close() noexcept {
  assert(!thread_frame::is_in(thread_frame::kind::task, static_cast<group_state*>(this)) &&
         "errgroup: a group is destroyed inside one of its own tasks, which it would wait for");
  if (history.is_open()) {
    const cancellation_disabled whole;
    cancel(errc::canceled);
    waiting(*this).join();
  }
  if (!refs_.is_one()) history.clear();  // Otherwise release() lets go of all.
}

inline void shared_group::not_coming() noexcept {
  const guard_type lock(mutex);
  supply.end_expecting(1);
  ensure_runner();
}

// Another runner is to be handed over, if nobody comes for the task otherwise: by the callers that are blocked
// until it has run. A thread in wait() is parked only while all that is queued has somebody to come.
inline void shared_group::drop_runner() noexcept {
  const guard_type lock(mutex);
  supply.calls().end_unbegun();
  if (lacks_runner()) wake_callers();
}

// With no lock held, by the thread that has made the context done. The watch has kept the group.
inline void shared_group::on_done() noexcept {
  {
    const guard_type lock(mutex);
    if (history.is_open()) {
      grant_and_wake();
      watchers.wake_all();
      ensure_runner();
    }
  }
  release();
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_SHARED_GROUP_HPP
