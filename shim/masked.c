/* SPDX-License-Identifier: MIT */
#include "masked.h"

#include "epoll_map.h"
#include "../policy/wake_mask.h"
#include "retry.h"
#include "socket.h"
#include "sys.h"
#include "thread.h"
#include "watch.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>

struct masked {
	uint64_t cookie; /* of the socket, so that a stranger on its number is left alone */
	uint64_t data;	 /* the host's */
	uint32_t mask;	 /* the host's */
	int32_t epfd, fd;
	uint32_t thread; /* that waits; 0: the entry is free */
};

#define MASKED_COUNT 256 /* of all threads; a wait that finds no room is not treated */

uint32_t mask_in_force;
uint32_t mask_forks;
uint32_t mask_stalls_elsewhere;

static struct masked entries[MASKED_COUNT];
static uint32_t end; /* used entries lie below */

/* The lock is held for microseconds; without it a registration would stay masked. */
#define LOCK_PATIENCE 100

static int is_meant(const struct masked *m, const struct masked_which *which)
{
	uint32_t thread = load_relaxed(&m->thread);

	return thread &&
	       (which->is_all || thread == which->thread || load_relaxed(&m->fd) == which->fd ||
		load_relaxed(&m->epfd) == which->epfd ||
		(which->cookie && load_relaxed(&m->cookie) == which->cookie));
}

static void drop(struct masked *m)
{
	store_relaxed(&m->thread, 0);
	if (!__atomic_sub_fetch(&mask_in_force, 1, __ATOMIC_SEQ_CST))
		store_relaxed(&end, 0);
}

static long modify(const struct masked *m, uint32_t mask)
{
	struct epoll_event event = { .events = mask, .data.u64 = m->data };

	return sys_call(SYS_epoll_ctl, m->epfd, EPOLL_CTL_MOD, m->fd, &event, 0, 0);
}

uint32_t masked_restore(struct masked_which which)
{
	uint32_t n = load_relaxed(&end), first = 0, count = 0;
	uint64_t signals;

	while (first < n && !is_meant(&entries[first], &which))
		first++;
	if (first == n)
		return 0;
	for (int i = 0; !watch_lock(&signals, 1); i++)
		if (i == LOCK_PATIENCE)
			return 0;
	n = end;
	for (uint32_t i = 0; i < n; i++) {
		struct masked *m = &entries[i];

		if (!is_meant(m, &which))
			continue;
		/* ENOENT, EBADF: it is gone, or what has its number now is none of ours. */
		if (sys_cookie(m->fd) == m->cookie)
			modify(m, m->mask);
		drop(m);
		count++;
	}
	watch_unlock(signals);
	return count;
}

/* Neither an epoll_ctl, a close nor a fork is under way that may not have seen the entry. */
static int is_calm(const struct fdrec *rec, const struct fdrec *set)
{
	return !(__atomic_load_n(&rec->ctls, __ATOMIC_SEQ_CST) & 0xffff) &&
	       !__atomic_load_n(&rec->closing, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&set->closing, __ATOMIC_SEQ_CST) && !retry_range_is_closing() &&
	       __atomic_load_n(&mask_forks, __ATOMIC_SEQ_CST) == load_relaxed(&set->forks);
}

/*
 * A socket we know, that has room, and whose registration is the one we saw. TCP only: no other
 * socket tells whether something was sent out of our sight (masked_sent).
 */
static int is_lawful(const struct fdrec *rec, int epfd, uint64_t data)
{
	return fdrec_is_current(rec) && fdrec_kind(rec) == FD_QUIET &&
	       rec->socket_kind == SOCKET_KIND_TCP && epoll_map_is_right(rec, epfd, data) &&
	       wake_may_be_masked(load_relaxed(&rec->epoll_mask));
}

struct fdrec *masked_find(int epfd, uint64_t data)
{
	int fd = epoll_map_number(epfd, data);
	struct fdrec *rec = fdtable_find(fd);

	if (!rec)
		return NULL;
	socket_resolve(fd, rec); /* a copy's number: not asked yet what it is */
	return is_lawful(rec, epfd, data) ? rec : NULL;
}

/* Is it known to be of another socket than this one? */
static int is_another(const struct fdrec *rec, uint64_t cookie)
{
	uint64_t known = load_relaxed(&rec->cookie);

	return known && known != cookie;
}

int masked_add(int epfd, uint64_t data)
{
	int fd = epoll_map_number(epfd, data);
	struct fdrec *rec = masked_find(epfd, data), *set = fdtable_find(epfd);
	struct masked *m = entries;
	long r;

	while (m < entries + MASKED_COUNT && m->thread)
		m++;
	if (m == entries + MASKED_COUNT || !rec || !set)
		return -EAGAIN;
	*m = (struct masked){ .cookie = sys_cookie(fd),
			      .data = data,
			      .epfd = epfd,
			      .fd = fd,
			      .mask = load_relaxed(&rec->epoll_mask) };
	store_relaxed(&m->thread, thread_self.id);
	if (m - entries >= end)
		store_relaxed(&end, (uint32_t)(m - entries) + 1);
	__atomic_add_fetch(&mask_in_force, 1, __ATOMIC_SEQ_CST);
	/* From here on nobody overlooks the entry; who did so before has been seen here. */
	if (!is_calm(rec, set) || !is_lawful(rec, epfd, data) ||
	    load_relaxed(&mask_stalls_elsewhere) != thread_self.context->mask.stalls_elsewhere ||
	    m->mask != load_relaxed(&rec->epoll_mask) || !m->cookie ||
	    is_another(rec, m->cookie))
		r = -EAGAIN;
	else
		r = modify(m, m->mask & ~(uint32_t)EPOLLOUT);
	if (r < 0)
		drop(m);
	return (int)r;
}

/* Bytes the host has handed over, sent or waiting. 0 or -errno. */
static int ask_sent(int fd, uint64_t *ret_bytes)
{
	struct tcp_info info;
	unsigned bytes = sizeof(info);
	int r;

	memset(&info, 0, sizeof(info));
	r = sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes);
	if (r < 0 || bytes < offsetof(struct tcp_info, tcpi_bytes_retrans) + sizeof(uint64_t))
		return r < 0 ? r : -ENOSYS;
	*ret_bytes = info.tcpi_bytes_sent - info.tcpi_bytes_retrans + info.tcpi_notsent_bytes;
	return 0;
}

int masked_sent_add(int fd, uint64_t key, uint64_t *sum)
{
	uint64_t bytes;

	if (ask_sent(fd, &bytes) < 0)
		return 0;
	*sum += (bytes + 1) * (key * 2 + 1);
	return 1;
}

uint64_t masked_sent(uint32_t thread)
{
	uint64_t sum = 1;

	for (uint32_t i = 0; i < load_relaxed(&end); i++) {
		const struct masked *m = &entries[i];

		if (load_relaxed(&m->thread) == thread && !masked_sent_add(m->fd, m->cookie, &sum))
			return 0;
	}
	return sum | 1ull << 63;
}

void masked_forking(void)
{
	__atomic_add_fetch(&mask_forks, 1, __ATOMIC_SEQ_CST);
	masked_restore((struct masked_which){ .fd = -1, .epfd = -1, .is_all = 1 });
}

void masked_begin_child(void)
{
	memset(entries, 0, sizeof(entries));
	end = mask_in_force = 0;
}
