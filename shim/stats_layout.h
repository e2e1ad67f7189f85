/* SPDX-License-Identifier: MIT */
/*
 * The statistics file: what the library writes and the tools read.
 *
 * One file per process, named `<pid>` in the statistics directory (shim/stats_dir.h), mapped
 * shared by the process and sized once. It outlives the process: the file is also the dump.
 *
 *	header | threads[] | sockets[] | epolls[] | decisions[] | classes[]
 *
 * Rules that always hold:
 *  - header.magic is stored last (release): a file without it is still being made, or foreign.
 *  - offsets and strides are taken from header.section[], never from sizeof, so that a reader
 *    accepts longer rows of a newer library (fields are only ever appended).
 *  - every cell is written by plain 64-bit stores or locked adds; a reader may see cells of
 *    one row that are a few events apart, never a torn cell.
 *  - a row is valid when its state is not ROW_FREE; `turn` changes whenever the row is given to
 *    another socket, so a reader that sees two values around its copy reads again.
 *
 * Pure data: included by the library, the tools and the tests; no function touches the kernel.
 */
#ifndef UNSPIN_STATS_LAYOUT_H
#define UNSPIN_STATS_LAYOUT_H

#include <stdint.h>

#define STATS_MAGIC 0x314e495053ULL /* "SPIN1" */
#define STATS_VERSION 2

enum total {
#define TOTAL(id, name, unit, help) TOTAL_##id,
#include "stats.def"
	TOTAL_COUNT
};

enum global {
#define GLOBAL(id, name, unit, help) GLOBAL_##id,
#include "stats.def"
	GLOBAL_COUNT
};

enum reason {
#define REASON(id, text) REASON_##id,
#include "../policy/reason.def"
	REASON_COUNT
};

enum strategy {
#define STRATEGY(id, text) STRATEGY_##id,
#include "../policy/strategy.def"
	STRATEGY_COUNT
};

enum row_state {
	ROW_FREE = 0,
	ROW_CLAIMED, /* being filled or being given back; readers skip it */
	ROW_OPEN,
	ROW_CLOSED, /* kept until the row is needed again */
};

enum socket_kind {
	SOCKET_KIND_UNKNOWN = 0,
	SOCKET_KIND_TCP,
	SOCKET_KIND_UNIX,
	SOCKET_KIND_MPTCP,
	SOCKET_KIND_OTHER, /* another stream protocol: counted, never treated */
};

enum thread_role { /* see probes/role.h */
	ROLE_UNKNOWN = 0,
	ROLE_REACTOR,
	ROLE_WORKER,
	ROLE_CONNECTION,
};

/* A socket address, 28 bytes are enough for IPv6; unix sockets store only the family. */
struct stats_addr {
	uint16_t family;
	uint16_t port; /* host byte order */
	uint8_t ip[16];
	uint32_t scope;
};

/* One thread's counters. Written only by that thread; `exact` because nobody else adds. */
struct thread_row {
	uint32_t state; /* enum row_state */
	uint32_t turn;
	int32_t tid;
	uint32_t role; /* enum thread_role */
	uint64_t sockets_first; /* sockets this thread was the first to use */
	uint64_t sockets_taken; /* sockets it took over from another thread */
	char name[16]; /* comm when the row was claimed */
	uint64_t total[TOTAL_COUNT];
} __attribute__((aligned(64))); /* no cache line belongs to two threads */

/*
 * One socket. Cells are written by whichever thread uses the socket, without locks: two threads
 * in the same write at the same instant may lose one count here, never in the thread rows.
 */
struct socket_row {
	uint32_t state; /* enum row_state */
	uint32_t turn;
	int32_t fd;
	uint32_t kind;		/* enum socket_kind */
	uint32_t is_listener;	/* 1 when listen() was called on it */
	uint32_t is_dialled;	/* 1 when connect() was called on it */
	uint32_t strategy;	/* enum strategy */
	uint32_t reason;	/* enum reason */
	uint32_t class_index;	/* into classes[], plus 1; 0: none */
	uint32_t padding;
	uint64_t cookie;	/* SO_COOKIE, 0 before it was needed */
	uint64_t opened_ns;	/* CLOCK_MONOTONIC, when the row was claimed */
	uint64_t closed_ns;	/* 0 while open; set in ROW_OPEN: perhaps closed, out of our sight */
	struct stats_addr local, peer;
	uint32_t response_bytes[8]; /* sizes of the last eight responses, capped at 2^32-1 */
#define SOCKET(name, unit, help) uint64_t name;
#include "stats.def"
};

struct epoll_row {
	uint32_t state;
	uint32_t turn;
	int32_t epfd;
	uint32_t padding;
#define EPOLL(name, unit, help) uint64_t name;
#include "stats.def"
};

/* What was learnt of one class of responses (policy/class.h). */
struct class_row {
	uint32_t state; /* enum row_state; stored last */
	uint32_t turn;
	uint64_t site;	 /* return address in the process */
	uint32_t port;	 /* of the listener; of a dialled peer plus 65536; 0 unknown */
	uint32_t bucket; /* log2 of the first write's bytes */
#define CLASS(name, unit, help) uint64_t name;
#include "stats.def"
};

#define STATS_CLASS_ROWS 256

/* A call site of waits, reads or accepts that led to nothing. Free while address is 0. */
struct waste_site {
	uint64_t address;   /* return address in the process */
	int32_t tid;	    /* the thread that wasted there last; 0: one without a row */
	uint32_t is_shared; /* 1: others did, too */
	union {
		struct {
#define SITE(name, unit, help) uint64_t name;
#include "stats.def"
		};
		uint64_t room[14]; /* the row is part of the header: its size is fixed */
	};
};

_Static_assert(sizeof(struct waste_site) == 128, "too many cells of a call site");

#define STATS_WASTE_SITES 32

/* One decision that changed something or a socket's reason, newest overwrite oldest. */
struct decision_row {
	uint64_t sequence; /* 1, 2, 3 ...; 0 = never used; stored last (release) */
	uint64_t time_ns;  /* CLOCK_MONOTONIC */
	int32_t fd;
	uint32_t socket;   /* index into sockets[], UINT32_MAX if it had no row */
	uint32_t strategy; /* enum strategy */
	uint32_t reason;   /* enum reason */
	uint64_t from_bytes, to_bytes; /* the send buffer before and after */
};

enum section_id { SECTION_THREADS, SECTION_SOCKETS, SECTION_EPOLLS, SECTION_DECISIONS,
		  SECTION_CLASSES, SECTION_COUNT };

struct section {
	uint64_t offset; /* from the start of the file */
	uint32_t count;	 /* rows */
	uint32_t stride; /* bytes from row to row */
};

/* A setting the library did not take. The reader finds the nearest valid name. */
enum problem_kind { PROBLEM_NONE = 0, PROBLEM_UNKNOWN_NAME, PROBLEM_BAD_VALUE,
		    PROBLEM_OUT_OF_RANGE };

struct config_problem {
	uint32_t kind; /* enum problem_kind */
	char name[44]; /* as found, cut to fit, always ended by a zero */
	char value[48];
};

#define CONFIG_PROBLEMS_MAX 8
#define CONFIG_OPTIONS_MAX 64

struct stats_header {
	uint64_t magic; /* stored last */
	uint32_t version;
	uint32_t header_bytes; /* sizeof(struct stats_header) of the writer */
	uint64_t file_bytes;
	int32_t pid;
	int32_t parent_pid; /* the process under unspin it was forked from; 0 if none */
	uint64_t started_ns;	       /* CLOCK_REALTIME, when this file was begun */
	uint64_t started_monotonic_ns; /* the same instant on CLOCK_MONOTONIC */
	uint64_t process_start_ticks;  /* field 22 of /proc/PID/stat: tells pid reuse; 0 unknown */
	uint32_t uid;
	uint32_t mode; /* index into config.def's words of `mode` */
	uint32_t can_unlock;  /* 1 SO_BUF_LOCK works, 0 not tried yet, 2 it does not */
	uint32_t threads_truncated;
	uint64_t wmem_max;     /* net.core.wmem_max when the file was begun */
	uint64_t tcp_wmem_max; /* third number of net.ipv4.tcp_wmem */
	char exe[256];	       /* /proc/self/exe, cut to fit */
	char version_text[32]; /* the library's version */
	uint32_t total_count, global_count; /* of the writer */
	struct section section[SECTION_COUNT];
	uint64_t departed[64]; /* totals of threads whose rows were given back (locked adds) */
	uint64_t global[32];
	/* Effective settings in the order of config.def, and where each came from. */
	uint32_t option_count;
	uint32_t problem_count; /* found, may exceed CONFIG_PROBLEMS_MAX */
	uint64_t option_value[CONFIG_OPTIONS_MAX]; /* paths: 1 if set, see stats_dir */
	uint8_t option_is_set[CONFIG_OPTIONS_MAX]; /* 1: from the environment */
	char stats_dir[256];
	struct config_problem problem[CONFIG_PROBLEMS_MAX];
	uint64_t next_decision; /* sequence of the newest decision */
	uint32_t next_socket;	/* cursor of the row allocator */
	uint32_t next_thread;
	char comm[16]; /* what the process calls itself: the exe of redis-server is redis-check-rdb */
	struct waste_site waste[STATS_WASTE_SITES];
};

_Static_assert(TOTAL_COUNT <= 64 && GLOBAL_COUNT <= 32, "header tables too small");

#endif
