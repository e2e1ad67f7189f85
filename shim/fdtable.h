/* SPDX-License-Identifier: MIT */
/*
 * One private record per descriptor number: what we believe about the socket behind it.
 *
 * Closes are not reliably seen (libuv closes by raw system call, vfork children run our wrappers
 * in the parent's memory), so a record is *validated*, not tracked: a record in doubt, and every
 * record on the stall path, is compared with the socket's SO_COOKIE; a stranger's record is
 * started afresh.
 *
 * tag = epoch << 4 | kind in one word, so that the fast path knows with one comparison that a
 * record is current (the epoch grows at fork), known, and needs nothing special. A full write on
 * a quiet stream socket reads tag and user and adds to counters; nothing else.
 *
 * Two levels: chunks are mapped when first needed, published by CAS and never freed. Not a flat
 * array of RLIMIT_NOFILE entries: containers give 2^20 to 2^30.
 */
#ifndef UNSPIN_FDTABLE_H
#define UNSPIN_FDTABLE_H

#include <stddef.h>
#include <stdint.h>

#include "../probes/spin.h"
#include "atomic.h"
#include "stats_layout.h"

enum fd_kind {
	FD_UNKNOWN = 0,	     /* never seen, or given up: asked when next used */
	FD_NOT_SOCKET = 2,   /* file, pipe, eventfd: passed through */
	FD_OTHER_SOCKET = 3, /* a socket that is no stream: passed through; differs in bit 0 only */
	FD_QUIET,	   /* stream socket, no stall outstanding: the fast path */
	FD_STALLED,	   /* stream socket whose last write stalled */
	FD_LISTENER,
	FD_EPOLL,
	FD_DOUBT,	   /* stream socket that may have been closed unseen: validate */
};

/* No thread has this id, nor is it the 0 of a thread without one. As `users`: nor a writer. */
#define FD_NO_USER UINT32_MAX

/* What has been sent on a socket since the latest call on it began. */
enum sent { SENT_NOTHING, SENT_FULL /* on the fast path */, SENT_SEEN /* on the slow path */ };

struct fdrec {
	_Alignas(64) uint32_t tag; /* epoch << 4 | enum fd_kind */
	uint32_t pending; /* READY_* bits delivered and not used yet */
	union {
		struct {
			uint32_t user;	 /* id of the thread that used it last; FD_NO_USER: none */
			uint32_t writer; /* id of the thread that began the last write; 0: none */
		};
		uint64_t users; /* both, to be compared with thread_ids (thread.h) */
	};
	uint64_t lock;	  /* fdlock.h; 0: free */
	int32_t writing;  /* calls at work that did not begin on the fast path: entry_begin() */
	int32_t epoll_fd; /* the set of its last ADD or MOD; -1: none seen */
	/* Of a record once known these are never NULL, not for an instant: a thread may be using the
	 * number that another is closing. */
	struct socket_row *socket; /* its row in the statistics, or the sink */
	struct epoll_row *epoll;   /* FD_EPOLL: the same; else the sink */
	uint64_t room_bytes; /* a longer write is looked at before the call (ahead.h) */
	/* What is below is cleared when the record is given up. */
	struct spin_state spin;
	uint64_t cookie;	 /* SO_COOKIE; 0: not asked yet */
	uint64_t epoll_data;	 /* the host's data at its last ADD or MOD */
	uint32_t epoll_mask;	 /* and its mask; with EPOLLEXCLUSIVE where that is not certain */
	uint32_t row_turn;	 /* the row's turn when we got it */
	uint32_t socket_kind;	 /* enum socket_kind */
	union {
		uint32_t stalls;     /* since the buffer last changed */
		uint32_t is_foreign; /* FD_EPOLL: set once, epoll_set.h */
	};
	uint32_t ops;		 /* slow-path operations so far, saturating: when to look */
	union {
		uint64_t last_try_ns; /* the last write seen on the slow path */
		uint64_t suspect_ns;  /* FD_EPOLL: when `suspect` came; 0: none */
	};
	union {
		uint64_t sleeps;  /* the stalling thread's voluntary switches at the stall */
		uint64_t suspect; /* FD_EPOLL: data of an event that no registration we saw has */
	};
	uint64_t budget_bytes;	 /* what this socket holds of the process's send-buffer budget */
	union {
		uint64_t rwnd_limited_us; /* as the two below: TCP_INFO at the last look */
		struct { /* FD_EPOLL, polled.h */
			uint32_t members;     /* registrations, by what we saw */
			uint32_t is_unpolled; /* set once */
		};
	};
	uint64_t sndbuf_limited_us, busy_us;
	uint8_t has_lowat;   /* the host set TCP_NOTSENT_LOWAT */
	uint8_t is_host_fixed; /* the host called setsockopt(SO_SNDBUF) itself */
	uint8_t has_grown;   /* we have raised its buffer */
	uint8_t has_row;     /* socket points to a row of its own, not to the sink */
	union {
		uint8_t is_shared_set; /* FD_EPOLL: several threads wait for it */
		struct {
			uint8_t opening_turns : 7; /* responses left as they are: policy_window_may_open() */
			uint8_t is_opening : 1;	   /* the one under way is such */
		};
	};
	uint8_t is_looked_at;  /* addresses and buffer size are in the row */
	uint8_t has_sent;      /* enum sent: what calls sent since the latest began (observe_begin) */
	uint8_t shared_for;    /* calls until its writer counts as the only one: entry_begin() */
	struct stats_addr local; /* listener: handed to accepted sockets */
	struct class_slot *class_slot; /* class of the response under way, or NULL (classes.h) */
	uint32_t port;	  /* what its class is keyed by: policy/class.h */
	uint8_t owes_error;  /* to the host's next call: kept.h */
	uint8_t is_accepted; /* in thread_context.accepted of the thread that accepted it */
	/* Of retries (retry.h); from `retrying` on, fields survive the record's restart. */
	uint32_t retrying;   /* calls that are being gone on with */
	uint32_t sending;    /* of them, those between the check of a retry and the end of its send */
	uint32_t closing;    /* threads that are closing or replacing the descriptor right now */
	uint32_t generation; /* closes, and sends that retries of other calls must not go on after */
	uint32_t ctls;	     /* epoll_ctl calls: begun << 16 | at work now (mask.h) */
	uint32_t forks;	     /* FD_EPOLL: of this process when the set was made */
};

/* A power of 2: a number becomes an address by one shift; 200 cost every call 4 instructions. */
_Static_assert(sizeof(struct fdrec) == 256, "the record's size is part of the fast path");
_Static_assert(offsetof(struct fdrec, spin) % 8 == 0 && offsetof(struct fdrec, retrying) % 8 == 0,
	       "cleared by words of 8 bytes");

/* What fast paths compare with; changes only at fork. */
struct fd_tags {
	uint32_t epoch;
	uint32_t quiet, ignored; /* ignored: FD_NOT_SOCKET, and FD_OTHER_SOCKET without bit 0 */
	uint32_t other_socket;
	uint32_t epoll;
};
extern HIDDEN struct fd_tags fd_tags;

#define FDTABLE_CHUNK_BITS 9
#define FDTABLE_CHUNKS 2048 /* 2^20 descriptors; higher numbers are passed through */

extern HIDDEN struct fdrec *fdtable_chunk[FDTABLE_CHUNKS];

/* The record of fd, or NULL when none was ever needed. Async-signal-safe, lock-free. */
static inline struct fdrec *fdtable_find(int fd)
{
	struct fdrec *chunk;

	if (unlikely((unsigned)fd >= FDTABLE_CHUNKS << FDTABLE_CHUNK_BITS))
		return NULL;
	/* Pairs with the publishing CAS in fdtable_get; data dependency orders the rest. */
	chunk = load_acquire(&fdtable_chunk[(unsigned)fd >> FDTABLE_CHUNK_BITS]);
	if (unlikely(!chunk))
		return NULL;
	return &chunk[(unsigned)fd & ((1u << FDTABLE_CHUNK_BITS) - 1)];
}

/* As fdtable_find, but maps the chunk if needed. NULL: number too high or no memory. */
struct fdrec *fdtable_get(int fd);

/* Begins the first epoch (constructor) or the next one (fork child): no record is current. */
void fdtable_next_epoch(void);

static inline enum fd_kind fdrec_kind(const struct fdrec *rec)
{
	return (enum fd_kind)(load_relaxed(&rec->tag) & 15);
}

static inline int fdrec_is_current(const struct fdrec *rec)
{
	return load_relaxed(&rec->tag) >> 4 == fd_tags.epoch;
}

/* Its row in the statistics, or the sink; without the lock, perhaps that of the next socket. */
static inline struct socket_row *fdrec_row(const struct fdrec *rec)
{
	return load_relaxed(&rec->socket);
}

/* The record of an epoll set that we saw made, or NULL. */
static inline struct fdrec *fdtable_find_set(int epfd)
{
	struct fdrec *set = fdtable_find(epfd);

	return set && fdrec_is_current(set) && fdrec_kind(set) == FD_EPOLL ? set : NULL;
}

/* Nothing to see here: the wrapper makes the real call its last act (a jump). */
static inline int fdrec_is_ignored(const struct fdrec *rec)
{
	return rec && (load_relaxed(&rec->tag) & ~1u) == fd_tags.ignored;
}

/* The same for calls only sockets accept: a "no socket" there is a mistake to be found out. */
static inline int fdrec_is_other_socket(const struct fdrec *rec)
{
	return rec && load_relaxed(&rec->tag) == fd_tags.other_socket;
}

/* Release: whoever sees the new tag sees the fields set before it. */
static inline void fdrec_set_kind(struct fdrec *rec, enum fd_kind kind)
{
	store_release(&rec->tag, fd_tags.epoch << 4 | (uint32_t)kind);
}

/* The highest descriptor number whose record exists, plus one. */
int fdtable_end(void);

#endif
