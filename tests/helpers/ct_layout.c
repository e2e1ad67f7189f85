/* SPDX-License-Identifier: MIT */
/*
 * Prints the layout of the statistics file as the headers declare it: every field with offset,
 * size and type, every number with its name. tests/contract/layout.txt pins it, and ct.py reads
 * statistics files by it.
 *
 *	version N | magic N
 *	field STRUCT NAME OFFSET BYTES COUNT    COUNT cells of BYTES each
 *	size STRUCT BYTES
 *	name ENUM INDEX NAME
 *
 * Exits 1 when a struct has a hole that no listed field fills: a field was forgotten here.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "shim/config.h"
#include "shim/stats_layout.h"

static size_t filled; /* end of the last field */
static int holes;

static void field(const char *type, const char *name, size_t offset, size_t bytes, size_t count)
{
	if (offset < filled || offset - filled > 7) {
		fprintf(stderr, "%s.%s: hole or overlap before it\n", type, name);
		holes++;
	}
	filled = offset + bytes * count;
	printf("field %s %s %zu %zu %zu\n", type, name, offset, bytes, count);
}

static void size(const char *type, size_t bytes, size_t alignment)
{
	if (bytes < filled || bytes - filled >= alignment) {
		fprintf(stderr, "%s: hole at its end\n", type);
		holes++;
	}
	filled = 0;
	printf("size %s %zu\n", type, bytes);
}

#define F(type, name) \
	field(#type, #name, offsetof(struct type, name), sizeof(((struct type *)0)->name), 1)
#define A(type, name)                                                                            \
	field(#type, #name, offsetof(struct type, name), sizeof(((struct type *)0)->name[0]),    \
	      sizeof(((struct type *)0)->name) / sizeof(((struct type *)0)->name[0]))
#define S(type) size(#type, sizeof(struct type), _Alignof(struct type))
#define N(kind, index, name) printf("name %s %d %s\n", #kind, (int)(index), name)

static void structs(void)
{
	F(stats_addr, family); F(stats_addr, port); A(stats_addr, ip); F(stats_addr, scope);
	S(stats_addr);
	F(thread_row, state); F(thread_row, turn); F(thread_row, tid); F(thread_row, role);
	F(thread_row, sockets_first); F(thread_row, sockets_taken); A(thread_row, name);
	A(thread_row, total);
	S(thread_row);
	F(socket_row, state); F(socket_row, turn); F(socket_row, fd); F(socket_row, kind);
	F(socket_row, is_listener); F(socket_row, is_dialled); F(socket_row, strategy);
	F(socket_row, reason); F(socket_row, class_index); F(socket_row, padding);
	F(socket_row, cookie); F(socket_row, opened_ns);
	F(socket_row, closed_ns); F(socket_row, local); F(socket_row, peer);
	A(socket_row, response_bytes);
#define SOCKET(name, unit, help) F(socket_row, name);
#include "shim/stats.def"
	S(socket_row);
	F(epoll_row, state); F(epoll_row, turn); F(epoll_row, epfd); F(epoll_row, padding);
#define EPOLL(name, unit, help) F(epoll_row, name);
#include "shim/stats.def"
	S(epoll_row);
	F(decision_row, sequence); F(decision_row, time_ns); F(decision_row, fd);
	F(decision_row, socket); F(decision_row, strategy); F(decision_row, reason);
	F(decision_row, from_bytes); F(decision_row, to_bytes);
	S(decision_row);
	F(section, offset); F(section, count); F(section, stride);
	S(section);
	F(config_problem, kind); A(config_problem, name); A(config_problem, value);
	S(config_problem);
	F(waste_site, address); F(waste_site, tid); F(waste_site, is_shared);
#define SITE(name, unit, help) F(waste_site, name);
#include "shim/stats.def"
	size("waste_site", sizeof(struct waste_site), sizeof(struct waste_site)); /* with room */
	F(class_row, state); F(class_row, turn); F(class_row, site); F(class_row, port);
	F(class_row, bucket);
#define CLASS(name, unit, help) F(class_row, name);
#include "shim/stats.def"
	S(class_row);
}

static void header(void)
{
	F(stats_header, magic); F(stats_header, version); F(stats_header, header_bytes);
	F(stats_header, file_bytes); F(stats_header, pid); F(stats_header, parent_pid);
	F(stats_header, started_ns); F(stats_header, started_monotonic_ns);
	F(stats_header, process_start_ticks); F(stats_header, uid); F(stats_header, mode);
	F(stats_header, can_unlock); F(stats_header, threads_truncated);
	F(stats_header, wmem_max); F(stats_header, tcp_wmem_max);
	A(stats_header, exe); A(stats_header, version_text);
	F(stats_header, total_count); F(stats_header, global_count); A(stats_header, section);
	A(stats_header, departed); A(stats_header, global);
	F(stats_header, option_count); F(stats_header, problem_count);
	A(stats_header, option_value); A(stats_header, option_is_set);
	A(stats_header, stats_dir); A(stats_header, problem);
	F(stats_header, next_decision); F(stats_header, next_socket); F(stats_header, next_thread);
	F(stats_header, comm); A(stats_header, waste);
	S(stats_header);
}

/* A line per word: words may be appended. */
static void set(const char *field, const char *words)
{
	for (int n = 0; *words; n++) {
		int length = (int)strcspn(words, "|");

		printf("name %s %d %.*s\n", field, n, length, words);
		words += length + (words[length] != '\0');
	}
}

static void names(void)
{
#define TOTAL(id, name, unit, help) N(total, TOTAL_##id, #name);
#include "shim/stats.def"
#define GLOBAL(id, name, unit, help) N(global, GLOBAL_##id, #name);
#include "shim/stats.def"
#define REASON(id, text) N(reason, REASON_##id, #id);
#include "policy/reason.def"
#define STRATEGY(id, text) N(strategy, STRATEGY_##id, #id);
#include "policy/strategy.def"
#define OPT_ENUM(field, ENV, def, words, help) N(option, CONFIG_##field, #field " " words);
#define OPT_SET(field, ENV, def, words, help) N(option, CONFIG_##field, #field); set(#field, words);
#define OPT_BOOL(field, ENV, def, help) N(option, CONFIG_##field, #field);
#define OPT_UINT(field, ENV, def, min, max, unit, help) N(option, CONFIG_##field, #field);
#define OPT_PATH(field, ENV, help) N(option, CONFIG_##field, #field);
#include "shim/config.def"
#define ROW(x) N(row, ROW_##x, #x)
	ROW(FREE); ROW(CLAIMED); ROW(OPEN); ROW(CLOSED);
#define KIND(x) N(kind, SOCKET_KIND_##x, #x)
	KIND(UNKNOWN); KIND(TCP); KIND(UNIX); KIND(MPTCP); KIND(OTHER);
#define ROLE(x) N(role, ROLE_##x, #x)
	ROLE(UNKNOWN); ROLE(REACTOR); ROLE(WORKER); ROLE(CONNECTION);
#define PROBLEM(x) N(problem, PROBLEM_##x, #x)
	PROBLEM(NONE); PROBLEM(UNKNOWN_NAME); PROBLEM(BAD_VALUE); PROBLEM(OUT_OF_RANGE);
#define SECTION(x) N(section, SECTION_##x, #x)
	SECTION(THREADS); SECTION(SOCKETS); SECTION(EPOLLS); SECTION(DECISIONS);
	SECTION(CLASSES);
}

int main(void)
{
	printf("version %d\nmagic %llu\n", STATS_VERSION, (unsigned long long)STATS_MAGIC);
	structs();
	header();
	names();
	return holes != 0;
}
