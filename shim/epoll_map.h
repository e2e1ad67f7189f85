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

/* The host registered fd in epfd with this data. Lock-free, keeps errno. */
void epoll_map_note(int epfd, int fd, uint64_t data);

/* The descriptor registered in epfd with this data, or -1. */
int epoll_map_find(int epfd, uint64_t data);

#endif
