// SPDX-License-Identifier: BSL-1.0
// Copyright (c) 2026 the errgroup authors
#ifndef ERRGROUP_TESTS_THREAD_START_HPP
#define ERRGROUP_TESTS_THREAD_START_HPP

#include <cstddef>

#include <pthread.h>

/// Lets every thread of the process fail to start, for a scope: its stack would be larger than the address space.
class no_thread_starts {
 public:
  no_thread_starts() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, std::size_t{1} << 48);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  no_thread_starts(const no_thread_starts&) = delete;
  no_thread_starts& operator=(const no_thread_starts&) = delete;
  ~no_thread_starts() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

#endif  // ERRGROUP_TESTS_THREAD_START_HPP
