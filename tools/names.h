/* SPDX-License-Identifier: MIT */
/*
 * The words for the numbers in a statistics file: counters with unit and meaning (stats.def),
 * reasons and strategies (policy/), states, kinds, roles, addresses. Every function accepts any
 * number, also one from a newer or a hostile writer, and then says "unknown".
 */
#ifndef UNSPIN_NAMES_H
#define UNSPIN_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include "../shim/stats_layout.h"

enum scope { SCOPE_TOTALS, SCOPE_GLOBALS, SCOPE_SOCKETS, SCOPE_EPOLLS, SCOPE_CLASSES,
	     SCOPE_SITES, SCOPE_COUNT };

/* One row of stats.def. */
struct counter {
	const char *name, *unit, *help;
	size_t offset; /* of its cell in an array of cells, or in a row */
};

struct scope_row {
	const char *name;    /* as in the JSON output */
	const char *meaning; /* what one value of this scope is about */
	const struct counter *counters;
	unsigned count;
};

extern const struct scope_row names_scopes[SCOPE_COUNT];

/* The cell of a counter; base is the array or row its scope's offsets count from. */
uint64_t names_cell(const struct counter *counter, const void *base);

const char *names_reason(uint32_t reason);	    /* "grew_spin" */
const char *names_reason_text(uint32_t reason);	    /* "server spins on the full buffer: raised" */
const char *names_strategy(uint32_t strategy);	    /* "grow" */
const char *names_strategy_text(uint32_t strategy); /* "the send buffer is raised" */
const char *names_row_state(uint32_t state);
const char *names_socket_kind(uint32_t kind);
const char *names_thread_role(uint32_t role);
const char *names_mode(uint32_t mode);
const char *names_unlock(uint32_t can_unlock); /* of SO_BUF_LOCK */
const char *names_problem(uint32_t problem_kind);

#define NAMES_ADDRESS_MAX 80
/* "127.0.0.1:80", "[::1]:80", "unix", "" when unknown, into NAMES_ADDRESS_MAX bytes. */
void names_address(const struct stats_addr *address, char *ret);

/* What the process calls itself; its program's file may have another name (redis-server's has). */
const char *names_program(const struct stats_header *header);

#endif
