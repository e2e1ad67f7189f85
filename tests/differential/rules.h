/* SPDX-License-Identifier: MIT */
/* What a call may return, whoever stands between the host and the kernel. */
#ifndef DIFFERENTIAL_RULES_H
#define DIFFERENTIAL_RULES_H

#include "call.h"

struct before {
	uint32_t signals, sigpipes;
	int odd;
	uint64_t now_ns;
};

struct before rules_before(uint64_t draw);

/* A value no call leaves in errno by itself, different from time to time. */
int odd_errno(uint64_t draw);

/* error: errno after the call, whatever it returned. op: its name. */
void rules_out(const struct out *o, const char *op, const struct before *b, ssize_t r);
void rules_in(const struct conn *c, const char *op, const struct before *b, size_t asked, ssize_t r,
	      int error, int is_nonblocking);
/* A wait for at most timeout_ms (-1: for ever) and at most `max` results. */
void rules_wait(const char *op, const struct before *b, int max, int timeout_ms, int r, int error);

#endif
