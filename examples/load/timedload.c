/* SPDX-License-Identifier: MIT */
/*
 * Closed-loop load of a fixed time, for what wrk and redis-benchmark cannot do: a warm-up on the
 * very connections that are measured, fractions of a second, answers counted by their bytes, and
 * the start of the window told to whoever watches the server.
 *
 * One thread, one epoll set. Each of --conns connections asks, reads the answer, asks again (with
 * --close: waits for the server's end and connects anew). Bytes are not compared; slowread does.
 *
 *     window = (start + warmup, start + warmup + time)
 *     bytes     read within the window, of answers that never got finished too: in a short window
 *               of long answers, whole answers are too coarse a unit
 *     requests  answered within it; latencies are theirs, from the request's first byte sent to
 *               the answer's last (with --close the handshake is not in it)
 *     waiting   requests still unanswered at the end. One that waits longer already than the p99
 *               of the answers is counted among the latencies with its age so far: otherwise a
 *               host that lets most wait for ever would have the best p99.
 *
 * Prints "window" when it opens, then one line of JSON.
 */
#include <limits.h>
#include <sys/epoll.h>

#include "../common/options.h"
#include "decode.h"
#include "dial.h"
#include "latency.h"

#define NS_PER_MS     1000000ULL
#define CHUNK_BYTES   65536
#define REQUEST_BYTES 1024
#define EVENTS	      256
#define ERRORS_MAX    1000 /* then the load ends early: nothing there is worth a figure */
#define THIRD	      3	   /* "late" is what was read in the last third of the window */

enum peer_at { PEER_CONNECTING, PEER_READING, PEER_ENDING };

struct peer {
	enum peer_at at;
	int fd;
	uint64_t sent_ns;
	uint64_t left; /* redis: bytes of the answer to come */
	struct decode decode;
};

struct request {
	char text[REQUEST_BYTES];
	size_t bytes;
};

struct load {
	const char *host, *heavy_path, *light_path;
	long port, share, conns, redis_bytes, warmup_ms, time_ms;
	bool is_closing;

	struct addrinfo *address;
	int epoll_fd;
	struct request heavy, light;
	uint64_t redis_answer_bytes;
	uint64_t random; /* of a fixed seed: the same sequence of requests in every run */
	struct peer *peers;
	char chunk[CHUNK_BYTES];

	uint64_t now_ns; /* of this turn of the loop */
	uint64_t opens_ns, late_ns, closes_ns;
	bool is_open;
	struct latency latency;
	unsigned long bytes, late_bytes, errors, warm_requests, waiting;
};

/* Park and Miller's generator; in percent, because every n-th request of n connections served in
 * turn would always fall to the same connection. */
static const struct request *load_next_request(struct load *load)
{
	load->random = load->random * 16807 % 2147483647;
	return load->random % 100 < (uint64_t)load->share ? &load->heavy : &load->light;
}

static void peer_connect(struct load *load, struct peer *p)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = p };

	p->at = PEER_CONNECTING;
	p->fd = dial_start(load->address, 0);
	if (p->fd < 0 || epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, p->fd, &event) < 0)
		load->errors = ERRORS_MAX; /* out of ports or descriptors: no use going on */
}

static void peer_reconnect(struct load *load, struct peer *p)
{
	close(p->fd);
	if (load->errors < ERRORS_MAX)
		peer_connect(load, p);
	else
		p->fd = -1;
}

static void peer_fail(struct load *load, struct peer *p, const char *why)
{
	if (!load->errors++)
		fprintf(stderr, "first error: %s\n", why);
	peer_reconnect(load, p);
}

static void peer_request(struct load *load, struct peer *p)
{
	const struct request *request = load_next_request(load);

	p->at = PEER_READING;
	p->left = load->redis_answer_bytes;
	decode_reset(&p->decode);
	p->sent_ns = latency_now_ns();
	if (send(p->fd, request->text, request->bytes, MSG_NOSIGNAL) != (ssize_t)request->bytes)
		peer_fail(load, p, strerror(errno));
}

static void peer_connected(struct load *load, struct peer *p)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = p };
	int ret = dial_result(p->fd);

	if (ret < 0 || epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, p->fd, &event) < 0)
		peer_fail(load, p, strerror(-ret));
	else
		peer_request(load, p);
}

static void peer_answered(struct load *load, struct peer *p)
{
	if (!load->is_open)
		load->warm_requests++;
	else if (latency_add(&load->latency, latency_now_ns() - p->sent_ns) < 0)
		load->errors++;
	if (load->is_closing)
		p->at = PEER_ENDING;
	else
		peer_request(load, p);
}

/* All of data belongs to one answer, as only one is ever asked for at a time. 1: it is whole,
 * 0: more to come, -EPROTO. */
static int peer_eat(struct load *load, struct peer *p, const char *data, size_t bytes)
{
	if (load->redis_bytes) {
		if ((p->left == load->redis_answer_bytes && data[0] != '$') || bytes > p->left)
			return -EPROTO;
		p->left -= bytes;
		return !p->left;
	}
	while (bytes && p->decode.at != DECODE_DONE) {
		size_t body;
		ssize_t used = decode_step(&p->decode, data, bytes, &body);

		if (used < 0)
			return -EPROTO;
		data += used;
		bytes -= (size_t)used;
	}
	if (bytes || (p->decode.at == DECODE_DONE && p->decode.status != 200))
		return -EPROTO;
	return p->decode.at == DECODE_DONE;
}

static void peer_read(struct load *load, struct peer *p)
{
	ssize_t n = recv(p->fd, load->chunk, CHUNK_BYTES, 0);
	int ret;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0 && load->is_open) {
		load->bytes += (size_t)n;
		load->late_bytes += load->now_ns >= load->late_ns ? (size_t)n : 0;
	}
	if (p->at == PEER_ENDING && n <= 0) {
		peer_reconnect(load, p);
		return;
	}
	if (n <= 0 || p->at == PEER_ENDING) {
		peer_fail(load, p,
			  n < 0 ? strerror(errno)
			  : n	? "bytes after the answer"
				: "connection ended inside an answer");
		return;
	}
	ret = peer_eat(load, p, load->chunk, (size_t)n);
	if (ret < 0)
		peer_fail(load, p, "not the answer asked for");
	else if (ret)
		peer_answered(load, p);
}

/* The window opens on time even where nothing arrives. */
static uint64_t load_look_at_clock(struct load *load)
{
	load->now_ns = latency_now_ns();
	if (!load->is_open && load->now_ns >= load->opens_ns) {
		load->is_open = true;
		load->opens_ns = load->now_ns;
		load->closes_ns = load->opens_ns + (uint64_t)load->time_ms * NS_PER_MS;
		load->late_ns = load->closes_ns - (uint64_t)load->time_ms * NS_PER_MS / THIRD;
		puts("window");
		fflush(stdout);
	}
	return load->is_open ? load->closes_ns : load->opens_ns;
}

static void load_run(struct load *load)
{
	struct epoll_event ready[EVENTS];
	uint64_t limit;

	load->opens_ns = latency_now_ns() + (uint64_t)load->warmup_ms * NS_PER_MS;
	for (long i = 0; i < load->conns; i++)
		peer_connect(load, &load->peers[i]);
	for (;;) {
		int n, wait_ms;

		limit = load_look_at_clock(load);
		if ((load->is_open && load->now_ns >= limit) || load->errors >= ERRORS_MAX)
			break;
		wait_ms = limit > load->now_ns
				  ? (int)((limit - load->now_ns + NS_PER_MS - 1) / NS_PER_MS)
				  : 0;
		n = epoll_wait(load->epoll_fd, ready, EVENTS, wait_ms);
		for (int i = 0; i < n; i++) {
			struct peer *p = ready[i].data.ptr;

			if (p->at == PEER_CONNECTING)
				peer_connected(load, p);
			else
				peer_read(load, p);
		}
	}
	load->closes_ns = load->now_ns;
}

/* See "waiting" above. Sorted before and after. */
static void load_count_waiting(struct load *load)
{
	uint64_t p99_ns = latency_permille_ns(&load->latency, 990);

	for (long i = 0; i < load->conns; i++) {
		const struct peer *p = &load->peers[i];

		if (p->fd < 0 || p->at != PEER_READING)
			continue;
		load->waiting++;
		if (load->closes_ns - p->sent_ns > p99_ns)
			latency_add(&load->latency, load->closes_ns - p->sent_ns);
	}
	latency_sort(&load->latency);
}

static void load_report(struct load *load)
{
	size_t requests = load->latency.count;
	double seconds = (double)(load->closes_ns - load->opens_ns) / NS_PER_S;

	latency_sort(&load->latency);
	load_count_waiting(load);
	printf("{\"requests\":%zu,\"warm_requests\":%lu,\"waiting\":%lu,\"bytes\":%lu,"
	       "\"late_bytes\":%lu,\"errors\":%lu,\"seconds\":%.6f,\"p50_ms\":%.4f,"
	       "\"p99_ms\":%.4f}\n",
	       requests, load->warm_requests, load->waiting, load->bytes, load->late_bytes,
	       load->errors, seconds, (double)latency_permille_ns(&load->latency, 500) / 1e6,
	       (double)latency_permille_ns(&load->latency, 990) / 1e6);
	fflush(stdout);
}

static void request_http(struct request *r, const struct load *load, const char *path)
{
	int n = snprintf(r->text, sizeof(r->text), "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path,
			 load->host, load->is_closing ? "Connection: close\r\n" : "");

	r->bytes = n > 0 && (size_t)n < sizeof(r->text) ? (size_t)n : 0;
}

/* 0, or -EINVAL after saying why not. */
static int load_init(struct load *load)
{
	static const char get[] = "*2\r\n$3\r\nGET\r\n$5\r\nvalue\r\n";

	request_http(&load->heavy, load, load->heavy_path);
	request_http(&load->light, load, load->light_path);
	if (load->redis_bytes) {
		load->heavy.bytes = load->light.bytes = sizeof(get) - 1;
		memcpy(load->heavy.text, get, sizeof(get));
		memcpy(load->light.text, get, sizeof(get));
		load->redis_answer_bytes =
			(uint64_t)(snprintf(NULL, 0, "$%ld\r\n", load->redis_bytes) +
				   load->redis_bytes + 2);
	}
	load->random = 20260101;
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load->peers = calloc((size_t)load->conns, sizeof(*load->peers));
	load->address = dial_resolve(load->host, load->port);
	dial_raise_limit();
	return load->heavy.bytes && load->light.bytes && load->epoll_fd >= 0 && load->peers &&
			       load->address
		       ? 0
		       : -EINVAL;
}

/* 0, 1 after --help, -EINVAL after saying what is wrong. */
static int load_parse(struct load *load, char **argv)
{
	bool wants_help = false;
	struct option_row rows[] = {
		{ "host", "ADDRESS", .text = &load->host, .help = "server" },
		{ "port", "N", .number = &load->port, .min = 1, .max = 65535,
		  .help = "server's port" },
		{ "heavy", "PATH", .text = &load->heavy_path, .help = "what to GET" },
		{ "light", "PATH", .text = &load->light_path, .help = "… in the other requests" },
		{ "share", "PERCENT", .number = &load->share, .max = 100,
		  .help = "of requests that are heavy" },
		{ "conns", "N", .number = &load->conns, .min = 1, .max = 100000,
		  .help = "connections at once" },
		{ "close", .flag = &load->is_closing,
		  .help = "Connection: close, a connection per request" },
		{ "redis", "BYTES", .number = &load->redis_bytes, .max = 1L << 29,
		  .help = "redis' GET of the key `value`, which has so many bytes, in place of "
			  "HTTP" },
		{ "warmup-ms", "N", .number = &load->warmup_ms, .max = 600000,
		  .help = "load before the window, on the same connections" },
		{ "time-ms", "N", .number = &load->time_ms, .min = 1, .max = 600000,
		  .help = "length of the window" },
		{ "help", .flag = &wants_help, .help = "this text" },
		{ .name = NULL },
	};

	if (options_parse(rows, argv) < 0)
		return -EINVAL;
	if (wants_help) {
		printf("usage: timedload --port N [options]\n\n");
		options_print(rows);
		printf("\nPrints \"window\" when it opens, then a line of JSON. Exit status 1 "
		       "after "
		       "any error.\n");
		return 1;
	}
	if (!load->port)
		fprintf(stderr, "--port is needed, see --help\n");
	return load->port ? 0 : -EINVAL;
}

/* Exit status: 0 all well, 1 errors, 2 for a bad command line. Nothing is freed at the end. */
int main(int argc, char **argv)
{
	static struct load load = { .host = "127.0.0.1",
				    .heavy_path = "/bytes/1000000",
				    .light_path = "/bytes/100",
				    .share = 100,
				    .conns = 50,
				    .warmup_ms = 300,
				    .time_ms = 1000 };
	int ret = load_parse(&load, argv);

	(void)argc;
	if (ret)
		return ret < 0 ? 2 : 0;
	if (load_init(&load) < 0)
		return 2;
	load_run(&load);
	load_report(&load);
	return load.errors ? 1 : 0;
}
