/* SPDX-License-Identifier: MIT */
#include "polled.h"

#include "../policy/wake_mask.h"
#include "epoll_map.h"
#include "guard.h"
#include "mask.h"

/* Of the host's mask, what poll() can be asked for; errors and hang-ups it says unasked. */
#define ASKED (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP)

_Static_assert(EPOLLIN == POLLIN && EPOLLPRI == POLLPRI && EPOLLOUT == POLLOUT &&
		       EPOLLRDHUP == POLLRDHUP, "epoll's bits are poll's");

COLD void polled_doubt(struct fdrec *set)
{
	if (set && fdrec_kind(set) == FD_EPOLL)
		store_relaxed(&set->is_unpolled, 1);
}

/* The thread that waits would not hear of what another one registers. */
static void note_thread(struct fdrec *set)
{
	uint32_t user = load_relaxed(&set->user);

	if (unlikely(user != FD_NO_USER && user != thread_self.id))
		polled_doubt(set);
}

void polled_joined(int epfd, const struct fdrec *rec)
{
	struct fdrec *set = fdtable_find_set(epfd);

	if (!set)
		return;
	note_thread(set);
	if (load_relaxed(&rec->epoll_fd) != epfd)
		add_relaxed(&set->members, 1);
}

void polled_left(int epfd, struct fdrec *rec)
{
	struct fdrec *set = fdtable_find_set(epfd);

	if (set)
		note_thread(set);
	/* Of another set by now: the number of members stays too high, and nothing is polled. */
	if (load_relaxed(&rec->epoll_fd) != epfd)
		return;
	store_relaxed(&rec->epoll_fd, -1);
	if (set)
		add_relaxed(&set->members, -1);
}

/* All records that name the set. 0: too many, or one that poll() would tell of otherwise. */
static int collect_members(struct polled *p, int epfd, uint8_t *place)
{
	int end = fdtable_end();

	p->count = 0;
	if (end > POLLED_NUMBER)
		return 0;
	for (int fd = 0; fd < end; fd++) {
		const struct fdrec *rec = fdtable_find(fd);
		uint32_t mask;

		if (!rec || load_relaxed(&rec->epoll_fd) != epfd)
			continue;
		mask = load_relaxed(&rec->epoll_mask);
		if (p->count == POLLED_MAX || !wake_may_be_polled(mask))
			return 0;
		place[fd] = (uint8_t)p->count;
		p->fds[p->count++] =
			(struct pollfd){ .fd = fd, .events = (short)(mask & ASKED) };
	}
	return 1;
}

/* Used by this thread or by none: another that fills it would be told late that it has room. */
static int is_own(const struct fdrec *rec)
{
	uint32_t user = load_relaxed(&rec->user);

	return user == FD_NO_USER || user == thread_self.id;
}

int polled_collect(struct polled *p, const struct mask_wait *w, int n)
{
	struct fdrec *set = fdtable_find_set(w->epfd);
	uint8_t place[POLLED_NUMBER]; /* of members only */
	unsigned outs = 0;

	if (!set || load_relaxed(&set->is_unpolled) || load_relaxed(&set->members) > POLLED_MAX ||
	    !collect_members(p, w->epfd, place) || p->count != load_relaxed(&set->members))
		return 0;
	for (int i = 0; i < n; i++) {
		int fd = epoll_map_number(w->epfd, w->events[i].data.u64);
		struct fdrec *rec = masked_find(w->epfd, w->events[i].data.u64);

		if (!rec || !is_own(rec)) {
			polled_doubt(rec ? set : NULL);
			return 0;
		}
		p->fds[place[fd]].events &= (short)~POLLOUT;
	}
	for (unsigned i = 0; i < p->count; i++)
		outs += (p->fds[i].events & POLLOUT) != 0;
	/* A full array: the others may have room as well. */
	return n < w->max || !outs;
}

int polled_is_told(const struct polled *p)
{
	for (unsigned i = 0; i < p->count; i++)
		if (p->fds[i].revents & POLLOUT)
			return 0;
	return 1;
}

uint64_t polled_sent(const struct mask_wait *w, int n)
{
	uint64_t sum = 1;

	for (int i = 0; i < n; i++) {
		int fd = epoll_map_number(w->epfd, w->events[i].data.u64);

		if (!masked_sent_add(fd, (uint64_t)fd, &sum))
			return 0;
	}
	return sum | 1ull << 63;
}
