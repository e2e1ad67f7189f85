/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the lab share: the options, the addresses and the one way to give up.
 *
 *     lab.c     options; the outer process, which only waits
 *     inside.c  pid 1 of the lab: mounts, the command, the end
 *     net.c     the three network namespaces and what joins them
 *     wire.c    the delay line
 *     check.c   one real connection before the command starts
 */
#ifndef LAB_H
#define LAB_H

#include <stdbool.h>

#define LAB_SERVER_ADDR "10.200.0.1"
#define LAB_CLIENT_ADDR "10.200.0.2"

/* Exit status of a test that cannot run here. */
#define LAB_EXIT_SKIP 77

struct lab_options {
	long rtt_us;		 /* 0: no delay line, plain veth in both directions */
	const char *cc;		 /* congestion control of both hosts */
	long client_rmem_bytes;	 /* 0: the kernel's auto-tuned receive buffer */
	const char *server_wmem; /* tcp_wmem of the server host, or NULL */
	long wmem_max_bytes;	 /* 0: as it is */
	bool is_probe;		 /* build and check a lab, run nothing */
	char **command;		 /* NULL-terminated; empty in a probe */
};

/*
 * Print one line and exit: on stderr with status 1, or in a probe on stdout with LAB_EXIT_SKIP.
 * Inside the lab this is the end of pid 1 and thereby of everything in it.
 */
_Noreturn void lab_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
