/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * detail/handoff.hpp with those who use it, at limit 2: a go() that parks while the group is full; two workers, of
 * which one serves, and the other comes for the job and recalls what is not begun; and a wait() in another thread,
 * which recalls it, too. Any task may block until the next one has begun. Shown: each task is begun once; wait()
 * returns when all have ended; nobody sleeps for ever; no task waits for ever behind a blocked one (rule 4); and the
 * pool is not left with the job of a group that is gone.
 * What the server does to its word is one step; to mark the slot, or to lock, is another.
 * BAD: hand_over() does not ask. Who slept already is not told. */

#include "common.pml"
#define TASKS 4
#define LIMIT 2
#define NONE LIMIT     /* No slot. */

/* The group. Guarded by the mutex, but for what the pool knows. */
chan queue = [LIMIT] of { byte, byte };                 /* Tasks, and the slots that they lie in. */
byte pending = 0;                                       /* Without the handoff's. */
byte seekers = 0, tokens = 0, idle = 0;
bool blocked = false, go_sleeps = false, wait_sleeps = false;
bool job_queued = false, in_pool = false;               /* As the group knows, and the pool. */
byte refs = 1;                                          /* The user's, and the workers'. */

/* The handoff. Guarded by the mutex: */
mtype = { closed, serving, recalled };
mtype state = closed;
byte given = 0, ended = 0;
/* The server's word; the slots, and the tasks in them. */
byte begun = 0;
bool running = false, asked = false, is_recalled = false;
byte mark[LIMIT], task_in[LIMIT];

bool started[TASKS + 1];
byte taken = 0, done = 0;                               /* Tasks that go() took in; that have ended. */
bool over = false;

#define slot_of(n) ((n - 1) % LIMIT)
#define is_there(n) (mark[slot_of(n)] == 2 * (n) - 1)   /* And has not ended. */
#define busy (given - ended)
#define all_pending (pending + busy)
#define backlog (state == serving && begun != given)
#define covered (seekers + tokens >= len(queue))

inline look() { d_step { do :: busy > 0 && !is_there(ended + 1) -> ended++ :: else -> break od } }
inline ask() { d_step { if :: busy > 0 -> asked = true; ended = begun - running :: else fi } }
inline submit_job() { d_step { assert(!in_pool); job_queued = true; in_pool = true } }
inline withdraw_job() {
  d_step { if :: in_pool && len(queue) == 0 && !backlog -> job_queued = false; in_pool = false :: else fi }
}
inline release() { d_step { refs--; assert(refs > 0 || !job_queued) } }

inline recall() {
  if
  :: backlog ->
     d_step {
       is_recalled = true;
       pending = pending + given - begun + running;
       ended = begun;
       do :: busy > 0 -> ended++; queue ! task_in[slot_of(ended)], slot_of(ended) :: else -> break od;
       state = recalled
     }
  :: else
  fi
}

inline finish(tasks) {
  atomic {
    pending = pending - tasks;
    look();
    if :: blocked && all_pending < LIMIT -> notify(go_sleeps) :: else fi;
    if :: all_pending == 0 && idle > 0 -> notify(wait_sleeps) :: else fi
  }
}

inline run_task(t) {
  assert(!started[t]);
  started[t] = true;
  if :: true :: t < TASKS -> started[t + 1] fi;
  done++
}

/* Takes a task from the queue; a worker sees to the rest of it. */
inline run_one(is_worker) {
  atomic {
    queue ? t, slot;
    withdraw_job();
    if :: is_worker && len(queue) > 0 && !job_queued && !covered -> submit_job() :: else fi
  };
  unlock();
  run_task(t);
  lock();
  if :: slot != NONE -> mark[slot]++ :: else fi;
  finish(1);
  t = 0; slot = 0
}

inline seek() { if :: seekers <= 1 -> seekers++; unlock(); lock(); seekers-- :: else fi }

active proctype go() {
  byte t;
  for (t : 1 .. TASKS) {
    lock();
    look();
    if
    :: all_pending < LIMIT
    :: else ->
       unlock();       /* Registers its stop callback. */
       lock();
       blocked = true;
       do :: ask(); look(); if :: all_pending < LIMIT -> break :: else -> wait_on(go_sleeps) fi od;
       blocked = false
    fi;
    taken++;
    if
    :: len(queue) == 0 && state == serving && mark[slot_of(given + 1)] % 2 == 0 && (busy == 0 || idle == 0) ->
       if :: !job_queued -> look() :: else fi;
       if :: !job_queued && busy > 0 -> submit_job() :: else fi;
       given++;
       task_in[slot_of(given)] = t;
#ifndef BAD
       if :: idle > 0 -> asked = true :: else fi;   /* First: the task may end at once. */
#endif
       mark[slot_of(given)] = 2 * given - 1
    :: true ->         /* Nobody serves, there is no room, a waiter sleeps, or the task is too large. */
       recall();
       atomic {
         pending++;
         queue ! t, NONE;
         if :: !covered && idle > 0 -> idle--; tokens++; notify(wait_sleeps) :: else fi;
         if :: !covered && !job_queued -> submit_job() :: else fi
       }
    fi;
    unlock()
  }
  over = true
}

/* wait(), at any time, and once more when all are given. */
active proctype waiter() {
  byte t, slot;
  bool looked, last;
  do
  :: lock();
     do
     :: look();
        if :: all_pending == 0 -> break :: else -> recall() fi;
        if
        :: len(queue) > 0 -> run_one(false); looked = false
        :: len(queue) == 0 && !looked -> seek(); looked = true
        :: len(queue) == 0 && looked ->
           ask();
           look();
           if
           :: all_pending == 0
           :: else ->
              idle++;
              wait_on(wait_sleeps);
              if :: tokens > 0 -> tokens-- :: else -> idle-- fi;
              looked = false
           fi
        fi
     od;
     assert(done == taken);
     unlock();
     if :: last -> break :: else -> over; last = true; looked = false fi
  od;
  assert(done == TASKS);
  release()
}

/* Until none has come for a while, something is queued, or it was recalled. */
inline serve() {
  d_step { begun = given; running = false; asked = false; is_recalled = false; state = serving; next = given + 1 };
  unlock();
  do
  :: is_there(next) ->
     atomic { late = is_recalled; begun++; running = true };
     if :: late -> lock(); break :: else fi;
     t = task_in[slot_of(next)];
     run_task(t);
     atomic { told = asked; late = is_recalled; asked = false; running = false };
     mark[slot_of(next)] = 2 * next;
     next++;
     if
     :: late -> lock(); finish(1); break
     :: told && !late -> lock(); finish(0); if :: blocked || idle > 0 -> ask() :: else fi; unlock()
     :: else
     fi
  :: true -> lock(); if :: backlog -> unlock() :: else -> break fi
  od;
  atomic { ended = given; state = closed; t = 0; next = 0; told = false; late = false }
}

active [2] proctype worker() {
  byte t, slot, next;
  bool told, late;
end:
  do
  :: atomic { in_pool -> in_pool = false; refs++ };
     lock();
     job_queued = false;
     recall();
     do
     :: len(queue) > 0 -> run_one(true)
     :: len(queue) == 0 ->
        if :: state == closed -> serve(); withdraw_job() :: else -> seek() fi;
        if :: len(queue) == 0 -> break :: else fi
     od;
     unlock();
     release()
  od
}
