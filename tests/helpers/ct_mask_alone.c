/* SPDX-License-Identifier: MIT */
/*
 * Hosts that leave EPOLLOUT armed, or seem to, and must be left alone all the same.
 *	ct_mask_alone SCENARIO
 */
#include "ct_mask.h"

static void spin_until(uint64_t end)
{
	while (now_ns() < end)
		;
}

/* Registrations that a MOD would re-arm or that it is refused for: never changed, however idle. */
static void untouched(void)
{
	static const uint32_t kinds[] = { BOTH | EPOLLET, BOTH | EPOLLONESHOT,
					  BOTH | EPOLLEXCLUSIVE };
	uint64_t end = now_ns() + 200000000;

	prepare(0, 0);
	for (unsigned i = 0; i < 3; i++) {
		tcp_pair(0, pairs[i]);
		ctl(epfd, EPOLL_CTL_ADD, pairs[i][0], kinds[i]);
	}
	while (now_ns() < end) {
		int n = look(epfd);

		for (int i = 0; i < n; i++)
			if (events[i].data.u64 == data_of(pairs[1][0]))
				ctl(epfd, EPOLL_CTL_MOD, pairs[1][0], kinds[1]);
	}
	expect("masks", 0);
	ctl(epfd, EPOLL_CTL_MOD, pairs[1][0], kinds[1]);
	check_own(epfd, -1);
}

/* Writes the shim cannot see, on every EPOLLOUT: 2000 of them must not take a long time each. */
static void unseen(void)
{
	uint64_t began = now_ns();
	unsigned n;

	prepare(1, BOTH);
	for (n = 0; n < 20000; n++) {
		MUST(look(epfd) == 1 && events[0].events == EPOLLOUT);
		MUST(syscall(SYS_sendto, pairs[0][0], "x", 1, 0, NULL, 0) == 1);
		if (n % 500 == 0)
			drain_now(pairs[0][1]);
	}
	fact("us", (now_ns() - began) / 1000);
}

/* What looks idle for a while and is none. */
static void not_idle(void)
{
	char text[10];

	prepare(1, BOTH);
	for (int i = 0; i < 100; i++) {
		MUST(write(pairs[0][0], "x", 1) == 1);
		for (int n = 0; n < 100; n++)
			MUST(look(epfd) == 1);
	}
	for (int i = 0; i < 2000; i++) {
		MUST(look(epfd) == 1);
		MUST(read(pairs[0][0], text, 10) == -1 && errno == EAGAIN);
	}
	for (int i = 0; i < 1000; i++) {
		MUST(look(epfd) == 1);
		spin_until(now_ns() + 30000);
	}
	expect("masked_waits", 0);
}

static void on_cancel(void)
{
	uint64_t end = now_ns() + 100000000;

	prepare(1, BOTH);
	MUST(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL) == 0);
	while (now_ns() < end)
		MUST(look(epfd) == 1);
	expect("masked_waits", 0);
}

/* Sets that another process may share are left alone; its own are not. */
static void forked(void)
{
	uint64_t end;
	int status;
	pid_t child;

	prepare(1, BOTH);
	child = fork();
	MUST(child >= 0);
	for (end = now_ns() + 100000000; now_ns() < end;)
		MUST(look(epfd) == 1);
	check_own(epfd, -1);
	if (!child)
		_exit(0);
	MUST(waitpid(child, &status, 0) == child && status == 0);
	expect("masked_waits", 0);
}

static const struct scenario scenarios[] = {
	SCENARIO(untouched), SCENARIO(unseen), SCENARIO(not_idle), SCENARIO(on_cancel),
	SCENARIO(forked), { NULL, NULL },
};

int main(int argc, char **argv)
{
	return run_scenario(scenarios, argc, argv);
}
