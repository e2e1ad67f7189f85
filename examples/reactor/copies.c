/* SPDX-License-Identifier: MIT */
#include "copies.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pin.h"
#include "server.h"

struct copies {
	struct server *server;
	pid_t parent;
	sigset_t mask; /* before ours */
	long running;
	bool has_failed; /* one ended by itself, in whatever way */
	bool is_told;	 /* all were told to end */
	pid_t pids[];	 /* 0: none, or gone */
};

static int copy_run(struct server *srv, long index)
{
	pin_copy(srv, index);
	pin_thread(srv, 0);
	return srv->arch->run(srv);
}

/* In the child, signals still blocked: the handler must find this copy's own eventfd. */
static int copy_main(const struct copies *cs, long index)
{
	struct server *srv = cs->server;
	int ret;

	/* So that none is left where the first process is killed by force. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	ret = server_become_copy(srv, index);
	sigprocmask(SIG_SETMASK, &cs->mask, NULL);
	if (getppid() != cs->parent)
		server_stop(srv); /* it died before the prctl */
	return ret ? ret : copy_run(srv, index);
}

static void copies_tell(struct copies *cs)
{
	cs->is_told = true;
	for (long i = 0; i < cs->server->settings.copies; i++)
		if (cs->pids[i])
			kill(cs->pids[i], SIGTERM);
}

static void copy_ended(struct copies *cs, pid_t pid, int status)
{
	bool is_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	for (long i = 0; i < cs->server->settings.copies; i++)
		if (cs->pids[i] == pid)
			cs->pids[i] = 0;
	cs->running--;
	if (is_good)
		return; /* somebody told it to, as ^C tells the whole process group */
	cs->has_failed = true;
	if (WIFSIGNALED(status))
		fprintf(stderr, "copy %ld was ended by signal %d\n", (long)pid, WTERMSIG(status));
}

static void copies_reap(struct copies *cs)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		copy_ended(cs, pid, status);
		if (!cs->is_told)
			copies_tell(cs);
	}
}

static void copies_wait(struct copies *cs, const sigset_t *signals)
{
	while (cs->running) {
		int signum = sigwaitinfo(signals, NULL);

		if (signum == SIGCHLD)
			copies_reap(cs);
		else if (signum > 0)
			copies_tell(cs);
	}
}

/* 1 in a child; 0 in the parent; or -errno. */
static int copies_fork(struct copies *cs, long *ret_index)
{
	for (long i = 0; i < cs->server->settings.copies; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		*ret_index = i;
		if (pid == 0)
			return 1;
		cs->pids[i] = pid;
		cs->running++;
	}
	return 0;
}

/* With the signals blocked, so that they wait for sigwaitinfo. */
static int copies_serve(struct copies *cs, const sigset_t *signals)
{
	long index = 0;
	int ret = server_is_stopping(cs->server) ? 0 : copies_fork(cs, &index);

	if (ret > 0)
		return copy_main(cs, index);
	/* A listener that stayed open here would go on taking clients for a copy that is gone. */
	server_close_listeners(cs->server);
	if (ret < 0)
		copies_tell(cs);
	copies_wait(cs, signals);
	return ret || !cs->has_failed ? ret : -ECANCELED;
}

int copies_run(struct server *srv)
{
	size_t count = (size_t)srv->settings.copies;
	struct copies *cs;
	sigset_t signals;
	int ret;

	if (count == 1)
		return copy_run(srv, 0);
	cs = calloc(1, sizeof(*cs) + count * sizeof(*cs->pids));
	if (!cs)
		return -ENOMEM;
	cs->server = srv;
	cs->parent = getpid();
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD);
	signal(SIGCHLD, SIG_DFL); /* it may be inherited as ignored, and then never comes */
	sigprocmask(SIG_BLOCK, &signals, &cs->mask);
	ret = copies_serve(cs, &signals);
	free(cs);
	return ret;
}
