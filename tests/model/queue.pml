/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * group_core's queue: go() that decides whom to wake, a wait() that seeks, then parks, and workers that seek,
 * then leave. The tasks block until all of them run, so each needs a runner of its own. Shown: all tasks meet
 * (rule 4) and wait() returns.
 * BAD: a seeker leaves without another look at the queue under the mutex. */

#include "common.pml"
#define TASKS 3
#define WORKERS 2

byte queued = 0;
byte pending = 0;
byte seekers = 0;
byte tokens = 0;
byte idle = 0;
bool job = false;      /* The pool will send a worker. */
byte met = 0;
bool wait_sleeps = false;
bool over = false;

#define covered (seekers + tokens >= queued)

inline run_one() {
  queued--;
  unlock();
  met++;
  met == TASKS;          /* Blocks until all run. */
  lock();
  pending--;
  if :: pending == 0 && idle > 0 -> notify(wait_sleeps) :: else fi
}

active proctype go() {
  byte i;
  for (i : 1 .. TASKS) {
    lock();
    pending++;
    queued++;
    if
    :: covered
    :: else ->
       if
       :: idle > 0 -> idle--; tokens++; notify(wait_sleeps)
       :: else
       fi;
       if :: !covered -> job = true :: else fi
    fi;
    unlock()
  }
  over = true
}

/* wait(), begun when the first task is there, or none. */
active proctype waiter() {
  bool looked = false;
  lock();
  do
  :: pending == 0 && over -> break
  :: queued > 0 -> run_one(); looked = false
  :: queued == 0 && !(pending == 0 && over) && !looked ->
     seekers++;
     unlock();
     if :: queued > 0 :: true fi;       /* Seen, or given up. */
     lock();
     seekers--;
     looked = true
  :: queued == 0 && pending > 0 && looked ->
     idle++;
     wait_on(wait_sleeps);
     if :: tokens > 0 -> tokens-- :: else -> idle-- fi;
     looked = false
  :: queued == 0 && pending == 0 && !over && looked ->
     unlock(); over || pending > 0; lock(); looked = false   /* Called later. */
  od;
  unlock();
  assert(met == TASKS)
}

active [WORKERS] proctype worker() {
end:
  do
  :: atomic { job && !held -> held = true; job = false };
     do
     :: queued > 0 ->
        if :: queued > 1 && seekers + tokens < queued - 1 -> job = true :: else fi;
        run_one()
     :: else ->
        seekers++;
        unlock();
        if :: queued > 0 :: true fi;
#ifdef BAD
        atomic { !held -> seekers--; goto end }
#else
        lock();
        seekers--;
        if :: queued == 0 -> break :: else fi
#endif
     od;
     unlock()
  od
}
