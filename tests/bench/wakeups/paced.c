/* SPDX-License-Identifier: MIT */
/*
 * Open load: so many requests a second on kept connections, whether or not they are answered.
 *
 * A closed loop would ask a slow host less, and a host that wastes CPU only while it has nothing to
 * do would never be seen at it. Requests come at random distances of half to one and a half times
 * the mean (fixed seed), so that they do not march in step with a host that polls every 1 ms.
 *
 * Latency is from the send; where no connection was free when the request was due, from then on.
 * Output as timedload's: "window" when it opens, then one line of JSON; requests that are
 * unanswered at the end count with their age once they are older than the p99 of those answered.
 */
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "examples/common/options.h"
#include "examples/load/decode.h"
#include "examples/load/dial.h"
#include "examples/load/latency.h"

#define NS_PER_MS  1000000ULL
#define ROOM_BYTES 8192
#define EVENTS	   64
#define ERRORS_MAX 100

struct peer {
	int fd;
	uint64_t begun_ns; /* 0: free */
	struct decode decode;
	struct peer *next_free;
};

struct load {
	const char *host, *path;
	long port, conns, rate, warmup_ms, time_ms;

	char request[1024];
	size_t request_bytes;
	int epoll_fd, timer_fd;
	struct peer *peers, *free, **free_end; /* longest free first */
	uint64_t random;
	uint64_t due_ns; /* of the next request */
	bool is_behind;	 /* it was due when no connection was free */
	uint64_t opens_ns, closes_ns;
	bool is_open;
	struct latency latency;
	unsigned long errors, warm_requests, waiting, bytes;
};

static void load_put_free(struct load *load, struct peer *p)
{
	p->begun_ns = 0;
	p->next_free = NULL;
	*load->free_end = p;
	load->free_end = &p->next_free;
}

static struct peer *load_take_free(struct load *load)
{
	struct peer *p = load->free;

	load->free = p->next_free;
	if (!load->free)
		load->free_end = &load->free;
	return p;
}

/* Half to one and a half times the mean distance; Park and Miller's generator. */
static uint64_t load_next_distance_ns(struct load *load)
{
	const uint64_t mean_ns = NS_PER_S / (uint64_t)load->rate;

	load->random = load->random * 16807 % 2147483647;
	return mean_ns / 2 + load->random % mean_ns;
}

static void load_arm(struct load *load)
{
	const struct itimerspec at = { .it_value = { .tv_sec = (time_t)(load->due_ns / NS_PER_S),
						     .tv_nsec = (long)(load->due_ns % NS_PER_S) } };

	timerfd_settime(load->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static void load_fail(struct load *load, const char *why)
{
	if (!load->errors++)
		fprintf(stderr, "first error: %s\n", why);
}

/* Send what is due, as far as there are connections for it. */
static void load_send_due(struct load *load)
{
	uint64_t now_ns = latency_now_ns();

	while (load->due_ns <= now_ns) {
		struct peer *p;

		if (!load->free) {
			load->is_behind = true;
			return;
		}
		p = load_take_free(load);
		p->begun_ns = load->is_behind ? load->due_ns : now_ns;
		decode_reset(&p->decode);
		if (send(p->fd, load->request, load->request_bytes, MSG_NOSIGNAL) !=
		    (ssize_t)load->request_bytes)
			load_fail(load, strerror(errno));
		load->due_ns += load_next_distance_ns(load);
	}
	load->is_behind = false;
	load_arm(load);
}

static void peer_answered(struct load *load, struct peer *p)
{
	if (p->decode.status != 200)
		load_fail(load, "not the answer asked for");
	if (!load->is_open)
		load->warm_requests++;
	else if (latency_add(&load->latency, latency_now_ns() - p->begun_ns) < 0)
		load->errors++;
	load_put_free(load, p);
}

static void peer_read(struct load *load, struct peer *p)
{
	char room[ROOM_BYTES];
	ssize_t n = recv(p->fd, room, sizeof(room), 0), used = 0;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || !p->begun_ns) {
		load_fail(load, n < 0 ? strerror(errno) : "an end or bytes nobody asked for");
		load->errors = ERRORS_MAX; /* the connection is of no more use */
		return;
	}
	load->bytes += load->is_open ? (size_t)n : 0;
	for (size_t body; used < n && p->decode.at != DECODE_DONE;) {
		ssize_t step = decode_step(&p->decode, room + used, (size_t)(n - used), &body);

		if (step < 0) {
			load_fail(load, "not HTTP");
			load->errors = ERRORS_MAX;
			return;
		}
		used += step;
	}
	if (p->decode.at == DECODE_DONE)
		peer_answered(load, p);
}

/* Returns whether the load goes on; its window opens and ends on time even if nothing arrives. */
static bool load_look_at_clock(struct load *load)
{
	uint64_t now_ns = latency_now_ns();

	if (!load->is_open && now_ns >= load->opens_ns) {
		load->is_open = true;
		load->opens_ns = now_ns;
		load->closes_ns = now_ns + (uint64_t)load->time_ms * NS_PER_MS;
		puts("window");
		fflush(stdout);
	}
	return load->errors < ERRORS_MAX && (!load->is_open || now_ns < load->closes_ns);
}

static void load_run(struct load *load)
{
	struct epoll_event ready[EVENTS];

	load->due_ns = latency_now_ns();
	load->opens_ns = load->due_ns + (uint64_t)load->warmup_ms * NS_PER_MS;
	load_arm(load);
	while (load_look_at_clock(load)) {
		int n = epoll_wait(load->epoll_fd, ready, EVENTS, 10);

		for (int i = 0; i < n; i++)
			if (ready[i].data.ptr)
				peer_read(load, ready[i].data.ptr);
		load_send_due(load);
	}
	load->closes_ns = latency_now_ns();
}

static void load_report(struct load *load)
{
	size_t requests = load->latency.count;
	uint64_t p99_ns;

	latency_sort(&load->latency);
	p99_ns = latency_permille_ns(&load->latency, 990);
	for (long i = 0; i < load->conns; i++) {
		const struct peer *p = &load->peers[i];

		load->waiting += p->begun_ns != 0;
		if (p->begun_ns && load->closes_ns - p->begun_ns > p99_ns)
			latency_add(&load->latency, load->closes_ns - p->begun_ns);
	}
	latency_sort(&load->latency);
	printf("{\"requests\":%zu,\"warm_requests\":%lu,\"waiting\":%lu,\"bytes\":%lu,\"errors\":%"
	       "lu,"
	       "\"seconds\":%.6f,\"p50_ms\":%.4f,\"p99_ms\":%.4f}\n",
	       requests, load->warm_requests, load->waiting, load->bytes, load->errors,
	       (double)(load->closes_ns - load->opens_ns) / NS_PER_S,
	       (double)latency_permille_ns(&load->latency, 500) / 1e6,
	       (double)latency_permille_ns(&load->latency, 990) / 1e6);
}

static int load_watch(struct load *load, int fd, uint32_t mask, struct peer *p)
{
	struct epoll_event event = { .events = mask, .data.ptr = p };

	return epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Waits until the connection stands: the load begins with all of them. */
static int peer_connect(struct load *load, struct peer *p, const struct addrinfo *to)
{
	struct epoll_event event = { .events = EPOLLOUT };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), ret;

	p->fd = dial_start(to, 0);
	if (p->fd < 0)
		return p->fd;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &event);
	ret = epoll_wait(epoll_fd, &event, 1, 5000) == 1 ? dial_result(p->fd) : -ETIMEDOUT;
	close(epoll_fd);
	if (!ret)
		ret = load_watch(load, p->fd, EPOLLIN, p);
	load_put_free(load, p);
	return ret;
}

static int load_init(struct load *load)
{
	struct addrinfo *to = dial_resolve(load->host, load->port);
	int ret = to ? 0 : -EINVAL;

	load->request_bytes =
		(size_t)snprintf(load->request, sizeof(load->request),
				 "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", load->path, load->host);
	load->random = 20260102;
	load->free_end = &load->free;
	load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	load->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	load->peers = calloc((size_t)load->conns, sizeof(*load->peers));
	if (!load->peers || load->request_bytes >= sizeof(load->request))
		ret = -EINVAL;
	for (long i = 0; i < load->conns && !ret; i++)
		ret = peer_connect(load, &load->peers[i], to);
	/* The timer is known by having no peer. It is never read: arming it anew empties it, and
	 * until then its edge is told once. */
	return ret ? ret : load_watch(load, load->timer_fd, EPOLLIN | EPOLLET, NULL);
}

/* Exit status: 0 all well, 1 errors, 2 for a bad command line. Nothing is freed at the end. */
int main(int argc, char **argv)
{
	static struct load load = { .host = "127.0.0.1",
				    .path = "/",
				    .conns = 16,
				    .rate = 200,
				    .warmup_ms = 300,
				    .time_ms = 1000 };
	struct option_row rows[] = {
		{ "host", "ADDRESS", .text = &load.host, .help = "server" },
		{ "port", "N", .number = &load.port, .min = 1, .max = 65535,
		  .help = "server's port" },
		{ "path", "PATH", .text = &load.path, .help = "what to GET" },
		{ "conns", "N", .number = &load.conns, .min = 1, .max = 10000,
		  .help = "connections" },
		{ "rate", "N", .number = &load.rate, .min = 1, .max = 100000,
		  .help = "requests a second, of all connections" },
		{ "warmup-ms", "N", .number = &load.warmup_ms, .max = 600000,
		  .help = "load before the window" },
		{ "time-ms", "N", .number = &load.time_ms, .min = 1, .max = 600000,
		  .help = "length of the window" },
		{ .name = NULL },
	};
	int ret;

	(void)argc;
	if (options_parse(rows, argv) < 0 || !load.port)
		return 2;
	ret = load_init(&load);
	if (ret) {
		fprintf(stderr, "paced: %s\n", strerror(-ret));
		return 1;
	}
	load_run(&load);
	load_report(&load);
	return load.errors ? 1 : 0;
}
