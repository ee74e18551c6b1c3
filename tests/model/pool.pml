/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * worker_pool's duty to look: submit() summons somebody unless one has the duty; a looker that takes a job
 * passes the duty on if more is queued; who finds nothing parks. The jobs block until all of them run. At any
 * time after the last submit() the pool is shut down: every worker is told to leave, takes what is queued
 * without a look, and leaves; who is last to leave wakes the destructor, which runs what is left. Shown: the
 * jobs meet, so whenever one is queued somebody has the duty, or is awake and about to look, also while the pool
 * shuts down; all workers leave, and no job is left.
 * BAD: who takes a job does not pass the duty on. */

#include "common.pml"
#define JOBS 3
#define MOST (2 * JOBS)        /* Workers, one after the other. */

byte queue = 0;
bool duty = false;
bool closing = false;
byte started = 0, left = 0;
byte met = 0;
bool parked[MOST];
bool summoned[MOST];

#define threads (started - left)

inline summon() {
  byte w = 0;
  do
  :: w < started && parked[w] -> parked[w] = false; summoned[w] = true; duty = true; break
  :: w < started && !parked[w] -> w++
  :: w >= started ->
     assert(started < MOST);
     summoned[started] = true;
     duty = true;
     run worker(started);
     started++;
     break
  od;
  w = 0
}

inline take() {
  queue--;
#ifndef BAD
  if :: queue > 0 && !duty -> summon() :: else fi;
#endif
  unlock();
  met++;
  met == JOBS;
  lock()
}

/* Until it is summoned, or told to leave. */
inline park() {
  parked[me] = true;
  unlock();
end_found_nothing:
  !parked[me] || closing;
  lock();
  parked[me] = false
}

proctype worker(byte me) {
  lock();
  do
  :: closing ->
     if :: summoned[me] -> summoned[me] = false; duty = false :: else fi;
     if :: queue > 0 -> take() :: else -> break fi
  :: !closing && !summoned[me] && queue > 0 -> take()
  :: !closing && !summoned[me] && queue == 0 && !duty -> duty = true; summoned[me] = true
  :: !closing && !summoned[me] && queue == 0 && duty -> park()
  :: !closing && summoned[me] ->
     /* Looks; naps; looks again. Gives up if it stays quiet. */
     do
     :: closing -> break
     :: !closing && queue > 0 -> summoned[me] = false; duty = false; take(); break
     :: !closing && queue == 0 ->
        unlock();
        skip;
        lock();
        if
        :: queue == 0 && !closing -> summoned[me] = false; duty = false; park(); break
        :: else
        fi
     od
  od;
  left++;
  if :: queue > 0 && !duty -> summon() :: else fi;
  unlock()
}

active proctype user() {
  byte i;
  for (i : 1 .. JOBS) {
    lock();
    queue++;
    if :: !duty -> summon() :: else fi;
    unlock()
  }
  /* shut_down(), at once or later. */
  lock();
  closing = true;
  do
  :: threads == 0 && queue == 0 -> break
  :: threads == 0 && queue > 0 -> take()
  :: threads > 0 -> unlock(); threads == 0; lock()
  od;
  unlock();
  assert(met == JOBS)
}
