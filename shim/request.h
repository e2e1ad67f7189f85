/* SPDX-License-Identifier: MIT */
/*
 * One send-side call of the host, as far as going on with it needs. Built only when the call
 * leaves the fast path; lives on the wrapper's stack and points into the host's memory, which
 * the host may not change before its call has returned.
 */
#ifndef UNSPIN_REQUEST_H
#define UNSPIN_REQUEST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum request_kind {
	REQUEST_BUFFER, /* write, send: one piece of memory */
	REQUEST_VECTOR, /* writev, sendmsg without control data: pieces */
	REQUEST_FILE,	/* sendfile */
	REQUEST_WHOLE,	/* splice, sendmmsg, control messages: never gone on with */
};

struct fdrec;

struct request {
	enum request_kind kind;
	int fd;
	int flags;	     /* send()'s flags */
	int in;		     /* REQUEST_FILE: the file */
	off64_t *offset;     /* REQUEST_FILE: advanced by the kernel, or NULL */
	const void *data;    /* the buffer, or the struct iovec array */
	size_t count;	     /* bytes of the buffer or file, or pieces */
	size_t asked;	     /* bytes the host wants to send */
	uint8_t is_socket_call; /* only sockets accept it */
	uint8_t may_lack_input; /* splice: short or EAGAIN may come from the pipe */
	/*
	 * errno when the host made the call: what a success must leave. Known on the path that looks
	 * before the call only; without it an EAGAIN is never turned into a success.
	 */
	uint8_t knows_errno;
	int errno_before;
	const void *site;    /* where the host called from */
	struct fdrec *rec;   /* the call is entered in: entry_begin(); NULL: it is not */
	const void *frame;   /* of the wrapper's slow part: site.h begins there */
};

/*
 * Most bytes the call can send, before it is made; 0: not known (a vector). A server may pass
 * sendfile a length far beyond the file's end. Does not read through the host's pointers, which
 * may be garbage. Costs an fstat for files, as the next two; slow paths only.
 */
uint64_t request_bound(const struct request *request);

/* Bytes that are still to come when `sent` of the call's are out; after the call. */
uint64_t request_left(const struct request *request, size_t sent);

/* REQUEST_FILE, after the call: nothing more to send (or no regular file: not known). */
int request_is_at_end(const struct request *request);

#endif
