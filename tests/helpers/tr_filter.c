/* SPDX-License-Identifier: MIT */
/*
 * tr_filter CALL ERRNO OP: a sandboxed host. Once it has its sockets, CALL (one that only the
 * library makes) is answered with ERRNO by a seccomp filter; then come stalls, tries, a reader
 * that catches up, more stalls and the end. Whatever is not legal is said, and the end: as bare.
 */
#include "tr_call.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define ASKED 1000000

static const struct {
	const char *name;
	int nr;
} calls[] = {
	{ "none", -1 },
	{ "sendmsg", SYS_sendmsg },
	{ "sendfile", SYS_sendfile },
	{ "ppoll", SYS_ppoll },
	{ "getsockopt", SYS_getsockopt },
	{ "setsockopt", SYS_setsockopt },
	{ "fcntl", SYS_fcntl },
	{ "rt_sigprocmask", SYS_rt_sigprocmask },
	{ "getrusage", SYS_getrusage },
	{ "newfstatat", SYS_newfstatat },
	{ "lseek", SYS_lseek },
	{ "getpid", SYS_getpid },
	{ "gettid", SYS_gettid },
	{ "mmap", SYS_mmap },
};

static int number(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (!strcmp(name, calls[i].name))
			return calls[i].nr;
	die("no call %s", name);
}

static void forbid(int nr, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, code };

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) {
		printf("skip no seccomp: %s\n", strerror(errno));
		fflush(stdout);
		_exit(77);
	}
}

/* Whether a try finds a little room is chance; what is no legal answer is said. */
static ssize_t sent_by(ssize_t r)
{
	if (r > 0)
		return r;
	if (r == 0 || errno != EAGAIN)
		printf("said a try: %zd %d\n", r, errno);
	return 0;
}

/* Stalls, tries again, until the reader has caught up; twice. */
static void play(const struct pair *p, enum op op)
{
	size_t at = 0, got = 0;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 5; i++)
			at += (size_t)sent_by(op_call(op, p->fd, at, ASKED / 5, 0));
		while (got < at)
			take(p->peer, &got, NULL);
	}
	printf("said small %zd\n", op_call(op, p->fd, at, 100, 0));
	printf("said close %d\n", close(p->fd));
	if (take_all(p->peer, got, NULL) != at + 100)
		die("lost bytes");
}

int main(int argc, char **argv)
{
	enum op op = OP_WRITE;
	struct door door;
	struct pair pairs[3];

	MUST(argc == 4);
	watchdog(10);
	pattern_make();
	while (op < OPS && strcmp(argv[3], op_name[op]))
		op++;
	MUST(op < OPS);
	door = door_open(16384);
	warm(&door, op, ASKED / 5, 0);
	for (int i = 0; i < 3; i++)
		pairs[i] = pair_open(&door, 0);
	/* One is in use already, one is used for the first time under the filter. */
	MUST(op_call(op, pairs[0].fd, 0, 100, 0) == 100 && take_quiet(pairs[0].peer, 0) == 100);
	MUST(close(pairs[0].fd) == 0);
	fflush(stdout);
	if (number(argv[1]) >= 0)
		forbid(number(argv[1]), atoi(argv[2]));
	play(&pairs[1], op);
	play(&pairs[2], op);
	fflush(stdout);
	return 0;
}
