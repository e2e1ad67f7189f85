/* SPDX-License-Identifier: MIT */
/* Lays the region out and fills its header. Once per process, and once more in a fork child. */
#include "stats.h"

#include "stats_file.h"
#include "sys.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>

#ifndef UNSPIN_VERSION
#define UNSPIN_VERSION "0.1.0-dev"
#endif

#define EPOLL_ROWS 64
#define DECISION_ROWS 256

/* Kernel defaults where /proc cannot be read: net/core/sock.c, net/ipv4/tcp.c (since 2.6.17). */
#define DEFAULT_WMEM_MAX 212992
#define DEFAULT_TCP_WMEM_MAX 4194304

enum { NOT_BEGUN, BEGINNING, BEGUN };
static uint32_t progress; /* NOT_BEGUN -> BEGINNING by CAS; nobody waits for it */

static struct config settings;
static uint64_t region_bytes;
static struct section plan[SECTION_COUNT];

static uint64_t place(enum section_id id, uint64_t at, uint64_t count, uint64_t stride)
{
	at = (at + 63) & ~63ull;
	plan[id] = (struct section){ at, (uint32_t)count, (uint32_t)stride };
	return at + count * stride;
}

void stats_configure(const struct config *config, char *const *environment)
{
	uint64_t at = sizeof(struct stats_header);

	settings = *config;
	stats_file_configure(config, environment);
	at = place(SECTION_THREADS, at, config->value[CONFIG_stats_threads],
		   sizeof(struct thread_row));
	at = place(SECTION_SOCKETS, at, config->value[CONFIG_stats_sockets],
		   sizeof(struct socket_row));
	at = place(SECTION_EPOLLS, at, EPOLL_ROWS, sizeof(struct epoll_row));
	at = place(SECTION_DECISIONS, at, DECISION_ROWS, sizeof(struct decision_row));
	at = place(SECTION_CLASSES, at, STATS_CLASS_ROWS, sizeof(struct class_row));
	region_bytes = (at + 4095) & ~4095ull;
}

static uint64_t number_at(const char *text, unsigned skip)
{
	uint64_t value = 0;

	for (; skip && *text; text++)
		skip -= *text == '\t' || *text == ' ';
	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value;
}

/* Field 22 of /proc/self/stat, counted after the name, which may hold spaces and brackets. */
static uint64_t start_ticks(void)
{
	char text[512];
	const char *after;

	if (stats_file_read("/proc/self/stat", text, sizeof(text)) <= 0)
		return 0;
	after = strrchr(text, ')');
	return after ? number_at(after + 1, 20) : 0;
}

/*
 * Unless the user has set it, the budget is at most a 96th of the machine's memory: a sixth of the
 * TCP memory (tcp_mem[1], a 16th by default) at which the kernel begins to starve every connection.
 * Not asked from tcp_mem, which a network namespace does not see. Measured with 10 000 slow readers
 * and 24 GB: 256 MB went unnoticed, with 512 MB all others waited 40 times as long.
 */
static void bound_budget(void)
{
	uint64_t *budget = &settings.value[CONFIG_sndbuf_budget], most;
	struct sysinfo info;

	if (settings.is_set[CONFIG_sndbuf_budget] || sys_call(SYS_sysinfo, &info, 0, 0, 0, 0, 0) != 0)
		return;
	most = (uint64_t)info.totalram * info.mem_unit / 96;
	if (most < *budget)
		*budget = most;
}

static void read_kernel_limits(struct stats_header *h)
{
	char text[64];

	h->wmem_max = DEFAULT_WMEM_MAX;
	h->tcp_wmem_max = DEFAULT_TCP_WMEM_MAX;
	if (stats_file_read("/proc/sys/net/core/wmem_max", text, sizeof(text)) > 0)
		h->wmem_max = number_at(text, 0);
	if (stats_file_read("/proc/sys/net/ipv4/tcp_wmem", text, sizeof(text)) > 0)
		h->tcp_wmem_max = number_at(text, 2);
	bound_budget();
}

static void fill_settings(struct stats_header *h)
{
	h->mode = (uint32_t)settings.value[CONFIG_mode];
	h->option_count = CONFIG_COUNT;
	memcpy(h->option_value, settings.value, sizeof(settings.value));
	memcpy(h->option_is_set, settings.is_set, sizeof(settings.is_set));
	h->problem_count = settings.problem_count;
	memcpy(h->problem, settings.problem, sizeof(h->problem));
}

static void fill_header(struct stats_header *h, const char *dir, int parent)
{
	long got;

	h->version = STATS_VERSION;
	h->header_bytes = sizeof(*h);
	h->file_bytes = region_bytes;
	h->pid = sys_getpid();
	h->parent_pid = parent;
	h->started_ns = sys_now_ns(CLOCK_REALTIME);
	h->started_monotonic_ns = sys_now();
	h->process_start_ticks = start_ticks();
	h->uid = (uint32_t)sys_call(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	h->total_count = TOTAL_COUNT;
	h->global_count = GLOBAL_COUNT;
	memcpy(h->section, plan, sizeof(plan));
	sys_call(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", h->exe, sizeof(h->exe) - 1, 0, 0);
	got = stats_file_read("/proc/self/comm", h->comm, sizeof(h->comm));
	if (got > 0 && h->comm[got - 1] == '\n')
		h->comm[got - 1] = '\0';
	memcpy(h->version_text, UNSPIN_VERSION, sizeof(UNSPIN_VERSION));
	if (dir)
		memcpy(h->stats_dir, dir, strlen(dir) + 1);
	fill_settings(h);
	memcpy(h->departed, stats_early, sizeof(stats_early));
	/* Last: a reader that sees the magic sees all of the above. */
	store_release(&h->magic, STATS_MAGIC);
}

static void point_into(struct stats_header *h)
{
	char *base = (char *)h;

	stats.threads = (void *)(base + plan[SECTION_THREADS].offset);
	stats.sockets = (void *)(base + plan[SECTION_SOCKETS].offset);
	stats.epolls = (void *)(base + plan[SECTION_EPOLLS].offset);
	stats.decisions = (void *)(base + plan[SECTION_DECISIONS].offset);
	stats.classes = (void *)(base + plan[SECTION_CLASSES].offset);
	/* Pairs with stats_has_begun(): whoever sees the header sees the pointers. */
	store_release(&stats.header, h);
}

int stats_begin(void)
{
	uint32_t expected = NOT_BEGUN;
	const char *dir;
	struct stats_header *h;

	if (stats_has_begun())
		return 1;
	if (!cas_acq_rel(&progress, &expected, BEGINNING))
		return 0;
	h = stats_file_map(NULL, region_bytes, &dir);
	if (!h)
		return 0; /* stays BEGINNING: without memory we do not try again at every call */
	read_kernel_limits(h);
	fill_header(h, dir, 0);
	point_into(h);
	store_release(&progress, BEGUN);
	return 1;
}

void stats_begin_child(void)
{
	struct stats_header *h = stats.header;
	uint64_t wmem_max, tcp_wmem_max;
	const char *dir;
	int parent;

	memset(stats_early, 0, sizeof(stats_early)); /* the parent's */
	if (!h) {
		store_release(&progress, NOT_BEGUN); /* the beginner, if any, stayed behind */
		return;
	}
	parent = h->pid;
	wmem_max = h->wmem_max;
	tcp_wmem_max = h->tcp_wmem_max;
	store_release(&stats.header, NULL);
	h = stats_file_map(h, region_bytes, &dir);
	if (!h)
		return; /* still the parent's pages: stay off them */
	h->wmem_max = wmem_max;
	h->tcp_wmem_max = tcp_wmem_max;
	fill_header(h, dir, parent);
	point_into(h);
}
