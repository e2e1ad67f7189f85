/* SPDX-License-Identifier: MIT */
/*
 * Which descriptor does an event speak of? epoll returns the host's own `data`, so we remember
 * the data of each ADD and MOD we see in the descriptor's record, and a map from (set, data) back
 * to the number. Every answer is checked against the record, so a lost or overwritten entry makes
 * an event unattributed, never wrong. Registrations made by io_uring are not seen at all.
 */
#ifndef UNSPIN_EPOLL_MAP_H
#define UNSPIN_EPOLL_MAP_H

#include <stdint.h>

#include "fdtable.h"

/* The host registered fd in epfd with this data. Lock-free, keeps errno. */
void epoll_map_note(int epfd, int fd, uint64_t data);

/* Does the record stand for this registration? */
static inline int epoll_map_is_right(const struct fdrec *rec, int epfd, uint64_t data)
{
	return rec && load_relaxed(&rec->epoll_data) == data &&
	       load_relaxed(&rec->epoll_fd) == epfd;
}

/*
 * Was there ever a registration with this data, in a set of this number, that we saw? 0 is sure,
 * but for one that another thread has just made and not noted yet. Lock-free.
 */
int epoll_map_has_seen(int epfd, uint64_t data);

/* epoll_map_number for data that is not the descriptor's number. */
int epoll_map_look_up(int epfd, uint64_t data);

/* The descriptor registered in epfd with this data, or -1. */
static inline int epoll_map_number(int epfd, uint64_t data)
{
	int fd = (int)(uint32_t)data;

	/* data.fd == fd is the commonest use of all: it needs no map. */
	if (likely(epoll_map_is_right(fdtable_find(fd), epfd, data)))
		return fd;
	return epoll_map_look_up(epfd, data);
}

/* The record of the descriptor registered in epfd with this data, or NULL. */
static inline struct fdrec *epoll_map_find(int epfd, uint64_t data)
{
	struct fdrec *rec = fdtable_find((int)(uint32_t)data);

	return likely(epoll_map_is_right(rec, epfd, data)) ? rec
							   : fdtable_find(epoll_map_look_up(epfd, data));
}

#endif
