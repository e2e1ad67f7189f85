/* SPDX-License-Identifier: MIT */
#include "board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct board *board;
static int is_host;

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A raw call: neither a cancellation point nor a wait the shim could see. */
void sleep_us(uint64_t us)
{
	uint64_t end = now_ns() + us * 1000, now;

	while ((now = now_ns()) < end) {
		struct timespec t = { (time_t)((end - now) / 1000000000u),
				      (long)((end - now) % 1000000000u) };

		syscall(SYS_nanosleep, &t, NULL);
	}
}

static void map(int fd)
{
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (board == MAP_FAILED)
		_exit(99);
}

void board_attach(int fd)
{
	is_host = 1;
	map(fd);
}

int board_create(uint64_t seed)
{
	int fd = memfd_create("board", 0);

	if (fd < 0 || ftruncate(fd, sizeof(struct board)))
		_exit(99);
	map(fd);
	board->seed = seed;
	board->start_ns = now_ns();
	return fd;
}

void violate(const char *rule, const char *format, ...)
{
	int saved = errno;
	uint32_t n = atomic_fetch_add(&board->violations, 1);
	va_list args;
	char *text;

	if (n < MAX_VIOLATIONS) {
		text = board->violation[n];
		int used = snprintf(text, TEXT_BYTES, "%s ", rule);

		va_start(args, format);
		vsnprintf(text + used, (size_t)(TEXT_BYTES - used), format, args);
		va_end(args);
	}
	if (is_host && n >= ENOUGH)
		_exit(95);
	errno = saved;
}

void trace(const char *format, ...)
{
	uint32_t at = board->trace_bytes;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(board->trace + at, TRACE_BYTES - at, format, args);
	va_end(args);
	if (n > 0 && at + (uint32_t)n < TRACE_BYTES)
		board->trace_bytes = at + (uint32_t)n;
}

void setup_failed(const char *what, int line)
{
	violate("setup", "line %d: %s: %s", line, what, strerror(errno));
	_exit(98);
}
