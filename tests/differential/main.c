/* SPDX-License-Identifier: MIT */
/*
 * differential [--preload LIBRARY] [--scene NAME] [--hang MS] [--describe] [--verbose] SEED
 *
 * Runs the random program of a seed: this process plays the peers and judges, a child of it
 * (started with LD_PRELOAD=LIBRARY, if given) is the host. Exit 0: every rule was kept.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "board.h"
#include "host.h"
#include "judge.h"
#include "pattern.h"
#include "peer.h"

#define HANG_MS	     8000 /* nothing moves for so long: nothing ever will */
#define PEERS_END_MS 4000

struct options {
	const char *preload;
	uint64_t seed;
	int only, is_verbose;
	unsigned hang_ms;
};

static void must_be_at(int fd, int number, int keeps)
{
	if (dup3(fd, number, keeps ? 0 : O_CLOEXEC) < 0)
		_exit(97);
}

/* The child: only its links, its plain numbers, and the library. Does not return. */
static void become_host(const struct options *o, int board_fd, int ring_fd, int control, int out,
			int err)
{
	char seed[32], only[16];
	char *const argv[] = { "differential", "host", seed, only, NULL };

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)o->seed);
	snprintf(only, sizeof(only), "%d", o->only);
	must_be_at(board_fd, BOARD_FD, 1);
	must_be_at(ring_fd, RING_FD, 1);
	must_be_at(control, CONTROL_FD, 1);
	must_be_at(open("/dev/null", O_RDONLY), 0, 1);
	must_be_at(out, 1, 1);
	must_be_at(err, 2, 1);
	close_range(3, BOARD_FD - 1, 0);
	close_range(CONTROL_FD + 1, ~0u, 0);
	if (o->preload)
		setenv("LD_PRELOAD", o->preload, 1);
	execv("/proc/self/exe", argv);
	_exit(96);
}

static int await_host(const struct plan *plan, pid_t host, unsigned hang_ms)
{
	unsigned long long seen = 0, now;
	uint64_t moved_ns = now_ns();
	int status;

	while (waitpid(host, &status, WNOHANG) == 0) {
		sleep_us(2000);
		now = judge_progress(plan);
		if (now != seen) {
			seen = now;
			moved_ns = now_ns();
		} else if (now_ns() - moved_ns > hang_ms * 1000000ull) {
			judge_hang(plan, host);
			kill(host, SIGKILL);
			moved_ns = now_ns();
		}
	}
	return status;
}

static void await_peers(void)
{
	uint64_t end = now_ns() + PEERS_END_MS * 1000000ull;

	while (peers_running() && now_ns() < end)
		sleep_us(1000);
	if (peers_running())
		violate("peers", "%u still wait for an end that does not come", peers_running());
}

static int run(const struct options *o)
{
	static struct plan plan;
	int board_fd = board_create(o->seed), ring_fd = ring_create();
	int control[2], out = memfd_create("stdout", MFD_CLOEXEC),
			err = memfd_create("stderr", MFD_CLOEXEC);
	int status;
	pid_t host;

	ring_attach(ring_fd);
	plan_make(&plan, o->seed, o->only);
	board->is_verbose = (uint32_t)o->is_verbose;
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) == 0 && out >= 0 &&
	     err >= 0);
	signal(SIGPIPE, SIG_IGN);
	peers_prepare(&plan);
	host = fork();
	MUST(host >= 0);
	if (host == 0) {
		signal(SIGPIPE, SIG_DFL);
		become_host(o, board_fd, ring_fd, control[1], out, err);
	}
	close(control[1]);
	peers_start(&plan, control[0]);
	status = await_host(&plan, host, o->hang_ms);
	board->is_host_gone = 1;
	await_peers();
	return judge(&plan, status, out, err) ? 1 : 0;
}

static int parse(int argc, char **argv, struct options *ret_options)
{
	static const struct option names[] = {
		{ "preload", 1, NULL, 'p' },  { "scene", 1, NULL, 's' },   { "hang", 1, NULL, 'h' },
		{ "describe", 0, NULL, 'd' }, { "verbose", 0, NULL, 'v' }, { 0 }
	};
	static struct plan plan;
	int option, describes = 0;

	*ret_options = (struct options){ .only = -1, .hang_ms = HANG_MS };
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'p')
			ret_options->preload = optarg;
		else if (option == 's' && (ret_options->only = plan_scene_kind(optarg)) >= 0)
			continue;
		else if (option == 'h')
			ret_options->hang_ms = (unsigned)atoi(optarg);
		else if (option == 'v')
			ret_options->is_verbose = 1;
		else if (option == 'd')
			describes = 1;
		else
			return 0;
	}
	if (optind != argc - 1)
		return 0;
	ret_options->seed = strtoull(argv[optind], NULL, 10);
	if (describes) {
		plan_make(&plan, ret_options->seed, ret_options->only);
		plan_describe(&plan);
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct options options;
	int r;

	if (argc == 2 && !strcmp(argv[1], "noop"))
		return 7; /* what scene_fork.c launches */
	if (argc == 4 && !strcmp(argv[1], "host"))
		host_main(strtoull(argv[2], NULL, 10), atoi(argv[3]));
	if (!parse(argc, argv, &options)) {
		fprintf(stderr,
			"usage: differential [--preload LIBRARY] [--scene NAME] [--hang MS] "
			"[--describe] [--verbose] SEED\n");
		return 2;
	}
	r = run(&options);
	fflush(stdout);
	_exit(r);
}
