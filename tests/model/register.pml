/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * A go() that sleeps in line and a timed wait() against what makes the round's context done: the parent's
 * cancellation, which marks the tree under the tree's mutex and tells the watchers afterwards, with no lock
 * held; and the group's own cancel(). The context is made late, at any moment; until then the parent stands for
 * it. Whoever is about to sleep has the context watched, under the group's mutex. Afterwards the group is
 * destroyed. Shown: both sleepers wake up whichever cancels first, or alone; no watcher is told that is gone; a
 * child is done no later than its parent.
 * The group's mutex is taken before the tree's, never after it.
 * BAD: to watch a context does not check, under the tree's mutex, whether it is done. */

/* Mirrors: group/round_context.hpp group/rounds.hpp context/node.hpp context/done_watcher.hpp
 * Names: made stopped watch linked done */

#include "common.pml"

mtype = { undecided, by_parent, by_group, by_both };
mtype who = undecided;

/* The tree. Guarded by its mutex; whether a context is done may be read without. */
bool tree_held = false;
mtype = { nowhere, at_parent, at_child };
mtype registered = nowhere;       /* Where the group's watcher is. */
bool parent_done = false, child_done = false, linked = false;

/* The group. Guarded by its mutex; made and stopped may be read without. */
bool made = false, stopped = false, watched = false;
bool go_sleeps = false, wait_sleeps = false;
byte refs = 1;
bool gone = false;
byte calls = 4;                   /* Of the group's functions, that are under way or to come. */

#define context_done ((made && child_done) || (!made && (stopped || parent_done)))

inline lock_tree() { atomic { !tree_held -> tree_held = true } }
inline unlock_tree() { tree_held = false }
inline release() { d_step { refs--; gone = (refs == 0) } }

/* Tells the watcher if it is at this node. */
inline tell(node) {
  lock_tree();
  if
  :: registered == node ->
     d_step { assert(!gone); registered = nowhere; refs++ };
     unlock_tree();
     lock();
     notify(go_sleeps);
     notify(wait_sleeps);
     unlock();
     release()
  :: else -> unlock_tree()
  fi
}

/* The parent is cancelled, by a thread that knows nothing of the group. */
active proctype parent_cancel() {
  bool tells_child, tells_parent;
end:
  who == by_parent || who == by_both;
  lock_tree();
  if
  :: linked && !child_done -> tells_child = (registered == at_child); linked = false; child_done = true
  :: else
  fi;
  tells_parent = (registered == at_parent);
  parent_done = true;
  unlock_tree();
  if :: tells_child -> tell(at_child) :: else fi;
  if :: tells_parent -> tell(at_parent) :: else fi
}

/* The group's cancel(), or the failure of a task. */
active proctype group_cancel() {
  bool tells;
end:
  who == by_group || who == by_both;
  lock();
  if
  :: made ->
     lock_tree();
     if :: !child_done -> tells = (registered == at_child); linked = false; child_done = true :: else fi;
     unlock_tree()
  :: !made && !context_done -> stopped = true
  :: else
  fi;
  assert(context_done);
  notify(go_sleeps);
  notify(wait_sleeps);
  unlock();
  if :: tells -> tell(at_child) :: else fi;
  calls--
}

/* get_context(), at any time or never. One that was stopped before it is made is done from the first. */
active proctype maker() {
  if
  :: lock();
     if
     :: stopped -> child_done = true
     :: else ->
        lock_tree();
        if :: parent_done -> child_done = true :: else -> linked = true fi;
        unlock_tree()
     fi;
     made = true;
     unlock()
  :: true
  fi;
  calls--
}

/* True, in `may_sleep`, if it is not done, and the thread that makes it done comes by. */
inline watch() {
  if
  :: watched -> may_sleep = !context_done
  :: else ->
     lock_tree();
#ifndef BAD
     if
     :: (made && child_done) || (!made && parent_done) -> may_sleep = false
     :: else ->
#endif
     d_step { registered = (made -> at_child : at_parent); watched = true; may_sleep = true }
#ifndef BAD
     fi
#endif
     ;
     unlock_tree()
  fi
}

inline sleep_until_done(sleeping) {
  lock();
  do
  :: context_done -> break
  :: else -> watch(); if :: may_sleep -> wait_on(sleeping) :: else fi
  od;
  unlock();
  calls--
}

active proctype go() {
  bool may_sleep;
  sleep_until_done(go_sleeps)
}

active proctype waiter() {
  bool may_sleep;
  sleep_until_done(wait_sleeps)
}

/* Decides who cancels; then destroys the group. */
active proctype user() {
  if :: who = by_parent; calls-- :: who = by_group :: who = by_both fi;
  calls == 0;
  lock();
  lock_tree();
  registered = nowhere;
  unlock_tree();
  unlock();
  release()
}

/* At no time is the parent done and a child below it not. */
active proctype child_first() {
end:
  atomic { parent_done && linked -> assert(child_done) }
}
