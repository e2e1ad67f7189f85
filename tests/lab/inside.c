/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE 1
#include "inside.h"
#include "check.h"
#include "net.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * $LAB_CLIENT is this and the number under which pid 1 holds the client's namespace. Everybody
 * inside finds both through /proc/1, without an environment variable that a server might clear, and
 * also after this binary was rebuilt or when its path has blanks in it.
 */
#define CLIENT_PREFIX "/proc/1/exe " INSIDE_CLIENT_COMMAND

/* From here on our end follows from the outer process's end, whatever the cause. */
static void tie_to_outer(int alive_fd)
{
	struct pollfd alive = { .fd = alive_fd, .events = POLLIN };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		lab_fail("PR_SET_PDEATHSIG: %s", strerror(errno));
	/* It may have died before the line above; getppid() is 0 across a pid namespace. */
	if (poll(&alive, 1, 0) != 0)
		_exit(1);
	close(alive_fd);
}

static void write_map(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		lab_fail("user namespace: %s: %s", path, strerror(errno));
	close(fd);
}

static void map_identity(uid_t uid, gid_t gid)
{
	char line[64];

	write_map("/proc/self/setgroups", "deny");
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)uid);
	write_map("/proc/self/uid_map", line);
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)gid);
	write_map("/proc/self/gid_map", line);
}

/* /proc must be that of the new pid namespace: ps, pgrep and $LAB_CLIENT go by it. */
static void mount_proc(void)
{
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		lab_fail("cannot make mounts private: %s", strerror(errno));
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		lab_fail("cannot mount /proc: %s", strerror(errno));
}

static pid_t start_wire(const struct wire *wire)
{
	pid_t pid = fork();

	if (pid < 0)
		lab_fail("fork: %s", strerror(errno));
	if (pid == 0)
		wire_run(wire);
	return pid;
}

static pid_t start_command(const struct inside_args *args, int client_fd)
{
	char prefix[64];
	char **argv = args->options->command;
	pid_t pid = fork();
	int err;

	if (pid < 0)
		lab_fail("fork: %s", strerror(errno));
	if (pid > 0)
		return pid;
	setenv("LAB_SERVER_IP", LAB_SERVER_ADDR, 1);
	setenv("LAB_CLIENT_IP", LAB_CLIENT_ADDR, 1);
	snprintf(prefix, sizeof(prefix), CLIENT_PREFIX " %d", client_fd);
	setenv("LAB_CLIENT", prefix, 1);
	sigprocmask(SIG_SETMASK, &args->command_mask, NULL);
	execvp(*argv, argv);
	err = errno;
	dprintf(STDERR_FILENO, "lab: %s: %s\n", *argv, strerror(err));
	_exit(err == ENOENT ? 127 : 126);
}

/* Reap orphans until the command ends. Losing the delay line first spoils the run: say so. */
static int wait_command(pid_t command, pid_t wire)
{
	int status;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, &status, 0);
		if (pid > 0 && pid == wire)
			lab_fail("the delay line ended (status 0x%x)", (unsigned)status);
		if (pid == command)
			break;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

_Noreturn void inside_run(struct inside_args *args)
{
	const struct lab_options *options = args->options;
	struct wire wire = { .rx_fd = -1, .tx_fd = -1 };
	pid_t wire_pid = -1;
	struct net net;
	unsigned drops;
	int status;

	tie_to_outer(args->alive_fd);
	if (args->is_user_ns)
		map_identity(args->uid, args->gid);
	mount_proc();

	net_build(&net, options);
	if (options->rtt_us) {
		net_enter(net.wire_fd);
		wire_open(&wire, NET_WIRE_FROM_CLIENT, NET_WIRE_TO_SERVER, options->rtt_us);
		net_enter(net.server_fd);
		wire_pid = start_wire(&wire);
	}
	check_connection(&net, options);
	if (options->is_probe)
		_exit(0);

	status = wait_command(start_command(args, net.client_fd), wire_pid);
	drops = wire_drops(&wire);
	if (drops)
		dprintf(STDERR_FILENO,
			"lab: the delay line lost %u packets, "
			"this run measured retransmissions\n",
			drops);
	_exit(status);
}

int inside_exec_client(char **argv)
{
	char path[64];
	int err, fd;

	if (!argv[0] || !argv[1]) {
		fputs("lab: " INSIDE_CLIENT_COMMAND " needs a descriptor and a command\n", stderr);
		return 2;
	}
	snprintf(path, sizeof(path), "/proc/1/fd/%s", argv[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET)) {
		fprintf(stderr, "lab: cannot enter the client: %s\n", strerror(errno));
		return 1;
	}
	argv++;
	execvp(*argv, argv);
	err = errno;
	fprintf(stderr, "lab: %s: %s\n", *argv, strerror(err));
	return err == ENOENT ? 127 : 126;
}
