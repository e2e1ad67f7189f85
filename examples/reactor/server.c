/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listener.h"
#include "pin.h"

static struct server *signalled;

/* The flag is for loops that compute or spin, the eventfd for those that wait. */
void server_stop(struct server *srv)
{
	__atomic_store_n(&srv->is_stopping, true, __ATOMIC_RELAXED);
	eventfd_write(srv->stop_fd, 1);
}

static void on_stop_signal(int signum)
{
	int saved = errno;

	(void)signum;
	server_stop(signalled);
	errno = saved;
}

static void signals_take(struct server *srv)
{
	struct sigaction stop = { .sa_handler = on_stop_signal, .sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	signalled = srv;
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL); /* a client gone is an EPIPE like any other */
}

static void signals_leave(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	/* Ignored rather than default: a second ^C must not spoil the exit status. */
	sigaction(SIGTERM, &ignore, NULL);
	sigaction(SIGINT, &ignore, NULL);
	signalled = NULL;
}

/* As many descriptors as we may have. Failing is no error: accept will say EMFILE in time. */
static void limits_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int listeners_take(struct server *srv)
{
	size_t count = (size_t)srv->settings.copies;
	int ret;

	srv->listen_fds = calloc(count, sizeof(*srv->listen_fds));
	if (!srv->listen_fds)
		return -ENOMEM;
	ret = listeners_open(&srv->settings, srv->listen_fds, srv->settings.copies);
	if (ret) {
		free(srv->listen_fds);
		srv->listen_fds = NULL;
		return ret;
	}
	srv->listen_fd = srv->listen_fds[0];
	return 0;
}

void server_close_listeners(struct server *srv)
{
	if (!srv->listen_fds) {
		fd_close(&srv->listen_fd);
		return;
	}
	for (long i = 0; i < srv->settings.copies; i++)
		close(srv->listen_fds[i]);
	free(srv->listen_fds);
	srv->listen_fds = NULL;
	srv->listen_fd = -1;
}

/* What threads sleep on. Not to be shared with another process: its ends and closes are not ours.
 */
static int wakes_open(struct server *srv)
{
	srv->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return srv->stop_fd < 0 ? -errno : gate_init(&srv->gate);
}

static void wakes_close(struct server *srv)
{
	fd_close(&srv->stop_fd);
	gate_clear(&srv->gate);
}

static int server_prepare(struct server *srv)
{
	int ret;

	limits_raise();
	srv->counters = counters_map();
	if (!srv->counters)
		return -errno;
	srv->cache = cache_map(srv->settings.has_shared_cache);
	if (!srv->cache)
		return -ENOMEM;
	ret = pin_init(srv);
	if (!ret)
		ret = wakes_open(srv);
	if (!ret)
		signals_take(srv);
	return ret;
}

static int root_open(struct server *srv)
{
	const char *root = srv->settings.root;

	if (!root)
		return 0;
	srv->root_fd = file_open_root(root);
	if (srv->root_fd >= 0)
		return 0;
	fprintf(stderr, "--root: cannot serve '%s': %s\n", root,
		srv->root_fd == -ENOSYS ? "this needs Linux 5.6" : strerror(-srv->root_fd));
	return srv->root_fd;
}

int server_open(struct server *srv)
{
	int ret;

	srv->listen_fd = -1;
	srv->stop_fd = -1;
	srv->gate.wake_fd = -1;
	srv->root_fd = -1;
	ret = root_open(srv);
	if (ret)
		return ret;
	ret = server_prepare(srv);
	if (ret) {
		fprintf(stderr, "cannot start: %s\n", strerror(-ret));
		return ret;
	}
	return listeners_take(srv);
}

int server_become_copy(struct server *srv, long index)
{
	int own = srv->listen_fds[index];

	for (long i = 0; i < srv->settings.copies; i++)
		if (i != index)
			close(srv->listen_fds[i]);
	free(srv->listen_fds);
	srv->listen_fds = NULL;
	srv->listen_fd = own;
	wakes_close(srv);
	return wakes_open(srv);
}

void server_close(struct server *srv)
{
	signals_leave();
	server_close_listeners(srv);
	wakes_close(srv);
	cache_unmap(srv->cache);
	srv->cache = NULL;
	fd_close(&srv->root_fd);
	counters_unmap(srv->counters);
	srv->counters = NULL;
}

void server_announce(const struct server *srv)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

	if (getsockname(srv->listen_fd, (struct sockaddr *)&addr, &len) == 0)
		getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	printf(strchr(host, ':') ? "listening on [%s]:%s\n" : "listening on %s:%s\n", host, port);
	fflush(stdout);
}

/* Per process and not in the counters, because only the kernel counts switches. */
static void print_process(const struct server *srv, FILE *out)
{
	struct rusage usage = { 0 };

	getrusage(RUSAGE_SELF, &usage);
	fprintf(out, ",\"copies\":%ld,\"this_copy\":{\"pid\":%ld", srv->settings.copies,
		(long)getpid());
	fprintf(out, ",\"voluntary_switches\":%ld,\"involuntary_switches\":%ld}", usage.ru_nvcsw,
		usage.ru_nivcsw);
}

void server_print_stats(const struct server *srv, FILE *out)
{
	fprintf(out, "{\"arch\":\"%s\",", srv->arch->name);
	counters_print(srv->counters, out);
	print_process(srv, out);
	cache_print(srv->cache, out);
	if (srv->arch->print_stats)
		srv->arch->print_stats(srv, out);
	fprintf(out, "}\n");
}
