// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_GROUP_ROUNDS_HPP
#define ERRGROUP_DETAIL_GROUP_ROUNDS_HPP

#include <algorithm>
#include <cstddef>
#include <utility>

#include <errgroup/context.hpp>
#include <errgroup/detail/base/time.hpp>
#include <errgroup/detail/group/failures.hpp>
#include <errgroup/detail/group/round_context.hpp>
#include <errgroup/error.hpp>
#include <errgroup/options.hpp>

namespace errgroup::detail {

/// Opens and ends the rounds of a group, and knows how each has gone.
///
/// A round is open from its first use until a wait() finds nothing pending; tasks run in open rounds only, so the
/// context does not change while there is one. The group's mutex guards all of this. What may run the user's code
/// is returned, to be run or dropped with no lock held.
class rounds {
 public:
  /// The errors that an error has been compared with or was replaced by.
  struct replaced {
    error before, cause;
  };
  /// Opens the first round. Throws: as open().
  rounds(const context& parent, const group_settings& settings)
      : settings_(settings), current_(parent), failures_(settings.max_errors) {
    make_for_deadline();
  }
  rounds(const rounds&) = delete;
  rounds& operator=(const rounds&) = delete;

  bool is_open() const noexcept { return open_; }
  /// True if it is this round that is open.
  bool is_open(unsigned long long number) const noexcept { return open_ && number_ == number; }
  /// Returns the number of the open round, or of the last one.
  unsigned long long number() const noexcept { return number_; }
  /// True if the round was stopped from inside.
  bool stopped() const noexcept { return stopped_; }
  round_context& current() noexcept { return current_; }
  const round_context& current() const noexcept { return current_; }
  bool done() const noexcept { return current_.done(); }
  const failures& failed() const noexcept { return failures_; }
  failures& failed() noexcept { return failures_; }

  /// Opens the next round, unless the group has failed for good. Preconditions: none is open.
  /// Throws: std::bad_alloc; std::system_error if a deadline needs a timer thread that cannot be started.
  void open();

  /// Has `w` told should the round's context be done for a reason from outside; one from inside comes by
  /// cancel_round(). False: it is done. To be called before a thread sleeps in the round, or leaves a task in
  /// line.
  bool watch(done_watcher& w) noexcept {
    if (watched_round_ == number_) return !done();
    if (!current_.watch(w)) return false;
    watched_round_ = number_;
    return true;
  }
  /// Ends that. Returns what was watched, to be dropped unlocked.
  [[nodiscard]] context unwatch(done_watcher& w) noexcept {
    return watched_round_ == number_ ? current_.unwatch(w) : context();
  }

  void report_failure(const error& e) noexcept { failures_.report(e, number_); }
  /// Records that a task has ended with `e`, which is set to the real reason if it says no more than that the task
  /// was stopped.
  [[nodiscard]] replaced record(error& e) noexcept;
  /// Makes the context of this round done.
  [[nodiscard]] cancellation cancel_round(const error& cause) noexcept {
    stopped_ = true;
    return current_.stop(cause);
  }
  /// Notes that all rounds to come are canceled with `cause`, or with what came before it.
  void cancel_later_rounds(const error& cause) noexcept;
  /// Ends the open round, of which `outcome` has come. Returns its context, to be made done before anybody can
  /// know of the end. After a failure it stays the group's, too, since there will be no other round.
  [[nodiscard]] context end(const error& outcome) noexcept {
    open_ = false;
    return outcome && !settings_.keep_going ? current_.get() : current_.reset();
  }
  /// Ends the last round, when nothing is left of it.
  void close() noexcept { open_ = false; }
  /// Lets go of all that is the user's. There will be no other round.
  void clear() noexcept {
    failures_.clear();
    canceled_ = {};
    current_.clear();
  }

 private:
  void make_for_deadline();

  const group_settings& settings_;  // Constant.
  round_context current_;           // Guarded by the group's mutex, as all that follows; see there.
  bool open_ = true;
  bool stopped_ = false;
  unsigned long long number_ = 1;
  unsigned long long watched_round_ = 0;  // Of which the context is watched.
  error canceled_;                        // The cause given to cancel(), for this and all rounds to come.
  failures failures_;
};

// Implementation

inline void rounds::make_for_deadline() {
  clock::time_point when = settings_.deadline;
  if (settings_.timeout != clock::duration::max()) when = std::min(when, deadline_after(settings_.timeout));
  if (when != never) current_.make(when);
}

// The context of the round before was dropped when that ended, unlocked.
ERRGROUP_NOINLINE inline void rounds::open() {
  if (failures_.first() && !settings_.keep_going) return;
  if (canceled_) current_.stop_with(canceled_);
  make_for_deadline();
  open_ = true;
  stopped_ = false;
  ++number_;
}

inline rounds::replaced rounds::record(error& e) noexcept {
  replaced old;
  bool repeats = false;
  if (done()) {
    old.cause = current_.cause();
    if (error_access::bare(e)) old.before = std::exchange(e, old.cause);
    repeats = error_access::repeats(e, old.cause);
  }
  report_failure(e);
  if (!repeats) failures_.add(e);
  return old;
}

// Whether the context of this round is made, or that of a later one, does not show in its cause: what was first
// between rounds, this or the end of the parent or of the group's own deadline, is remembered.
inline void rounds::cancel_later_rounds(const error& cause) noexcept {
  if (canceled_) return;
  const context& parent = current_.parent();
  canceled_ = parent.done()                        ? parent.cause()
              : settings_.deadline <= clock::now() ? errc::deadline_exceeded
                                                   : cause;
}

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_GROUP_ROUNDS_HPP
