/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * worker_pool: how a job finds its worker, whether it is sent or queued. While a job is queued,
 * one worker searches; a worker that takes a job makes another one search if more is queued. Workers park in
 * detail/pool/parker.hpp, and their time may be over just as they are called. A worker naps while it searches, and
 * may be told to leave in a nap. One worker may be cancelled as it starts, naps or sleeps, perhaps with a job in
 * its hands: then another one is sent, or the job is queued again, or it is told that nobody comes, and submits
 * itself. One start of a thread may fail; one worker may be replaced because it shares a core with its owner. At
 * most `max` workers exist, if that is not 0; without a limit, any job may block until all of them have begun. The
 * user sends or submits jobs, may withdraw them, and shuts the pool down when all have begun or earlier.
 * Shown: each job that was accepted is run, and none waits for a blocked one, or for the pool to be shut down; all
 * workers leave; no worker is called for a job that it was not given; nobody submits to a pool that is closed.
 * What the policy decides is left open. If no thread can be started for a worker that is to search next,
 * somebody calls ensure_searcher() later.
 * BAD == 1: a worker that takes a job does not make another one search.
 * BAD == 2: a worker whose time was over as it was called does not forget the call.
 * BAD == 3: a worker that is about to park does not look whether it was told to leave.
 * BAD == 4: in place of a worker that was sent, and is cancelled, nobody comes.
 * BAD == 5: a worker that is cancelled still counts as the searcher. */

#include "common.pml"
#define MOST 4                 /* Workers at a time. */
#define NOBODY MOST
#define me _pid                /* The workers are the first processes. */

/* How often this may happen: a worker is cancelled; a thread cannot be started; the time of a worker that sleeps
 * is over; a worker is replaced. All of it with two jobs, some of it with three. */
byte cancels = 1, failures = 1, time_outs = 1, replacements = 1;

/* Guarded by the mutex, but for what a worker does in its parker. */
mtype = { open, closing, closed };
mtype stage = open;
byte max = 0;
byte queue = 0;
bool pushed = false;
bool searching = false;
byte threads = 0, busy = 0;
bool unjoined = false;                     /* The last worker that has left is still to be joined. */
mtype = { absent, parked, awake, left };
mtype where[MOST] = absent;
bool job[MOST], on_its_way[MOST], searches[MOST], stop[MOST];
bool woken[MOST], given[MOST];             /* Of the parkers. */

/* What is to be shown. */
byte wanted = 0, met = 0;                  /* Jobs that were accepted, or are about to be; that have begun. */
bool over = false;                         /* The last one was given. */
byte alive = 0;                            /* Threads that have not ended. */
bool stranded = false;                     /* No thread could be started to search. */
hidden byte who, threw;                    /* Results, within one step. */

inline give(w) { busy++; job[w] = true; on_its_way[w] = true }
inline end_job(w) { busy--; job[w] = false }
inline wake(w, with_job) { woken[w] = true; if :: with_job -> given[w] = true :: else fi }
inline tell_to_leave(w) { stop[w] = true; wake(w, false) }

/* The worker's number is in `who`. */
inline start(with_job) {
  if
  :: failures > 0 -> failures--; threw = true; who = NOBODY
  :: true ->
     who = 0;
     do :: where[who] != absent -> who++; assert(who < MOST) :: else -> break od;
     if :: with_job -> give(who) :: else fi;
     if :: stage != open -> tell_to_leave(who) :: else fi;
     threads++;
     alive++;
     where[who] = awake
  fi
}

/* Whom it wakes is left open. */
inline wake_or_start(with_job) {
  threw = false;
  if
  :: where[0] == parked -> who = 0
  :: where[1] == parked -> who = 1
  :: where[2] == parked -> who = 2
  :: where[3] == parked -> who = 3
  :: else -> who = NOBODY
  fi;
  if
  :: who != NOBODY ->
     where[who] = awake;
     if :: with_job -> give(who) :: else fi;
     wake(who, with_job)
  :: who == NOBODY && (max == 0 || threads < max) -> start(with_job)
  :: else
  fi
}

inline wake_searcher() {
  wake_or_start(false);
  if :: who != NOBODY -> searches[who] = true; searching = true :: else fi
}
inline search_for_the_rest() {
  if :: queue > 0 && !searching -> wake_searcher(); stranded = stranded || threw :: else fi
}

/* If it throws, `threw` is true, and the job is not queued. */
inline submit() {
  assert(stage != closed);
  pushed = true;
  queue++;
  threw = false;
  if :: !searching -> wake_searcher() :: else fi;
  if
  :: threw && threads != 0 && busy < threads -> threw = false     /* Somebody awake is about to look. */
  :: threw && (threads == 0 || busy == threads) -> queue--
  :: else
  fi
}

inline take() {
  queue--;
  busy++;
  job[me] = true;
#if BAD != 1
  search_for_the_rest()
#endif
}
inline stop_searching() { if :: searches[me] -> searches[me] = false; searching = false :: else fi }

active [MOST] proctype worker() {
  bool was_sent;
end_absent:
  atomic {
    where[me] == awake;
    if :: cancels > 0 -> cancels--; lock(); goto leave :: true fi;
    if :: job[me] -> goto run_job :: else -> lock() fi
  };

find:
  atomic {
    if
    :: job[me] -> unlock(); goto run_job
    :: !job[me] && stop[me] ->
       stop_searching();
       if :: queue > 0 -> take(); unlock(); goto run_job :: else -> goto leave fi
    :: !job[me] && !stop[me] && !searches[me] && queue > 0 -> take(); unlock(); goto run_job
    :: !job[me] && !stop[me] && !searches[me] && !searching -> searching = true; searches[me] = true
    :: !job[me] && !stop[me] && !searches[me] && (searching || queue == 0) -> goto park
    :: !job[me] && !stop[me] && searches[me]
    fi
  };

search:
  atomic {
    if
    :: stop[me] || queue > 0 ->
       stop_searching();
       if :: queue > 0 -> take(); unlock(); goto run_job :: else -> goto park fi
    :: !stop[me] -> pushed = false; unlock()
    fi
  };
  if
  :: atomic { cancels > 0 -> cancels--; lock(); goto leave }
  :: atomic { lock(); if :: woken[me] -> woken[me] = false :: true fi }    /* Called in the nap, or after it. */
  fi;
  atomic {
    assert(!given[me]);
    if :: queue == 0 && !pushed -> stop_searching() :: else -> goto search fi
  };

park:
  atomic {
#if BAD != 3
    if :: stop[me] -> goto find :: else fi;
#endif
    where[me] = parked;
    unlock()
  };
  if
  :: atomic { woken[me] && given[me] -> assert(job[me]); woken[me] = false; given[me] = false; goto run_job }
  :: atomic { woken[me] && !given[me] -> woken[me] = false }
  :: atomic { !woken[me] && time_outs > 0 -> time_outs-- }
  :: atomic { cancels > 0 -> cancels-- }; lock(); goto leave
  fi;
  atomic {
    lock();
    if
    :: where[me] == parked -> where[me] = awake; if :: stop[me] -> goto find :: else -> goto leave fi
    :: else ->
#if BAD != 2
       woken[me] = false;
       given[me] = false;
#endif
       goto find
    fi
  };

run_job:
  atomic {
    on_its_way[me] = false;
    met++;
    if :: true :: max == 0 -> (over && met == wanted) fi
  };
  atomic { lock(); end_job(me); unlock() };      /* Then the job's reference is given back. */
  atomic {
    lock();
    if
    :: replacements > 0 && !stop[me] && (max == 0 || threads < max) && (queue == 0 || searching) ->
       replacements--;
       start(false);
       if :: who == NOBODY -> goto find :: else fi
    :: true -> goto find
    fi
  };

leave:
  atomic {
    was_sent = on_its_way[me];
    if :: job[me] -> end_job(me) :: else fi;
#if BAD != 5
    stop_searching();
#endif
    where[me] = left;
    unjoined = true;
    threads--;
#if BAD != 4
    if :: was_sent -> wake_or_start(true); was_sent = (who == NOBODY) :: else fi;
    if
    :: was_sent -> queue++; pushed = true; was_sent = false     /* A job that can be queued again. */
    :: true
    fi;
#else
    was_sent = false;
#endif
    search_for_the_rest();
    unlock();
    if :: !was_sent -> goto gone :: else fi
  };
  atomic { !held; submit(); assert(!threw) };    /* As not_coming() does. */
gone:
  atomic {
    was_sent = false;
    on_its_way[me] = false; searches[me] = false; stop[me] = false; woken[me] = false; given[me] = false;
    alive--;
    where[me] = absent;
    goto end_absent
  }
}

inline shut_down() {
  atomic {
    !held;
    stage = closing;
    for (i : 0 .. MOST - 1) {
      if :: where[i] == parked || where[i] == awake -> tell_to_leave(i) :: else fi
    };
    i = 0
  };
  do
  :: atomic { !held && threads == 0 && queue > 0 -> queue--; met++ }
  :: atomic { !held && threads == 0 && queue == 0 && unjoined -> unjoined = false }; alive == threads
  :: atomic { !held && threads == 0 && queue == 0 && !unjoined -> stage = closed; break }
  od;
  assert(met == wanted && busy == 0 && alive == 0)
}

active proctype user() {
  byte i, jobs = 3;
  bool sent;
  if
  :: jobs = 2
  :: atomic { cancels = 0; failures = 0 }
  :: atomic { time_outs = 0; replacements = 0 }
  fi;
  if :: max = 1 :: max = 2 :: true fi;
  for (i : 1 .. jobs) {
    wanted++;
    if
    :: atomic { !held; wake_or_start(true); sent = (who != NOBODY) }
    :: true                    /* The policy wants no worker at once. */
    fi;
    if :: sent -> sent = false :: else -> atomic { !held; submit(); wanted = wanted - threw } fi;
    if :: atomic { i == 2 && !held && queue > 0 -> queue--; wanted-- } :: true fi
  }
  over = true;
  if :: true -> met == wanted :: true fi;
  shut_down()
}

/* Submits, or waits, after a thread could not be started. */
active proctype ensure_searcher() {
end:
  do :: atomic { stranded && !held -> stranded = false; search_for_the_rest() } od
}
