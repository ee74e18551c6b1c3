/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * A go() that blocks at the limit against a cancel: the stop callback is registered unlocked, since it takes the
 * mutex, and what it may have missed is looked at under the mutex. Shown: go() wakes up, whenever the cancel comes.
 * BAD: the context is looked at before the callback is registered, and not again. */

#include "common.pml"

bool done = false;
bool registered = false;
bool go_sleeps = false;
bool stopping = false;

active proctype go() {
  bool stop;
  lock();
  stop = done;
  unlock();
  /* The constructor of std::stop_callback: runs it at once if stop was requested. */
  atomic {
    registered = true;
    if :: stopping -> stop = stop || false :: else fi
  }
  lock();
  do
#ifdef BAD
  :: stop -> break
  :: else -> stop = true; wait_on(go_sleeps)
#else
  :: done -> break
  :: else -> wait_on(go_sleeps)
#endif
  od;
  unlock()
}

active proctype cancel() {
  done = true;
  atomic { stopping = true };
  if
  :: registered -> lock(); notify(go_sleeps); unlock()
  :: else
  fi
}
