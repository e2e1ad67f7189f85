/* SPDX-License-Identifier: MIT */
/*
 * Class memory: what was learnt from the stalls of one kind of response, so that the next socket
 * of that kind is treated right on its first write (paper 1's map, for unmodified servers).
 *
 * A class is: accepting listener (or dialled peer's port) x call site x size bucket of the first
 * write of a response that is large enough to matter (CLASS_MIN_BYTES).
 *
 * Two scores say what the host does after a stall, each by itself and never by its name:
 *	spin_score   rises by one whenever the host insists (begins an episode of fruitless tries, or
 *		     makes another SPIN_SPINNER_TRIES of them: probes/spin.h), falls to 0 at a yield
 *	yield_score  the same the other way round
 * So a host that changes its ways is seen at its first stall after the change.
 *
 * need_bytes follows the responses: up at once, down by an eighth of the way each time, so that
 * one huge response is forgotten after some thirty small ones.
 *
 * Pure; fields are read and written by several threads without a lock, by relaxed atomics (one
 * thread's update may be lost on purpose: each is an estimate, and every use of it is checked
 * against the socket).
 */
#ifndef UNSPIN_CLASS_H
#define UNSPIN_CLASS_H

#include <stdint.h>

/* Smaller first writes never stall on a fresh socket: the smallest buffer takes them. */
#define CLASS_MIN_BYTES 512

/* A score is believed from here on: three episodes, or one of 32 tries; Netty leaves after 16. */
#define CLASS_BELIEVE 3
#define CLASS_SCORE_MAX 16

/*
 * A thread that has ever waited after a stall is believed a spinner only after so many episodes
 * in a row: a reactor that spins on one class and yields on another would otherwise be blocked
 * in between (seen with three spins to one yield), and its other sockets with it.
 */
#define CLASS_BELIEVE_AGAIN 64

/* While blocking, one stall in so many is handed to the host untreated, to see what it does. */
#define CLASS_PROBE_EVERY 64

/* Added to the port of a dialled peer, so that it is told from a listener's. */
#define CLASS_PORT_DIALLED 65536

struct class_key {
	uint64_t site;	 /* return address in the host */
	uint32_t port;	 /* listener's port; dialled peer's port + 65536; 0 unknown */
	uint32_t bucket; /* log2 of the first write's bytes */
	uint64_t path;	 /* which caller of that place: shim/site.h; 0: any */
};

struct class_memory {
	uint64_t need_bytes; /* response size to hold */
	uint64_t drain_ns, trip_ns; /* running means; 0: not known */
	uint32_t spin_score, yield_score;
	uint32_t treated; /* stalls treated in the call since the last probe */
	uint32_t overhead; /* buffer space per payload byte, in 1/16 (policy.h); 0: not known */
	uint32_t first_turns; /* connections one response of which was left to open the window */
	uint32_t later_turns; /* and those of them that came to write more */
	uint32_t wants_growth; /* 1: the buffer was found to be what stalls it */
};

/* floor(log2(bytes)), 0 for 0. */
uint32_t class_bucket(uint64_t bytes);

/* A place for the key in a table of `size` (a power of two) rows. */
uint32_t class_hash(const struct class_key *key, uint32_t size);

/* A response of this size is complete. */
void class_response(struct class_memory *memory, uint64_t bytes);

/* What a stalled queue showed of its packets' overhead: followed as need_bytes is. */
void class_overhead(struct class_memory *memory, uint32_t overhead);

/* A spin episode began / the thread came back after a wait. */
void class_spun(struct class_memory *memory);
void class_yielded(struct class_memory *memory);

void class_drained(struct class_memory *memory, uint64_t drain_ns);
void class_tripped(struct class_memory *memory, uint64_t trip_ns);

/*
 * turn 1: the connection's first response that is left to open its reader's window (policy.h);
 * 2: it has come to write more. Worth it only where connections are kept. The first CLASS_TRUSTED
 * connections are believed to be: they may all come before any of them has its second request.
 */
#define CLASS_TRUSTED 128
void class_opening(struct class_memory *memory, uint32_t turn);
int class_keeps_connections(const struct class_memory *memory);

/* Would class_treatment() say CLASS_BLOCK? */
int class_would_block(const struct class_memory *memory, int thread_spins);

/* How to treat a stall of this class inside the call. */
enum class_treatment { CLASS_LEAVE, CLASS_SPIN, CLASS_BLOCK };

/*
 * thread_spins: the calling thread has lately spun after its stalls and never yielded. A thread
 * that yields is never blocked: its other sockets would wait.
 */
enum class_treatment class_treatment(struct class_memory *memory, int thread_spins);

#endif
