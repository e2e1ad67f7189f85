/* SPDX-License-Identifier: MIT */
/* One write of a connection: chosen by its place in the stream, called, judged, booked. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "monitor.h"
#include "pattern.h"
#include "rules.h"

__thread struct thread_self self;

static int pick_flags(const struct conn *c, uint64_t draw, size_t n)
{
	int flags = draw & 1 ? MSG_NOSIGNAL : 0;

	if ((draw & 6) == 0)
		flags |= MSG_DONTWAIT;
	/* Never on the last bytes of an answer: the peer would wait 200 ms for them, natively too.
	 */
	if ((draw & 0x38) == 0 && c->pos + n < c->owed)
		flags |= MSG_MORE;
	return flags;
}

static struct out prepare(struct conn *c, const struct out_op *op, uint64_t draw, size_t n)
{
	struct out o = {
		.conn = c, .fd = c->fd, .n = n, .draw = chance(draw, 7), .odd = odd_errno(draw)
	};

	if (c->dup_fd >= 0 && draw & 0x100)
		o.fd = c->dup_fd;
	o.data = pattern(c->plan->id, c->pos);
	o.flags = op->needs_socket && !op->is_file ? pick_flags(c, draw >> 16, n) : 0;
	o.is_nonblocking = c->is_nonblocking || o.flags & MSG_DONTWAIT;
	/* Files and pipes: a pending signal cuts these calls short without a stall. */
	o.may_be_short =
		op->is_file && (c->plan->style == SCENE_bell || c->plan->style == SCENE_chop);
	o.has_steps = op->is_file || c->plan->kind == KIND_PIPE;
	return o;
}

/* Blocks handlers wrote during the call lie before or behind what the call itself sent. */
static void settle_blocks(struct conn *c)
{
	for (; c->open_blocks < c->side->blocks; c->open_blocks++)
		c->side->block[c->open_blocks].after = c->pos;
}

static void check_flags(const struct conn *c, const struct out *o, const char *op)
{
	long flags = syscall(SYS_fcntl, o->fd, F_GETFL);

	if (flags >= 0 && !(flags & O_NONBLOCK) != !c->is_nonblocking)
		violate("flags", "connection %u: O_NONBLOCK changed in %s", c->plan->id, op);
}

/* The same place, the same call; but a victim (scene_chop.c) meets all of them where it stalls. */
static uint64_t variant(const struct conn *c)
{
	return c->plan->is_frozen ? (c->side->eagains + c->side->shorts) / 3 : 0;
}

ssize_t call_out(struct conn *c, size_t n)
{
	uint64_t draw = chance(c->plan->draw, c->pos + variant(c));
	const struct out_op *op = call_pick_op(c, draw);
	struct out o = prepare(c, op, draw, n);
	uint32_t mark = monitor_mark(c);
	struct before b = rules_before(draw);
	ssize_t r;

	c->side->calls++;
	self.current = c;
	r = op->run(&o);
	self.current = NULL;
	if (r > 0) {
		c->pos += (uint64_t)r;
		c->side->told = c->pos;
	}
	/* sendfile and splice go page by page: what a later page meets is lost when some went. */
	if (op->is_file && r > 0 && (size_t)r < o.n && c->peer->leaving)
		c->may_be_eaten = 1;
	settle_blocks(c);
	c->side->calls++;
	rules_out(&o, op->name, &b, r);
	c->was_full = r < 0 ? o.error == EAGAIN : (size_t)r < o.n && !o.may_be_short;
	if (c->was_full) {
		c->side->eagains += r < 0;
		c->side->shorts += r >= 0;
		if (!c->is_struck && (c->side->eagains + c->side->shorts) % 8 == 0)
			check_flags(c, &o, op->name);
		if (o.is_nonblocking)
			monitor_expect(c, mark, op->name, r);
	}
	return r < 0 ? -o.error : r;
}
