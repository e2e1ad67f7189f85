/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and processes come and go in every way there is; counts must stay with the right
 * socket and the right process.   ct_life SCENARIO
 *
 * "row FD STATE WRITES": the statistics must have a row of this descriptor with these writes,
 * state open or closed; no other rows with writes. "child PID WRITES": the child's own file.
 */
#include "ct.h"

#include <linux/close_range.h>
#include <sys/epoll.h>
#include <sys/un.h>

static void row(int fd, const char *state, int writes)
{
	printf("row %d %s %d\n", fd, state, writes);
}

static void say_child(pid_t pid, pid_t parent, int writes)
{
	printf("child %d %d %d\n", (int)pid, (int)parent, writes);
}

/* Small enough that nothing ever stalls. */
static void put(int fd, int times)
{
	for (int i = 0; i < times; i++)
		MUST(write(fd, "0123456789", 10) == 10);
}

static void wait_for(pid_t pid)
{
	int status;

	MUST(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

static int pair[2];

/* A connected, quiet socket with `writes` writes already. */
static int used(int writes)
{
	tcp_pair(0, pair);
	put(pair[0], writes);
	return pair[0];
}

/* ---- descriptors ------------------------------------------------------------------------ */

static void duplicates(void)
{
	int fd = used(3), copy = dup(fd), high = fcntl(fd, F_DUPFD, 50), third;

	put(copy, 4);
	put(high, 2);
	MUST(close(fd) == 0);
	put(copy, 1);
	row(fd, "closed", 3);
	row(copy, "open", 5);
	row(high, "open", 2);
	third = dup3(copy, 60, O_CLOEXEC);
	put(third, 6);
	row(third, "open", 6);
	expect("writes", 16);
}

static void dup2_over(void)
{
	int old = used(3), fresh = used(4);

	MUST(dup2(fresh, old) == old); /* the old socket's number now is the fresh one's */
	put(old, 5);
	MUST(dup2(old, old) == old);
	put(old, 1);
	MUST(dup3(fresh, fresh, 0) == -1);
	put(fresh, 2);
	row(old, "closed", 3);
	row(old, "open", 6);
	row(fresh, "open", 6);
	expect("writes", 15);
}

/* A new socket on a number that another has had. How the old one went is the argument. */
static void reuse_after(int (*go)(int), int times)
{
	for (int i = 1; i <= times; i++) {
		int fd = used(i);

		MUST(go(fd) == 0);
		MUST(dup2(pair[1], 40) == 40 && close(pair[1]) == 0);
		row(fd, "closed", i);
	}
	put(used(9), 1);
	row(pair[0], "open", 10);
	expect("writes", (uint64_t)(times * (times + 1) / 2 + 10));
}

static int by_close(int fd) { return close(fd); }
static int by_syscall(int fd) { return (int)syscall(SYS_close, fd); }
static int by_fclose(int fd) { return fclose(fdopen(fd, "r+")); }
static int by_range(int fd) { return close_range((unsigned)fd, (unsigned)fd, 0); }
static int by_closefrom(int fd)
{
	int peer = dup2(pair[1], fd - 1); /* keep the peer below */

	closefrom(fd);
	return peer < 0;
}

/* Closes that are seen show at once, without a reuse. */
static void seen_after(int (*go)(int))
{
	int fd;

	reuse_after(go, 4);
	fd = used(2);
	MUST(go(fd) == 0);
	row(fd, "closed", 2);
	expect("writes", 22);
}

static void reuse_close(void) { seen_after(by_close); }
static void reuse_syscall(void) { reuse_after(by_syscall, 4); }
static void reuse_fclose(void) { reuse_after(by_fclose, 4); }
static void reuse_range(void) { seen_after(by_range); }

static void reuse_closefrom(void)
{
	int fd = used(3);

	MUST(by_closefrom(fd) == 0);
	row(fd, "closed", 3);
	expect("writes", 3);
}

/* libuv: out of the epoll set, then a raw close; then the number is a file. */
static void becomes_file(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(0), fd = used(3), file;

	MUST(open("/dev/null", O_RDONLY) < fd); /* the listener's number, which is free */
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0);
	MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL) == 0);
	MUST(syscall(SYS_close, fd) == 0);
	file = open("/dev/null", O_WRONLY);
	MUST(file == fd);
	put(file, 7);
	row(fd, "closed", 3);
	expect("writes", 3);
}

/* The same, but the socket lives on: it was only taken out of one set. */
static void doubted(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(0), fd = used(3);

	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0);
	MUST(epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL) == 0);
	put(fd, 4);
	row(fd, "open", 7);
	expect("writes", 7);
}

/* A file's number becomes a socket's, the file closed out of our sight. */
static void becomes_socket(void)
{
	int file = open("/dev/null", O_WRONLY), fd;

	put(file, 5);
	MUST(syscall(SYS_close, file) == 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	MUST(fd == file && syscall(SYS_close, fd) == 0);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pair[0] == file);
	put(pair[0], 6);
	row(pair[0], "open", 6);
	expect("writes", 6);
}

static void failed_closes(void)
{
	int fd = used(3);

	MUST(close(-1) == -1 && close(500) == -1);
	MUST(close_range((unsigned)fd, (unsigned)fd, CLOSE_RANGE_CLOEXEC) == 0);
	put(fd, 2);
	row(fd, "open", 5);
	expect("writes", 5);
}

static void passed(void)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, text[1];
	struct iovec iov = { text, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int local[2], fd = used(3), got;

	MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, local) == 0);
	*head = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	MUST(sendmsg(local[0], &msg, 0) == 1);
	MUST(recvmsg(local[1], &msg, 0) == 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
	MUST(got > fd);
	MUST(close(fd) == 0);
	put(got, 4);
	row(fd, "closed", 3);
	row(got, "open", 4);
	expect("writes", 7);
}

/* ---- processes -------------------------------------------------------------------------- */

static void forks(void)
{
	int fd = used(10);
	pid_t child = fork(), parent = getpid();

	if (!child) {
		put(fd, 7);
		say_child(getpid(), getppid(), 7);
		fflush(stdout);
		child = fork();
		if (!child) {
			put(fd, 2);
			say_child(getpid(), getppid(), 2);
			MUST(close(fd) == 0); /* the others' stay open */
			exit(0);
		}
		wait_for(child);
		exit(0);
	}
	wait_for(child);
	MUST(getpid() == parent);
	put(fd, 5);
	row(fd, "open", 15);
	expect("writes", 15);
}

/* Workers accept on the listener they inherit. */
static void prefork(void)
{
	struct sockaddr_in address;
	int listener = tcp_listener(&address), client[2];
	pid_t child;

	MUST((client[1] = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	child = fork();
	if (!child) {
		int fd = accept(listener, NULL, NULL);

		MUST(fd >= 0);
		put(fd, 4);
		say_child(getpid(), getppid(), 4);
		fact("child_listener", (uint64_t)listener);
		exit(0);
	}
	MUST(connect(client[1], (void *)&address, sizeof(address)) == 0);
	wait_for(child);
	expect("writes", 0);
	expect("accepts", 0);
}

static int storm_over;
static uint64_t storm_writes[3];

static void *storm(void *argument)
{
	uint64_t *writes = argument;
	char text[4096];
	int local[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, local) == 0);
	set_nonblocking(local[1]);
	while (!__atomic_load_n(&storm_over, __ATOMIC_RELAXED)) {
		put(local[0], 1);
		++*writes;
		MUST(syscall(SYS_read, local[1], text, sizeof(text)) > 0);
	}
	return NULL;
}

/* Forks while other threads are inside the library: no child hangs, no count is lost. */
static void fork_storm(void)
{
	pthread_t threads[3];
	int fd = used(1);

	for (int i = 0; i < 3; i++)
		MUST(pthread_create(&threads[i], NULL, storm, &storm_writes[i]) == 0);
	for (int i = 0; i < 60; i++) {
		pid_t child = fork();

		if (!child) {
			put(fd, 3);
			say_child(getpid(), getppid(), 3);
			fflush(stdout);
			_exit(0);
		}
		wait_for(child);
		put(fd, 1);
	}
	__atomic_store_n(&storm_over, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	expect("writes", 61 + storm_writes[0] + storm_writes[1] + storm_writes[2]);
	expect("threads_ended", 3);
	row(fd, "open", 61);
}

/* In a vfork child our wrappers run in the parent's memory; its descriptors are its own. */
static void vforks(void)
{
	int first = used(3), second = used(4), dull = open("/dev/null", O_RDWR);

	for (int i = 0; i < 3; i++) {
		pid_t child = vfork();

		if (!child) {
			if (i == 0)
				close(first);
			if (i == 1 && dup2(dull, first) != first)
				_exit(1);
			if (i == 1 && dup3(dull, second, 0) != second)
				_exit(1);
			if (i == 2)
				close_range(3, ~0u, 0);
			if (i == 2)
				closefrom(0);
			_exit(0);
		}
		wait_for(child);
		put(first, 1);
		put(second, 2);
	}
	row(first, "open", 6);
	row(second, "open", 10);
	expect("writes", 16);
	fact("strangers", 0);
}

static const char *own_path;

static void execs(void)
{
	char number[12];
	int fd = used(5);

	snprintf(number, sizeof(number), "%d", fd);
	execl(own_path, own_path, "after_exec", number, NULL);
	die("exec");
}

static void after_exec(int fd)
{
	put(fd, 3);
	row(fd, "open", 3);
	expect("writes", 3);
}

static const struct scenario scenarios[] = {
	SCENARIO(duplicates), SCENARIO(dup2_over), SCENARIO(reuse_close),
	SCENARIO(reuse_syscall), SCENARIO(reuse_fclose), SCENARIO(reuse_range),
	SCENARIO(reuse_closefrom), SCENARIO(becomes_file), SCENARIO(doubted),
	SCENARIO(becomes_socket), SCENARIO(failed_closes), SCENARIO(passed), SCENARIO(forks),
	SCENARIO(prefork), SCENARIO(fork_storm), SCENARIO(vforks), SCENARIO(execs), { NULL, NULL },
};

int main(int argc, char **argv)
{
	own_path = argv[0];
	if (argc > 2 && !strcmp(argv[1], "after_exec")) {
		after_exec(atoi(argv[2]));
		return 0;
	}
	return run_scenario(scenarios, argc, argv);
}
