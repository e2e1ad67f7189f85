/* SPDX-License-Identifier: MIT */
/* Datagrams: one call, one datagram (sendmmsg: several), whole or not at all. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "pattern.h"
#include "rules.h"
#include "scene.h"

#define DATAGRAMS 60
#define BURST	  3

struct datagram {
	uint32_t conn, number, bytes;
};

struct sender {
	struct conn *c;
	struct sockaddr_in to;
	uint32_t number;
	uint64_t at;
	struct datagram head[BURST];
	struct iovec iov[BURST][2];
};

/* Fills the i-th of a burst; returns its size. */
static size_t fill(struct sender *s, int i)
{
	uint32_t n =
		chance_range(chance(s->c->plan->draw, s->number), 0, s->number % 8 ? 1400 : 9000);

	s->head[i] =
		(struct datagram){ s->c->plan->id, s->number, (uint32_t)sizeof(s->head[i]) + n };
	s->iov[i][0] = (struct iovec){ &s->head[i], sizeof(s->head[i]) };
	s->iov[i][1] = (struct iovec){ (void *)pattern(s->c->plan->id, s->number), n };
	s->number++;
	return s->head[i].bytes;
}

static ssize_t send_burst(struct sender *s, size_t *ret_asked, int *ret_count)
{
	struct mmsghdr m[BURST] = { 0 };
	int r;

	*ret_count = BURST;
	for (int i = 0; i < BURST; i++) {
		*ret_asked += i ? fill(s, i) : 0;
		m[i].msg_hdr = (struct msghdr){ .msg_iov = s->iov[i], .msg_iovlen = 2 };
	}
	r = sendmmsg(s->c->fd, m, BURST, 0);
	if (r < 0)
		return r;
	*ret_asked = 0;
	for (int i = 0; i < r; i++) {
		*ret_asked += s->head[i].bytes;
		if (m[i].msg_len != s->head[i].bytes)
			violate("datagram", "sendmmsg: %u of %u", m[i].msg_len, s->head[i].bytes);
	}
	*ret_count = r;
	return (ssize_t)*ret_asked;
}

/* The socket is connected, so that write and send have somewhere to go. */
static ssize_t send_one(struct sender *s, size_t *ret_asked, int *ret_count)
{
	struct msghdr m = { .msg_iov = s->iov[0],
			    .msg_iovlen = 2,
			    .msg_name = &s->to,
			    .msg_namelen = sizeof(s->to) };
	char flat[16384];
	size_t n = *ret_asked = fill(s, 0);

	*ret_count = 1;
	memcpy(flat, &s->head[0], sizeof(s->head[0]));
	memcpy(flat + sizeof(s->head[0]), s->iov[0][1].iov_base, s->iov[0][1].iov_len);
	switch (chance_below(chance_next(&s->at), 6)) {
	case 0:
		return write(s->c->fd, flat, n);
	case 1:
		return writev(s->c->fd, s->iov[0], 2);
	case 2:
		return send(s->c->fd, flat, n, MSG_NOSIGNAL);
	case 3:
		return sendto(s->c->fd, flat, n, 0, (struct sockaddr *)&s->to, sizeof(s->to));
	case 4:
		return sendmsg(s->c->fd, &m, 0);
	default:
		return send_burst(s, ret_asked, ret_count);
	}
}

static void turn(struct sender *s)
{
	struct before b = rules_before(s->at);
	uint32_t first = s->number;
	struct pollfd out = { s->c->fd, POLLOUT, 0 };
	size_t asked = 0;
	int count, error;
	ssize_t r;

	errno = b.odd;
	r = send_one(s, &asked, &count);
	error = errno;
	if (r < 0 && error == EAGAIN && s->c->is_nonblocking) {
		s->number = first;
		call_poll(&out, 1, 20, s->at);
		return;
	}
	if (r != (ssize_t)asked || error != b.odd || self.sigpipes != b.sigpipes)
		violate("datagram", "connection %u: %zd of %zu, errno %d", s->c->plan->id, r, asked,
			error);
	s->number = first + (uint32_t)count;
	s->c->pos += asked;
	s->c->side->told = s->c->pos;
}

static void serve(uint32_t id, int is_nonblocking)
{
	struct sender s = { .c = &conns[id], .at = plan.conn[id].draw };

	*s.c = (struct conn){ .plan = &plan.conn[id],
			      .side = &board->host[id],
			      .peer = &board->peer[id],
			      .dup_fd = -1,
			      .is_nonblocking = (uint8_t)is_nonblocking };
	s.to = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				     .sin_port = htons((uint16_t)board->peer[id].port) };
	s.c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | (is_nonblocking ? SOCK_NONBLOCK : 0),
			 0);
	MUST(s.c->fd >= 0 && connect(s.c->fd, (struct sockaddr *)&s.to, sizeof(s.to)) == 0);
	s.c->side->state = HOST_OPEN;
	while (s.number < DATAGRAMS) {
		turn(&s);
		if (s.number % 16 == 0)
			sleep_us(200); /* not faster than the peer takes them */
	}
	call_close(s.c->fd, s.at);
	s.c->side->state = HOST_ENDED;
}

void scene_udp(const struct scene_plan *s)
{
	for (uint32_t n = 0; n < s->count; n++)
		serve(s->first + n, (int)(s->draw >> n & 1));
}
