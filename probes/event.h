/* SPDX-License-Identifier: MIT */
/*
 * What a hook saw, in numbers. The probes know nothing else of the world: no descriptors, no
 * clock, no host memory.
 */
#ifndef UNSPIN_EVENT_H
#define UNSPIN_EVENT_H

#include <stdint.h>

/* One send-side call on a stream socket. */
struct write_event {
	uint64_t now_ns;   /* after the call; CLOCK_MONOTONIC */
	uint64_t asked;	   /* bytes the host wanted to send */
	int64_t returned;  /* bytes taken, or -1 */
	uint32_t thread;   /* identity of the calling thread, never 0 */
	uint64_t waits;	   /* how many waits this thread has begun so far */
	uint64_t wait_enter_ns;	 /* when its first wait since the stall began ... */
	uint64_t wait_return_ns; /* ... and its last one ended; 0 when not known */
	uint8_t is_stall;  /* non-blocking, and EAGAIN or fewer bytes than asked */
	uint8_t has_slept; /* the thread slept since the last try in a way we do not wrap */
};

/* One wait of a thread: epoll_wait, poll, select and their kin. */
struct wait_event {
	int64_t timeout_ns; /* -1: for ever */
	int64_t returned;   /* events, or -1 */
	uint64_t io_calls;  /* reads, writes and accepts this thread has made so far */
	uint64_t enter_ns;  /* 0 when nobody asked for the clock */
	uint64_t return_ns;
};

#endif
