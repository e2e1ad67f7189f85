/* SPDX-License-Identifier: MIT */
/*
 * A reactor with one fault of choice in how it waits, and none with --fault none, which is what the
 * others are compared with:
 *
 *     none      epoll_wait without a timeout, EPOLLIN only
 *     out       level-triggered EPOLLOUT stays armed, so that every wait returns at once
 *     poll0     epoll_wait with timeout 0, again and again
 *     poll1ms   … with 1 ms
 *
 * A request costs a checksum of 64 KB, tens of microseconds, and is answered with the file's bytes.
 * --flag-every-ms has a second thread hand over work as careless programs do, by a flag the reactor
 * looks at after each wait and no descriptor; how late it is found is said at the end. Only a host
 * that polls finds it at all.
 *
 * SIGTERM ends it, with one line of JSON.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/signalfd.h>

#include "examples/load/latency.h"
#include "tests/bench/wakeups/host.h"

#define WORK_BYTES 65536
#define ROOM_BYTES 8192

struct peer {
	int fd;
	unsigned int matched; /* see host_count_requests */
};

struct fault {
	const char *name;
	uint32_t mask;
	int timeout_ms;
};

static const struct fault faults[] = {
	{ "none", EPOLLIN, -1 },
	{ "out", EPOLLIN | EPOLLOUT, -1 },
	{ "poll0", EPOLLIN, 0 },
	{ "poll1ms", EPOLLIN, 1 },
};

struct host {
	const char *fault_name, *body_path;
	long port, flag_every_ms;

	const struct fault *fault;
	int epoll_fd, listener;
	struct peer *accepting,
		*ending; /* the listener's and the signal's place among the events */
	char *answer;
	size_t answer_bytes;
	unsigned char work[WORK_BYTES];
	volatile uint64_t sum; /* so that no compiler leaves the work out */

	unsigned long waits, events, requests;
	_Atomic uint64_t
		posted_ns; /* 0: nothing to do; written by the poster, taken by the reactor */
	struct latency lateness;
};

static void host_work(struct host *h)
{
	uint64_t sum = h->sum;

	for (size_t i = 0; i < WORK_BYTES; i++)
		sum = (sum ^ h->work[i]) * 1099511628211ULL;
	h->sum = sum;
}

static void host_serve(struct host *h, struct peer *p)
{
	char room[ROOM_BYTES];
	ssize_t n = recv(p->fd, room, sizeof(room), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close(p->fd);
		free(p);
		return;
	}
	for (unsigned int i = host_count_requests(&p->matched, room, (size_t)n); i; i--) {
		host_work(h);
		host_send(p->fd, h->answer, h->answer_bytes);
		h->requests++;
	}
}

static void host_take_connections(struct host *h)
{
	for (int fd; (fd = host_accept(h->listener)) >= 0;) {
		struct peer *p = calloc(1, sizeof(*p));

		host_need(p ? 0 : -1, "calloc");
		p->fd = fd;
		host_watch(h->epoll_fd, fd, h->fault->mask, p);
	}
}

/* Work handed over by the flag, if there is any. */
static void host_look_at_flag(struct host *h)
{
	/* Acquire pairs with the poster's release, as it would for the work behind the flag. */
	uint64_t posted_ns = atomic_exchange_explicit(&h->posted_ns, 0, memory_order_acq_rel);

	if (!posted_ns)
		return;
	host_need(latency_add(&h->lateness, latency_now_ns() - posted_ns), "latency_add");
	host_work(h);
}

static void *host_post(void *arg)
{
	struct host *h = arg;
	const struct timespec pause = { .tv_sec = h->flag_every_ms / 1000,
					.tv_nsec = h->flag_every_ms % 1000 * 1000000 };

	for (;;) {
		uint64_t none = 0;

		nanosleep(&pause, NULL);
		/* What still lies there keeps its age. */
		atomic_compare_exchange_strong_explicit(&h->posted_ns, &none, latency_now_ns(),
							memory_order_release, memory_order_relaxed);
	}
	return NULL;
}

static void host_run(struct host *h)
{
	struct epoll_event ready[HOST_EVENTS];

	for (;;) {
		int n = epoll_wait(h->epoll_fd, ready, HOST_EVENTS, h->fault->timeout_ms);

		h->waits++;
		for (int i = 0; i < n; i++) {
			struct peer *p = ready[i].data.ptr;

			h->events++;
			if (p == h->ending)
				return;
			if (p == h->accepting)
				host_take_connections(h);
			else if (ready[i].events & ~(uint32_t)EPOLLOUT)
				host_serve(h, p);
		}
		if (h->flag_every_ms)
			host_look_at_flag(h);
	}
}

static void host_report(struct host *h)
{
	latency_sort(&h->lateness);
	printf("{\"waits\":%lu,\"events\":%lu,\"requests\":%lu,\"posted\":%zu,\"late_p50_us\":%.1f,"
	       "\"late_p99_us\":%.1f,\"late_max_us\":%.1f}\n",
	       h->waits, h->events, h->requests, h->lateness.count,
	       (double)latency_permille_ns(&h->lateness, 500) / 1e3,
	       (double)latency_permille_ns(&h->lateness, 990) / 1e3,
	       (double)latency_permille_ns(&h->lateness, 1000) / 1e3);
}

/* The answer to every request: a head and the file. */
static void host_load_answer(struct host *h)
{
	char body[ROOM_BYTES];
	FILE *file = fopen(h->body_path, "rb");
	size_t bytes;
	int head;

	host_need(file ? 0 : -1, h->body_path);
	bytes = fread(body, 1, sizeof(body), file);
	fclose(file);
	h->answer = malloc(sizeof(HOST_HEAD) + 20 + bytes);
	host_need(h->answer ? 0 : -1, "malloc");
	head = sprintf(h->answer, HOST_HEAD, bytes);
	memcpy(h->answer + head, body, bytes);
	h->answer_bytes = (size_t)head + bytes;
}

static void host_start(struct host *h)
{
	static struct peer accepting, ending;
	pthread_t poster;
	sigset_t ends;

	host_load_answer(h);
	h->accepting = &accepting;
	h->ending = &ending;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	h->epoll_fd = host_need(epoll_create1(0), "epoll_create1");
	host_watch(h->epoll_fd, host_need(signalfd(-1, &ends, 0), "signalfd"), EPOLLIN, &ending);
	h->listener = host_listen(h->port);
	host_watch(h->epoll_fd, h->listener, EPOLLIN, &accepting);
	if (h->flag_every_ms)
		host_need(-pthread_create(&poster, NULL, host_post, h), "pthread_create");
}

static const struct fault *fault_of(const char *name)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (!strcmp(faults[i].name, name))
			return &faults[i];
	fprintf(stderr, "--fault: none, out, poll0 or poll1ms, not '%s'\n", name);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct host host = { .fault_name = "none", .body_path = "/dev/null" };
	struct option_row rows[] = {
		{ "port", "N", .number = &host.port, .min = 1, .max = 65535,
		  .help = "to listen on" },
		{ "fault", "NAME", .text = &host.fault_name, .help = "none, out, poll0, poll1ms" },
		{ "body", "FILE", .text = &host.body_path,
		  .help = "what requests are answered with" },
		{ "flag-every-ms", "N", .number = &host.flag_every_ms, .max = 10000,
		  .help = "hand over work by a flag" },
		{ .name = NULL },
	};

	(void)argc;
	if (options_parse(rows, argv) < 0)
		return 2;
	host.fault = fault_of(host.fault_name);
	if (!host.fault || !host.port)
		return 2;
	if (host.flag_every_ms && host.fault->timeout_ms < 0) {
		fprintf(stderr, "--flag-every-ms: this host would sleep through the flag\n");
		return 2;
	}
	host_start(&host);
	host_run(&host);
	host_report(&host);
	return 0;
}
