/* SPDX-License-Identifier: MIT */
/*
 * Provokes a known number of stalls, spins, resumes and responses: what is counted must be what
 * happened.   ct_counts SCENARIO
 *
 * Local stream pairs are exact: a write of 4 KB is taken whole or refused, so there are no short
 * writes but those provoked by a write larger than the buffer.
 */
#include "ct.h"
#include "ct_filter.h"

#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sendfile.h>

int __poll_chk(struct pollfd *, nfds_t, int, size_t);
int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);

static char block[4096], large[1 << 20];
static void *volatile nowhere = (void *)16;
static int pair[2];
static uint64_t writes; /* every write the scenario made on a stream socket */

static ssize_t put(int fd, const void *from, size_t bytes)
{
	writes++;
	return write(fd, from, bytes);
}

/* Writes blocks until one is refused: a stall, the first try of a possible spin. */
static void stall(int fd)
{
	while (put(fd, block, sizeof(block)) == sizeof(block))
		;
	MUST(errno == EAGAIN);
}

static void refused(int fd)
{
	MUST(put(fd, block, sizeof(block)) == -1 && errno == EAGAIN);
}

static void taken(int fd)
{
	MUST(put(fd, block, sizeof(block)) == sizeof(block));
}

/* 23 refusals in a row by one thread, then it goes on: one episode. */
static void eagain(void)
{
	unix_pair(pair);
	stall(pair[0]);
	for (int i = 1; i < 23; i++)
		refused(pair[0]);
	drain_now(pair[1]);
	taken(pair[0]);
	expect("eagain_writes", 23);
	expect("spin_episodes", 1);
	expect("spin_writes", 23); /* 22 refusals after the stall, and the write that got through */
	expect("spinners", 1);
	fact("spins_max", 23);
}

/* 23 writes larger than the room, a wait before each next one: no spin. */
static void shorts(void)
{
	struct pollfd out;
	ssize_t n;

	unix_pair(pair);
	out = (struct pollfd){ pair[0], POLLOUT, 0 };
	for (int i = 0; i < 23; i++) {
		n = put(pair[0], large, sizeof(large));
		MUST(n > 0 && n < (ssize_t)sizeof(large));
		drain_now(pair[1]);
		MUST(poll(&out, 1, -1) == 1);
	}
	taken(pair[0]);
	expect("short_writes", 23);
	expect("resumes", 23);
	fact("spins_max", 0);
}

/* The same on TCP, where the program's own results are the reference. */
static void tcp(void)
{
	struct pollfd out;
	uint64_t again = 0, fewer = 0, sent = 0;

	tcp_pair(16384, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 16384);
	out = (struct pollfd){ pair[0], POLLOUT, 0 };
	while (again + fewer < 23) {
		ssize_t n = put(pair[0], large, 30000);

		again += n < 0;
		fewer += n >= 0 && n < 30000;
		sent += n > 0 ? (uint64_t)n : 0;
		if (n == 30000)
			continue;
		drain(pair[1]);
		MUST(poll(&out, 1, -1) == 1);
	}
	MUST(put(pair[0], block, 10) == 10);
	expect("eagain_writes", again);
	expect("short_writes", fewer);
	expect("resumes", 23);
	expect("write_bytes", sent + 10);
}

/* sendfile stalls as write does; the end of the file is no stall. */
static void sendfiles(void)
{
	struct pollfd out;
	FILE *file = tmpfile();
	off_t at = 0, size = 700000;
	uint64_t again = 0, fewer = 0;
	ssize_t n;

	MUST(file && ftruncate(fileno(file), size) == 0);
	tcp_pair(16384, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 16384);
	out = (struct pollfd){ pair[0], POLLOUT, 0 };
	while (at < size) {
		n = sendfile(pair[0], fileno(file), &at, 60000);
		writes++;
		again += n < 0;
		fewer += n >= 0 && n < 60000 && at < size;
		if (n == 60000 || at == size)
			continue;
		drain(pair[1]);
		MUST(poll(&out, 1, -1) == 1);
	}
	MUST(again + fewer > 3);
	expect("eagain_writes", again);
	expect("short_writes", fewer);
	expect("resumes", again + fewer);
	expect("write_bytes", (uint64_t)size);
}

/* Episodes of known length, the shortest (stall, then success) and a spinner's among them. */
static void spins(void)
{
	static const int lengths[] = { 1, 2, 5, 15, 40 };
	uint64_t sum = 0;

	unix_pair(pair);
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		stall(pair[0]);
		for (int n = 1; n < lengths[i]; n++)
			refused(pair[0]);
		drain_now(pair[1]);
		taken(pair[0]);
		sum += (uint64_t)lengths[i];
	}
	expect("eagain_writes", sum);
	expect("spin_episodes", 5);
	expect("spin_writes", sum);
	expect("spinners", 1);
	fact("spins_max", 40);
}

/* One fruitless try less than makes a spinner, twice: none. */
static void no_spinner(void)
{
	unix_pair(pair);
	for (int round = 0; round < 2; round++) {
		stall(pair[0]);
		for (int n = 1; n < 15; n++)
			refused(pair[0]);
		drain_now(pair[1]);
		taken(pair[0]);
	}
	expect("eagain_writes", 30);
	expect("spin_episodes", 2);
	expect("spin_writes", 30);
	fact("spins_max", 15);
}

/* An edge-triggered host must write until it is refused: after a short count, one more try. */
static void edge_host(void)
{
	struct pollfd out;

	unix_pair(pair);
	out = (struct pollfd){ pair[0], POLLOUT, 0 };
	for (int i = 0; i < 10; i++) {
		MUST(put(pair[0], large, sizeof(large)) > 0);
		refused(pair[0]);
		drain_now(pair[1]);
		MUST(poll(&out, 1, -1) == 1);
	}
	taken(pair[0]);
	expect("short_writes", 10);
	expect("eagain_writes", 10);
	expect("resumes", 10);
	fact("spins_max", 0);
}

/* ---- what makes the next try a resume --------------------------------------------------- */

static int epfd;
static struct epoll_event event;
static struct pollfd waited;
static struct timespec brief = { 0, 1000000 };

static void by_epoll_wait(void) { MUST(epoll_wait(epfd, &event, 1, 1000) == 1); }
static void by_epoll_pwait(void) { MUST(epoll_pwait(epfd, &event, 1, 1000, NULL) == 1); }
static void by_epoll_pwait2(void) { MUST(epoll_pwait2(epfd, &event, 1, NULL, NULL) == 1); }
static void by_poll(void) { MUST(poll(&waited, 1, 1000) == 1); }
static void by_ppoll(void) { MUST(ppoll(&waited, 1, &brief, NULL) == 1); }
static void by_poll_chk(void) { MUST(__poll_chk(&waited, 1, 9, sizeof(waited)) == 1); }
static void by_ppoll_chk(void) { MUST(__ppoll_chk(&waited, 1, &brief, NULL, sizeof(waited)) == 1); }
static void by_select(void)
{
	fd_set out;

	FD_ZERO(&out);
	FD_SET(pair[0], &out);
	MUST(select(pair[0] + 1, NULL, &out, NULL, NULL) == 1);
}
static void by_pselect(void)
{
	fd_set out;

	FD_ZERO(&out);
	FD_SET(pair[0], &out);
	MUST(pselect(pair[0] + 1, NULL, &out, NULL, NULL, NULL) == 1);
}
/* A wait for something else, as on a timer, ends a spin too: the thread gave the CPU away. */
static void by_timer(void) { MUST(poll(NULL, 0, 1) == 0); }
/* Registering for EPOLLOUT says that the thread means to wait. */
static void by_epoll_mod(void)
{
	event.events = EPOLLOUT;
	MUST(epoll_ctl(epfd, EPOLL_CTL_MOD, pair[0], &event) == 0);
}
static void by_sleep(void) { sleep_us(1000); }

static void resumes(void)
{
	static void (*const ways[])(void) = { by_epoll_wait, by_epoll_pwait, by_epoll_pwait2, by_poll,
					      by_ppoll, by_poll_chk, by_ppoll_chk, by_select,
					      by_pselect, by_timer, by_epoll_mod, by_sleep };
	unsigned n = sizeof(ways) / sizeof(ways[0]);

	unix_pair(pair);
	epfd = epoll_create1(0);
	event = (struct epoll_event){ .events = EPOLLOUT, .data.fd = pair[0] };
	waited = (struct pollfd){ pair[0], POLLOUT, 0 };
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, pair[0], &event) == 0);
	for (unsigned i = 0; i < n; i++) {
		stall(pair[0]);
		drain_now(pair[1]);
		ways[i]();
		taken(pair[0]);
	}
	expect("eagain_writes", n);
	expect("resumes", n);
}

/* Retries with a sleep between them are slow, not spinning. */
static void sleeps(void)
{
	unix_pair(pair);
	stall(pair[0]);
	for (int i = 1; i < 10; i++) {
		sleep_us(1000);
		refused(pair[0]);
	}
	sleep_us(1000);
	drain_now(pair[1]);
	taken(pair[0]);
	expect("eagain_writes", 10);
	expect("resumes", 10);
	expect("spin_episodes", 0);
}

static void *one_refused(void *fd)
{
	refused(*(int *)fd);
	return NULL;
}

/* Tries in turn by two threads: each is the other's resume. */
static void other_thread(void)
{
	pthread_t thread;

	unix_pair(pair);
	stall(pair[0]);
	for (int i = 0; i < 3; i++) {
		MUST(pthread_create(&thread, NULL, one_refused, &pair[0]) == 0);
		MUST(pthread_join(thread, NULL) == 0);
		refused(pair[0]);
	}
	drain_now(pair[1]);
	expect("eagain_writes", 7);
	expect("resumes", 6);
}

/* Stalls of two sockets in turn are two spins, not none: each socket has its own state. */
static void two_sockets(void)
{
	int second[2];

	unix_pair(pair);
	unix_pair(second);
	stall(pair[0]);
	stall(second[0]);
	for (int i = 0; i < 4; i++) {
		refused(pair[0]);
		refused(second[0]);
	}
	expect("eagain_writes", 10);
	expect("spin_episodes", 2);
	expect("spin_writes", 8);
}

/* ---- what is no stall ------------------------------------------------------------------- */

static void not_stalls(void)
{
	struct timeval timeout = { 0, 20000 };
	int pipes[2], file = open("/proc/self/exe", O_RDONLY);
	ssize_t n;

	/* A blocking socket with SO_SNDTIMEO returns short counts and EAGAIN, too. */
	unix_pair(pair);
	MUST(fcntl(pair[0], F_SETFL, 0) == 0);
	MUST(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) == 0);
	n = put(pair[0], large, sizeof(large));
	MUST(n > 0 && n < (ssize_t)sizeof(large));
	MUST(put(pair[0], large, sizeof(large)) == -1 && errno == EAGAIN);
	/* sendfile at the end of its file, splice from an empty pipe: there is room. */
	tcp_pair(0, pair);
	n = sendfile(pair[0], file, &(off_t){ lseek(file, 0, SEEK_END) - 100 }, 4096);
	MUST(n == 100);
	MUST(pipe2(pipes, O_NONBLOCK) == 0);
	MUST(splice(pipes[0], NULL, pair[0], NULL, 100, SPLICE_F_NONBLOCK) == -1 && errno == EAGAIN);
	/* Errors are no stalls. */
	MUST(put(pair[0], nowhere, 10) == -1 && errno == EFAULT);
	writes += 2;
}

/* A MSG_DONTWAIT refusal on a blocking socket is one. */
static void dontwait(void)
{
	unix_pair(pair);
	MUST(fcntl(pair[0], F_SETFL, 0) == 0);
	do
		writes++;
	while (send(pair[0], block, sizeof(block), MSG_DONTWAIT) > 0);
	MUST(errno == EAGAIN);
	expect("eagain_writes", 1);
}

static const struct scenario scenarios[] = {
	SCENARIO(eagain), SCENARIO(shorts), SCENARIO(tcp), SCENARIO(sendfiles), SCENARIO(spins),
	SCENARIO(no_spinner), SCENARIO(edge_host), SCENARIO(resumes), SCENARIO(sleeps),
	SCENARIO(other_thread), SCENARIO(two_sockets), SCENARIO(not_stalls), SCENARIO(dontwait),
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	filter_from_environment();
	if (run_scenario(scenarios, argc, argv))
		return 2;
	expect("writes", writes);
	fact("fd", (uint64_t)pair[0]);
	return 0;
}
