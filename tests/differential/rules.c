/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/*
 * A non-blocking call that takes this long is no longer one. Far above any limit the shim keeps,
 * far above what two busy cores take a thread off for.
 */
#define CALL_MAX_MS 3000

/* A timer may be early by its own granularity, not by more. */
#define TIMER_SLACK_NS 1100000

int odd_errno(uint64_t draw)
{
	return (int)(3000 + draw % 1000);
}

struct before rules_before(uint64_t draw)
{
	return (struct before){ self.signals, self.sigpipes, odd_errno(draw), now_ns() };
}

/* Errors of a broken connection are legal once the peer leaves or the host itself has shut it. */
static int may_break(const struct conn *c)
{
	return c->is_shut || c->is_struck || c->peer->leaving || c->plan->kind == KIND_UDP;
}

static void rule_broken(const struct out *o, const char *op, int error)
{
	struct conn *c = o->conn;
	int is_reset_clean =
		(c->plan->peer_end == END_RESETS || c->side->command == COMMAND_RESET) &&
		!c->is_shut && (c->plan->kind == KIND_ACCEPT || c->plan->kind == KIND_DIAL);

	if (!may_break(c))
		violate("broken-by-whom", "%s on connection %u: %s, but nobody ended it", op,
			c->plan->id, strerror(error));
	/* A reset is reported once as ECONNRESET, by whichever call is first, then as EPIPE. */
	if (error == EPIPE && is_reset_clean && !c->has_reset && !c->may_be_eaten)
		violate("reset-first", "%s on connection %u: EPIPE, but nobody was told ECONNRESET",
			op, c->plan->id);
	if (error == ECONNRESET && c->has_reset && is_reset_clean && !c->plan->takes_blocks)
		violate("reset-once", "%s on connection %u: ECONNRESET for the second time", op,
			c->plan->id);
	if (error == ECONNRESET)
		c->has_reset = 1;
}

static void rule_sigpipe(const struct out *o, const char *op, const struct before *b, ssize_t r,
			 int error)
{
	uint32_t got = self.sigpipes - b->sigpipes;
	uint32_t due = r < 0 && error == EPIPE && !(o->flags & MSG_NOSIGNAL);

	/* A handler that writes may be hit by its own; a later step of a call of many likewise. */
	if (o->conn->plan->takes_blocks || (o->has_steps && r >= 0 && (size_t)r < o->n && got <= 1))
		return;
	if (got != due)
		violate("sigpipe",
			"%s on connection %u: returned %zd (%s), flags %x: %u SIGPIPE, natively %u",
			op, o->conn->plan->id, r, strerror(error), (unsigned)o->flags, got, due);
}

static void rule_error(const struct out *o, const char *op, const struct before *b, int error)
{
	const struct conn *c = o->conn;

	if (error == EPIPE || error == ECONNRESET) {
		rule_broken(o, op, error);
	} else if (error == EAGAIN) {
		if (!o->is_nonblocking && !c->has_timeout && !o->may_be_short)
			violate("eagain-blocking", "%s on connection %u", op, c->plan->id);
	} else if (error == EINTR) {
		/* splice and sendfile look for signals even when they need not sleep. */
		if ((o->is_nonblocking && !o->may_be_short) || self.signals == b->signals)
			violate("eintr", "%s on connection %u: EINTR %s", op, c->plan->id,
				o->is_nonblocking ? "of a non-blocking call" : "without a signal");
	} else {
		violate("errno", "%s on connection %u: %s (%d)", op, c->plan->id, strerror(error),
			error);
	}
}

void rules_out(const struct out *o, const char *op, const struct before *b, ssize_t r)
{
	const struct conn *c = o->conn;
	int error = o->error;
	uint64_t ms = (now_ns() - b->now_ns) / 1000000;

	if (r > (ssize_t)o->n || r < -1)
		violate("too-many", "%s on connection %u: %zd of %zu", op, c->plan->id, r, o->n);
	if (r >= 0 && error != o->odd)
		violate("errno-on-success", "%s on connection %u: returned %zd, errno %d became %d",
			op, c->plan->id, r, o->odd, error);
	if (r == 0 && o->n && !o->may_be_short)
		violate("zero", "%s on connection %u: 0 of %zu", op, c->plan->id, o->n);
	if (r < 0)
		rule_error(o, op, b, error);
	/* A signal to the process may interrupt a thread and then be handled by another. */
	if (r >= 0 && (size_t)r < o->n && !o->is_nonblocking && !c->has_timeout &&
	    !o->may_be_short && !may_break(c) && c->plan->style != SCENE_bell)
		violate("short-blocking", "%s on connection %u: %zd of %zu", op, c->plan->id, r,
			o->n);
	if (o->is_nonblocking && ms > CALL_MAX_MS && self.signals == b->signals)
		violate("held", "%s on connection %u took %llu ms", op, c->plan->id,
			(unsigned long long)ms);
	rule_sigpipe(o, op, b, r, error);
}

void rules_in(const struct conn *c, const char *op, const struct before *b, size_t asked, ssize_t r,
	      int error, int is_nonblocking)
{
	if (r > (ssize_t)asked || r < -1)
		violate("too-many", "%s on connection %u: %zd of %zu", op, c->plan->id, r, asked);
	if (r >= 0 && error != b->odd)
		violate("errno-on-success", "%s on connection %u: returned %zd, errno %d became %d",
			op, c->plan->id, r, b->odd, error);
	if (r == 0 && !may_break(c) && c->plan->peer_end != END_HALF)
		violate("end-by-whom", "%s on connection %u: end of stream, but the peer is there",
			op, c->plan->id);
	if (self.sigpipes != b->sigpipes)
		violate("sigpipe", "%s on connection %u: %zd with SIGPIPE", op, c->plan->id, r);
	if (r >= 0)
		return;
	if (error == EAGAIN  ? !is_nonblocking && !c->has_timeout
	    : error == EINTR ? self.signals == b->signals
			     : !may_break(c) || (error != ECONNRESET && error != EPIPE))
		violate("errno-in", "%s on connection %u: %s", op, c->plan->id, strerror(error));
}

void rules_wait(const char *op, const struct before *b, int max, int timeout_ms, int r, int error)
{
	uint64_t ns = now_ns() - b->now_ns;

	if (r > max || r < -1)
		violate("too-many", "%s: %d events of %d", op, r, max);
	if (r >= 0 && error != b->odd)
		violate("errno-on-success", "%s: returned %d, errno %d became %d", op, r, b->odd,
			error);
	if (r < 0 && !(error == EINTR && self.signals != b->signals))
		violate("errno-wait", "%s: %s", op, strerror(error));
	if (r == 0 && (timeout_ms < 0 || ns + TIMER_SLACK_NS < (uint64_t)timeout_ms * 1000000))
		violate("wait-early", "%s: 0 events after %llu us of %d ms", op,
			(unsigned long long)ns / 1000, timeout_ms);
}
