// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_TESTS_BLOCKED_THREAD_HPP
#define ERRGROUP_TESTS_BLOCKED_THREAD_HPP

#include <atomic>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/// A thread that makes one call, which is to block: the constructor returns once the thread sleeps in it. Linux
/// says in /proc that a thread sleeps; what else the call does takes no lock that another thread of the test
/// holds, so that it sleeps where it is to block.
class blocked_thread {
 public:
  template <class F>
  explicit blocked_thread(F f)
      : thread_([this, call = std::move(f)]() mutable {
          id_ = static_cast<long>(syscall(SYS_gettid));
          call();
        }) {
    while (id_ == 0) std::this_thread::yield();
    while (runs()) std::this_thread::yield();
  }
  blocked_thread(const blocked_thread&) = delete;
  blocked_thread& operator=(const blocked_thread&) = delete;
  ~blocked_thread() { join(); }

  void join() {
    if (thread_.joinable()) thread_.join();
  }
  /// Ends the thread where it sleeps, and joins it.
  void end() {
    pthread_cancel(thread_.native_handle());
    join();
  }
  /// Asks for that only.
  void cancel() { pthread_cancel(thread_.native_handle()); }

 private:
  // False if it sleeps, or has ended.
  bool runs() const {
    std::ostringstream path;
    path << "/proc/self/task/" << id_ << "/stat";
    std::ifstream file(path.str());
    std::string line;
    if (!std::getline(file, line)) return false;
    const std::size_t name_end = line.rfind(')');
    const char state = name_end + 2 < line.size() ? line[name_end + 2] : 'R';
    return state == 'R' || state == 'D';
  }

  std::atomic<long> id_{0};  // Written once by the thread; read by the owner.
  std::thread thread_;       // The owner only.
};

#endif  // ERRGROUP_TESTS_BLOCKED_THREAD_HPP
