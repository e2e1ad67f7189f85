/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "board.h"
#include "pattern.h"

#define READ_MAX 131072

struct peer {
	const struct conn_plan *plan;
	struct peer_side *side;
	const struct host_side *host;
	int fd, listener;
	uint32_t asked;	      /* requests sent */
	uint64_t due;	      /* response bytes of the requests sent */
	uint32_t block_bytes; /* of the block we are in the middle of */
	uint8_t in_block, is_wrong, has_paused, has_thawed;
	uint8_t buf[READ_MAX];
};

static struct peer *peers[MAX_CONNS];
static _Atomic uint32_t running;

static void set_int(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof(value));
}

static int bound_socket(int type, uint32_t *ret_port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	MUST(fd >= 0 && bind(fd, (struct sockaddr *)&a, bytes) == 0);
	MUST(getsockname(fd, (struct sockaddr *)&a, &bytes) == 0);
	*ret_port = ntohs(a.sin_port);
	return fd;
}

static void size_socket(int fd, const struct conn_plan *c)
{
	if (c->rcvbuf)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, c->rcvbuf);
	if (c->maxseg)
		set_int(fd, IPPROTO_TCP, TCP_MAXSEG, c->maxseg);
}

void peers_prepare(const struct plan *plan)
{
	for (uint32_t n = 0; n < plan->conns; n++) {
		const struct conn_plan *c = &plan->conn[n];
		struct peer *p = peers[n] = calloc(1, sizeof(*p));

		MUST(p);
		*p = (struct peer){ .plan = c,
				    .side = &board->peer[n],
				    .host = &board->host[n],
				    .fd = -1,
				    .listener = -1 };
		if (c->kind != KIND_DIAL && c->kind != KIND_UDP)
			continue;
		p->listener = bound_socket(c->kind == KIND_UDP ? SOCK_DGRAM : SOCK_STREAM,
					   &p->side->port);
		if (c->kind == KIND_UDP) {
			set_int(p->listener, SOL_SOCKET, SO_RCVBUF, 4 << 20);
			p->fd = p->listener;
		} else {
			size_socket(p->listener, c); /* inherited by what it accepts */
			MUST(listen(p->listener, 4) == 0);
		}
		p->side->has_port = 1;
	}
}

static int dial_host(struct peer *p)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd;

	while (!board->listener_port[p->plan->scene]) {
		if (board->is_host_gone)
			return -1;
		sleep_us(500);
	}
	fd = bound_socket(SOCK_STREAM, &p->side->port);
	size_socket(fd, p->plan);
	p->side->has_port = 1;
	to.sin_port = htons((uint16_t)board->listener_port[p->plan->scene]);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Waits for the host to dial or to pass the descriptor; -1 when it has gone. */
static int await_host(struct peer *p)
{
	struct pollfd ready = { .fd = p->listener, .events = POLLIN };

	while (!board->is_host_gone) {
		if (p->plan->kind == KIND_DIAL && poll(&ready, 1, 50) == 1)
			return accept(p->listener, NULL, NULL);
		if (p->side->fd)
			return p->side->fd - 1;
		if (p->plan->kind != KIND_DIAL)
			sleep_us(500);
	}
	return -1;
}

/* Sends every request that is due now. False when the host is not there any more. */
static int ask(struct peer *p)
{
	const struct conn_plan *c = p->plan;

	while (p->asked < c->rounds &&
	       (c->is_pipelined || !c->request_bytes || p->side->received >= p->due)) {
		uint64_t pos = (uint64_t)p->asked * c->request_bytes;

		p->due += c->response[p->asked++];
		if (c->request_bytes &&
		    send(p->fd, pattern(REQUESTS_OF(c->id), pos), c->request_bytes, MSG_NOSIGNAL) !=
			    (ssize_t)c->request_bytes)
			return 0;
		if (p->asked == c->rounds && c->peer_end == END_HALF)
			shutdown(p->fd, SHUT_WR);
	}
	return 1;
}

static void say_wrong(struct peer *p, const uint8_t *at, size_t n)
{
	char text[160];

	if (p->is_wrong++)
		return;
	pattern_explain(p->plan->id, p->side->received, at, n, text, sizeof(text));
	violate("bytes", "connection %u (%s) at %llu of %llu told: %s", p->plan->id,
		plan_scene_name(p->plan->style), (unsigned long long)p->side->received,
		(unsigned long long)p->host->told, text);
}

/* Takes the part of a handler's block at the buffer's start; returns its length. */
static size_t take_block(struct peer *p, const uint8_t *buf, size_t n)
{
	struct peer_side *s = p->side;
	uint8_t want[BLOCK_BYTES];
	size_t i = 0;

	if (!p->in_block || p->block_bytes == BLOCK_BYTES) {
		if (s->blocks == MAX_BLOCKS || !p->plan->takes_blocks) {
			say_wrong(p, buf, n);
			return n;
		}
		p->in_block = 1;
		p->block_bytes = 0;
		s->block_at[s->blocks++] = s->received;
	}
	block_fill(s->blocks - 1, want);
	while (i < n && IS_BLOCK(buf[i]) && p->block_bytes < BLOCK_BYTES &&
	       buf[i] == want[p->block_bytes])
		i++, p->block_bytes++;
	if (i == 0) { /* the next block follows a shortened one, or these are no block's bytes */
		if (p->block_bytes == 0)
			say_wrong(p, buf, n);
		p->block_bytes = p->block_bytes ? BLOCK_BYTES : 0;
		return p->is_wrong ? n : 0;
	}
	s->block_bytes[s->blocks - 1] = p->block_bytes;
	return i;
}

static void take(struct peer *p, const uint8_t *buf, size_t n)
{
	while (n && !p->is_wrong) {
		size_t plain = 0, used;
		ssize_t wrong;

		while (plain < n && !IS_BLOCK(buf[plain]))
			plain++;
		if (plain)
			p->in_block = 0;
		wrong = pattern_check(p->plan->id, p->side->received, buf, plain);
		if (wrong >= 0) {
			p->side->received += (uint64_t)wrong;
			say_wrong(p, buf + wrong, n - (size_t)wrong);
			return;
		}
		p->side->received += plain;
		used = plain < n ? take_block(p, buf + plain, n - plain) : 0;
		buf += plain + used;
		n -= plain + used;
	}
}

static void leave(struct peer *p, int is_reset)
{
	struct linger hard = { 1, 0 };

	p->side->leaving = 1;
	if (is_reset)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(p->fd);
	p->fd = -1;
	p->side->end = PEER_LEFT;
}

/* Reads nothing until the host has ended or says what to do. */
static void vanish(struct peer *p)
{
	while (!board->is_host_gone && p->host->state != HOST_ENDED) {
		if (p->host->command == COMMAND_THAW)
			break;
		if (p->host->command == COMMAND_RESET) {
			leave(p, 1);
			return;
		}
		sleep_us(200);
	}
	p->has_thawed = 1;
}

/* What the plan wants at this place of the stream; false when the connection is over. */
static int act(struct peer *p)
{
	const struct conn_plan *c = p->plan;
	uint64_t at = p->side->received;

	if (at >= c->end_at && (c->peer_end == END_CLOSES || c->peer_end == END_RESETS)) {
		leave(p, c->peer_end == END_RESETS);
		return 0;
	}
	if (at >= c->end_at && c->peer_end == END_VANISHES && !p->has_thawed)
		vanish(p);
	if (c->pause_ms && at >= c->pause_at && !p->has_paused) {
		p->has_paused = 1;
		sleep_us(c->pause_ms * 1000u);
	}
	if (c->read_sleep_us)
		sleep_us(c->read_sleep_us);
	return p->fd >= 0;
}

/* Bytes to read: not beyond the place where something is to happen. */
static size_t room(const struct peer *p)
{
	uint64_t at = p->side->received, n = p->plan->read_bytes;

	if (p->plan->peer_end >= END_CLOSES && !p->has_thawed && at < p->plan->end_at &&
	    n > p->plan->end_at - at)
		n = p->plan->end_at - at;
	return n ? n : 1;
}

static void converse(struct peer *p)
{
	struct pollfd ready = { .fd = p->fd, .events = POLLIN };
	ssize_t n;

	for (;;) {
		ask(p);
		if (!act(p))
			return;
		if (poll(&ready, 1, 100) == 0)
			continue;
		n = read(p->fd, p->buf, room(p));
		if (n <= 0)
			break;
		take(p, p->buf, (size_t)n);
	}
	p->side->leaving = 1;
	p->side->end = n == 0 ? PEER_SAW_END : PEER_SAW_ERROR;
	p->side->ended_ns = now_ns();
	close(p->fd);
}

struct datagram {
	uint32_t conn, number, bytes;
};

/* Datagrams may be dropped by the kernel, never changed, cut, doubled or turned over. */
static void collect(struct peer *p)
{
	struct pollfd ready = { .fd = p->fd, .events = POLLIN };
	struct datagram head;
	uint32_t next = 0;
	ssize_t n;

	while (poll(&ready, 1, p->host->state == HOST_ENDED ? 20 : 100) == 1 ||
	       (p->host->state != HOST_ENDED && !board->is_host_gone)) {
		n = recv(p->fd, p->buf, READ_MAX, MSG_DONTWAIT);
		if (n < 0)
			continue;
		memcpy(&head, p->buf, sizeof(head));
		if ((size_t)n < sizeof(head) || head.conn != p->plan->id ||
		    head.bytes != (size_t)n || head.number < next ||
		    pattern_check(head.conn, head.number, p->buf + sizeof(head),
				  (size_t)n - sizeof(head)) >= 0)
			violate("datagram",
				"connection %u: %zd bytes, number %u of %u, expected %u",
				p->plan->id, n, head.number, head.bytes, next);
		next = head.number + 1;
		p->side->datagrams++;
		p->side->received += (uint64_t)n;
	}
	p->side->end = PEER_SAW_END;
}

static void *peer_main(void *argument)
{
	struct peer *p = argument;

	if (p->plan->kind == KIND_UDP) {
		collect(p);
	} else {
		p->fd = p->plan->kind == KIND_ACCEPT ? dial_host(p) : await_host(p);
		if (p->fd >= 0)
			converse(p);
		else
			p->side->end = PEER_GAVE_UP;
	}
	running--;
	return NULL;
}

/* Descriptors the host passes: one message each, the connection's number and its peer's end. */
static void *receive_ends(void *argument)
{
	int control = *(int *)argument;
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} ancillary;
	uint32_t id;

	for (;;) {
		struct iovec data = { &id, sizeof(id) };
		struct msghdr m = { .msg_iov = &data,
				    .msg_iovlen = 1,
				    .msg_control = &ancillary,
				    .msg_controllen = sizeof(ancillary) };
		int fd;

		if (recvmsg(control, &m, MSG_CMSG_CLOEXEC) != sizeof(id))
			return NULL;
		memcpy(&fd, CMSG_DATA(&ancillary.head), sizeof(fd));
		board->peer[id].fd = fd + 1;
	}
}

void peers_start(const struct plan *plan, int control_fd)
{
	static int control;
	pthread_attr_t small;
	pthread_t thread;

	control = control_fd;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	MUST(pthread_create(&thread, &small, receive_ends, &control) == 0);
	running = plan->conns;
	for (uint32_t n = 0; n < plan->conns; n++)
		MUST(pthread_create(&thread, &small, peer_main, peers[n]) == 0);
}

uint32_t peers_running(void)
{
	return running;
}
