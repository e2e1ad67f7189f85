/* SPDX-License-Identifier: MIT */
/*
 * Demo server: the same small HTTP server in many architectures, to be run with and without the
 * shim, of which it knows nothing. Reading order: arch.h, arch_single.c, arch_yield.c, loop.h,
 * conn.h, http.h, route.h, response.h; then the architectures with threads: arch_threads.c, pool.h,
 * arch_dispatch.c, dispatch.h, arch_netty.c, reactors.h, arch_hybrid.c, arch_symped.c,
 * arch_pipeline.c, room.h, arch_seda.c, stage.h, control.h.
 */
#include <limits.h>
#include <string.h>

#include "../common/options.h"
#include "copies.h"
#include "server.h"

static const struct arch *const archs[] = {
#define ARCH_ENTRY(name) &arch_##name,
	ARCH_LIST(ARCH_ENTRY)
#undef ARCH_ENTRY
};

#define ARCHS (sizeof(archs) / sizeof(*archs))

static const struct arch *arch_find(const char *name)
{
	for (size_t i = 0; i < ARCHS; i++)
		if (!strcmp(archs[i]->name, name))
			return archs[i];
	return NULL;
}

static void print_arch(const struct arch *arch)
{
	printf("  %-19s %s", arch->name, arch->help);
	if (arch->threads)
		printf(" (--threads %ld)", arch->threads);
	if (arch->copies)
		printf(" (--copies %ld)", arch->copies);
	putchar('\n');
}

static void print_help(const struct option_row *rows)
{
	printf("usage: reactor [options]\n\n");
	options_print(rows);
	printf("\narchitectures:\n");
	for (size_t i = 0; i < ARCHS; i++)
		print_arch(archs[i]);
	printf("\nGET /bytes/N: N bytes, up to %lu; GET /stats: counters as JSON;\n"
	       "with --root also the files below DIR\n",
	       RESPONSE_BODY_MAX_BYTES);
}

/* Whether the space-separated tags hold the name. */
static bool tags_hold(const char *tags, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = tags; (at = strstr(at, name)); at += len)
		if ((at == tags || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	return false;
}

/* An option that the architecture would ignore is a mistake in the experiment: refuse it. */
static bool check_tags(const struct option_row *rows, const struct arch *arch)
{
	for (; rows->name; rows++) {
		if (rows->is_set && rows->only && !tags_hold(rows->only, arch->name)) {
			fprintf(stderr, "--%s is not an option of --arch %s, only of: %s\n",
				rows->name, arch->name, rows->only);
			return false;
		}
	}
	return true;
}

/* The values of --send, as the architectures name them in arch->sends. */
static const struct {
	const char *name;
	enum send send;
} sends[] = {
	{ "copy", SEND_COPY },
	{ "sendfile", SEND_FILE_NB },
	{ "sendfile-nb", SEND_FILE_NB },
	{ "sendfile-b", SEND_FILE_B },
};

static int send_choose(struct settings *s, const struct arch *arch)
{
	const char *known = arch->sends ? arch->sends : "copy";

	for (size_t i = 0; i < sizeof(sends) / sizeof(*sends); i++) {
		if (s->send_name ? strcmp(sends[i].name, s->send_name) != 0
				 : sends[i].send != SEND_COPY)
			continue;
		if (!tags_hold(known, sends[i].name))
			break;
		s->send = sends[i].send;
		return 0;
	}
	fprintf(stderr, "--send: '%s' is not one of: %s\n", s->send_name, known);
	return -EINVAL;
}

/* What was not given is as the architecture has it; what does not go together is refused. */
static int settle(struct settings *s, const struct arch *arch)
{
	s->is_listener_shared = arch->shares_listener;
	if (!s->threads)
		s->threads = arch->threads;
	if (!s->copies)
		s->copies = arch->copies ? arch->copies : 1;
	if (send_choose(s, arch))
		return -EINVAL;
	if (s->has_shared_cache && s->send != SEND_COPY) {
		fprintf(stderr, "--shared-cache shares memory, and needs --send=copy\n");
		return -EINVAL;
	}
	return 0;
}

/* 0: run; 1: --help was printed; negative: an error was. */
static int configure(struct server *srv, char **argv)
{
	struct settings *s = &srv->settings;
	bool wants_help = false;
	struct option_row rows[] = {
		{ "arch", "NAME", .text = &s->arch_name, .help = "architecture, see below" },
		{ "host", "ADDRESS", .text = &s->host, .help = "address to listen on" },
		{ "port", "N", .number = &s->port, .max = 65535,
		  .help = "port to listen on; 0: any free one" },
		{ "root", "DIR", .text = &s->root, .help = "serve the files below DIR, too" },
		{ "sndbuf", "BYTES", .number = &s->sndbuf_bytes, .max = INT_MAX / 2,
		  .help = "fixed SO_SNDBUF of the connections; 0: kernel default" },
		{ "max-conns", "N", .number = &s->max_conns, .max = INT_MAX,
		  .help = "connections open at once, in each copy; 0: no limit" },
		{ "work", "N", .number = &s->work, .max = 1000000,
		  .help = "read the response N times before sending it" },
		{ "threads", "N", .number = &s->threads, .min = 1, .max = COUNTERS_CELLS / 2,
		  .help = "threads, in seda the most of a stage; not given: see below",
		  .only = "threads dispatch dispatch-fix netty hybrid pipeline seda" },
		{ "max-writes", "N", .number = &s->max_writes, .min = 1, .max = INT_MAX,
		  .help = "write() calls on a response before others are served",
		  .only = "netty hybrid" },
		{ "copies", "N", .number = &s->copies, .min = 1, .max = 1024,
		  .help = "processes that share the port; not given: 1, or see below" },
		{ "pin", .flag = &s->is_pinned,
		  .help = "copies, or with one copy its threads, in turn to cores" },
		{ "et", .flag = &s->is_edge_triggered, .only = "yield",
		  .help = "edge-triggered epoll" },
		{ "send", "HOW", .text = &s->send_name, .only = "threads symped pipeline",
		  .help = "copy or sendfile; of threads: copy, sendfile-nb or sendfile-b" },
		{ "queue", "N", .number = &s->queue, .min = 1, .max = INT_MAX, .only = "seda",
		  .help = "connections that may wait for a stage; more are shed" },
		{ "blocking", .flag = &s->is_blocking, .only = "symped",
		  .help = "write each response at one go, on blocking sockets" },
		{ "shared-cache", .flag = &s->has_shared_cache, .only = "symped",
		  .help = "one cache of responses for all copies" },
		{ "help", .flag = &wants_help, .help = "this text" },
		{ .name = NULL },
	};

	if (options_parse(rows, argv) < 0)
		return -EINVAL;
	if (wants_help) {
		print_help(rows);
		return 1;
	}
	srv->arch = arch_find(s->arch_name);
	if (!srv->arch) {
		fprintf(stderr, "unknown architecture '%s', see --help\n", s->arch_name);
		return -EINVAL;
	}
	return check_tags(rows, srv->arch) ? settle(s, srv->arch) : -EINVAL;
}

static int serve(struct server *srv)
{
	int ret = server_open(srv);

	if (!ret) {
		server_announce(srv);
		ret = copies_run(srv);
		if (ret)
			fprintf(stderr, "--arch %s failed: %s\n", srv->arch->name, strerror(-ret));
	}
	server_close(srv);
	return ret;
}

/* Exit status: 0 after SIGTERM or SIGINT, 1 where it could not serve, 2 for a bad command line. */
int main(int argc, char **argv)
{
	struct server srv = { .settings = { .arch_name = "single",
					    .host = "127.0.0.1",
					    .max_writes = 16, /* Netty's writeSpinCount */
					    .queue = 1024 } };
	int ret = configure(&srv, argv);

	(void)argc;
	if (ret)
		return ret < 0 ? 2 : 0;
	return serve(&srv) ? 1 : 0;
}
