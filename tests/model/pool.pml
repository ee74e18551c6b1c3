/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * worker_pool's duty to look: submit() summons somebody unless one has the duty; a looker that takes a job passes the
 * duty on if more is queued; who finds nothing parks. The jobs block until all of them run. Shown: they meet, and
 * whenever a job is queued somebody has the duty, or is awake and about to look.
 * BAD: who takes a job does not pass the duty on. */

#include "common.pml"
#define JOBS 3

byte queue = 0;
bool duty = false;
byte threads = 0;
byte met = 0;
bool parked[JOBS + 1];
bool summoned[JOBS + 1];

inline summon() {
  byte w = 0;
  do
  :: w < threads && parked[w] -> parked[w] = false; summoned[w] = true; duty = true; break
  :: w < threads && !parked[w] -> w++
  :: w >= threads ->
     assert(threads <= JOBS);
     summoned[threads] = true;
     duty = true;
     run worker(threads);
     threads++;
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

proctype worker(byte me) {
  lock();
  do
  :: !summoned[me] && queue > 0 -> take()
  :: !summoned[me] && queue == 0 && !duty -> duty = true; summoned[me] = true
  :: !summoned[me] && queue == 0 && duty ->
     parked[me] = true;
     unlock();
end_found_nothing:
     !parked[me];
     lock()
  :: summoned[me] ->
     /* Looks; naps; looks again. Gives up if it stays quiet. */
     do
     :: queue > 0 -> summoned[me] = false; duty = false; take(); break
     :: queue == 0 ->
        unlock();
        skip;
        lock();
        if
        :: queue == 0 -> summoned[me] = false; duty = false; parked[me] = true;
                         unlock();
end_quiet:
                         !parked[me];
                         lock(); break
        :: else
        fi
     od
  od
}

active proctype user() {
  byte i;
  for (i : 1 .. JOBS) {
    lock();
    queue++;
    if :: !duty -> summon() :: else fi;
    unlock()
  }
  met == JOBS
}
