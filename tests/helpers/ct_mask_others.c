/* SPDX-License-Identifier: MIT */
/*
 * A thread waits with EPOLLOUT masked; another changes, closes, fills, shares what it waits for.
 * The registrations must be the host's at once. `fact seen` is how often the wait was masked by
 * then: 0 natively.
 *	ct_mask_others SCENARIO [known: so that the registrations need not be changed]
 */
#include "ct_mask.h"

#define TIMES 12

static pthread_t thread;
static uint64_t seen;

/* The reactor runs in a thread, and is masked by now, or never. */
static void await_masked(int fd)
{
	if (must_change)
		seen += (uint64_t)see_masked(epfd, fd);
	else
		sleep_us(10000); /* in a polled wait, with the next registrations as they are */
}

static void begin_reactor(int sockets)
{
	prepare(sockets, BOTH);
	thread = begin(reactor);
}

static void finish(void)
{
	end(thread);
	check_own(epfd, -1);
	fact("seen", seen);
}

/* The event has come with this data, by a wait that began after it was registered. */
static void await_out(int fd)
{
	uint32_t before = outs[fd];
	uint64_t end = now_ns() + 2000000000;

	while (outs[fd] == before) {
		MUST(now_ns() < end);
		sleep_us(200);
	}
}

/*
 * What was just registered is in force at once; `before`: outs[fd] until then. It may be masked
 * again where this thread has lost the processor since: but not before the reactor was told.
 */
static void check_changed(int fd, uint32_t before)
{
	uint32_t masks[FDS] = { 0 };
	uint64_t data[FDS] = { 0 };

	registered(epfd, masks, data);
	if (masks[fd] != own[epfd][fd].mask && outs[fd] == before)
		check_own(epfd, fd);
}

static void modified(void)
{
	static const uint32_t kinds[] = { BOTH | EPOLLRDHUP, EPOLLOUT, BOTH };

	begin_reactor(3);
	for (unsigned i = 0; i < TIMES; i++) {
		int fd = pairs[i % 3][0];
		uint64_t data = data_of(fd) + ((uint64_t)i << 12);
		uint32_t before;

		await_masked(fd);
		before = outs[fd];
		ctl_data(epfd, EPOLL_CTL_MOD, fd, kinds[i / 3 % 3], data);
		check_changed(fd, before);
		await_out(fd);
	}
	/* Not to be written any more: no wait may say so again, nor put EPOLLOUT back. */
	await_masked(pairs[0][0]);
	ctl(epfd, EPOLL_CTL_MOD, pairs[0][0], EPOLLIN);
	sleep_us(20000);
	outs[pairs[0][0]] = 0;
	sleep_us(100000);
	MUST(outs[pairs[0][0]] == 0);
	finish();
}

/* The same through another number of the set. */
static void modified_by_copy(void)
{
	int copy;

	begin_reactor(2);
	copy = dup(epfd);
	MUST(copy >= 0);
	for (unsigned i = 0; i < 2; i++) {
		int fd = pairs[i % 2][0];
		struct epoll_event event = { .events = BOTH | EPOLLRDHUP * (i % 2),
					     .data.u64 = data_of(fd) };
		uint32_t before;

		await_masked(fd);
		before = outs[fd];
		MUST(epoll_ctl(copy, EPOLL_CTL_MOD, fd, &event) == 0);
		own[epfd][fd].mask = event.events;
		check_changed(fd, before);
	}
	finish();
}

/* A wait by another number of the set. */
static void waited_by_copy(void)
{
	int copy;

	begin_reactor(2);
	copy = dup(epfd);
	MUST(copy >= 0);
	for (unsigned i = 0; i < TIMES; i++) {
		struct epoll_event event[8];

		await_masked(pairs[0][0]);
		MUST(epoll_wait(copy, event, 8, 0) == 2);
	}
	finish();
}

static void unregistered(void)
{
	begin_reactor(3);
	for (unsigned i = 0; i < TIMES; i++) {
		int fd = pairs[i % 2][0];
		uint32_t before;

		await_masked(fd);
		ctl(epfd, EPOLL_CTL_DEL, fd, 0);
		check_own(epfd, fd);
		sleep_us(8000);
		check_own(epfd, fd);
		before = outs[fd];
		ctl(epfd, EPOLL_CTL_ADD, fd, i % 3 ? BOTH : EPOLLIN);
		check_changed(fd, before);
		if (i % 3 == 0) {
			sleep_us(8000);
			check_own(epfd, fd);
			ctl(epfd, EPOLL_CTL_MOD, fd, BOTH);
		}
	}
	finish();
}

/* Closed, and its number is at once another socket's, registered otherwise in the same set. */
static void reused(void)
{
	begin_reactor(2);
	for (unsigned i = 0; i < TIMES; i++) {
		int fd = pairs[0][0], fresh[2];
		struct epoll_event in = { .events = EPOLLIN, .data.u64 = data_of(fd) };

		tcp_pair(0, fresh);
		await_masked(fd);
		switch (i % 4) {
		case 0:
			MUST(close(fd) == 0 && fcntl(fresh[0], F_DUPFD, fd) == fd);
			break;
		case 1:
			MUST(dup2(fresh[0], fd) == fd);
			break;
		case 2:
			MUST(close_range((unsigned)fd, (unsigned)fd, 0) == 0 &&
			     fcntl(fresh[0], F_DUPFD, fd) == fd);
			break;
		default: /* out of the shim's sight, all of it */
			MUST(syscall(SYS_close, fd) == 0 && fcntl(fresh[0], F_DUPFD, fd) == fd);
			MUST(syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, &in) == 0);
		}
		MUST(close(fresh[0]) == 0);
		own[epfd][fd].is_on = i % 4 == 3;
		own[epfd][fd].mask = EPOLLIN;
		check_own(epfd, fd);
		if (i % 4 != 3)
			ctl(epfd, EPOLL_CTL_ADD, fd, EPOLLIN);
		check_own(epfd, fd);
		sleep_us(8000);
		check_own(epfd, fd);
		ctl(epfd, EPOLL_CTL_MOD, fd, BOTH);
		MUST(close(pairs[0][1]) == 0);
		pairs[0][1] = fresh[1];
	}
	finish();
}

/* The number goes, the socket and with it the registration stay: it must be the host's for good. */
static void closed_copy(void)
{
	uint64_t data[FDS];

	begin_reactor(2);
	for (unsigned i = 0; i < 4; i++) {
		uint32_t masks[FDS] = { 0 };
		int fd = pairs[0][0], copy = dup(fd);

		await_masked(fd);
		MUST(close(fd) == 0);
		registered(epfd, masks, data);
		MUST(masks[fd] == BOTH);
		sleep_us(20000);
		registered(epfd, masks, data);
		MUST(masks[fd] == BOTH);
		MUST(dup2(copy, fd) == fd && close(copy) == 0);
		ctl(epfd, EPOLL_CTL_MOD, fd, BOTH);
	}
	finish();
}

/* Writes until the socket is full, on this number of it. */
static void fill(int fd, int times)
{
	static char much[262144];

	/* What goes on to the reader meanwhile makes room again, a few times. */
	for (int full = 0; full < times; full++, sleep_us(times > 1 ? 500 : 0))
		while (send(fd, much, sizeof(much), MSG_DONTWAIT) > 0)
			full = 0;
	MUST(errno == EAGAIN);
}

static void stall_on(int number)
{
	for (unsigned i = 0; i < TIMES; i++) {
		await_masked(pairs[0][0]);
		fill(number, 1);
		check_own(epfd, pairs[0][0]);
		fill(number, 4);
		outs[pairs[0][0]] = 0;
		drain(pairs[0][1]);
		await_out(pairs[0][0]);
		MUST(send(number, "x", 1, 0) == 1 && send(pairs[0][0], "x", 1, 0) == 1);
	}
}

static void stalled(void)
{
	begin_reactor(2);
	set_int(pairs[0][0], SOL_SOCKET, SO_SNDBUF, 65536);
	stall_on(pairs[0][0]);
	finish();
}

static void stalled_on_copy(void)
{
	begin_reactor(2);
	set_int(pairs[0][0], SOL_SOCKET, SO_SNDBUF, 65536);
	stall_on(dup(pairs[0][0]));
	finish();
}

/* One socket by two numbers in the set, and in another set: none loses what was registered. */
static void twice(void)
{
	int other = epoll_create1(EPOLL_CLOEXEC), copy;
	struct epoll_event event;

	begin_reactor(2);
	copy = dup(pairs[0][0]);
	ctl(epfd, EPOLL_CTL_ADD, copy, BOTH);
	for (unsigned i = 0; i < TIMES; i++) {
		await_masked(copy);
		check_own(other, -1);
		fill(copy, 1);
		check_own(epfd, copy);
		check_own(epfd, pairs[0][0]);
		drain(pairs[0][1]);
		MUST(send(copy, "x", 1, 0) == 1);
		if (i == TIMES - 2)
			ctl(other, EPOLL_CTL_ADD, pairs[1][0], BOTH);
		if (i == TIMES - 2)
			MUST(epoll_wait(other, &event, 1, -1) == 1 && event.events == EPOLLOUT &&
			     event.data.u64 == data_of(pairs[1][0]));
	}
	check_own(other, -1);
	finish();
}

/* Two wait for one set: a writable socket is told to both at once, always. */
static void two_wait(void)
{
	begin_reactor(2);
	for (unsigned i = 0; i < TIMES; i++) {
		struct epoll_event event[8];
		uint64_t began;

		await_masked(pairs[0][0]);
		began = now_ns();
		MUST(epoll_wait(epfd, event, 8, 4) >= 1);
		MUST(now_ns() - began < 3000000 || i);
	}
	fact("masked_at_the_end", (uint64_t)see_masked(epfd, pairs[0][0]));
	finish();
}

/* The time the host asked for: what it waits for goes away meanwhile. */
static void *time_waits(void *unused)
{
	(void)unused;
	while (!stop) {
		uint64_t began = now_ns(), ms;
		int n = look(epfd);

		ms = (now_ns() - began) / 1000000;
		MUST(n ? n == 1 : ms >= 19);
		if (!n)
			outs[0]++;
	}
	return NULL;
}

static void timed(void)
{
	timeout_ms = 20;
	prepare(1, BOTH);
	set_int(pairs[0][0], SOL_SOCKET, SO_SNDBUF, 65536);
	thread = begin(time_waits);
	for (unsigned i = 0; i < TIMES; i++) {
		await_masked(pairs[0][0]);
		fill(pairs[0][0], 4);
		outs[0] = 0;
		/* Window probes make room once more, now and then. */
		for (uint64_t end = now_ns() + 3000000000; !outs[0]; fill(pairs[0][0], 2))
			MUST(now_ns() < end);
		drain(pairs[0][1]);
		MUST(send(pairs[0][0], "x", 1, 0) == 1);
	}
	finish();
}

/* Forked while a wait is masked: the child's registrations are the host's, and stay so. */
static void forked(void)
{
	begin_reactor(3);
	for (unsigned i = 0; i < 3; i++) {
		int status;
		pid_t child;

		await_masked(pairs[0][0]);
		child = fork();
		MUST(child >= 0);
		if (!child) {
			check_own(epfd, -1);
			_exit(0);
		}
		MUST(waitpid(child, &status, 0) == child && status == 0);
		check_own(epfd, -1);
	}
	finish();
}

/* Everything at once, for a second: at the end all is as it was registered last. */
static void *change(void *number)
{
	unsigned seed = (unsigned)(uintptr_t)number * 7919 + 1;
	int fd = pairs[(uintptr_t)number][0];

	while (!stop) {
		int what = rand_r(&seed) % 8;

		if (what < 5)
			ctl(epfd, EPOLL_CTL_MOD, fd,
			    what == 1	? BOTH | EPOLLRDHUP
			    : what == 2 ? EPOLLIN
					: BOTH);
		else if (what == 5)
			ctl(epfd, EPOLL_CTL_DEL, fd, 0), ctl(epfd, EPOLL_CTL_ADD, fd, BOTH);
		else if (what == 6)
			MUST(send(fd, "x", 1, MSG_DONTWAIT) == 1 &&
			     drain_now(pairs[(uintptr_t)number][1]) <= 1);
		sleep_us(rand_r(&seed) % 20000);
	}
	return NULL;
}

static void crowd(void)
{
	pthread_t others[3];

	begin_reactor(4);
	for (uintptr_t i = 0; i < 3; i++)
		MUST(pthread_create(&others[i], NULL, change, (void *)i) == 0);
	for (uint64_t until = now_ns() + 1500000000; now_ns() < until; sleep_us(200)) {
		uint32_t masks[FDS] = { 0 };
		uint64_t data[FDS];

		registered(epfd, masks, data);
		seen += masks[pairs[3][0]] == EPOLLIN;
	}
	stop = 1;
	for (unsigned i = 0; i < 3; i++)
		MUST(pthread_join(others[i], NULL) == 0);
	finish();
}

static const struct scenario scenarios[] = {
	SCENARIO(modified), SCENARIO(modified_by_copy), SCENARIO(waited_by_copy),
	SCENARIO(unregistered), SCENARIO(reused), SCENARIO(closed_copy), SCENARIO(stalled),
	SCENARIO(stalled_on_copy), SCENARIO(twice), SCENARIO(two_wait), SCENARIO(timed),
	SCENARIO(forked), SCENARIO(crowd), { NULL, NULL },
};

int main(int argc, char **argv)
{
	must_change = argc < 3;
	return run_scenario(scenarios, argc, argv);
}
