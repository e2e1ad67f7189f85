/* SPDX-License-Identifier: MIT */
/*
 * sTomcat-Sync of the write-spin paper, the threaded server of the SEDA paper, Knot: a thread per
 * connection, blocking sockets. One write() per response, and who waits for a slow client is one
 * thread alone; the price is a stack and a switch per connection.
 *
 * The main thread accepts. It starts a thread where none is idle, up to --threads; when all are
 * taken it accepts no more, so that clients wait in the kernel's queue and not in ours. A thread
 * whose connection is gone takes the next one, as in Tomcat: what starting threads costs is not
 * what the papers measured.
 *
 * --send chooses among the three Knots: copy is knot-c, whose bodies are in memory; sendfile-nb
 * and sendfile-b are knot-nb and knot-b, on non-blocking and blocking sockets.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "pool.h"
#include "serve.h"
#include "server.h"

struct threads {
	struct pool pool;
	pthread_mutex_t lock; /* of conns and open */
	struct conn *conns;   /* all open ones: main shuts them down at the end */
	long open;
	bool is_complaining; /* it has been said that no thread can be started */
};

/* A non-blocking call has said EAGAIN: wait, as the thread library does for Knot's threads. */
static void threads_wait(const struct conn *c, short events)
{
	struct pollfd pfd = { .fd = c->fd, .events = events };

	poll(&pfd, 1, -1); /* errors come out of the next read or write */
}

/* knot-nb. Copying and blocking sendfile() need no more than to be called until all is out. */
static int threads_write_waiting(struct worker *w, struct conn *c)
{
	int ret;

	while ((ret = conn_write_once(w, c)) == -EAGAIN && !server_is_stopping(w->server)) {
		counter_add_relaxed(&w->counters->resumes, 1);
		threads_wait(c, POLLOUT);
	}
	return ret;
}

static int threads_fill(struct worker *w, struct conn *c)
{
	int ret;

	while ((ret = conn_fill(w, c)) == -EAGAIN && !server_is_stopping(w->server))
		threads_wait(c, POLLIN);
	return ret;
}

/* A connection's whole life. Every step waits, so anything but 0 is the end. */
static void threads_live(struct worker *w, struct conn *c)
{
	bool is_waiting = w->server->settings.send == SEND_FILE_NB;
	int ret;

	do {
		ret = threads_fill(w, c);
		if (!ret)
			ret = serve_answers(
				w, c, is_waiting ? threads_write_waiting : serve_write_spinning);
	} while (!ret);
}

static void threads_serve(struct pool *pool, struct worker *w, struct conn *c)
{
	struct threads *t = pool->context;

	threads_live(w, c);
	pthread_mutex_lock(&t->lock);
	conn_unlink(c); /* before the close: main must not shut down a descriptor used anew */
	t->open--;
	pthread_mutex_unlock(&t->lock);
	conn_close(w, c);
}

/* As many threads as connections; one whose connection is gone counts as free before it is, but
 * soon is. 0; -EAGAIN: there can be no more for the moment, and some connections wait. */
static int threads_grow(struct threads *t, long open)
{
	while (pool_size(&t->pool) < open) {
		int ret = pool_grow(&t->pool);

		if (!ret)
			continue;
		if (!t->is_complaining)
			fprintf(stderr, "cannot start thread %ld, going on without: %s\n",
				pool_size(&t->pool) + 1, strerror(-ret));
		t->is_complaining = true;
		return -EAGAIN;
	}
	return 0;
}

static int threads_accepted(struct loop *loop, struct conn *c)
{
	struct threads *t = loop->context;
	long open;

	pthread_mutex_lock(&t->lock);
	conn_link(c, &t->conns);
	open = ++t->open;
	pthread_mutex_unlock(&t->lock);
	pool_submit(&t->pool, &loop->worker, c);
	return threads_grow(t, open);
}

/* Threads sleep in read() and write(), where no eventfd reaches them: end their connections. */
static void threads_wake(struct threads *t)
{
	pthread_mutex_lock(&t->lock);
	for (struct conn *c = t->conns; c; c = c->next)
		shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_unlock(&t->lock);
}

/* Those nobody took out of the queue. */
static void threads_close_rest(struct threads *t, struct worker *w)
{
	struct conn *c;

	while ((c = t->conns)) {
		conn_unlink(c);
		conn_close(w, c);
	}
}

/* 0 is no limit. */
static long smaller_limit(long a, long b)
{
	if (!a || !b)
		return a + b;
	return a < b ? a : b;
}

static int threads_run(struct server *srv)
{
	const struct settings *s = &srv->settings;
	const struct loop_ops ops = { .is_blocking = s->send != SEND_FILE_NB,
				      .accepted = threads_accepted };
	struct threads t = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct loop *loop;
	int ret = loop_new(srv, &ops, &t, &loop);

	if (ret)
		return ret;
	pool_init(&t.pool, srv, threads_serve, &t);
	srv->context = &t;
	ret = loop_listen(loop, smaller_limit(s->threads, s->max_conns));
	if (!ret)
		ret = loop_serve(loop);
	server_stop(srv); /* where the loop failed, nobody has told the threads yet */
	threads_wake(&t);
	pool_stop(&t.pool);
	srv->context = NULL;
	threads_close_rest(&t, &loop->worker);
	loop_free(loop);
	return ret;
}

static void threads_print_stats(const struct server *srv, FILE *out)
{
	const struct threads *t = srv->context;

	fprintf(out, ",\"threads\":%ld,\"send\":\"%s\"", pool_size(&t->pool),
		server_send_name(srv));
}

const struct arch arch_threads = {
	.name = "threads",
	.help = "a thread per connection, blocking; no limit unless --threads is given",
	.sends = "copy sendfile-nb sendfile-b",
	.run = threads_run,
	.print_stats = threads_print_stats,
};
