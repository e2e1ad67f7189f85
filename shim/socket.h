/* SPDX-License-Identifier: MIT */
/*
 * The life of a descriptor's record: found out, doubted, validated, given up.
 *
 *	UNKNOWN --resolve--> NOT_SOCKET | OTHER_SOCKET | QUIET <-> STALLED | LISTENER
 *	QUIET/STALLED --doubt--> DOUBT --resolve--> as before (same cookie) or found out anew
 *	any --forget--> UNKNOWN
 *
 * All functions keep errno and may be called from signal handlers; those that change a record
 * do so under its try-lock and do nothing when they do not get it.
 */
#ifndef UNSPIN_SOCKET_H
#define UNSPIN_SOCKET_H

#include <sys/epoll.h>
#include <sys/socket.h>

#include "fdtable.h"
#include "stats.h"

/* Set to 1 at the end of the constructor when the mode is not off; never cleared. */
extern HIDDEN int unspin_is_on;

/* For socket_*.c and epoll_set.c: */

/* The record of a descriptor number the kernel has just given out, locked; NULL: leave it. */
struct fdrec *socket_begin_new(int fd);

/* Starts a record of the given meaning on whatever was there before. Lock held. */
void socket_start(int fd, struct fdrec *rec, enum fd_kind kind, enum socket_kind socket_kind);

/* Ends what the record stood for: last response, row, budget. Lock held. */
void socket_give_up(struct fdrec *rec);

/* For everybody: */

/*
 * Makes the record current and returns its kind; asks the kernel once if it is not known.
 * FD_UNKNOWN: could not be told now, pass through.
 */
enum fd_kind socket_resolve(int fd, struct fdrec *rec);

/* Is the descriptor still the socket of the record? Asks SO_COOKIE; restarts a stranger's. */
int socket_validate(int fd, struct fdrec *rec);

/* A new descriptor was returned to the host: what is known of it without asking. */
void socket_created(int fd, int domain, int type, int protocol);
void socket_accepted(int listener, int fd, const struct sockaddr *peer, socklen_t peer_bytes);
void socket_listening(int fd);
void socket_dialled(int fd, const struct sockaddr *to, socklen_t to_bytes);
void epoll_created(int epfd);

/* Gives the set a row, at its first wait or epoll_ctl once there is a region. */
void epoll_take_row(int epfd, struct fdrec *rec);

/* The row of a set; the sink's for one we were never told of. The region has begun. */
static inline struct epoll_row *epoll_row_of(int epfd)
{
	struct fdrec *set = fdtable_find(epfd);

	if (unlikely(!set) ||
	    (unlikely(load_relaxed(&set->tag) != fd_tags.epoll) &&
	     (fdrec_kind(set) != FD_EPOLL || socket_resolve(epfd, set) != FD_EPOLL)))
		return &stats_epoll_sink;
	if (unlikely(!set->has_row))
		epoll_take_row(epfd, set);
	return set->epoll;
}

/*
 * The descriptor is about to be closed, or replaced by dup2; afterwards socket_closed() of what was
 * returned, so that retries know what lies between (retry.h).
 */
struct fdrec *socket_closing(int fd);
void socket_closed(struct fdrec *token);

/* The same for first...last (close_range). */
int socket_closing_range(unsigned first, unsigned last);
void socket_closed_range(int token);

/* The number was given out anew: what it stood for was closed out of our sight. */
void socket_renewed(int fd);

/* The host called setsockopt with SO_SNDBUF, or with TCP_NOTSENT_LOWAT (0 takes it back). */
void socket_host_fixed(int fd);
void socket_host_lowat(int fd, int bytes);

/* A successful epoll_ctl of the host; `event` is NULL for DEL. */
void epoll_registered(int epfd, int op, int fd, const struct epoll_event *event);

/* It may be closed unseen from now on (EPOLL_CTL_DEL: what libuv does before a raw close). */
void socket_doubt(int fd);

/* Fills addresses and buffer size into the row; asked late, so that short connections whose
 * writes never stall cost nothing. */
void socket_look(int fd, struct fdrec *rec);

/* A response of this size is complete: into the row. The sink takes it too; nobody reads it. */
static inline void socket_note_response(struct socket_row *row, uint64_t bytes)
{
	store_relaxed(&row->response_bytes[load_relaxed(&row->responses) % 8],
		      bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes);
	count_add(&row->responses, 1);
}

/* Books the record's response, if one is under way. Lock held. */
void socket_end_response(struct fdrec *rec);

/* Gives back what the socket holds of the send-buffer budget. */
void socket_return_budget(struct fdrec *rec);

#endif
