/* SPDX-License-Identifier: MIT */
#include "judge.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board.h"

unsigned long long judge_progress(const struct plan *plan)
{
	unsigned long long sum = board->progress;

	for (uint32_t n = 0; n < plan->conns; n++)
		sum += board->host[n].told + board->host[n].got + board->host[n].state +
		       board->peer[n].received + board->peer[n].end + board->peer[n].leaving;
	return sum;
}

static void say_file(const char *what, const char *path)
{
	char text[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return;
	text[n] = 0;
	text[strcspn(text, "\n")] = 0;
	printf("note %s %s\n", what, text);
}

static void say_threads(pid_t host)
{
	char path[300];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)host);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.16s/syscall", (int)host,
			 entry->d_name);
		say_file(entry->d_name, path);
	}
	if (tasks)
		closedir(tasks);
}

static unsigned long long ms_since_start(uint64_t ns)
{
	return ns ? (ns - board->start_ns) / 1000000 : 0;
}

static void say_conn(const struct plan *plan, uint32_t n)
{
	const struct conn_plan *c = &plan->conn[n];
	const struct host_side *h = &board->host[n];
	const struct peer_side *p = &board->peer[n];

	printf("note connection %u (%s) ended at %llu/%llu ms: host state %u told %llu of %llu, "
	       "got %llu, calls %llu%s; peer received "
	       "%llu end %u leaving %u; blocks %u %u\n",
	       n, plan_scene_name(c->style), ms_since_start(h->ended_ns),
	       ms_since_start(p->ended_ns), h->state, (unsigned long long)h->told,
	       (unsigned long long)c->total, (unsigned long long)h->got,
	       (unsigned long long)h->calls, h->calls & 1 ? " (in a call)" : "",
	       (unsigned long long)p->received, p->end, p->leaving, h->blocks, p->blocks);
}

void judge_hang(const struct plan *plan, pid_t host)
{
	violate("hang", "nothing moves");
	say_threads(host);
	for (uint32_t n = 0; n < plan->conns; n++)
		if (board->host[n].state != HOST_ENDED)
			say_conn(plan, n);
}

/* Both ends want all of it: the totals are the plan's, however long it takes. */
static int must_complete(const struct conn_plan *c)
{
	return c->kind != KIND_UDP && (c->peer_end == END_READS || c->peer_end == END_HALF);
}

static void judge_blocks(const struct conn_plan *c)
{
	const struct host_side *h = &board->host[c->id];
	const struct peer_side *p = &board->peer[c->id];

	for (uint32_t k = 0; k < p->blocks && k < h->blocks; k++)
		if (p->block_at[k] != h->block[k].before && p->block_at[k] != h->block[k].after)
			violate("interleaved",
				"connection %u: a handler's block lies at %llu, inside a call from "
				"%llu to %llu",
				c->id, (unsigned long long)p->block_at[k],
				(unsigned long long)h->block[k].before,
				(unsigned long long)h->block[k].after);
		else if (p->block_bytes[k] > h->block[k].told ||
			 (p->end == PEER_SAW_END && p->block_bytes[k] != h->block[k].told))
			violate("block", "connection %u: %u bytes of a block, %u were told", c->id,
				p->block_bytes[k], h->block[k].told);
	if (p->blocks > h->blocks ||
	    (p->end == PEER_SAW_END && !h->had_unread && p->blocks != h->blocks))
		violate("block", "connection %u: %u blocks written, %u arrived", c->id, h->blocks,
			p->blocks);
}

static void judge_conn(const struct conn_plan *c)
{
	const struct host_side *h = &board->host[c->id];
	const struct peer_side *p = &board->peer[c->id];
	unsigned long long told = h->told, received = p->received;

	if (h->state != HOST_ENDED)
		violate("unfinished", "connection %u: state %u", c->id, h->state);
	if (received > told ||
	    (c->kind != KIND_UDP && p->end == PEER_SAW_END && !h->had_unread && received != told))
		violate("total", "connection %u (%s): the host was told %llu, %llu arrived", c->id,
			plan_scene_name(c->style), told, received);
	if (must_complete(c)) {
		printf("fact conn%u %llu\n", c->id, received);
		if (received != c->total || p->end != PEER_SAW_END || h->had_error)
			violate("incomplete",
				"connection %u (%s): %llu of %llu arrived (peer end %u, host error "
				"%u)",
				c->id, plan_scene_name(c->style), received,
				(unsigned long long)c->total, p->end, h->had_error);
	}
	judge_blocks(c);
}

static void judge_silence(const char *name, int fd)
{
	char text[120] = "";
	struct stat st;

	if (fstat(fd, &st) || !st.st_size)
		return;
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		text[0] = 0;
	text[strcspn(text, "\n")] = 0;
	violate("said", "%lld bytes on %s: %s", (long long)st.st_size, name, text);
}

static void judge_process(const struct plan *plan, int status)
{
	if (WIFSIGNALED(status))
		violate("died", "signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status) != plan->exit_code)
		violate("exit", "status %d, wanted %d", WEXITSTATUS(status), plan->exit_code);
	else if (strcmp(board->fds_at_end, " 0 1 2 900 901 902"))
		violate("fds", "open at the end:%s", board->fds_at_end);
	printf("fact status %x\nfact sigpipes %u\nfact fds%s\n", (unsigned)status, board->sigpipes,
	       board->fds_at_end);
}

static void say_trace(void)
{
	char *line = board->trace, *end;

	while ((end = strchr(line, '\n'))) {
		printf("trace %.*s\n", (int)(end - line), line);
		line = end + 1;
	}
}

static void say_summary(const struct plan *plan)
{
	unsigned long long bytes = 0, eagains = 0, shorts = 0, caught = 0;

	for (uint32_t n = 0; n < plan->conns; n++) {
		bytes += board->peer[n].received;
		eagains += board->host[n].eagains;
		shorts += board->host[n].shorts;
	}
	for (int n = 0; n < 16; n++) {
		caught += board->caught[n];
		if (board->is_verbose)
			printf("note stroke %d: %u times, %u caught asleep\n", n, board->struck[n],
			       board->caught[n]);
	}
	printf("note %u connections, %llu bytes, %llu EAGAIN, %llu short, %u edges checked, %llu "
	       "caught asleep, "
	       "held %u us after the end\n",
	       plan->conns, bytes, eagains, shorts, board->checks, caught, board->held_us);
}

unsigned judge(const struct plan *plan, int status, int out, int err)
{
	uint32_t n;

	judge_process(plan, status);
	for (n = 0; n < plan->conns; n++)
		judge_conn(&plan->conn[n]);
	judge_silence("stdout", out);
	judge_silence("stderr", err);
	say_trace();
	say_summary(plan);
	for (n = 0; n < plan->conns && (board->is_verbose); n++)
		say_conn(plan, n);
	for (n = 0; n < board->violations && n < MAX_VIOLATIONS; n++)
		printf("violation %s\n", board->violation[n]);
	return board->violations;
}
