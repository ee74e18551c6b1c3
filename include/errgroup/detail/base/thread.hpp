// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_DETAIL_BASE_THREAD_HPP
#define ERRGROUP_DETAIL_BASE_THREAD_HPP

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#endif

#include <thread>

namespace errgroup::detail {

/// Waits for some tens of cycles, in a loop that looks at what another core is about to write.
inline void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Calls `ready()` up to `tries` times, until it is true. A try takes about 20 ns.
template <class Ready>
bool spin(int tries, Ready ready) {
  for (int i = 0; i != tries; ++i) {
    if (ready()) return true;
    relax();
  }
  return false;
}

/// For what a task rarely needs, so that g++ has more of the rest in line; and for the little that each task needs
/// and that g++ calls all the same. (The first makes a group of small tasks 5 % faster, the second 3 %.)
#if defined(__GNUC__)
#define ERRGROUP_NOINLINE [[gnu::noinline]]
#define ERRGROUP_ALWAYS_INLINE [[gnu::always_inline]]
#else
#define ERRGROUP_NOINLINE
#define ERRGROUP_ALWAYS_INLINE
#endif

template <class Lock>
ERRGROUP_NOINLINE void lock_in_turns(Lock& lock) {
  if (!spin(64, [&] { return lock.try_lock(); })) lock.lock();
}

/// Locks what is held for some tens of nanoseconds at a time: parking at once would cost microseconds.
template <class Lock>
inline void lock_awake(Lock& lock) {
  if (!lock.try_lock()) [[unlikely]]
    lock_in_turns(lock);
}

/// Calls `run(arg)`: a callable of one type for the whole library. Each one that std::thread's constructor is
/// instantiated for takes the compiler about 8 ms in every file of a user's, and std::stop_callback about 1 ms.
struct callback {
  void (*run)(void*);
  void* arg;
  void operator()() const { run(arg); }
};

/// Blocks every signal for a scope, so that a thread started in it leaves signals to the user's threads.
class signals_blocked {
 public:
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;
#if defined(__unix__) || defined(__APPLE__)
  signals_blocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;  // Set in the constructor, then constant.
#else
  signals_blocked() noexcept {}
  ~signals_blocked() {}
#endif
};

/// The signals that a thread has blocked. A thread that is started under `signals_blocked` applies the mask of the
/// one that asked for it first: all blocked would be inherited by child processes, which SIGTERM could not end
/// then.
class signal_mask {
 public:
#if defined(__unix__) || defined(__APPLE__)
  /// Takes the calling thread's.
  signal_mask() noexcept { pthread_sigmask(SIG_SETMASK, nullptr, &mask_); }
  /// Makes it the calling thread's.
  void apply() const noexcept { pthread_sigmask(SIG_SETMASK, &mask_, nullptr); }

 private:
  sigset_t mask_;  // Set in the constructor, then constant.
#else
  signal_mask() noexcept {}
  void apply() const noexcept {}
#endif
};

/// Keeps a pthread_cancel of the calling thread from taking effect, for the rest of the thread's life. Else it
/// would as the thread waits in a destructor, and no unwinding may leave that.
inline void ignore_cancellation() noexcept {
#if defined(PTHREAD_CANCEL_DISABLE)
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
#endif
}

/// Keeps a pthread_cancel of the calling thread from taking effect, for a scope that must be left whole.
class cancellation_disabled {
 public:
  cancellation_disabled(const cancellation_disabled&) = delete;
  cancellation_disabled& operator=(const cancellation_disabled&) = delete;
#if defined(PTHREAD_CANCEL_DISABLE)
  cancellation_disabled() noexcept { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~cancellation_disabled() {
    int ours;
    pthread_setcancelstate(before_, &ours);
  }

 private:
  int before_;  // Set in the constructor, then constant.
#else
  cancellation_disabled() noexcept {}
  ~cancellation_disabled() {}
#endif
};

/// Stands for a core that is not known.
inline constexpr int no_core = -1;

/// Returns the number of the core that the calling thread runs on, for now. Elsewhere than on Linux, no_core.
inline int this_core() noexcept {
#if defined(__linux__)
  return sched_getcpu();
#else
  return no_core;
#endif
}

/// Spins for what a thread does that was last seen on `core`. It may be behind this one, on the same core: every
/// 64th try lets another thread run, and where that is certain each one does, and counts for 64. (A stream of
/// tasks through a limit of 1, on one core: 58 µs a task without that, and 4 µs, two switches, with it.)
template <class Ready>
bool spin_beside(int core, int tries, Ready ready) {
  const bool behind = core != no_core && core == this_core();
  for (int i = 1; i <= tries; i += behind ? 64 : 1) {
    if (ready()) return true;
    if (behind || i % 64 == 0) {
      std::this_thread::yield();
    } else {
      relax();
    }
  }
  return false;
}

/// Returns how often the calling thread has gone to sleep of itself: a voluntary switch, as the system counts it.
/// (0.3 µs. An involuntary one says nothing: another thread wanted the core.) Elsewhere than on Linux, 0.
inline long thread_sleeps() noexcept {
#if defined(RUSAGE_THREAD)
  rusage usage;
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : 0;
#else
  return 0;
#endif
}

/// Names the calling thread for debuggers and `ps`. Linux and macOS only; Linux keeps 15 characters.
inline void name_this_thread([[maybe_unused]] const char* name) noexcept {
#if defined(__linux__)
  prctl(PR_SET_NAME, name, 0, 0, 0);
#elif defined(__APPLE__)
  pthread_setname_np(name);
#endif
}

/// Asks for timed waits of the calling thread to end on time: Linux lets them be 50 µs late by default, to save
/// wake-ups.
inline void punctual_this_thread() noexcept {
#if defined(__linux__)
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
#endif
}

/// The same for a scope: what the thread runs after it, and the child processes of that, have the default again.
class punctual_naps {
 public:
  punctual_naps() noexcept { punctual_this_thread(); }
  punctual_naps(const punctual_naps&) = delete;
  punctual_naps& operator=(const punctual_naps&) = delete;
  ~punctual_naps() {
#if defined(__linux__)
    prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0);
#endif
  }
};

}  // namespace errgroup::detail

#endif  // ERRGROUP_DETAIL_BASE_THREAD_HPP
