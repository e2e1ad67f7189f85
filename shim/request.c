/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "sys.h"

#include <fcntl.h>
#include <sys/stat.h>

uint64_t request_left(const struct request *q, size_t sent)
{
	uint64_t left = q->asked - sent;
	struct stat st;
	int64_t at;

	if (q->kind != REQUEST_FILE ||
	    sys_call(SYS_newfstatat, q->in, "", &st, AT_EMPTY_PATH, 0, 0) != 0 ||
	    !S_ISREG(st.st_mode))
		return left;
	/* The kernel has advanced either by what was sent. */
	at = q->offset ? (int64_t)*q->offset
		       : (int64_t)sys_call(SYS_lseek, q->in, 0, SEEK_CUR, 0, 0, 0);
	if (at < 0)
		return left;
	if (at >= st.st_size)
		return 0;
	return (uint64_t)(st.st_size - at) < left ? (uint64_t)(st.st_size - at) : left;
}
