/* SPDX-License-Identifier: MIT */
/*
 * The memory the host (under the shim) and the judge (never under it) share. It is the only thing
 * they say to each other beside the traffic under test: no call of the control kind goes through
 * a wrapper, and what the host was told survives the host.
 *
 * Per connection always: peer.received <= host.told, and every byte received is the pattern's at
 * its position; equal when the peer read to a clean end. One writer per field; the judge reads
 * after both have ended, or racily for the report of a hang.
 */
#ifndef DIFFERENTIAL_BOARD_H
#define DIFFERENTIAL_BOARD_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "plan.h"

/* Numbers the host finds its links to the judge at; high, so that the lowest stay free. */
enum { BOARD_FD = 900, RING_FD = 901, CONTROL_FD = 902 };

#define MAX_BLOCKS     24
#define MAX_VIOLATIONS 24
#define ENOUGH	       8
#define TEXT_BYTES     320
#define TRACE_BYTES    131072

enum host_state { HOST_NEW, HOST_OPEN, HOST_ENDED };
enum command { COMMAND_NONE, COMMAND_THAW, COMMAND_RESET };
enum peer_end_seen { PEER_RUNNING, PEER_SAW_END, PEER_SAW_ERROR, PEER_LEFT, PEER_GAVE_UP };

/* A block a signal handler wrote into the stream of the call it interrupted (scene_signal.c). */
struct block_note {
	uint64_t before, after; /* the stream's position around that call: legal places */
	uint32_t told;		/* bytes the handler was told were sent */
};

struct host_side {
	_Atomic uint64_t told;	  /* sum of the positive results of the host's writes */
	_Atomic uint64_t got;	  /* request bytes read */
	_Atomic uint32_t state;	  /* enum host_state */
	_Atomic uint32_t command; /* to a vanished peer */
	_Atomic uint64_t calls;	  /* odd while a write of this connection is in progress */
	_Atomic int32_t tid;	  /* the thread in it */
	uint8_t gave_up;	  /* the host stopped early by itself */
	uint8_t had_error;	  /* a call failed because of the peer */
	uint8_t had_unread;	  /* it closed with requests unread: the kernel resets */
	uint8_t is_complete;	  /* all planned bytes were told sent */
	uint32_t eagains, shorts; /* stalls */
	uint64_t ended_ns;
	uint32_t blocks;
	struct block_note block[MAX_BLOCKS];
};

struct peer_side {
	_Atomic uint32_t leaving; /* about to end early: errors are legal from here on */
	_Atomic uint64_t received;
	_Atomic uint32_t end; /* enum peer_end_seen */
	_Atomic int32_t fd;   /* end passed over the control socket, + 1 */
	uint32_t port;	      /* of the peer's socket (accepted by us) or listener (dialled) */
	_Atomic uint32_t has_port;
	uint64_t ended_ns;
	uint32_t blocks;
	uint64_t block_at[MAX_BLOCKS];
	uint32_t block_bytes[MAX_BLOCKS];
	uint64_t datagrams;
};

struct board {
	uint64_t seed, start_ns;
	uint32_t is_verbose;
	_Atomic uint32_t is_host_gone;
	_Atomic uint64_t progress; /* what cannot be seen in the connections */
	_Atomic uint32_t listener_port[MAX_SCENES];
	struct host_side host[MAX_CONNS];
	struct peer_side peer[MAX_CONNS];
	_Atomic uint32_t violations;
	char violation[MAX_VIOLATIONS][TEXT_BYTES];
	_Atomic uint32_t trace_bytes;
	char trace[TRACE_BYTES];
	char fds_at_end[512];
	_Atomic uint32_t checks;     /* edge checks that were conclusive */
	_Atomic uint32_t struck[16]; /* by stroke (scene_chop.c) */
	_Atomic uint32_t caught[16]; /* and with the writer asleep in a call */
	_Atomic uint32_t held_us;    /* longest time a write went on after its descriptor's end */
	uint32_t sigpipes;	     /* of the deterministic phase */
};

extern struct board *board;

/* Creates (judge: fd < 0) or maps (host) the board; ends the process on failure. */
int board_create(uint64_t seed);
void board_attach(int fd);

/* A rule was broken. Any thread. errno is kept. A host that has broken many ends: enough is known.
 */
void violate(const char *rule, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line of the deterministic part, compared between runs. Single-threaded phase only. */
void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends this process because the test itself cannot go on; said as a violation "setup". */
void setup_failed(const char *what, int line) __attribute__((noreturn));
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			setup_failed(#condition, __LINE__);                                        \
	} while (0)

uint64_t now_ns(void);
void sleep_us(uint64_t us);

#endif
