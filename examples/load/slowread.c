/* SPDX-License-Identifier: MIT */
/*
 * Load client for what wrk cannot do: read slowly, through a small receive buffer, and compare
 * every byte of every response with what it must be.
 *
 * One thread, one epoll set. A peer is one connection of --conns; it asks for the same path
 * --requests times, one request at a time, on one connection as long as the server keeps it. A
 * failed request is counted, its connection closed, and the next one starts on a new connection.
 * With --rate a peer is armed for one read (EPOLLONESHOT), reads at most --chunk bytes, and is
 * armed again when the rate allows the next read; so the kernel's receive buffer fills as behind
 * a thin line.
 */
#include <stdarg.h>
#include <sys/epoll.h>

#include "decode.h"
#include "dial.h"
#include "expect.h"
#include "latency.h"
#include "settings.h"

#define NS_PER_MS   1000000ULL
#define CATCH_UP_NS (NS_PER_S / 10) /* how far a late reader may exceed --rate to make up */
#define TOLD_MAX    5		    /* problems described on stderr; all are counted */
#define EVENTS	    256

enum peer_at {
	PEER_IDLE, /* no connection: fd is -1 */
	PEER_CONNECTING,
	PEER_READING,
	PEER_ENDING, /* the response is complete, the server is to close */
};

/* Finished when requests_left is 0 and at is PEER_IDLE again. */
struct peer {
	enum peer_at at;
	int fd;
	long requests_left; /* the one under way included */
	bool is_paced;	    /* disarmed until due_ns */
	bool is_different;  /* the body so far is not the expected one */
	uint64_t due_ns;    /* earliest next read that keeps to --rate */
	uint64_t sent_ns;
	size_t body_bytes; /* of this response so far */
	struct decode decode;
};

struct load {
	struct settings settings;
	struct addrinfo *address;
	int epoll_fd;
	char request[SETTINGS_REQUEST_BYTES];
	size_t request_bytes;
	struct expect expect;
	struct latency latency; /* of responses with status 200 */
	char *chunk;		/* read buffer of all peers, settings.chunk_bytes */
	struct peer *peers;
	long active; /* peers not finished */
	unsigned long body_bytes, errors, mismatches, told;
};

static void peer_tell(struct load *load, const struct peer *p, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Describe a problem, but not ten thousand times. */
static void peer_tell(struct load *load, const struct peer *p, const char *format, ...)
{
	va_list args;

	if (load->told++ >= TOLD_MAX)
		return;
	fprintf(stderr, "connection %ld: ", (long)(p - load->peers));
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static void peer_disconnect(struct load *load, struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->at = PEER_IDLE;
	p->is_paced = false;
	if (!p->requests_left)
		load->active--;
}

static void peer_fail(struct load *load, struct peer *p, const char *what, const char *why)
{
	peer_tell(load, p, "%s: %s (%zu bytes of body read)", what, why, p->body_bytes);
	load->errors++;
	if (p->at != PEER_ENDING) /* whose request is already counted off */
		p->requests_left--;
	peer_disconnect(load, p);
}

/* 0 or -errno. */
static int peer_arm(struct load *load, struct peer *p, int op, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = p };

	if (load->settings.rate_bytes)
		event.events |= EPOLLONESHOT;
	return epoll_ctl(load->epoll_fd, op, p->fd, &event) < 0 ? -errno : 0;
}

static int peer_connect(struct load *load, struct peer *p)
{
	p->body_bytes = 0;
	p->fd = dial_start(load->address, (int)load->settings.rcvbuf_bytes);
	if (p->fd < 0)
		return p->fd;
	p->at = PEER_CONNECTING;
	return peer_arm(load, p, EPOLL_CTL_ADD, EPOLLOUT);
}

/* Give an idle peer a connection, unless all its requests fail on the way. */
static void peer_start(struct load *load, struct peer *p)
{
	int ret;

	while (p->requests_left && p->at == PEER_IDLE) {
		ret = peer_connect(load, p);
		if (ret < 0)
			peer_fail(load, p, "cannot connect", strerror(-ret));
	}
}

/* The socket has nothing queued, so a request this short is taken whole or not at all. */
static void peer_request(struct load *load, struct peer *p)
{
	ssize_t n;

	p->at = PEER_READING;
	p->body_bytes = 0;
	p->is_different = false;
	decode_reset(&p->decode);
	n = send(p->fd, load->request, load->request_bytes, MSG_NOSIGNAL);
	if (n != (ssize_t)load->request_bytes) {
		peer_fail(load, p, "cannot send", n < 0 ? strerror(errno) : "short");
		return;
	}
	p->sent_ns = latency_now_ns();
	if (p->due_ns < p->sent_ns)
		p->due_ns = p->sent_ns; /* time before the request earns nothing */
	p->is_paced = load->settings.rate_bytes > 0;
	if (!p->is_paced && peer_arm(load, p, EPOLL_CTL_MOD, EPOLLIN) < 0)
		peer_fail(load, p, "cannot wait", strerror(errno));
}

static void peer_connected(struct load *load, struct peer *p)
{
	int ret = dial_result(p->fd);

	if (ret < 0)
		peer_fail(load, p, "cannot connect", strerror(-ret));
	else
		peer_request(load, p);
}

static void peer_check(struct load *load, struct peer *p, const char *body, size_t bytes)
{
	size_t first;

	if (p->decode.status == 200 && !p->is_different &&
	    !expect_holds(&load->expect, p->body_bytes, body, bytes, &first)) {
		p->is_different = true;
		peer_tell(load, p, "body differs from byte %zu on", first);
	}
	p->body_bytes += bytes;
	load->body_bytes += bytes;
}

/* A complete answer is here. An error page is an error and not compared with anything. */
static void peer_judge(struct load *load, struct peer *p)
{
	if (p->decode.status != 200) {
		peer_tell(load, p, "status %d", p->decode.status);
		load->errors++;
		return;
	}
	if (load->expect.is_set && !p->is_different && p->body_bytes < load->expect.bytes) {
		peer_tell(load, p, "body is %zu bytes, not %zu", p->body_bytes, load->expect.bytes);
		p->is_different = true;
	}
	load->mismatches += p->is_different;
	if (latency_add(&load->latency, latency_now_ns() - p->sent_ns) < 0)
		load->errors++;
}

/* On a connection that stays, bytes too many spoil the next response and are found there. On one
 * that the server ends, they are looked for by reading on to its end. */
static void peer_finish(struct load *load, struct peer *p)
{
	peer_judge(load, p);
	p->requests_left--;
	if (load->settings.is_closing || p->decode.is_closing)
		p->at = PEER_ENDING;
	else if (p->requests_left)
		peer_request(load, p);
	else
		peer_disconnect(load, p);
}

/* error: 0 for an orderly end. After a complete response any end will do. */
static void peer_ended(struct load *load, struct peer *p, int error)
{
	if (p->at == PEER_READING && !error && decode_may_end(&p->decode))
		peer_finish(load, p);
	if (p->at == PEER_ENDING)
		peer_disconnect(load, p);
	else
		peer_fail(load, p, "connection ended inside a response",
			  error ? strerror(error) : "closed by the server");
}

/* Everything the socket gave. Only one response is ever asked for at a time. */
static void peer_eat(struct load *load, struct peer *p, const char *data, size_t bytes)
{
	while (bytes && p->at == PEER_READING && p->decode.at != DECODE_DONE) {
		size_t body;
		ssize_t used = decode_step(&p->decode, data, bytes, &body);

		if (used < 0) {
			peer_fail(load, p, "malformed response", "bad line or number");
			return;
		}
		peer_check(load, p, data, body);
		data += used;
		bytes -= (size_t)used;
	}
	if (bytes)
		peer_fail(load, p, "malformed stream", "bytes after the end of the response");
	else if (p->decode.at == DECODE_DONE)
		peer_finish(load, p);
}

/* Disarm the peer till the bytes it just read are within the rate. */
static void peer_pace(struct load *load, struct peer *p, size_t bytes)
{
	uint64_t now = latency_now_ns();

	if (p->due_ns + CATCH_UP_NS < now)
		p->due_ns = now - CATCH_UP_NS;
	p->due_ns += bytes * NS_PER_S / (uint64_t)load->settings.rate_bytes;
	p->is_paced = true;
}

static void peer_read(struct load *load, struct peer *p)
{
	ssize_t n = recv(p->fd, load->chunk, (size_t)load->settings.chunk_bytes, 0);

	if (n > 0)
		peer_eat(load, p, load->chunk, (size_t)n);
	else if (n == 0)
		peer_ended(load, p, 0);
	else if (errno != EAGAIN)
		peer_ended(load, p, errno);
	if (load->settings.rate_bytes && p->at != PEER_IDLE)
		peer_pace(load, p, n > 0 ? (size_t)n : 0);
}

static void peer_serve(struct load *load, struct peer *p)
{
	if (p->at == PEER_CONNECTING)
		peer_connected(load, p);
	else
		peer_read(load, p);
	peer_start(load, p);
}

/* Arm the paced peers whose time has come. Returns when the next one's comes, at most limit. */
static uint64_t load_arm_due(struct load *load, uint64_t now, uint64_t limit)
{
	for (long i = 0; load->settings.rate_bytes && i < load->settings.conns; i++) {
		struct peer *p = &load->peers[i];

		if (!p->is_paced)
			continue;
		if (p->due_ns <= now) {
			p->is_paced = false;
			peer_arm(load, p, EPOLL_CTL_MOD, EPOLLIN);
		} else if (p->due_ns < limit) {
			limit = p->due_ns;
		}
	}
	return limit;
}

static void load_expire(struct load *load)
{
	for (long i = 0; i < load->settings.conns; i++) {
		struct peer *p = &load->peers[i];

		if (p->at == PEER_IDLE)
			continue;
		p->requests_left = p->at != PEER_ENDING; /* those not begun did not fail */
		peer_fail(load, p, "gave up", "--timeout-s is over");
	}
}

static void load_run(struct load *load)
{
	uint64_t limit = latency_now_ns() + (uint64_t)load->settings.timeout_s * NS_PER_S;
	struct epoll_event ready[EVENTS];

	for (long i = 0; i < load->settings.conns; i++)
		peer_start(load, &load->peers[i]);
	while (load->active) {
		uint64_t now = latency_now_ns(), next = load_arm_due(load, now, limit);
		int n;

		if (now >= limit) {
			load_expire(load);
			break;
		}
		/* Rounded up, or the last millisecond before each due time would be spun away. */
		n = epoll_wait(load->epoll_fd, ready, EVENTS,
			       (int)((next - now + NS_PER_MS - 1) / NS_PER_MS));
		for (int i = 0; i < n; i++)
			peer_serve(load, ready[i].data.ptr);
	}
}

/* 0, or -errno after saying what the matter is. */
static int load_init(struct load *load)
{
	const struct settings *s = &load->settings;
	int ret = expect_init(&load->expect, s->is_verifying, s->path, s->expect_path);

	if (ret)
		return ret;
	load->request_bytes = (size_t)settings_request(s, load->request);
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load->chunk = malloc((size_t)s->chunk_bytes);
	load->peers = calloc((size_t)s->conns, sizeof(*load->peers));
	if (load->epoll_fd < 0 || !load->chunk || !load->peers) {
		fprintf(stderr, "cannot start: %s\n", strerror(errno));
		return -ENOMEM;
	}
	for (load->active = 0; load->active < s->conns; load->active++) {
		load->peers[load->active].fd = -1;
		load->peers[load->active].requests_left = s->requests;
	}
	return 0;
}

static void load_clear(struct load *load)
{
	if (load->address)
		freeaddrinfo(load->address);
	if (load->epoll_fd >= 0)
		close(load->epoll_fd);
	free(load->chunk);
	free(load->peers);
	free(load->expect.body);
	free(load->latency.samples_ns);
}

static void load_report(struct load *load, uint64_t spent_ns)
{
	latency_sort(&load->latency);
	printf("{\"requests\":%zu,\"bytes\":%lu,\"errors\":%lu,\"mismatches\":%lu,"
	       "\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
	       load->latency.count, load->body_bytes, load->errors, load->mismatches,
	       (double)spent_ns / NS_PER_S, (double)latency_permille_ns(&load->latency, 500) / 1000,
	       (double)latency_permille_ns(&load->latency, 990) / 1000);
}

/* Exit status: 0 all well, 1 errors or mismatches, 2 for a bad command line. */
int main(int argc, char **argv)
{
	static struct load load = { .epoll_fd = -1,
				    .settings = { .host = "127.0.0.1",
						  .path = "/bytes/1000000",
						  .conns = 1,
						  .requests = 1,
						  .timeout_s = 60 } };
	int ret = settings_parse(&load.settings, argv);
	uint64_t start_ns;

	(void)argc;
	if (ret)
		return ret < 0 ? 2 : 0;
	dial_raise_limit();
	load.address = dial_resolve(load.settings.host, load.settings.port);
	ret = !load.address || load_init(&load) < 0 ? 2 : 0;
	if (!ret) {
		start_ns = latency_now_ns();
		load_run(&load);
		load_report(&load, latency_now_ns() - start_ns);
		ret = load.errors || load.mismatches ? 1 : 0;
	}
	load_clear(&load);
	return ret;
}
