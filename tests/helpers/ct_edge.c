/* SPDX-License-Identifier: MIT */
/*
 * An edge-triggered host: woken after every refusal, or it hangs.   ct_edge SCENARIO
 */
#include "ct.h"
#include "ct_filter.h"

#include <sys/epoll.h>

static char block[65536];
static int pair[2], epfd;

static void prepare(int rcvbuf, uint32_t mask)
{
	struct epoll_event event = { .events = mask | EPOLLET };

	tcp_pair(rcvbuf, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, 20000);
	epfd = epoll_create1(0);
	MUST(epfd >= 0 && epoll_ctl(epfd, EPOLL_CTL_ADD, pair[0], &event) == 0);
}

static void take_edge(void)
{
	struct epoll_event event;

	MUST(epoll_wait(epfd, &event, 1, 2000) == 1 && event.events & EPOLLOUT);
}

/*
 * Is there the room the kernel wants before it calls a socket writable, half of what is queued?
 * Reckoned, because poll() asks the kernel to tell of the next room: it would wake a host that
 * had been left to sleep for ever.
 */
static int is_writable(int fd)
{
	uint32_t memory[9] = { 0 }; /* SK_MEMINFO_SNDBUF is 3, SK_MEMINFO_WMEM_QUEUED 5 */
	socklen_t bytes = sizeof(memory);

	MUST(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &bytes) == 0);
	return memory[3] >= memory[5] && memory[3] - memory[5] >= memory[5] / 2;
}

/*
 * Filled to the brim, the reader asleep. After a growth that left room the next edge must come
 * by itself; after a true stall, as soon as the reader has made room.
 */
static void fill_to_brim(size_t piece)
{
	int before, by_growth = 0, by_reader = 0;

	prepare(8192, EPOLLOUT);
	before = get_int(pair[0], SOL_SOCKET, SO_SNDBUF);
	take_edge();
	do {
		while (send(pair[0], block, piece, 0) == (ssize_t)piece)
			;
		if (is_writable(pair[0])) {
			by_growth++;
		} else {
			MUST(drain(pair[1]) > 0);
			by_reader++;
		}
		take_edge();
	} while (by_reader < 3 && by_growth < 20);
	fact("by_growth", (uint64_t)by_growth);
	fact("by_reader", (uint64_t)by_reader);
	fact("before", (uint64_t)before);
	fact("after", (uint64_t)get_int(pair[0], SOL_SOCKET, SO_SNDBUF));
}

static void brim(void) { fill_to_brim(3000); }

/* Too small to be looked at before the call: its EAGAIN stays, though the buffer grows. */
static void brim_small(void) { fill_to_brim(500); }

static void *reads_slowly(void *total)
{
	static char text[50000];

	for (uint64_t got = 0; got < *(uint64_t *)total;) {
		long n = syscall(SYS_recvfrom, pair[1], text, sizeof(text), 0, NULL, NULL);

		MUST(n > 0);
		got += (uint64_t)n;
		sleep_us(300);
	}
	return NULL;
}

/* A large answer by a host that writes until it is refused or cut short. */
static void answer(void)
{
	struct epoll_event event;
	uint64_t total = 8u << 20, sent = 0;
	pthread_t reader;

	prepare(65536, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	MUST(pthread_create(&reader, NULL, reads_slowly, &total) == 0);
	while (sent < total) {
		size_t want = total - sent > 50000 ? 50000 : (size_t)(total - sent);
		ssize_t n = send(pair[0], block, want, 0);

		sent += n > 0 ? (uint64_t)n : 0;
		if (n < (ssize_t)want) /* "less than asked means full", as tokio takes it */
			MUST(epoll_wait(epfd, &event, 1, 5000) == 1);
	}
	pthread_join(reader, NULL);
}

static const struct scenario scenarios[] = {
	SCENARIO(brim), SCENARIO(brim_small), SCENARIO(answer),
	{ NULL, NULL },
};

int main(int argc, char **argv)
{
	filter_from_environment();
	return run_scenario(scenarios, argc, argv);
}
