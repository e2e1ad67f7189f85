/* SPDX-License-Identifier: MIT */
/*
 * tr_edge MODE: event loops that depend on edges, answering slow readers. A loop that is told of
 * nothing for a second, while it has something to send and its readers read, has lost an edge.
 *
 *	et	 edge-triggered: writes until EAGAIN
 *	short	 as tokio: a short count means full; writes again only after an edge
 *	oneshot	 three workers on one set; EPOLLONESHOT, armed anew at every stall
 *	netty	 sixteen tries on a full socket, then waits
 *	pieces	 as short, by writev of 1024 pieces
 *	file	 as short, by sendfile
 *	storm	 as short, with a signal every millisecond
 */
#include "tr_call.h"

#include <sys/epoll.h>
#include <sys/time.h>

#define CLIENTS 3
#define RESPONSE 200000
#define RESPONSES 2
#define PIECE_COUNT 1024

static struct door door;
static int epfd;
static const char *mode;
static volatile int finished;

struct connection {
	struct pair pair;
	size_t sent, wanted; /* since the connection began, in bytes of the pattern */
	int is_writable, is_armed_for_out;
	pthread_t client;
	pthread_mutex_t lock;
};

static struct connection connections[CLIENTS];

/* ---- clients --------------------------------------------------------------------------- */

static void *client(void *argument)
{
	struct connection *c = argument;
	unsigned seed = (unsigned)(c - connections) + 1;
	size_t got = 0;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (int i = 1; i <= RESPONSES; i++) {
		MUST(syscall(SYS_sendto, c->pair.peer, "?", 1, 0, NULL, 0) == 1);
		while (got < (size_t)i * RESPONSE) {
			MUST(!take(c->pair.peer, &got, NULL));
			sleep_us((unsigned)rand_r(&seed) % 1500);
		}
		MUST(got == (size_t)i * RESPONSE);
	}
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* ---- the host's writes ----------------------------------------------------------------- */

static ssize_t write_pieces(int fd, size_t at, size_t n)
{
	struct iovec iov[PIECE_COUNT];
	size_t step = n / PIECE_COUNT + 1;
	int count = 0;

	for (size_t done = 0; done < n; done += step, count++) {
		iov[count].iov_base = tr_pattern + at + done;
		iov[count].iov_len = n - done < step ? n - done : step;
	}
	return writev(fd, iov, count);
}

/* One call; 1: it took all. */
static int send_some(struct connection *c)
{
	size_t n = c->wanted - c->sent;
	ssize_t r;

	if (!strcmp(mode, "pieces"))
		r = write_pieces(c->pair.fd, c->sent, n);
	else
		r = op_call(strcmp(mode, "file") ? OP_WRITE : OP_SENDFILE, c->pair.fd, c->sent, n, 0);
	if (r == 0 || (r < 0 && errno != EAGAIN))
		die("writing: %zd", r);
	c->sent += r > 0 ? (size_t)r : 0;
	c->is_writable = r == (ssize_t)n || (r > 0 && strcmp(mode, "short") && strcmp(mode, "pieces") &&
					     strcmp(mode, "file") && strcmp(mode, "storm"));
	return r == (ssize_t)n;
}

static void arm(struct connection *c, uint32_t out)
{
	struct epoll_event event = { .events = EPOLLIN | out, .data.ptr = c };

	event.events |= !strcmp(mode, "oneshot") ? EPOLLONESHOT : EPOLLET;
	MUST(epoll_ctl(epfd, EPOLL_CTL_MOD, c->pair.fd, &event) == 0);
}

static void send_all(struct connection *c)
{
	int tries = !strcmp(mode, "netty") ? 16 : 1;

	while (c->sent < c->wanted && tries) {
		if (!c->is_writable && strcmp(mode, "netty"))
			break;
		if (!send_some(c) && !c->is_writable)
			tries--;
	}
}

static void take_requests(struct connection *c)
{
	char byte;

	while (read(c->pair.fd, &byte, 1) == 1)
		c->wanted += RESPONSE;
	if (errno != EAGAIN)
		die("reading a request");
}

static void serve(struct connection *c, uint32_t events)
{
	pthread_mutex_lock(&c->lock);
	if (events & EPOLLOUT)
		c->is_writable = 1;
	if (events & EPOLLIN)
		take_requests(c);
	send_all(c);
	if (!strcmp(mode, "oneshot"))
		arm(c, c->sent < c->wanted ? EPOLLOUT : 0);
	pthread_mutex_unlock(&c->lock);
}

static void *loop(void *unused)
{
	struct epoll_event events[8];
	uint64_t last = now_ns();

	(void)unused;
	while (finished < CLIENTS) {
		int n = epoll_wait(epfd, events, 8, 50);

		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		if (n > 0)
			last = now_ns();
		if (n <= 0 && strcmp(mode, "oneshot") && now_ns() - last > 1000 * MS)
			die("an edge was lost: %zu %zu %zu bytes sent", connections[0].sent,
			    connections[1].sent, connections[2].sent);
		for (int i = 0; i < n; i++)
			serve(events[i].data.ptr, events[i].events);
	}
	return NULL;
}

static void on_timer(int unused)
{
	(void)unused;
}

static void begin(struct connection *c)
{
	struct epoll_event event = { .data.ptr = c };

	c->pair = pair_open(&door, 0);
	c->is_writable = 1;
	pthread_mutex_init(&c->lock, NULL);
	/* Registered once for both, as mio does; oneshot arms what it needs. */
	event.events = !strcmp(mode, "oneshot") ? EPOLLIN | EPOLLONESHOT : EPOLLIN | EPOLLOUT | EPOLLET;
	MUST(epoll_ctl(epfd, EPOLL_CTL_ADD, c->pair.fd, &event) == 0);
	MUST(pthread_create(&c->client, NULL, client, c) == 0);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_timer };
	struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
	pthread_t workers[2];

	MUST(argc == 2);
	mode = argv[1];
	watchdog(8);
	pattern_make();
	door = door_open(16384);
	MUST((epfd = epoll_create1(0)) >= 0);
	warm(&door, OP_WRITE, RESPONSE, 0);
	for (int i = 0; i < CLIENTS; i++)
		begin(&connections[i]);
	MUST(sigaction(SIGALRM, &action, NULL) == 0);
	if (!strcmp(mode, "storm"))
		MUST(setitimer(ITIMER_REAL, &every, NULL) == 0);
	for (int i = 0; i < 2 && !strcmp(mode, "oneshot"); i++)
		MUST(pthread_create(&workers[i], NULL, loop, NULL) == 0);
	loop(NULL);
	for (int i = 0; i < 2 && !strcmp(mode, "oneshot"); i++)
		MUST(pthread_join(workers[i], NULL) == 0);
	return 0;
}
