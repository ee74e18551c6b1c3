/* SPDX-License-Identifier: BSL-1.0
 * Copyright (c) 2026 the errgroup authors
 *
 * A mutex, and condition variables with at most one sleeper each, who must be awake again before it has the
 * mutex. */

bool held = false;

inline lock() { atomic { !held -> held = true } }
inline unlock() { held = false }

/* Sleeps on `sleeping`; the mutex is given up and the sleep begun in one step. */
inline wait_on(sleeping) {
  atomic { sleeping = true; held = false }
  !sleeping;
  lock()
}
inline notify(sleeping) { sleeping = false }
