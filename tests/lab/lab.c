/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
/*
 * lab: run a command on the server of two hosts that are a true round trip apart.
 *
 * This file is the outside: it reads the options, creates pid 1 of the lab (inside.c) in namespaces
 * of its own, and waits. It owns nothing that would need to be cleaned up. All namespaces are
 * anonymous, and pid 1 has PR_SET_PDEATHSIG, so whatever ends this process, SIGKILL included, ends
 * pid 1, hence (by the kernel's rule for pid namespaces) every process inside, hence the namespaces
 * and their interfaces. No clean-up code runs, so none can be missed.
 */
#include "lab.h"
#include "inside.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* One second: beyond it TCP resends every SYN, and the delay line's ring passes 400 MB. */
#define MAX_RTT_US 999999L
/* What the kernel takes for a socket buffer: an int. */
#define MAX_BUFFER_BYTES 0x7fffffffL

static struct lab_options options = { .cc = "cubic" };

static const char usage[] =
	"usage: lab [OPTION]... -- COMMAND [ARG]...\n"
	"       lab --probe [OPTION]...\n"
	"With --probe, exit 0 if a lab can be made here, else print the reason and exit 77.\n"
	"Run COMMAND on the server of two hosts; in it, '$LAB_CLIENT CMD' runs CMD on the client.\n"
	"  --rtt-us N            round trip time in microseconds (default 0: as fast as veth is)\n"
	"  --cc NAME             congestion control of both hosts (default cubic)\n"
	"  --client-rmem BYTES   fixed receive buffer of the client (default 0: auto-tuned)\n"
	"  --server-wmem 'MIN DEFAULT MAX'   tcp_wmem of the server\n"
	"  --wmem-max BYTES      refuse to run unless net.core.wmem_max is BYTES\n"
	"COMMAND sees LAB_SERVER_IP, LAB_CLIENT_IP and LAB_CLIENT. Its exit status is lab's.\n";

_Noreturn void lab_fail(const char *format, ...)
{
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (options.is_probe) {
		dprintf(STDOUT_FILENO, "%s\n", line);
		exit(LAB_EXIT_SKIP);
	}
	dprintf(STDERR_FILENO, "lab: %s\n", line);
	exit(1);
}

static _Noreturn void reject(const char *what, const char *value)
{
	fprintf(stderr, "lab: bad %s: %s\n%s", what, value, usage);
	exit(2);
}

static long parse_number(const char *what, const char *text, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0 || value > max)
		reject(what, text);
	return value;
}

static const char *parse_triple(const char *what, const char *text)
{
	long min, def, max;
	char rest;

	if (sscanf(text, "%ld %ld %ld %c", &min, &def, &max, &rest) != 3 || min < 1 || def < min ||
	    max < def || max > MAX_BUFFER_BYTES)
		reject(what, text);
	return text;
}

static void parse_options(int argc, char **argv)
{
	static const struct option table[] = {
		{ "rtt-us", required_argument, NULL, 'r' },
		{ "cc", required_argument, NULL, 'c' },
		{ "client-rmem", required_argument, NULL, 'm' },
		{ "server-wmem", required_argument, NULL, 'w' },
		{ "wmem-max", required_argument, NULL, 'x' },
		{ "probe", no_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int opt;

	/* '+': the first word that is no option starts COMMAND, with or without "--". */
	while ((opt = getopt_long(argc, argv, "+h", table, NULL)) != -1) {
		switch (opt) {
		case 'r':
			options.rtt_us = parse_number("rtt", optarg, MAX_RTT_US);
			break;
		case 'c':
			options.cc = optarg;
			break;
		case 'm':
			options.client_rmem_bytes = parse_number("rmem", optarg, MAX_BUFFER_BYTES);
			break;
		case 'w':
			options.server_wmem = parse_triple("wmem", optarg);
			break;
		case 'x':
			options.wmem_max_bytes = parse_number("wmem-max", optarg, MAX_BUFFER_BYTES);
			break;
		case 'p':
			options.is_probe = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	options.command = argv + optind;
	/* The name goes into a script for ip(8): nothing there that could mean something else. */
	if (!*options.cc ||
	    strspn(options.cc, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(options.cc))
		reject("congestion control", options.cc);
	if (!options.is_probe && !*options.command)
		reject("command", "none given");
}

/*
 * fork() into fresh namespaces. A plain unshare() would also move this process, and a SIGKILLed
 * process with a foot in the namespaces is one more thing to reason about.
 */
static pid_t fork_inside(bool *ret_user_ns)
{
	unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | SIGCHLD;
	pid_t pid;

	*ret_user_ns = false;
	pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
	if (pid >= 0 || errno != EPERM)
		return pid;
	*ret_user_ns = true;
	return (pid_t)syscall(SYS_clone, flags | CLONE_NEWUSER, 0, 0, 0, 0);
}

/* Wait for pid 1, or for a signal that ends us; the latter must not leave anything running. */
static int wait_inside(pid_t pid, const sigset_t *ending)
{
	int sig, status;

	for (;;) {
		sig = sigwaitinfo(ending, NULL);
		if (sig < 0)
			continue;
		if (sig != SIGCHLD)
			kill(pid, SIGKILL);
		else if (waitpid(pid, &status, WNOHANG) != pid)
			continue;
		else
			break;
		waitpid(pid, &status, 0);
		/* Die of the signal we got, so that a calling shell sees what happened. */
		signal(sig, SIG_DFL);
		raise(sig);
		sigprocmask(SIG_UNBLOCK, ending, NULL);
		return 128 + sig;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct inside_args args = { .options = &options, .uid = geteuid(), .gid = getegid() };
	sigset_t ending;
	int alive[2];
	pid_t pid;

	if (argc > 1 && !strcmp(argv[1], INSIDE_CLIENT_COMMAND))
		return inside_exec_client(argv + 2);
	parse_options(argc, argv);

	sigemptyset(&ending);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&ending, signals[i]);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &ending, &args.command_mask);

	if (pipe(alive))
		lab_fail("pipe: %s", strerror(errno));
	pid = fork_inside(&args.is_user_ns);
	if (pid < 0)
		lab_fail("no namespaces here%s: %s",
			 args.is_user_ns ? " (no CAP_SYS_ADMIN, and user namespaces are refused)"
					 : "",
			 strerror(errno));
	if (pid == 0) {
		close(alive[1]);
		args.alive_fd = alive[0];
		inside_run(&args);
	}
	close(alive[0]);
	return wait_inside(pid, &ending);
}
