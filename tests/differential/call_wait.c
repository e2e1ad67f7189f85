/* SPDX-License-Identifier: MIT */
/* Waits by all their forms, and closes by all theirs. */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "chance.h"
#include "rules.h"

extern int __poll(struct pollfd *fds, nfds_t n, int timeout);
extern int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room);
extern int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		       const sigset_t *mask, size_t room);
extern int __select(int n, fd_set *in, fd_set *out, fd_set *error, struct timeval *timeout);
extern int __close(int fd);

static struct timespec as_timespec(int ms)
{
	return (struct timespec){ ms / 1000, ms % 1000 * 1000000L };
}

int call_epoll(int epfd, struct epoll_event *events, int max, int timeout_ms, uint64_t draw)
{
	struct timespec t = as_timespec(timeout_ms);
	struct before b = rules_before(draw);
	int r, error;

	errno = b.odd;
	switch (draw % 4) {
	case 0:
		r = epoll_pwait(epfd, events, max, timeout_ms, NULL);
		break;
	case 1:
		r = epoll_pwait2(epfd, events, max, &t, NULL);
		if (r >= 0 || errno != ENOSYS)
			break;
		errno = b.odd;
		/* fall through */
	default:
		r = epoll_wait(epfd, events, max, timeout_ms);
	}
	error = errno;
	rules_wait("epoll", &b, max, timeout_ms, r, error);
	return r < 0 ? -error : r;
}

int call_poll(struct pollfd *fds, nfds_t n, int timeout_ms, uint64_t draw)
{
	struct timespec t = as_timespec(timeout_ms);
	struct before b = rules_before(draw);
	int r, error, ready = 0;

	errno = b.odd;
	switch (draw % 5) {
	case 0:
		r = poll(fds, n, timeout_ms);
		break;
	case 1:
		r = ppoll(fds, n, &t, NULL);
		break;
	case 2:
		r = __poll_chk(fds, n, timeout_ms, n * sizeof(*fds));
		break;
	case 3:
		r = __ppoll_chk(fds, n, &t, NULL, n * sizeof(*fds));
		break;
	default:
		r = __poll(fds, n, timeout_ms);
	}
	error = errno;
	rules_wait("poll", &b, (int)n, timeout_ms, r, error);
	for (nfds_t i = 0; r >= 0 && i < n; i++) {
		ready += fds[i].revents != 0;
		if (fds[i].revents & ~(fds[i].events | POLLERR | POLLHUP | POLLNVAL))
			violate("poll-events", "asked %x, got %x", (unsigned)fds[i].events,
				(unsigned)fds[i].revents);
	}
	if (r >= 0 && ready != r)
		violate("poll-count", "%d returned, %d ready", r, ready);
	return r < 0 ? -error : r;
}

static int count_bits(int n, const fd_set *set)
{
	int count = 0;

	for (int fd = 0; fd < n; fd++)
		count += FD_ISSET(fd, set) != 0;
	return count;
}

int call_select(int n, fd_set *in, fd_set *out, int timeout_ms, uint64_t draw)
{
	struct timespec t = as_timespec(timeout_ms);
	struct timeval v = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct before b = rules_before(draw);
	int r, error;

	errno = b.odd;
	if (draw % 3 == 0)
		r = pselect(n, in, out, NULL, &t, NULL);
	else
		r = draw % 3 == 1 ? select(n, in, out, NULL, &v) : __select(n, in, out, NULL, &v);
	error = errno;
	rules_wait("select", &b, 2 * n, timeout_ms, r, error);
	if (r >= 0 && r != count_bits(n, in) + count_bits(n, out))
		violate("poll-count", "select: %d returned, %d ready", r,
			count_bits(n, in) + count_bits(n, out));
	return r < 0 ? -error : r;
}

void call_close(int fd, uint64_t draw)
{
	int r, odd = odd_errno(draw);

	errno = odd;
	switch (draw % 5) {
	case 0:
		r = (int)syscall(SYS_close, fd);
		break;
	case 1:
		r = close_range((unsigned)fd, (unsigned)fd, 0);
		break;
	case 2:
		r = __close(fd);
		break;
	default:
		r = close(fd);
	}
	if (r || errno != odd)
		violate("close", "form %u of %d: returned %d, errno %d", (unsigned)(draw % 5), fd,
			r, errno);
}
