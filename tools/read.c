/* SPDX-License-Identifier: MIT */
#include "read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than the largest file the options allow (1 M sockets, 64 K threads). */
#define FILE_BYTES_MAX (1ull << 30)

#define LEAST(a, b) ((a) < (b) ? (a) : (b))
/* The bytes of a struct up to and including a field. */
#define UP_TO(type, field) (offsetof(type, field) + sizeof(((type *)0)->field))

/*
 * The header of version 1 as first released. Fields are only ever appended, so every writer of
 * this version has at least these.
 */
#define HEADER_BYTES_MIN UP_TO(struct stats_header, next_thread)

static const char *const problem_texts[] = {
	[READ_OK] = "no problem",
	[READ_SYSTEM] = "cannot be read",
	[READ_NOT_ALLOWED] = "only the user the server was started as, or root, may read it",
	[READ_NOT_A_FILE] = "not a regular file (links are not followed)",
	[READ_TOO_LARGE] = "too large to be a statistics file",
	[READ_EMPTY] =
		"the file is empty: still being made, or its maker was stopped in the middle",
	[READ_UNFINISHED] = "still being made, or its maker was stopped in the middle: try again",
	[READ_FOREIGN] = "not a statistics file of unspin",
	[READ_OTHER_ORDER] = "written on a machine with another byte order",
	[READ_NEWER] = "written by another version of unspin: use the `unspin` that came with it",
	[READ_TRUNCATED] = "cut short: the file holds less than its header says",
	[READ_TORN] = "damaged: its header contradicts itself",
};
_Static_assert(sizeof(problem_texts) / sizeof(problem_texts[0]) == READ_PROBLEM_COUNT,
	       "a problem without text");

/* The shortest row each section can have: what the row functions below cannot do without. */
static const size_t row_bytes_min[SECTION_COUNT] = {
	[SECTION_THREADS] = offsetof(struct thread_row, total),
	[SECTION_SOCKETS] = UP_TO(struct socket_row, response_bytes),
	[SECTION_EPOLLS] = UP_TO(struct epoll_row, padding),
	[SECTION_DECISIONS] = UP_TO(struct decision_row, to_bytes),
	[SECTION_CLASSES] = UP_TO(struct class_row, bucket),
};

static bool section_is_good(const struct stats_header *header, enum section_id id)
{
	const struct section *section = &header->section[id];
	uint64_t room = header->file_bytes;
	uint64_t row_min = row_bytes_min[id];

	/* Every writer makes at least one row of each kind. */
	if (section->count == 0)
		return false;
	if (id == SECTION_THREADS)
		row_min += (uint64_t)header->total_count * sizeof(uint64_t);
	if (section->offset % 8 || section->stride % 8 || section->stride < row_min)
		return false;
	/* No overflow: both factors have 32 bits. */
	return section->offset >= header->header_bytes && section->offset <= room &&
	       (uint64_t)section->count * section->stride <= room - section->offset;
}

static bool is_ended(const char *text, size_t room)
{
	return memchr(text, '\0', room) != NULL;
}

static bool strings_are_ended(const struct stats_header *header)
{
	if (!is_ended(header->exe, sizeof(header->exe)) ||
	    !is_ended(header->version_text, sizeof(header->version_text)) ||
	    !is_ended(header->stats_dir, sizeof(header->stats_dir)) ||
	    !is_ended(header->comm, sizeof(header->comm)))
		return false;
	for (unsigned i = 0; i < CONFIG_PROBLEMS_MAX; i++) {
		const struct config_problem *problem = &header->problem[i];

		if (!is_ended(problem->name, sizeof(problem->name)) ||
		    !is_ended(problem->value, sizeof(problem->value)))
			return false;
	}
	return true;
}

static bool header_is_good(const struct stats_header *header)
{
	if (header->total_count > sizeof(header->departed) / sizeof(header->departed[0]) ||
	    header->global_count > sizeof(header->global) / sizeof(header->global[0]) ||
	    header->option_count > CONFIG_OPTIONS_MAX || header->pid <= 0 ||
	    !strings_are_ended(header))
		return false;
	for (unsigned i = 0; i < SECTION_COUNT; i++)
		if (!section_is_good(header, (enum section_id)i))
			return false;
	return true;
}

/* The first words, which have the same place in every version. */
static enum read_problem check_start(const void *memory, size_t bytes)
{
	struct stats_header start = { 0 };

	if (bytes == 0)
		return READ_EMPTY;
	if (bytes < UP_TO(struct stats_header, magic))
		return READ_FOREIGN;
	memcpy(&start, memory, LEAST(bytes, UP_TO(struct stats_header, file_bytes)));
	if (start.magic == 0)
		return READ_UNFINISHED;
	if (start.magic == __builtin_bswap64(STATS_MAGIC))
		return READ_OTHER_ORDER;
	if (start.magic != STATS_MAGIC)
		return READ_FOREIGN;
	if (bytes < UP_TO(struct stats_header, file_bytes))
		return READ_TRUNCATED;
	if (start.version != STATS_VERSION)
		return READ_NEWER;
	if (start.header_bytes < HEADER_BYTES_MIN || start.header_bytes > start.file_bytes)
		return READ_TORN;
	return start.file_bytes > bytes ? READ_TRUNCATED : READ_OK;
}

enum read_problem read_parse(const void *memory, size_t bytes, struct stats_view *ret_view)
{
	struct stats_view view = { .memory = memory, .bytes = bytes };
	enum read_problem problem = check_start(memory, bytes);
	uint32_t header_bytes;

	if (problem != READ_OK)
		return problem;
	memcpy(&header_bytes, view.memory + offsetof(struct stats_header, header_bytes),
	       sizeof(header_bytes));
	memcpy(&view.header, memory, LEAST((size_t)header_bytes, sizeof(view.header)));
	if (!header_is_good(&view.header))
		return READ_TORN;
	*ret_view = view;
	return READ_OK;
}

/* Reads until `bytes` are there or the file ends; the count read or -errno. */
static ssize_t read_fully(int fd, unsigned char *to, size_t bytes)
{
	size_t have = 0;

	while (have < bytes) {
		ssize_t n = pread(fd, to + have, bytes - have, (off_t)have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

static enum read_problem system_problem(int error, int *ret_errno)
{
	*ret_errno = error;
	if (error == ELOOP)
		return READ_NOT_A_FILE;
	return error == EACCES || error == EPERM ? READ_NOT_ALLOWED : READ_SYSTEM;
}

static enum read_problem load_open_file(int fd, struct stats_view *ret_view, int *ret_errno)
{
	enum read_problem problem;
	unsigned char *memory;
	struct stat status;
	ssize_t bytes;

	if (fstat(fd, &status) < 0)
		return system_problem(errno, ret_errno);
	if (!S_ISREG(status.st_mode))
		return READ_NOT_A_FILE;
	if ((uint64_t)status.st_size > FILE_BYTES_MAX)
		return READ_TOO_LARGE;
	memory = malloc((size_t)status.st_size + 1);
	if (!memory)
		return system_problem(ENOMEM, ret_errno);
	bytes = read_fully(fd, memory, (size_t)status.st_size);
	problem = bytes < 0 ? system_problem((int)-bytes, ret_errno)
			    : read_parse(memory, (size_t)bytes, ret_view);
	if (problem != READ_OK) {
		free(memory);
		return problem;
	}
	ret_view->owned = memory;
	ret_view->inode = status.st_ino;
	return READ_OK;
}

enum read_problem read_load(int dirfd, const char *path, struct stats_view *ret_view,
			    int *ret_errno)
{
	enum read_problem problem;
	int fd;

	*ret_errno = 0;
	/* O_NONBLOCK: a FIFO planted under the name must not make the reader wait. */
	fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return system_problem(errno, ret_errno);
	problem = load_open_file(fd, ret_view, ret_errno);
	close(fd);
	return problem;
}

void read_free(struct stats_view *view)
{
	free(view->owned);
	*view = (struct stats_view){ 0 };
}

const char *read_problem_text(enum read_problem problem)
{
	return problem_texts[problem];
}

void read_complain(const char *path, enum read_problem problem, int errno_seen)
{
	fprintf(stderr, "unspin: %s: %s", path, read_problem_text(problem));
	if (problem == READ_SYSTEM)
		fprintf(stderr, ": %s", strerror(errno_seen));
	putc('\n', stderr);
}

uint32_t read_rows(const struct stats_view *view, enum section_id section)
{
	return view->header.section[section].count;
}

/* Copies what the writer has of the row, at most `room` bytes; the rest becomes 0. */
static bool copy_row(const struct stats_view *view, enum section_id id, uint32_t index, void *to,
		     size_t room)
{
	const struct section *section = &view->header.section[id];
	size_t have = LEAST((size_t)section->stride, room);

	if (index >= section->count)
		return false;
	memset(to, 0, room);
	memcpy(to, view->memory + section->offset + (uint64_t)index * section->stride, have);
	return true;
}

static bool is_shown(uint32_t state)
{
	return state == ROW_OPEN || state == ROW_CLOSED;
}

bool read_thread(const struct stats_view *view, uint32_t index, struct thread_row *ret_row)
{
	size_t counters = LEAST(view->header.total_count, (uint32_t)TOTAL_COUNT);

	/* Not sizeof: behind the writer's last counter something else may follow. */
	if (!copy_row(view, SECTION_THREADS, index, ret_row,
		      offsetof(struct thread_row, total) + counters * sizeof(uint64_t)))
		return false;
	for (size_t i = counters; i < TOTAL_COUNT; i++)
		ret_row->total[i] = 0;
	ret_row->name[sizeof(ret_row->name) - 1] = '\0';
	return ret_row->state == ROW_OPEN;
}

bool read_socket(const struct stats_view *view, uint32_t index, struct socket_row *ret_row)
{
	return copy_row(view, SECTION_SOCKETS, index, ret_row, sizeof(*ret_row)) &&
	       is_shown(ret_row->state);
}

bool read_epoll(const struct stats_view *view, uint32_t index, struct epoll_row *ret_row)
{
	return copy_row(view, SECTION_EPOLLS, index, ret_row, sizeof(*ret_row)) &&
	       is_shown(ret_row->state);
}

bool read_class(const struct stats_view *view, uint32_t index, struct class_row *ret_row)
{
	return copy_row(view, SECTION_CLASSES, index, ret_row, sizeof(*ret_row)) &&
	       is_shown(ret_row->state);
}

bool read_decision(const struct stats_view *view, uint32_t index, struct decision_row *ret_row)
{
	return copy_row(view, SECTION_DECISIONS, index, ret_row, sizeof(*ret_row)) &&
	       ret_row->sequence != 0;
}
