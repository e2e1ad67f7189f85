/* SPDX-License-Identifier: MIT */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "monitor.h"

struct conn conns[MAX_CONNS];
struct plan plan;

static void set_int(int fd, int level, int option, int value)
{
	MUST(setsockopt(fd, level, option, &value, sizeof(value)) == 0);
}

int conn_listen(uint32_t scene, int is_nonblocking)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | (is_nonblocking ? SOCK_NONBLOCK : 0),
			0);

	MUST(fd >= 0 && bind(fd, (struct sockaddr *)&a, bytes) == 0 && listen(fd, 128) == 0);
	MUST(getsockname(fd, (struct sockaddr *)&a, &bytes) == 0);
	board->listener_port[scene] = ntohs(a.sin_port);
	return fd;
}

void conn_set_nonblocking(struct conn *c, int on)
{
	int flags = fcntl(c->fd, F_GETFL);

	MUST(flags >= 0 &&
	     fcntl(c->fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) == 0);
	c->is_nonblocking = (uint8_t)on;
}

static struct conn *begin(uint32_t id, int fd, int is_nonblocking)
{
	const struct conn_plan *p = &plan.conn[id];
	struct conn *c = &conns[id];

	*c = (struct conn){ .plan = p,
			    .side = &board->host[id],
			    .peer = &board->peer[id],
			    .fd = fd,
			    .dup_fd = -1,
			    .is_nonblocking = (uint8_t)is_nonblocking,
			    .last_progress_ns = now_ns() };
	if (p->sndbuf && p->kind != KIND_PIPE)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, p->sndbuf);
	if (p->kind <= KIND_DIAL && p->draw & 1)
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (p->kind <= KIND_DIAL && (p->draw & 0xe00) == 0) /* wants little queued */
		set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384);
	if (!p->request_bytes)
		c->owed = p->total;
	c->side->state = HOST_OPEN;
	monitor_add(c);
	return c;
}

/* The peer published its port before it dialled: the address accept reports tells who it is. */
static uint32_t who_is(const struct sockaddr_in *from)
{
	for (uint32_t n = 0; n < plan.conns; n++)
		if (plan.conn[n].kind == KIND_ACCEPT &&
		    board->peer[n].port == ntohs(from->sin_port) && board->peer[n].has_port)
			return n;
	setup_failed("accept: a peer nobody knows", __LINE__);
}

struct conn *conn_accept(int listener, int is_nonblocking)
{
	struct sockaddr_in from;
	socklen_t bytes = sizeof(from);
	int fd;

	memset(&from, 0, sizeof(from));
	if (now_ns() & 0x400) {
		fd = accept4(listener, (struct sockaddr *)&from, &bytes,
			     SOCK_CLOEXEC | (is_nonblocking ? SOCK_NONBLOCK : 0));
	} else {
		fd = accept(listener, (struct sockaddr *)&from, &bytes);
		if (fd >= 0 && is_nonblocking)
			MUST(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	}
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR)
			violate("accept", "%s", strerror(errno));
		return NULL;
	}
	if (bytes != sizeof(from))
		violate("accept", "an address of %u bytes", bytes);
	return begin(who_is(&from), fd, is_nonblocking);
}

static void pass_to_peer(uint32_t id, int fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} ancillary = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec data = { &id, sizeof(id) };
	struct msghdr m = { .msg_iov = &data,
			    .msg_iovlen = 1,
			    .msg_control = &ancillary,
			    .msg_controllen = sizeof(ancillary) };

	memcpy(CMSG_DATA(&ancillary.head), &fd, sizeof(fd));
	MUST(syscall(SYS_sendmsg, CONTROL_FD, &m, 0) == sizeof(id));
	MUST(syscall(SYS_close, fd) == 0);
}

static int dial(const struct conn_plan *p)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons((uint16_t)board->peer[p->id].port) };
	int waits = p->draw & 512 ? SOCK_NONBLOCK : 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | waits, 0), error = -1;
	struct pollfd out = { .fd = fd, .events = POLLOUT };
	socklen_t bytes = sizeof(error);

	MUST(fd >= 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		MUST(waits && errno == EINPROGRESS && call_poll(&out, 1, 2000, p->draw) == 1);
		MUST(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 && error == 0);
	}
	MUST(fcntl(fd, F_SETFL, 0) == 0);
	return fd;
}

struct conn *conn_open(uint32_t id, int is_nonblocking)
{
	const struct conn_plan *p = &plan.conn[id];
	int pair[2];

	if (p->kind == KIND_DIAL) {
		pair[0] = dial(p);
	} else if (p->kind == KIND_PIPE) {
		MUST(pipe2(pair, O_CLOEXEC) == 0);
		pass_to_peer(id, pair[0]);
		pair[0] = pair[1];
	} else {
		MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
		pass_to_peer(id, pair[1]);
	}
	if (is_nonblocking)
		MUST(fcntl(pair[0], F_SETFL, fcntl(pair[0], F_GETFL) | O_NONBLOCK) == 0);
	return begin(id, pair[0], is_nonblocking);
}

uint32_t conn_wants(const struct conn *c)
{
	if (c->is_done)
		return 0;
	if (c->pos < c->owed)
		return EPOLLOUT;
	return c->pos < c->plan->total || (c->plan->host_end == HOST_LINGERS && c->is_shut)
		       ? EPOLLIN
		       : EPOLLOUT;
}

int conn_is_stuck(const struct conn *c)
{
	return c->plan->peer_end == END_VANISHES &&
	       now_ns() - c->last_progress_ns > PATIENCE_MS * 1000000ull;
}

static void give_up_connection(struct conn *c, int error)
{
	c->side->had_error |= error;
	c->is_dead = 1;
	c->is_done = 1;
}

static void note_request(struct conn *c)
{
	uint32_t round = (uint32_t)(c->got / c->plan->request_bytes);

	for (; c->round < round && c->round < c->plan->rounds; c->round++)
		c->owed += c->plan->response[c->round];
}

static enum step step_in(struct conn *c)
{
	ssize_t r = call_in(c, c->plan->draw & 2
				       ? 300
				       : c->plan->request_bytes - c->got % c->plan->request_bytes);

	if (r == -EAGAIN || r == -EINTR)
		return r == -EAGAIN ? STEP_IN : STEP_MORE;
	if (r <= 0) {
		c->has_end_in = r == 0;
		give_up_connection(c, !c->is_shut);
		return STEP_DONE;
	}
	c->last_progress_ns = now_ns();
	note_request(c);
	return STEP_MORE;
}

static uint64_t chunk(const struct conn *c)
{
	uint64_t left = c->owed - c->pos, draw = chance(c->plan->draw ^ 0x4348, c->pos), n = left;

	if (c->plan->chunking == CHUNK_RANDOM)
		n = chance_range(draw, 1, 65536);
	else if (c->plan->chunking == CHUNK_SMALL)
		n = chance_range(draw, 1, c->plan->total > 500000 ? 20000 : 3000);
	return n < left ? n : left;
}

/* After an error a server often tries once more: the next error must be the right one. */
static enum step broken(struct conn *c, ssize_t r)
{
	if (r != -ECONNRESET && r != -EPIPE) {
		give_up_connection(c, 1);
		return STEP_DONE;
	}
	for (uint32_t again = chance_below(c->plan->draw, 3); again; again--)
		call_out(c, 1 + again * 1000);
	give_up_connection(c, 1);
	return STEP_DONE;
}

static void maybe_write_nothing(struct conn *c)
{
	if (c->pos == 0 && c->plan->draw & 8)
		call_out(c, 0);
}

static void maybe_dup(struct conn *c)
{
	if (!c->plan->uses_dup || c->dup_fd >= 0 || c->pos < c->plan->total / 3)
		return;
	c->dup_fd = c->plan->draw & 4 ? dup(c->fd) : fcntl(c->fd, F_DUPFD_CLOEXEC, 3);
	MUST(c->dup_fd >= 0);
}

static enum step step_out(struct conn *c, uint64_t budget, int short_is_full)
{
	uint64_t end = c->pos + budget;

	maybe_write_nothing(c);
	maybe_dup(c);
	while (c->pos < c->owed) {
		uint64_t before = c->pos;
		ssize_t r = call_out(c, chunk(c));

		if (c->pos != before)
			c->last_progress_ns = now_ns();
		if (r == -EAGAIN || (c->was_full && short_is_full))
			return STEP_OUT;
		if (r < 0 && r != -EINTR)
			return broken(c, r);
		if (c->pos >= end)
			return STEP_MORE;
	}
	return STEP_MORE;
}

/* All was said: shut our side and read until the peer ends too. */
static enum step linger(struct conn *c)
{
	if (!c->is_shut) {
		c->is_shut = 1;
		MUST(shutdown(c->fd, SHUT_WR) == 0);
	}
	return step_in(c);
}

enum step conn_step(struct conn *c, uint64_t budget, int short_is_full)
{
	if (c->is_done)
		return STEP_DONE;
	if (c->pos < c->owed)
		return step_out(c, budget, short_is_full);
	if (c->pos < c->plan->total)
		return step_in(c);
	c->side->is_complete = 1;
	if (c->plan->host_end == HOST_LINGERS && c->plan->request_bytes)
		return linger(c);
	c->is_done = 1;
	return STEP_DONE;
}

void conn_note_end(struct conn *c)
{
	int unread = 0;

	/* Closing with bytes unread makes the kernel reset, and the peer lose what it has not got.
	 */
	if (c->plan->kind != KIND_PIPE)
		syscall(SYS_ioctl, c->fd, FIONREAD, &unread);
	c->side->had_unread = unread > 0;
	c->side->gave_up = c->pos < c->plan->total;
	c->side->ended_ns = now_ns();
}

static void dup_over(struct conn *c)
{
	int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	MUST(other >= 0);
	if (c->plan->draw & 16)
		MUST(dup2(other, c->fd) == c->fd);
	else
		MUST(dup3(other, c->fd, O_CLOEXEC) == c->fd);
	call_close(other, c->plan->draw >> 8);
	call_close(c->fd, c->plan->draw >> 12);
}

void conn_end(struct conn *c, int epfd)
{
	struct epoll_event e = { 0 };

	conn_note_end(c);
	if (epfd >= 0 && (plan.has_fork || c->dup_fd >= 0 || c->plan->draw & 32))
		epoll_ctl(epfd, EPOLL_CTL_DEL, c->fd, &e);
	monitor_remove(c);
	if (c->dup_fd >= 0)
		call_close(c->dup_fd, c->plan->draw >> 4);
	if (c->plan->host_end == HOST_DUPS_OVER)
		dup_over(c);
	else
		call_close(c->fd, c->plan->host_end == HOST_CLOSES_RAW	   ? 0
				  : c->plan->host_end == HOST_CLOSES_RANGE ? 1
									   : 3);
	c->fd = -1;
	c->side->state = HOST_ENDED;
}
