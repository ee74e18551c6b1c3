/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * The group's queue: who comes for what is queued. Two threads in go(), which have a worker sent, or submit the
 * job; a wait() that searches, then parks, or a wait_until(), which runs nothing; workers, of which one takes the job
 * that is queued in the pool and the others were sent, which call more workers, search, then leave; and a go() that
 * is blocked at the limit, which only tries again here when it is woken. The tasks may block until all of them
 * run, so that each needs a runner of its own. The pool may send nobody; once, it may refuse the job, and a worker
 * that was sent may be cancelled on its way. Shown: a task that was accepted has somebody to come for it, so all
 * tasks meet (rule 4), and wait() returns; nobody is counted who does not come.
 * BAD == 1: a searcher leaves without checking the queue again under the mutex.
 * BAD == 2: a go() whose task was taken, and that sends nobody, does not see to what others have queued meanwhile.
 * BAD == 3: the group is told that a worker does not come, and asks for no other.
 * BAD == 4: a worker that is about to take a task does not see to the rest.
 * BAD == 5: the same, but only if the pool has refused the job, too.
 * BAD == 6: the end of a round forgets the workers that are still to come. */

/* Mirrors: group/runner_supply.hpp group/group_state.hpp group/recruiting.hpp group/run_loop.hpp group/parking.hpp
 *   group/waiting.hpp group/task_ending.hpp group/task_queue.hpp
 * Names: queue searchers promised_wakeups coming_workers parked round job_queued covered submit withdraw_job wake_one
 *   ensure_runner pop end_tasks search end_round searched */

#include "common.pml"
#define TASKS 3
#define WORKERS 3
#define me _pid                /* The workers are the first processes. */

/* How often the pool may refuse the job, and a worker that was sent be cancelled. */
byte failures = 1, cancels = 1;

/* The group. Guarded by the mutex. */
chan queue = [TASKS] of { byte };
byte pending = 0, searchers = 0, promised_wakeups = 0, coming_workers = 0, parked = 0, round = 0;
bool open = false;
bool job_queued = false;       /* As the group knows. */
bool wait_sleeps = false;
bool told = false;             /* The go() that is blocked was woken. */

/* The pool. */
bool in_pool = false;          /* The job is queued there. */
byte sent = 0;                 /* Workers on their way to the group. */

/* What is to be shown. */
byte accepted = 0, met = 0, given = 0;
bool over = false;
hidden byte threw;             /* Within one step. */

#define covered (searchers + promised_wakeups + coming_workers >= len(queue))
#define missing (len(queue) - (searchers + promised_wakeups + coming_workers))

inline submit() {
  assert(!in_pool);
  threw = 0;
  if
  :: failures > 0 -> failures--; threw = 1
  :: true -> job_queued = true; in_pool = true
  fi
}
inline withdraw_job() {
  if :: job_queued && len(queue) == 0 && in_pool -> in_pool = false; job_queued = false :: else fi
}
inline wake_one() { if :: parked > 0 -> parked--; promised_wakeups++; notify(wait_sleeps) :: else fi }
inline ensure_runner() {
  if :: !covered -> wake_one() :: else fi;
  if :: !covered && !job_queued -> submit(); told = told || threw :: else fi
}
inline pop(t) { queue ? t; withdraw_job() }
inline end_tasks() {
  pending--;
  if :: pending == 0 -> notify(wait_sleeps) :: else fi
}

/* A task has been taken: runs it. The lock is held before and after. */
inline run_task() {
  atomic { unlock(); met++; if :: true :: true -> over && met == accepted fi };
  atomic { lock(); end_tasks() }
}

inline search() {
  if
  :: atomic { searchers <= 1 -> searchers++; in_round = round; unlock() };
     atomic {                  /* It has seen a task, or the end of the last one, or given up. */
       lock();
       if :: open && round == in_round -> assert(searchers > 0); searchers-- :: else fi;
       in_round = 0
     }
  :: else
  fi
}

active [WORKERS] proctype worker() {
  byte t, n, in_round;
end:
  if
  :: atomic { in_pool -> in_pool = false }; atomic { lock(); job_queued = false }
  :: atomic { sent > 0 -> sent-- };
     atomic { lock(); assert(coming_workers > 0); coming_workers-- }
  :: atomic { sent > 0 && cancels > 0 -> sent--; cancels-- };
     atomic {
       lock();
       assert(coming_workers > 0);
       coming_workers--;
#if BAD != 3
       ensure_runner();
#endif
       unlock();
       goto end
     }
  fi;
  do
  :: len(queue) == 0 && !open -> break
  :: len(queue) == 0 && open ->
#if BAD == 1
     atomic { searchers++; unlock() };
     atomic { !held; searchers--; goto end }
#else
     search();
     if :: len(queue) == 0 -> break :: else fi
#endif
#if BAD != 4
  :: atomic {
       len(queue) > 0 && searchers + promised_wakeups + coming_workers + 1 < len(queue);
       searchers++;              /* For the task that it is about to take. */
       in_round = round;
       if :: !covered -> wake_one() :: else fi;
       if
       :: !covered ->          /* The tasks are known to sleep: `n` workers will not be sent. */
          n = missing;
          coming_workers = coming_workers + n;
          do :: n > 0 -> sent++; n-- :: true -> break od;
          unlock()
       :: true -> goto nobody_sent
       fi
     };
     atomic { lock(); coming_workers = coming_workers - n; n = 0 };
nobody_sent:
     atomic {
       ensure_runner();
       if :: open && round == in_round -> assert(searchers > 0); searchers-- :: else fi;
       in_round = 0;
       if :: len(queue) > 0 -> pop(t); t = 0; goto run_it :: else fi
     }
  :: atomic { len(queue) > 0 && searchers + promised_wakeups + coming_workers + 1 >= len(queue) -> pop(t); t = 0 };
#else
  :: atomic { len(queue) > 0 -> pop(t); t = 0 };
#endif
run_it:
     run_task()
  od;
  unlock();
  goto end
}

/* Gives one task: what go() does, and what it does if nobody comes. */
inline give(t) {
  atomic {
    lock();
    if :: !open -> open = true; round++ :: else fi;
    accepted++;
    pending++;
    queue ! t;
    if :: !covered -> wake_one() :: else fi;
    if
    :: covered -> goto done
    :: !covered ->             /* The pool sends a worker, or nobody. */
       coming_workers++;
       unlock();
       if :: sent++; goto done_unlocked :: true fi
    :: !covered -> goto no_worker   /* The tasks are known to be quick. */
    fi
  };
  atomic {
    lock();
    coming_workers--;
#if BAD == 2
    if :: !(queue ?? [eval(t)]) -> goto done :: else fi;
#endif
    if :: covered -> goto done :: else fi
  };
no_worker:
  atomic {
    if :: job_queued -> goto done :: else fi;
    submit();
    if :: !threw -> goto done :: else fi;
    if
    :: queue ?? [eval(t)] -> queue ?? eval(t); unlock()
    :: else ->
#if BAD != 5
       ensure_runner();
#endif
       goto done
    fi
  };
  atomic { lock(); accepted--; end_tasks(); ensure_runner() };      /* It throws. */
done:
  unlock();
done_unlocked:
  skip
}

active proctype go_twice() {
  byte i;
  i = 1;
again:
  give(i);
  if :: i == 1 -> i = 2; goto again :: else fi;
  atomic { given++; over = (given == 2) }
}

active proctype go_once() {
  give(3);
  atomic { given++; over = (given == 2) }
}

inline end_round() {
  if
  :: open ->
     open = false; parked = 0; promised_wakeups = 0; searchers = 0;
#if BAD == 6
     coming_workers = 0;
#endif
  :: else
  fi
}

/* At any time, perhaps; and when all have begun. */
active proctype waiter() {
  byte t, in_round;
  bool searched, last, helps;
  if :: true :: true -> over && met == accepted; last = true fi;
again:
  if :: helps = true :: helps = false; atomic { !held; ensure_runner() } fi;
  lock();
  do
  :: pending == 0 -> break
  :: pending > 0 && helps && len(queue) > 0 -> atomic { pop(t); t = 0; searched = false }; run_task()
  :: pending > 0 && helps && len(queue) == 0 && !searched -> search(); searched = true
  :: pending > 0 && helps && len(queue) == 0 && searched ->
     atomic { parked++; wait_sleeps = true; unlock() };
     atomic {
       !wait_sleeps;
       lock();
       searched = false;
       if :: promised_wakeups > 0 -> promised_wakeups-- :: else -> assert(parked > 0); parked-- fi
     }
  :: pending > 0 && !helps -> wait_on(wait_sleeps)
  od;
  atomic { end_round(); searched = false; unlock() };
  if :: !last -> over && met == accepted; last = true; goto again :: else fi;
  assert(met == accepted)
}

/* A go() that is blocked. */
active proctype blocked() {
end:
  do :: atomic { told && !held -> told = false; ensure_runner() } od
}
