/* SPDX-License-Identifier: MIT */
/*
 * hunt [--preload LIBRARY] [--hang MS] [--describe] [--seed] N
 *
 * Runs the world of seed N in a child, started with LD_PRELOAD=LIBRARY if given, and watches its
 * board. Prints "violation RULE: ..." per rule broken, else "fact CHANNEL KIND TOKENS" per channel.
 * Exit 0: every rule was kept.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hunt.h"

#define HANG_MS	    3000
#define LATE_PART   3 /* of that: who asked for 1 ms at most */
#define LOOK_US	    1000
#define LOOK_MS_MAX 20 /* of our own clock: a machine that stood still is no hang */

struct options {
	const char *preload;
	uint64_t seed;
	unsigned hang_ms;
	int describes;
};

static unsigned violations;

static void violation(const char *text)
{
	printf("violation %s\n", text);
	violations++;
}

/* The child; in a group of its own, so that what it started can be ended with it. */
static void become_host(const struct options *o, int fd)
{
	char seed[32];
	char *const argv[] = { "hunt", "host", seed, NULL };

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)o->seed);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	if (dup3(fd, BOARD_FD, 0) < 0)
		_exit(97);
	if (o->preload)
		setenv("LD_PRELOAD", o->preload, 1);
	execv("/proc/self/exe", argv);
	_exit(96);
}

/* What the judge remembers of one thing that must move while something is open. */
struct clock {
	uint32_t seen;
	unsigned stood_ms;
};

static int has_stood(struct clock *c, uint32_t now, int is_open, unsigned ms, unsigned limit_ms)
{
	c->stood_ms = is_open && c->seen == now ? c->stood_ms + ms : 0;
	c->seen = now;
	return c->stood_ms > limit_ms;
}

static void tell_state(void)
{
	for (unsigned n = 0; n < plan.channels; n++) {
		struct channel_state *s = &board->channel[n];

		printf("# channel %s: produced %u consumed %u owed %u acked %u of %u\n",
		       plan_channel(n), s->produced, s->consumed, s->owed, s->acked,
		       plan.channel[n].tokens);
	}
	for (unsigned n = 0; n < plan.consumers; n++) {
		struct consumer_state *s = &board->consumer[n];

		printf("# consumer %u: %u waits, %u events%s%s%s\n", n, s->waits, s->events,
		       s->is_waiting ? ", waiting" : "", s->has_left ? ", has left" : "",
		       s->has_ended ? ", ended" : "");
	}
}

/* One look at the board after `ms` of time: 1 when something waits in vain. */
static int is_stuck(unsigned ms, unsigned hang_ms)
{
	static struct clock channels[CHANNELS_MAX], consumers[CONSUMERS_MAX], end, all;
	uint32_t moves = get(&board->is_over);
	char text[400];

	for (unsigned n = 0; n < plan.channels; n++) {
		struct channel_state *s = &board->channel[n];
		int is_open =
			get(&s->produced) != get(&s->consumed) || get(&s->owed) != get(&s->acked);

		moves += get(&s->moved);
		if (!has_stood(&channels[n], get(&s->moved), is_open, ms, hang_ms))
			continue;
		snprintf(text, sizeof(text), "lost-wakeup: %s: channel %s",
			 s->produced != s->consumed ? "a token stays" : "an answer stays",
			 plan_channel(n));
		violation(text);
		return 1;
	}
	for (unsigned n = 0; n < plan.consumers; n++) {
		struct consumer_state *s = &board->consumer[n];

		if (!has_stood(&consumers[n], get(&s->waits),
			       plan.consumer[n].patience != FOR_EVER && get(&s->is_waiting) &&
				       !get(&s->has_ended),
			       ms, hang_ms / LATE_PART))
			continue;
		snprintf(text, sizeof(text), "late: consumer %u asked for at most 1 ms", n);
		violation(text);
		return 1;
	}
	if (has_stood(&end, 0, get(&board->is_over) != 0, ms, hang_ms)) {
		violation("no-end: the bell rings and somebody still waits");
		return 1;
	}
	if (has_stood(&all, moves, 1, ms, 4 * hang_ms)) {
		violation("hang: nothing moves");
		return 1;
	}
	return 0;
}

static int watch(pid_t host, unsigned hang_ms)
{
	uint64_t before = now_ns(), now, ms;
	int status;

	while (waitpid(host, &status, WNOHANG) == 0) {
		pause_us(LOOK_US);
		now = now_ns();
		ms = (now - before) / 1000000;
		if (!ms)
			continue;
		before += ms * 1000000;
		if (is_stuck(ms < LOOK_MS_MAX ? (unsigned)ms : LOOK_MS_MAX, hang_ms)) {
			tell_state();
			kill(-host, SIGKILL);
			waitpid(host, &status, 0);
			return 0;
		}
	}
	kill(-host, SIGKILL);
	return status;
}

static void tell_facts(void)
{
	for (unsigned n = 0; n < plan.channels; n++)
		printf("fact %u %d %u\n", n, plan.channel[n].kind, board->channel[n].consumed);
}

static int run(const struct options *o)
{
	int fd = memfd_create("board", MFD_CLOEXEC), status;
	char text[64];
	pid_t host;

	if (fd < 0 || ftruncate(fd, sizeof(*board)) < 0)
		return 2;
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (board == MAP_FAILED)
		return 2;
	host = fork();
	if (host < 0)
		return 2;
	if (host == 0)
		become_host(o, fd);
	setpgid(host, host);
	status = watch(host, o->hang_ms);
	for (unsigned n = 0; n < board->complaints && n < 8; n++)
		violation(board->complaint[n]);
	if (status && !violations) {
		snprintf(text, sizeof(text), "exit: status %#x", (unsigned)status);
		violation(text);
	}
	if (violations) {
		printf("# seed %llu\n", (unsigned long long)o->seed);
		plan_describe(stdout);
	} else {
		tell_facts();
	}
	return violations ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option names[] = { { "preload", 1, NULL, 'p' },
					       { "hang", 1, NULL, 'h' },
					       { "describe", 0, NULL, 'd' },
					       { "seed", 1, NULL, 's' },
					       { 0 } };
	struct options o = { .hang_ms = HANG_MS };
	int option, has_seed = 0;

	if (argc == 3 && !strcmp(argv[1], "host"))
		host_main(strtoull(argv[2], NULL, 10));
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'p')
			o.preload = optarg;
		else if (option == 'h')
			o.hang_ms = (unsigned)atoi(optarg);
		else if (option == 'd')
			o.describes = 1;
		else if (option == 's' && (has_seed = 1))
			o.seed = strtoull(optarg, NULL, 10);
		else
			has_seed = -1;
	}
	if (!has_seed && optind == argc - 1 && (has_seed = 1))
		o.seed = strtoull(argv[optind], NULL, 10);
	if (has_seed != 1) {
		fprintf(stderr,
			"usage: hunt [--preload LIBRARY] [--hang MS] [--describe] [--seed] N\n");
		return 2;
	}
	plan_make(o.seed);
	if (o.describes)
		plan_describe(stdout);
	return run(&o);
}
