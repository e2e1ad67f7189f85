/* SPDX-License-Identifier: MIT */
/*
 * What the shim does before a send-side call and inside it, seen by a host that looks at its
 * results, its errno and its buffers.   ct_ahead SCENARIO
 */
#include "ct.h"
#include "ct_filter.h"

#include <sys/sendfile.h>
#include <sys/uio.h>

#define ODD 4711 /* no errno of the kernel's */
#define FIXED 20000
#define LONG 65536
#define SMALL 100

static char block[1 << 20];
static int pair[2];

static int sndbuf(int fd)
{
	return get_int(fd, SOL_SOCKET, SO_SNDBUF);
}

static void prepare(void)
{
	tcp_pair(8192, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, FIXED);
	fact("fd", (uint64_t)pair[0]);
	fact("before", (uint64_t)sndbuf(pair[0]));
}

/* A result and what it left in errno, which was ODD. */
static void tell(ssize_t n, int error)
{
	fact("sent", n < 0 ? 0 : (uint64_t)n);
	fact("errno", (uint64_t)error);
	fact("after", (uint64_t)sndbuf(pair[0]));
}

#define TELL(call)                       \
	do {                             \
		ssize_t n_;              \
		errno = ODD;             \
		n_ = (call);             \
		tell(n_, errno);         \
	} while (0)

/* ---- one write longer than the buffer, by each function ---------------------------------- */

static struct iovec halves[2] = { { block, LONG / 2 }, { block + LONG / 2, LONG / 2 } };

static void by_write(void)
{
	prepare();
	TELL(write(pair[0], block, LONG));
}

static void by_send(void)
{
	prepare();
	TELL(send(pair[0], block, LONG, 0));
}

static void by_sendto(void)
{
	prepare();
	TELL(sendto(pair[0], block, LONG, MSG_NOSIGNAL, NULL, 0));
}

static void by_sendfile(void)
{
	FILE *file = tmpfile();

	MUST(file && ftruncate(fileno(file), LONG) == 0);
	prepare();
	TELL(sendfile(pair[0], fileno(file), NULL, LONG));
}

static void by_writev(void)
{
	prepare();
	TELL(writev(pair[0], halves, 2));
}

static void by_sendmsg(void)
{
	struct msghdr message = { .msg_iov = halves, .msg_iovlen = 2 };

	prepare();
	TELL(sendmsg(pair[0], &message, 0));
}

/* The socket would wait for room; this call of it does not. */
static void by_dontwait(void)
{
	prepare();
	MUST(ioctl(pair[0], FIONBIO, &(int){ 0 }) == 0);
	TELL(send(pair[0], block, LONG, MSG_DONTWAIT));
}

/* One that waits until all is taken: the reader comes late. */
static void *reads_late(void *total)
{
	sleep_us(30000);
	for (uint64_t got = 0; got < *(uint64_t *)total; sleep_us(500))
		got += drain_now(pair[1]);
	return NULL;
}

static void by_blocking(void)
{
	uint64_t total = LONG;
	pthread_t reader;

	prepare();
	MUST(ioctl(pair[0], FIONBIO, &(int){ 0 }) == 0);
	MUST(pthread_create(&reader, NULL, reads_late, &total) == 0);
	TELL(write(pair[0], block, LONG));
	pthread_join(reader, NULL);
}

/* ---- the budget --------------------------------------------------------------------------- */

static int grown_by(int fd, size_t bytes)
{
	int before = sndbuf(fd);

	MUST(write(fd, block, bytes) > 0);
	return sndbuf(fd) - before;
}

/* A large demand, a small one, a large one; then everything is closed. */
static void unequal(void)
{
	int large[2], again[2];

	prepare();
	memcpy(large, pair, sizeof(pair));
	fact("large", (uint64_t)grown_by(large[0], sizeof(block)));
	prepare();
	fact("small_fd", (uint64_t)pair[0]);
	fact("small", (uint64_t)grown_by(pair[0], LONG));
	memcpy(again, pair, sizeof(pair));
	prepare();
	fact("large_again", (uint64_t)grown_by(pair[0], sizeof(block)));
	MUST(close(large[0]) == 0 && close(again[0]) == 0 && close(pair[0]) == 0);
}

/* ---- small writes into a full buffer ------------------------------------------------------- */

/* Until one is refused: nothing sent, so errno is all the host has. */
static void fill(void)
{
	do
		errno = ODD;
	while (send(pair[0], block, SMALL, 0) == SMALL);
	MUST(errno == EAGAIN);
}

/* The reader comes 30 ms after the second refused write was begun. */
static void refused_twice(void)
{
	uint64_t total = 1, began;
	pthread_t reader;

	prepare();
	fill();
	MUST(pthread_create(&reader, NULL, reads_late, &total) == 0);
	began = now_ns();
	TELL(send(pair[0], block, SMALL, 0));
	fact("waited_ms", (now_ns() - began) / 1000000);
	pthread_join(reader, NULL);
}

/* ---- what a write costs: the calls between two marks --------------------------------------- */

/* Seen by whoever traces the program. */
static void mark(void)
{
	syscall(SYS_getppid);
}

enum { CALLS = 30, PIECE = 5000 };

/* Full writes on an open road, each read at once. */
static void full_writes(int fd, int peer)
{
	static char text[PIECE];

	mark();
	for (int i = 0; i < CALLS; i++) {
		MUST(send(fd, block, PIECE, 0) == PIECE);
		MUST(syscall(SYS_recvfrom, peer, text, PIECE, MSG_WAITALL, NULL, NULL) == PIECE);
	}
	mark();
}

/* The first ones are looked at: what the socket is, and how much fits. */
static void two_writes(int fd, int peer)
{
	for (int i = 0; i < 2; i++) {
		MUST(send(fd, block, PIECE, 0) == PIECE);
		drain(peer);
	}
}

static void road_fresh(void)
{
	prepare();
	two_writes(pair[0], pair[1]);
	full_writes(pair[0], pair[1]);
}

static void road_grown(void)
{
	prepare();
	send(pair[0], block, LONG, 0);
	drain(pair[1]);
	two_writes(pair[0], pair[1]);
	full_writes(pair[0], pair[1]);
}

static void road_after_stall(void)
{
	prepare();
	fill();
	fill();
	drain(pair[1]);
	two_writes(pair[0], pair[1]);
	full_writes(pair[0], pair[1]);
}

static void road_blocking(void)
{
	prepare();
	MUST(ioctl(pair[0], FIONBIO, &(int){ 0 }) == 0);
	two_writes(pair[0], pair[1]);
	full_writes(pair[0], pair[1]);
}

static void road_local(void)
{
	unix_pair(pair);
	two_writes(pair[0], pair[1]);
	full_writes(pair[0], pair[1]);
}

/* ---- a reader whose window is a little too small ------------------------------------------- */

#define RESPONSES 12
#define SEGMENT 1448 /* an Ethernet's; lo has 64 KB */
#define SND_WND 57 /* tcpi_snd_wnd of linux/tcp.h, which glibc's header does not know */

static uint32_t window_of(int fd)
{
	uint32_t info[64] = { 0 };
	socklen_t bytes = sizeof(info);

	MUST(getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &bytes) == 0);
	return info[SND_WND];
}

/* A response of so many quarters of the window, from one place in the program; all of it is read. */
static void respond(int fd, int peer, unsigned quarters)
{
	char request;
	size_t bytes;

	/* The request brings the window as it is now. */
	MUST(send(peer, "?", 1, 0) == 1 && recv(fd, &request, 1, 0) == 1);
	bytes = window_of(fd) * quarters / 4;
	for (size_t sent = 0, got = 0; got < bytes; got += drain_now(peer)) {
		ssize_t n = sent < bytes ? write(fd, block + sent, bytes - sent) : 0;

		MUST(n >= 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		poll(&(struct pollfd){ .fd = peer, .events = POLLIN }, 1, 1);
	}
}

/* Which of many responses was the first to get a larger buffer? */
static void opening(unsigned quarters, int segment)
{
	uint64_t first = 0;
	struct sockaddr_in address;
	int listener = tcp_listener(&address);

	if (segment)
		set_int(listener, IPPROTO_TCP, TCP_MAXSEG, segment);
	tcp_pair_on(listener, &address, 131072, pair);
	set_int(pair[0], SOL_SOCKET, SO_SNDBUF, FIXED);
	fact("window", window_of(pair[0]));
	for (uint64_t i = 1; i <= RESPONSES; i++) {
		int before = sndbuf(pair[0]);

		respond(pair[0], pair[1], quarters);
		if (!first && sndbuf(pair[0]) > before)
			first = i;
	}
	fact("first", first);
}

static void opening_above(void)
{
	opening(6, SEGMENT);
}

static void opening_below(void)
{
	opening(3, SEGMENT);
}

static void opening_far_above(void)
{
	opening(10, SEGMENT);
}

static void opening_loopback(void)
{
	opening(6, 0);
}

/* Connections with so many responses each: the first of how many was left as it was. */
static void opening_of_many(int responses)
{
	uint64_t left = 0;
	struct sockaddr_in address;
	int listener = tcp_listener(&address);

	set_int(listener, IPPROTO_TCP, TCP_MAXSEG, SEGMENT);
	for (int i = 0; i < 160; i++) {
		int before;

		tcp_pair_on(listener, &address, 131072, pair);
		set_int(pair[0], SOL_SOCKET, SO_SNDBUF, FIXED);
		before = sndbuf(pair[0]);
		for (int n = 0; n < responses; n++) {
			respond(pair[0], pair[1], 6);
			left += n == 0 && sndbuf(pair[0]) == before;
		}
		MUST(close(pair[0]) == 0 && close(pair[1]) == 0);
	}
	fact("left", left);
}

static void opening_closed(void)
{
	opening_of_many(1);
}

static void opening_kept(void)
{
	opening_of_many(2);
}

static const struct scenario scenarios[] = {
	SCENARIO(opening_above), SCENARIO(opening_below), SCENARIO(opening_far_above),
	SCENARIO(opening_loopback), SCENARIO(opening_closed),
	SCENARIO(opening_kept),
	SCENARIO(by_write), SCENARIO(by_send), SCENARIO(by_sendto),
	SCENARIO(by_sendfile), SCENARIO(by_writev), SCENARIO(by_sendmsg), SCENARIO(by_dontwait),
	SCENARIO(by_blocking), SCENARIO(unequal), SCENARIO(refused_twice), SCENARIO(road_fresh),
	SCENARIO(road_grown), SCENARIO(road_after_stall), SCENARIO(road_blocking),
	SCENARIO(road_local), { NULL, NULL },
};

int main(int argc, char **argv)
{
	filter_from_environment();
	return run_scenario(scenarios, argc, argv);
}
