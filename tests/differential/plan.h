/* SPDX-License-Identifier: MIT */
/*
 * The random program of a seed. Host and judge compute it apart and get the same: the host its
 * half (what to write, how, in what style of server), the judge its half (how the peers read and
 * end). A program is one deterministic phase (scene_exact.c) and then up to four scenes at once,
 * each a style of server with its own threads and connections.
 */
#ifndef DIFFERENTIAL_PLAN_H
#define DIFFERENTIAL_PLAN_H

#include <stdint.h>

#define MAX_SCENES 4
#define MAX_CONNS  64
#define MAX_ROUNDS 4

/* A host that sees no progress for so long gives a connection up (vanished peers). */
#define PATIENCE_MS 120

/*   SCENE(name, connections at least, at most, threads, what it is) */
#define SCENES(SCENE)                                                                              \
	SCENE(spin, 3, 7, 1, "one thread, all connections in turn, retries at once")               \
	SCENE(level, 3, 8, 1, "reactor, level-triggered epoll")                                    \
	SCENE(edge, 3, 8, 1, "reactor, edge-triggered, writes until EAGAIN")                       \
	SCENE(tokio, 3, 8, 1, "reactor, edge-triggered, takes a short count for full")             \
	SCENE(oneshot, 3, 8, 3, "pool on one epoll set, EPOLLONESHOT")                             \
	SCENE(poll, 3, 7, 1, "reactor on poll and ppoll")                                          \
	SCENE(select, 3, 7, 1, "reactor on select and pselect")                                    \
	SCENE(block, 3, 8, 0, "a thread per connection, comes and goes; O_NONBLOCK toggled")       \
	SCENE(pool, 4, 8, 4, "spinning workers that hand connections to each other")               \
	SCENE(chop, 8, 10, 0, "the descriptor ends or is reused while a write is in progress")     \
	SCENE(bell, 2, 5, 0, "timers and pthread_kill; the handlers write")                        \
	SCENE(fork, 2, 4, 0, "children go on with inherited connections; vfork and exec")          \
	SCENE(udp, 1, 2, 1, "datagrams: they must pass untouched")

enum scene_kind {
#define SCENE(name, low, high, threads, help) SCENE_##name,
	SCENES(SCENE)
#undef SCENE
		SCENE_KINDS
};

enum conn_kind { KIND_ACCEPT, KIND_DIAL, KIND_PAIR, KIND_PIPE, KIND_UDP };

/* How the peer ends. */
enum peer_end {
	END_READS,   /* reads to the end of the stream, then closes */
	END_HALF,    /* shuts its sending side after its last request, reads to the end */
	END_CLOSES,  /* closes at end_at, read or unread */
	END_RESETS,  /* SO_LINGER 0 at end_at */
	END_VANISHES /* stops reading at end_at until the host has ended, then reads the rest */
};

/* How the host ends a connection it is done with. */
enum host_end {
	HOST_CLOSES,
	HOST_CLOSES_RAW,   /* syscall(SYS_close), as libuv: the shim cannot see it */
	HOST_CLOSES_RANGE, /* close_range of one descriptor */
	HOST_DUPS_OVER,	   /* dup2 or dup3 of something else onto it */
	HOST_LINGERS,	   /* shutdown, read to the peer's end, close */
	HOST_ENDS
};

/* How much a host asks for in one call. */
enum chunking { CHUNK_WHOLE, CHUNK_RANDOM, CHUNK_SMALL };

struct conn_plan {
	uint32_t id, scene;
	uint8_t style; /* enum scene_kind of the scene */
	uint64_t draw; /* this connection's own chance */
	uint8_t kind, peer_end, host_end, chunking;
	uint8_t is_pipelined; /* all requests at once, not each after the response before */
	uint8_t uses_dup;     /* writes go to a duplicate now and then */
	uint8_t uses_one_op;  /* always the same call, as most servers */
	uint8_t takes_blocks; /* handlers write into this stream too */
	uint8_t is_frozen;    /* the peer reads nothing until told (scene_chop.c) */
	uint32_t rounds, request_bytes;
	uint64_t response[MAX_ROUNDS], total;
	uint64_t end_at;
	uint32_t read_bytes, read_sleep_us; /* the peer's pace */
	uint64_t pause_at;
	uint32_t pause_ms;
	int sndbuf, rcvbuf, maxseg; /* 0: the kernel's choice */
};

struct scene_plan {
	uint8_t kind;
	uint32_t first, count; /* connections */
	uint32_t threads, width;
	uint64_t draw;
};

struct plan {
	uint64_t seed;
	uint32_t scenes, conns;
	uint8_t has_fork;    /* descriptors live on in children: sets are left by EPOLL_CTL_DEL */
	uint8_t has_signals; /* calls may be interrupted in the bell scene's threads */
	int exit_code;
	uint8_t exits_by_thread; /* pthread_exit of main, the last other thread ends the process */
	struct scene_plan scene[MAX_SCENES];
	struct conn_plan conn[MAX_CONNS];
};

/* only: a scene kind to make the whole program of, or -1. */
void plan_make(struct plan *ret_plan, uint64_t seed, int only);

const char *plan_scene_name(int kind);
int plan_scene_kind(const char *name); /* -1: none */
void plan_describe(const struct plan *plan);

#endif
