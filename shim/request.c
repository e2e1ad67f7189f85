/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "sys.h"

#include <fcntl.h>
#include <sys/stat.h>

/* The size of the file to send, -1 when it is no regular file. */
static int64_t file_size(const struct request *q)
{
	struct stat st;

	if (sys_call(SYS_newfstatat, q->in, "", &st, AT_EMPTY_PATH, 0, 0) != 0)
		return -1;
	return S_ISREG(st.st_mode) ? st.st_size : -1;
}

/* Bytes from the file's position to its end, -1 when that is not known. */
static int64_t file_rest(const struct request *q)
{
	int64_t size = file_size(q), at;

	if (size < 0)
		return -1;
	/* The kernel has advanced either by what was sent. */
	at = q->offset ? (int64_t)*q->offset
		       : (int64_t)sys_call(SYS_lseek, q->in, 0, SEEK_CUR, 0, 0, 0);
	if (at < 0)
		return -1;
	return at < size ? size - at : 0;
}

uint64_t request_bound(const struct request *q)
{
	int64_t size = q->kind == REQUEST_FILE ? file_size(q) : -1;

	if (q->kind == REQUEST_VECTOR)
		return 0;
	return size >= 0 && (uint64_t)size < q->asked ? (uint64_t)size : q->asked;
}

uint64_t request_left(const struct request *q, size_t sent)
{
	uint64_t left = q->asked - sent;
	int64_t rest = q->kind == REQUEST_FILE ? file_rest(q) : -1;

	return rest >= 0 && (uint64_t)rest < left ? (uint64_t)rest : left;
}

int request_is_at_end(const struct request *q)
{
	return file_rest(q) <= 0;
}
