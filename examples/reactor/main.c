/* SPDX-License-Identifier: MIT */
/*
 * Demo server: the same small HTTP server in many architectures, to be run with and without the
 * shim, of which it knows nothing. Reading order: arch.h, arch_single.c, arch_yield.c, loop.h,
 * conn.h, http.h, response.h.
 */
#include <limits.h>
#include <string.h>

#include "../common/options.h"
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

static void print_help(const struct option_row *rows)
{
	printf("usage: reactor [options]\n\n");
	options_print(rows);
	printf("\narchitectures:\n");
	for (size_t i = 0; i < ARCHS; i++)
		printf("  %-19s %s\n", archs[i]->name, archs[i]->help);
	printf("\nGET /bytes/N: N bytes, up to %lu; GET /stats: counters as JSON\n",
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
		{ "sndbuf", "BYTES", .number = &s->sndbuf_bytes, .max = INT_MAX / 2,
		  .help = "fixed SO_SNDBUF of the connections; 0: kernel default" },
		{ "max-conns", "N", .number = &s->max_conns, .max = INT_MAX,
		  .help = "connections open at once; 0: no limit" },
		{ "work", "N", .number = &s->work, .max = 1000000,
		  .help = "read the response N times before sending it" },
		{ "et", .flag = &s->is_edge_triggered, .only = "yield",
		  .help = "edge-triggered epoll" },
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
	return check_tags(rows, srv->arch) ? 0 : -EINVAL;
}

static int serve(struct server *srv)
{
	int ret = server_open(srv);

	if (!ret) {
		server_announce(srv);
		ret = srv->arch->run(srv);
		if (ret)
			fprintf(stderr, "--arch %s failed: %s\n", srv->arch->name, strerror(-ret));
	}
	server_close(srv);
	return ret;
}

/* Exit status: 0 after SIGTERM or SIGINT, 1 where it could not serve, 2 for a bad command line. */
int main(int argc, char **argv)
{
	struct server srv = { .settings = { .arch_name = "single", .host = "127.0.0.1" } };
	int ret = configure(&srv, argv);

	(void)argc;
	if (ret)
		return ret < 0 ? 2 : 0;
	return serve(&srv) ? 1 : 0;
}
