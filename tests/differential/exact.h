/* SPDX-License-Identifier: MIT */
/*
 * The deterministic phase. Cases of a few calls each whose every result is fixed by POSIX and
 * Linux, not by time: each goes to the trace, which must be the same with and without the shim,
 * descriptor numbers included. The far ends live in this process, driven by raw calls only.
 */
#ifndef DIFFERENTIAL_EXACT_H
#define DIFFERENTIAL_EXACT_H

#include <errno.h>
#include <stdint.h>

#include "board.h"

/* near: the host's end, by libc's calls; far: the other, by raw ones. */
struct ends {
	int near, far;
};

void exact_tcp(struct ends *ret, int is_nonblocking);
void exact_pair(struct ends *ret, int type);
void exact_pipe(struct ends *ret);

/* Closes both: the near end by the form drawn. */
void exact_close(struct ends *e, uint64_t draw);

void exact_far_reset(struct ends *e); /* and waits until the reset has arrived */
/* Takes what comes until `expected` bytes have, and what is there beyond them; returns how much. */
uint64_t exact_far_drain(struct ends *e, uint64_t expected);
void exact_far_send(struct ends *e, size_t n);

/*
 * Writes until `tries` EAGAINs have come, or for a while: libraries may make each take its time.
 * How much went in depends on buffers; that the last result is EAGAIN does not. Returns the bytes.
 */
uint64_t exact_fill(int fd, uint32_t tries);

/* Books a call's result, errno on failure (or that it changed on success), SIGPIPEs it raised. */
void exact_book(const char *what, int odd, uint32_t pipes, long r, int error);
int exact_odd(void);
uint32_t exact_pipes(void);

#define DO(what, call)                                                                             \
	({                                                                                         \
		int odd_ = exact_odd();                                                            \
		uint32_t pipes_ = exact_pipes();                                                   \
		long r_;                                                                           \
		errno = odd_;                                                                      \
		r_ = (long)(call);                                                                 \
		exact_book(what, odd_, pipes_, r_, errno);                                         \
		r_;                                                                                \
	})

struct exact_case {
	const char *name;
	void (*run)(uint64_t draw);
};
extern const struct exact_case exact_io_cases[], exact_life_cases[], exact_special_cases[];
extern const uint32_t exact_io_count, exact_life_count, exact_special_count;

#endif
