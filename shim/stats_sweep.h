/* SPDX-License-Identifier: MIT */
/*
 * Files of dead processes are kept, so that a killed server can still be read, but not for ever:
 * a server that forks per connection would fill the tmpfs. Whoever begins a file looks, one time
 * in STATS_SWEEP_EVERY by its pid, and removes the oldest beyond STATS_SWEEP_KEEP.
 */
#ifndef UNSPIN_STATS_SWEEP_H
#define UNSPIN_STATS_SWEEP_H

#define STATS_SWEEP_EVERY 8
#define STATS_SWEEP_KEEP 32

/* dir: descriptor of the statistics directory. Bounded work, no allocation, no error. */
void stats_sweep(int dir);

#endif
