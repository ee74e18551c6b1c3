/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * The places at a group's limit of 2, and detail/group/handoff_ring.hpp with those that use it: a go() that waits in line
 * while the group is full; a task that gives another one from inside, beyond the limit; set_limit(), which
 * lowers the limit and may raise it again; two workers, of which one consumes, and the other comes for the job and
 * recalls what is not begun; and a wait() in another thread, which recalls it, too. Any task may block until the
 * next one has begun, while the limit lets both run. Shown: each task is begun once; no more run than the limit
 * lets in; places are given in the order of arrival; wait() returns when all have ended; nobody sleeps for ever;
 * no task waits for ever behind a blocked one (rule 4); and the pool is not left with the job of a group that is
 * gone.
 * What the consumer does to its word is one step; to mark the slot, or to lock, is another.
 * BAD: a caller in line goes to sleep and has not asked to be told of the end of a task that was handed over. */

/* Mirrors: group/handoff_ring.hpp group/limiter.hpp group/group_state.hpp group/ring_consumer.hpp group/submission.hpp
 *   group/runner_supply.hpp group/run_loop.hpp group/task_ending.hpp
 * Names: closed open recalled given ended asked running is_recalled mark begun limit line queue beyond ask recall
 *   backlog note_ends grant_places ensure_runner end_tasks enqueue withdraw_job job_queued searchers
 *   promised_wakeups parked covered anyone_waits search granted */

#include "common.pml"
#ifndef TASKS
#define TASKS 2        /* From outside. */
#endif
#define INSIDE (TASKS + 1)   /* Given by the first. */
#define SLOTS 2
#define NONE SLOTS     /* No slot. */
#define CALLER 0       /* In line. */

/* The group. Guarded by the mutex, but for what the pool knows. */
byte limit = 2;
chan queue = [3] of { byte, byte };                     /* Tasks that have a place, and the slots they lie in. */
chan line = [4] of { byte, byte };                      /* Who waits for a place: the caller, or a task. */
byte pending = 0, beyond = 0;                           /* Without the handoff's; tasks in line. */
byte searchers = 0, promised_wakeups = 0, parked = 0;
bool blocked = false, granted = false, go_sleeps = false, wait_sleeps = false;
bool job_queued = true, in_pool = true;                 /* As the group knows, and the pool: from before. */
byte refs = 1;                                          /* The user's, and the workers'. */

/* The handoff. Guarded by the mutex: */
mtype = { closed, open, recalled };
mtype state = closed;
byte given = 0, ended = 0;
/* The consumer's word; the slots, and the tasks in them. */
byte begun = 0;
bool running = false, asked = false, is_recalled = false;
byte mark[SLOTS], task_in[SLOTS];

/* What is to be shown. */
bool started[INSIDE + 1];
byte bound = 2, run_now = 0;                            /* The limit as known outside; tasks that run. */
byte arrived = 0, placed = 0;                           /* Tickets: the last drawn; the last to get a place; */
byte mine = 0, theirs = 0;                              /*   go()'s, and the inside task's. */
byte taken = 0, done = 0;                               /* Tasks accepted; ended. */
bool over = false;
mtype = { undecided, inside_gives, limit_changes };     /* One or the other, or there would be too many states. */
mtype story = undecided;
hidden byte x, y, n, kept;              /* Scratch, within one step. */

#define slot_of(n) ((n - 1) % SLOTS)
#define is_there(n) (mark[slot_of(n)] == 2 * (n) - 1)   /* And has not ended. */
#define busy (given - ended)
#define places (pending + busy)
#define all_pending (places + beyond)
#define backlog (state == open && begun != given)
#define covered (searchers + promised_wakeups >= len(queue))
#define anyone_waits (parked > 0 || blocked || beyond > 0)

inline note_ends_now() { do :: busy > 0 && !is_there(ended + 1) -> ended++ :: else -> break od }
inline note_ends() { d_step { note_ends_now(); skip } }
inline ask() { d_step { if :: busy > 0 -> asked = true; ended = begun - running :: else fi } }
inline submit() { assert(!in_pool); job_queued = true; in_pool = true }
inline withdraw_now() {
  if :: in_pool && len(queue) == 0 && !backlog -> job_queued = false; in_pool = false :: else fi
}
inline withdraw_job() { d_step { withdraw_now() } }
inline release() { d_step { refs--; assert(refs > 0 || !job_queued) } }

/* The first place of the one that drew this ticket. */
inline first_place(ticket) { if :: ticket > placed -> placed++; assert(ticket == placed) :: else fi }

/* Gives the free places to those in line. */
inline grant_places() {
  d_step {
    note_ends_now();
    do
    :: len(line) > 0 && places < limit ->
       line ? x, y;
       pending++;
       if
       :: x == CALLER -> granted = true; notify(go_sleeps); first_place(mine)
       :: x == INSIDE -> beyond--; queue ! x, y; first_place(theirs)
       :: else -> beyond--; queue ! x, y
       fi
    :: else -> break
    od;
    x = 0; y = 0
  }
}

/* Sees to it that somebody comes for what is queued. */
inline ensure_runner() {
  d_step {
    if :: !covered && parked > 0 -> parked--; promised_wakeups++; notify(wait_sleeps) :: else fi;
    if :: !covered && !job_queued -> submit() :: else fi
  }
}

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

inline end_tasks(tasks) {
  pending = pending - tasks;
  grant_places();
  d_step {
    note_ends_now();
    if :: all_pending == 0 && parked > 0 -> notify(wait_sleeps) :: else fi
  }
}

/* Puts a task that has a place, or is beyond the limit, where it belongs. */
inline enqueue(t, is_beyond) {
  if
  :: is_beyond -> d_step { arrived++; theirs = arrived; line ! t, NONE }
  :: !is_beyond && places > limit ->   /* The limit was lowered: it goes behind those that were sent back. */
     d_step { pending--; beyond++; line ! t, NONE }
  :: else -> recall(); queue ! t, NONE
  fi;
  if :: len(line) > 0 -> ask(); grant_places() :: else fi;
  ensure_runner()
}

/* A task gives another one, while it runs: beyond the limit if the group is full, and never blocks. The mutex is
 * let go while the callable is stored. */
inline give_inside() {
  bool is_beyond;
  lock();
  if :: len(line) > 0 -> grant_places() :: else fi;
  d_step {
    note_ends_now();
    taken++;
    is_beyond = places >= limit || len(line) > 0;
    if :: is_beyond -> beyond++ :: else -> arrived++; theirs = arrived; pending++; first_place(theirs) fi
  };
  unlock();
  lock();
  enqueue(INSIDE, is_beyond);
  unlock();
  is_beyond = false
}

inline run_task(t) {
  assert(!started[t]);
  started[t] = true;
  if :: t == 1 && story == inside_gives -> give_inside() :: else fi;
  if :: true :: t < TASKS -> (started[t + 1] || limit < 2) fi;
  d_step { done++; run_now-- }
}
inline count_begun() { run_now++; assert(run_now <= bound) }

/* Takes a task from the queue; a worker sees to the rest of it. */
inline run_one(is_worker) {
  d_step { queue ? t, slot; count_begun(); withdraw_now() };
  if :: is_worker -> ensure_runner() :: else fi;
  unlock();
  run_task(t);
  lock();
  if :: slot != NONE -> mark[slot]++ :: else fi;
  end_tasks(1);
  t = 0; slot = 0
}

inline search() { if :: searchers <= 1 -> searchers++; unlock(); lock(); searchers-- :: else fi }

inline wait_in_line() {
  d_step { line ! CALLER, NONE; granted = false };
  unlock();            /* Looks for a moment. */
  lock();
  do
  :: grant_places();
     if
     :: granted -> break
     :: else ->
#ifndef BAD
        ask();
#endif
        note_ends();
        if :: places < limit :: else -> blocked = true; wait_on(go_sleeps); blocked = false fi
     fi
  od
}

active proctype go() {
  byte t;
  bool has_place;
  if :: story = inside_gives :: story = limit_changes fi;
  for (t : 1 .. TASKS) {
    lock();
    if :: len(line) > 0 -> grant_places() :: else fi;
    d_step { note_ends_now(); arrived++; mine = arrived; has_place = false };
    if
    :: places < limit && len(line) == 0 -> d_step { first_place(mine) }
    :: else -> wait_in_line(); has_place = true
    fi;
    taken++;
    if
    :: len(queue) == 0 && state == open && mark[slot_of(given + 1)] % 2 == 0 && (busy == 0 || parked == 0) &&
       places - has_place < limit ->
       if :: !job_queued -> note_ends() :: else fi;
       d_step { if :: !job_queued && busy > 0 -> submit() :: else fi };
       d_step { pending = pending - has_place; given++; task_in[slot_of(given)] = t };
       if :: anyone_waits -> asked = true :: else fi;   /* First: the task may end at once. */
       mark[slot_of(given)] = 2 * given - 1
    :: true ->         /* Nobody consumes, there is no room, a waiter sleeps, or the task is too large. */
       pending = pending + !has_place;
       unlock();
       lock();
       enqueue(t, false)
    fi;
    unlock()
  }
  over = true
}

inline set_to(l) {
  lock();
  d_step { limit = l };
  recall();
  d_step {
    bound = l;
    /* Sends the last of the queue back to the front of the line, and brings the rest of either into order. */
    n = 0;
    do :: n < len(queue) && places > limit + n -> n++ :: else -> break od;
    kept = len(queue) - n;
    do :: kept > 0 -> kept--; queue ? x, y; queue ! x, y :: else -> break od;
    kept = len(line);
    do :: n > 0 -> n--; queue ? x, y; line ! x, y; pending--; beyond++ :: else -> break od;
    do :: kept > 0 -> kept--; line ? x, y; line ! x, y :: else -> break od;
    x = 0; y = 0;
    withdraw_now()
  };
  if :: len(line) > 0 -> ask(); grant_places(); ensure_runner() :: else fi;
  unlock()
}

active proctype set_limit() {
end:
  story == limit_changes;
  set_to(1);
  if :: set_to(2) :: true fi
}

/* wait(), at any time, and once more when all are given. */
active proctype waiter() {
  byte t, slot;
  bool searched, last;
  do
  :: lock();
     do
     :: note_ends();
        if :: all_pending == 0 -> break :: else -> recall() fi;
        if
        :: len(queue) > 0 -> run_one(false); searched = false
        :: len(queue) == 0 && !searched -> search(); searched = true
        :: len(queue) == 0 && searched ->
           ask();
           note_ends();
           if
           :: all_pending == 0
           :: else ->
              parked++;
              wait_on(wait_sleeps);
              if :: promised_wakeups > 0 -> promised_wakeups-- :: else -> parked-- fi;
              searched = false
           fi
        fi
     od;
     assert(done == taken);
     unlock();
     if :: last -> break :: else -> over; last = true; searched = false fi
  od;
  assert(done == (story == inside_gives -> INSIDE : TASKS));
  release()
}

/* Until none has come for a while, something is queued, or it was recalled. */
inline consume() {
  d_step { begun = given; running = false; asked = false; is_recalled = false; state = open; next = given + 1 };
  unlock();
  do
  :: is_there(next) ->
     d_step { late = is_recalled; begun++; running = true; if :: late :: else -> count_begun() fi };
     if :: late -> lock(); break :: else fi;
     t = task_in[slot_of(next)];
     run_task(t);
     d_step { told = asked; late = is_recalled; asked = false; running = false };
     mark[slot_of(next)] = 2 * next;
     next++;
     if
     :: late -> lock(); state = closed; end_tasks(1); break
     :: told && !late ->
        lock();
        end_tasks(0);
        if :: len(queue) > 0 -> ensure_runner() :: else fi;
        if :: anyone_waits -> ask() :: else fi;
        unlock()
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
        if :: state == closed -> consume(); withdraw_job() :: else -> search() fi;
        if :: len(queue) == 0 -> break :: else fi
     od;
     unlock();
     release()
  od
}
