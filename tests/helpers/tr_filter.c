/* SPDX-License-Identifier: MIT */
/*
 * tr_filter CALL ERRNO OP: a sandboxed host. Once it has its sockets, CALL (one that only the
 * library makes) is answered with ERRNO by a seccomp filter; then come stalls, tries, a reader
 * that catches up, more stalls and the end. Whatever is not legal is said, and the end: as bare.
 * CALL memcached: all calls are answered so but those a worker of memcached -o drop_privileges is
 * left with (its linux_priv.c); here too it is one thread's filter.
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

static void load(struct sock_filter *code, size_t count)
{
	struct sock_fprog program = { (unsigned short)count, code };

	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)) {
		printf("skip no seccomp: %s\n", strerror(errno));
		fflush(stdout);
		_exit(77);
	}
}

static void forbid(int nr, int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	load(code, 4);
}

#define ALLOW(nr)                                                              \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1),                       \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* write to stdout and stderr, ioctl(TIOCGWINSZ): without the check of their arguments. */
static void forbid_like_memcached(int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_rt_sigreturn), ALLOW(SYS_rt_sigprocmask), ALLOW(SYS_futex),
		ALLOW(SYS_epoll_pwait), ALLOW(SYS_epoll_ctl), ALLOW(SYS_read), ALLOW(SYS_readv),
		ALLOW(SYS_mprotect), ALLOW(SYS_getpeername), ALLOW(SYS_close), ALLOW(SYS_sendmsg),
		ALLOW(SYS_getrusage), ALLOW(SYS_mmap), ALLOW(SYS_mremap), ALLOW(SYS_munmap),
		ALLOW(SYS_recvfrom), ALLOW(SYS_brk), ALLOW(SYS_ioctl), ALLOW(SYS_clone),
		ALLOW(SYS_set_robust_list), ALLOW(SYS_madvise), ALLOW(SYS_exit),
		ALLOW(SYS_getsockname), ALLOW(SYS_getpid), ALLOW(SYS_write), ALLOW(SYS_writev),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
	};

	load(code, sizeof(code) / sizeof(*code));
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

static struct door door;
static struct pair pairs[3];
static enum op op = OP_WRITE;
static const char *forbidden;
static int refusal;

/* Stalls, tries again, until the reader has caught up; twice. */
static void play(const struct pair *p)
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

static void *host(void *unused)
{
	warm(&door, op, ASKED / 5, 0);
	/* One is in use already, one is used for the first time under the filter. */
	MUST(op_call(op, pairs[0].fd, 0, 100, 0) == 100 && take_quiet(pairs[0].peer, 0) == 100);
	MUST(close(pairs[0].fd) == 0);
	fflush(stdout);
	if (!strcmp(forbidden, "memcached"))
		forbid_like_memcached(refusal);
	else if (number(forbidden) >= 0)
		forbid(number(forbidden), refusal);
	play(&pairs[1]);
	play(&pairs[2]);
	fflush(stdout);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t worker;

	MUST(argc == 4);
	watchdog(10);
	pattern_make();
	forbidden = argv[1], refusal = atoi(argv[2]);
	while (op < OPS && strcmp(argv[3], op_name[op]))
		op++;
	MUST(op < OPS);
	door = door_open(16384);
	for (int i = 0; i < 3; i++)
		pairs[i] = pair_open(&door, 0);
	/* Under memcached's filter nobody could end the process. */
	if (strcmp(forbidden, "memcached")) {
		host(NULL);
	} else {
		MUST(pthread_create(&worker, NULL, host, NULL) == 0);
		MUST(pthread_join(worker, NULL) == 0);
	}
	return 0;
}
