/* SPDX-License-Identifier: MIT */
/*
 * Front reactors take requests, back reactors the answers of the redis shards behind them.
 *
 *     client ──GET──> front ──GET value──> 4 shards ──answers──> back ──queue, eventfd──> front ──>
 *
 * A request asks every shard once, over connections a back reactor waits on (a pool per shard; a
 * shard belongs to back number shard % backs). The front writes the GETs itself, as a caller's
 * thread does in asynchronous clients; the back collects, and hands a request whose last answer
 * came to its front. Each reactor is a thread with an epoll set of its own, waits without a timeout
 * and is named for its side ("front-0", "back-0", …), so that `unspin stat` tells them apart.
 *
 * SIGTERM ends it, with one line of JSON: waits and events of every thread.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "tests/bench/wakeups/host.h"

#define FRONTS_MAX  8
#define BACKS_MAX   8
#define SHARDS_MAX  8
#define CLIENTS_MAX 1024 /* at once; each has one request at most under way */
#define VALUE_MAX   1024
#define ROOM_BYTES  16384

struct front;

struct client {
	int fd;
	unsigned int matched; /* see host_count_requests */
	struct front *front;
	bool is_busy, is_gone;	   /* the front's: a request is under way; the client has left */
	_Atomic unsigned int left; /* answers of shards to come */
	struct client *next;	   /* in the front's queue */
	char answer[];		   /* head, then a value per shard */
};

/* A connection to a shard. Answers come in the order of the GETs. */
struct link {
	int fd;
	unsigned int shard;
	pthread_mutex_t lock;		   /* of what follows, and of the order of sends */
	struct client *asked[CLIENTS_MAX]; /* ring: first is the next to be answered */
	unsigned int first, count;
	size_t got; /* the back's: bytes of an unfinished answer */
	char room[ROOM_BYTES];
};

/* Written by the reactor's thread, read by the main thread at the end. */
struct counts {
	_Atomic unsigned long waits, events;
};

struct front {
	int epoll_fd, ready_fd;
	unsigned int next_link; /* of each shard's pool, for the next request */
	struct counts counts;
	pthread_mutex_t lock; /* of the queue */
	struct client *head, **tail;
};

struct back {
	int epoll_fd;
	struct counts counts;
};

static struct {
	long port, fronts, backs, pool, value_bytes;
	const char *shards_text;

	unsigned int shards, next_front;
	int listener;
	size_t head_bytes, answer_bytes, reply_bytes, reply_head_bytes;
	char head[256];
	struct front front[FRONTS_MAX];
	struct back back[BACKS_MAX];
	struct link *links[SHARDS_MAX]; /* pool of each */
} host = { .fronts = 1, .backs = 1, .pool = 32, .value_bytes = 100, .shards_text = "" };

static const char get[] = "*2\r\n$3\r\nGET\r\n$5\r\nvalue\r\n";

static void count(struct counts *counts, int n)
{
	atomic_fetch_add_explicit(&counts->waits, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&counts->events, n > 0 ? (unsigned long)n : 0,
				  memory_order_relaxed);
}

/* Its own, before the first call that the shim would keep a name for. */
static void name_thread(const char *side, ptrdiff_t number)
{
	char name[16];

	snprintf(name, sizeof(name), "%s-%hhu", side, (unsigned char)number);
	pthread_setname_np(pthread_self(), name);
}

/* From a back: the request has all its answers. */
static void front_push(struct front *front, struct client *client)
{
	bool was_empty;

	pthread_mutex_lock(&front->lock);
	was_empty = !front->head;
	client->next = NULL;
	*front->tail = client;
	front->tail = &client->next;
	pthread_mutex_unlock(&front->lock);
	if (was_empty)
		host_need(eventfd_write(front->ready_fd, 1), "eventfd_write");
}

static void front_answer(struct front *front)
{
	struct client *client, *next;
	eventfd_t unused;

	eventfd_read(front->ready_fd, &unused);
	pthread_mutex_lock(&front->lock);
	client = front->head;
	front->head = NULL;
	front->tail = &front->head;
	pthread_mutex_unlock(&front->lock);
	for (; client; client = next) {
		next = client->next;
		client->is_busy = false;
		if (!client->is_gone) {
			host_send(client->fd, client->answer, host.answer_bytes);
			continue;
		}
		close(client->fd);
		free(client);
	}
}

static void link_ask(struct link *link, struct client *client)
{
	pthread_mutex_lock(&link->lock);
	host_need(link->count < CLIENTS_MAX ? 0 : -1, "too many clients");
	link->asked[(link->first + link->count++) % CLIENTS_MAX] = client;
	host_send(link->fd, get, sizeof(get) - 1);
	pthread_mutex_unlock(&link->lock);
}

static void client_request(struct client *client)
{
	unsigned int turn = client->front->next_link++ % (unsigned int)host.pool;

	client->is_busy = true;
	atomic_store_explicit(&client->left, host.shards, memory_order_relaxed);
	for (unsigned int shard = 0; shard < host.shards; shard++)
		link_ask(&host.links[shard][turn], client);
}

static void client_read(struct front *front, struct client *client)
{
	char room[ROOM_BYTES];
	ssize_t n = recv(client->fd, room, sizeof(room), 0);
	unsigned int requests;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		epoll_ctl(front->epoll_fd, EPOLL_CTL_DEL, client->fd, NULL);
		client->is_gone = true;
		if (client->is_busy)
			return; /* freed when its answers are there */
		close(client->fd);
		free(client);
		return;
	}
	requests = host_count_requests(&client->matched, room, (size_t)n);
	host_need(requests > 1 || (requests && client->is_busy) ? -1 : 0, "pipelined requests");
	if (requests)
		client_request(client);
}

/* The first front accepts for all, in turn. */
static void front_accept(void)
{
	for (int fd; (fd = host_accept(host.listener)) >= 0;) {
		struct client *client = calloc(1, sizeof(*client) + host.answer_bytes);

		host_need(client ? 0 : -1, "calloc");
		client->fd = fd;
		client->front = &host.front[host.next_front++ % (unsigned int)host.fronts];
		memcpy(client->answer, host.head, host.head_bytes);
		host_watch(client->front->epoll_fd, fd, EPOLLIN, client);
	}
}

static void *front_run(void *arg)
{
	struct epoll_event ready[HOST_EVENTS];
	struct front *front = arg;

	name_thread("front", front - host.front);
	for (;;) {
		int n = epoll_wait(front->epoll_fd, ready, HOST_EVENTS, -1);

		count(&front->counts, n);
		for (int i = 0; i < n; i++) {
			if (ready[i].data.ptr == front)
				front_answer(front);
			else if (ready[i].data.ptr == &host.listener)
				front_accept();
			else
				client_read(front, ready[i].data.ptr);
		}
	}
	return NULL;
}

/* One answer of a shard: "$100\r\n", the value, "\r\n". */
static void link_answered(struct link *link, const char *reply)
{
	struct client *client;

	host_need(memcmp(reply, "$", 1) || memcmp(reply + host.reply_bytes - 2, "\r\n", 2) ? -1 : 0,
		  "a shard's answer");
	pthread_mutex_lock(&link->lock);
	host_need(link->count ? 0 : -1, "an answer nobody asked for");
	client = link->asked[link->first];
	link->first = (link->first + 1) % CLIENTS_MAX;
	link->count--;
	pthread_mutex_unlock(&link->lock);
	memcpy(client->answer + host.head_bytes + link->shard * (size_t)host.value_bytes,
	       reply + host.reply_head_bytes, (size_t)host.value_bytes);
	/* Whoever brings the last one sees what the other backs have copied. */
	if (atomic_fetch_sub_explicit(&client->left, 1, memory_order_acq_rel) == 1)
		front_push(client->front, client);
}

static void link_read(struct link *link)
{
	ssize_t n = recv(link->fd, link->room + link->got, sizeof(link->room) - link->got, 0);
	size_t done = 0;

	if (n < 0 && errno == EAGAIN)
		return;
	host_need(n > 0 ? 0 : -1, "a shard ended");
	link->got += (size_t)n;
	for (; link->got - done >= host.reply_bytes; done += host.reply_bytes)
		link_answered(link, link->room + done);
	link->got -= done;
	memmove(link->room, link->room + done, link->got);
}

static void *back_run(void *arg)
{
	struct epoll_event ready[HOST_EVENTS];
	struct back *back = arg;

	name_thread("back", back - host.back);
	for (;;) {
		int n = epoll_wait(back->epoll_fd, ready, HOST_EVENTS, -1);

		count(&back->counts, n);
		for (int i = 0; i < n; i++)
			link_read(ready[i].data.ptr);
	}
	return NULL;
}

static void shard_connect(unsigned int shard, long port)
{
	const struct sockaddr_in to = host_address(port);
	struct back *back = &host.back[shard % (unsigned int)host.backs];
	int one = 1;

	host.links[shard] = calloc((size_t)host.pool, sizeof(struct link));
	host_need(host.links[shard] ? 0 : -1, "calloc");
	for (long i = 0; i < host.pool; i++) {
		struct link *link = &host.links[shard][i];

		link->shard = shard;
		link->fd = host_need(socket(AF_INET, SOCK_STREAM, 0), "socket");
		host_need(connect(link->fd, (const struct sockaddr *)&to, sizeof(to)), "connect");
		setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		host_need(fcntl(link->fd, F_SETFL, O_NONBLOCK), "fcntl");
		pthread_mutex_init(&link->lock, NULL);
		host_watch(back->epoll_fd, link->fd, EPOLLIN, link);
	}
}

static void start_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	host_need(-pthread_create(&thread, NULL, run, arg), "pthread_create");
}

/* Ports separated by commas. */
static void connect_shards(void)
{
	char *text = strdup(host.shards_text), *rest = text, *port;

	while ((port = strsep(&rest, ",")) && *port) {
		host_need(host.shards < SHARDS_MAX ? 0 : -1, "too many shards");
		shard_connect(host.shards++, atol(port));
	}
	free(text);
}

static void start(void)
{
	host.reply_head_bytes = (size_t)snprintf(NULL, 0, "$%ld\r\n", host.value_bytes);
	host.reply_bytes = host.reply_head_bytes + (size_t)host.value_bytes + 2;
	for (long i = 0; i < host.backs; i++)
		host.back[i].epoll_fd = host_need(epoll_create1(0), "epoll_create1");
	connect_shards();
	host.head_bytes =
		(size_t)sprintf(host.head, HOST_HEAD, host.shards * (size_t)host.value_bytes);
	host.answer_bytes = host.head_bytes + host.shards * (size_t)host.value_bytes;
	for (long i = 0; i < host.fronts; i++) {
		struct front *front = &host.front[i];

		front->tail = &front->head;
		pthread_mutex_init(&front->lock, NULL);
		front->epoll_fd = host_need(epoll_create1(0), "epoll_create1");
		front->ready_fd = host_need(eventfd(0, EFD_NONBLOCK), "eventfd");
		host_watch(front->epoll_fd, front->ready_fd, EPOLLIN, front);
	}
	host.listener = host_listen(host.port);
	host_watch(host.front[0].epoll_fd, host.listener, EPOLLIN, &host.listener);
	for (long i = 0; i < host.backs; i++)
		start_thread(back_run, &host.back[i]);
	for (long i = 0; i < host.fronts; i++)
		start_thread(front_run, &host.front[i]);
}

static void report_counts(const struct counts *counts, const char *before)
{
	printf("%s{\"waits\":%lu,\"events\":%lu}", before, atomic_load(&counts->waits),
	       atomic_load(&counts->events));
}

static void report(void)
{
	printf("{\"front\":[");
	for (long i = 0; i < host.fronts; i++)
		report_counts(&host.front[i].counts, i ? "," : "");
	printf("],\"back\":[");
	for (long i = 0; i < host.backs; i++)
		report_counts(&host.back[i].counts, i ? "," : "");
	puts("]}");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct option_row rows[] = {
		{ "port", "N", .number = &host.port, .min = 1, .max = 65535,
		  .help = "to listen on" },
		{ "shards", "PORT,…", .text = &host.shards_text, .help = "redis servers" },
		{ "front", "N", .number = &host.fronts, .min = 1, .max = FRONTS_MAX,
		  .help = "reactors that take requests" },
		{ "back", "N", .number = &host.backs, .min = 1, .max = BACKS_MAX,
		  .help = "reactors that take the shards' answers" },
		{ "pool", "N", .number = &host.pool, .min = 1, .max = 256,
		  .help = "connections to each shard" },
		{ "value-bytes", "N", .number = &host.value_bytes, .min = 1, .max = VALUE_MAX,
		  .help = "size of the shards' value" },
		{ .name = NULL },
	};
	sigset_t ends;
	int signal_number;

	(void)argc;
	if (options_parse(rows, argv) < 0 || !host.port || !*host.shards_text)
		return 2;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	start();
	sigwait(&ends, &signal_number);
	report();
	_exit(0); /* the reactors go on until then */
}
