/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * detail/handoff.hpp with those who use it: go() at limit 1, which parks, the runner that serves and leaves, and the
 * wait() at the end. Shown: every task runs, and nobody sleeps for ever.
 * ("empty" and "full" are words of Promela: vacant and taken.)
 * BAD: the runner ends the task by two steps, so that who asks in between is not told. */

#include "common.pml"
#define TASKS 4

mtype = { closed, vacant, taken, running };
mtype state = closed;
bool asked = false;
byte queued = 0;
byte pending = 0;      /* Without the one in the handoff. */
bool job = false;
byte ran = 0;
bool go_sleeps = false;
bool wait_sleeps = false;
bool over = false;

#define busy (state == taken || state == running)
#define all_pending (pending + (busy -> 1 : 0))

/* Asks to be told of the end of the task, in one atomic operation on the state's word. */
inline ask() { atomic { if :: busy -> asked = true :: else fi } }

inline finish() {
  notify(go_sleeps);
  if :: all_pending == 0 -> notify(wait_sleeps) :: else fi
}

active proctype go() {
  byte i;
  for (i : 1 .. TASKS) {
    lock();
    do
    :: all_pending < 1 -> break
    :: else ->
       ask();
       if
       :: all_pending < 1 -> break
       :: else -> wait_on(go_sleeps)
       fi
    od;
    if
    :: state == vacant -> state = taken
    :: else -> pending++; queued++; job = true
    fi;
    unlock()
  }
  /* wait(), which runs what is queued. */
  lock();
  do
  :: queued > 0 -> queued--; unlock(); ran++; lock(); pending--; finish()
  :: queued == 0 && all_pending == 0 -> break
  :: queued == 0 && all_pending > 0 ->
     ask();
     if
     :: all_pending == 0 -> break
     :: else -> wait_on(wait_sleeps)
     fi
  od;
  unlock();
  assert(ran == TASKS);
  over = true
}

active proctype runner() {
  bool told;
  do
  :: atomic { job -> lock(); job = false };
     do
     :: queued > 0 -> queued--; unlock(); ran++; lock(); pending--; finish()
     :: queued == 0 && state == closed ->
        state = vacant;
        unlock();
        do
        :: atomic { state == taken -> state = running };
           ran++;
#ifdef BAD
           told = asked;
           atomic { state = vacant; asked = false };
#else
           atomic { told = asked; asked = false; state = vacant };
#endif
           if :: told -> lock(); finish(); unlock() :: else fi
        :: true ->          /* Nothing has come for a while, or something is queued. */
           lock();
           if
           :: state == vacant -> state = closed; break
           :: else -> unlock()
           fi
        od;
        if :: queued == 0 -> break :: else fi
     od;
     unlock()
  :: over && !job -> break
  od
}
