/* SPDX-License-Identifier: MIT */
#include "stats_sweep.h"

#include "stats_dir.h"
#include "stats_file.h"
#include "sys.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

struct kernel_dirent64 { /* getdents64(2); not in any header */
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

/* The newest dead files found so far, oldest first to go. */
struct keep {
	int64_t seconds[STATS_SWEEP_KEEP];
	int pid[STATS_SWEEP_KEEP];
	unsigned count;
};

static void unlink_pid(int dir, int pid)
{
	char path[STATS_DIR_MAX + 16];

	stats_dir_file("", pid, path);
	sys_call(SYS_unlinkat, dir, path + 1, 0, 0, 0, 0);
}

/* Keeps this one and, when there are too many, drops the oldest. */
static void keep_newest(int dir, struct keep *k, int pid, int64_t seconds)
{
	unsigned oldest = 0;

	if (k->count < STATS_SWEEP_KEEP) {
		k->seconds[k->count] = seconds;
		k->pid[k->count++] = pid;
		return;
	}
	for (unsigned i = 1; i < k->count; i++)
		if (k->seconds[i] < k->seconds[oldest])
			oldest = i;
	if (seconds < k->seconds[oldest]) {
		unlink_pid(dir, pid);
		return;
	}
	unlink_pid(dir, k->pid[oldest]);
	k->seconds[oldest] = seconds;
	k->pid[oldest] = pid;
}

static void look_at(int dir, struct keep *k, const char *name)
{
	int pid = stats_dir_pid(name);
	struct stat st;

	if (!pid || sys_call(SYS_kill, pid, 0, 0, 0, 0, 0) != -ESRCH)
		return;
	if (sys_call(SYS_newfstatat, dir, name, &st, AT_SYMLINK_NOFOLLOW, 0, 0) == 0 &&
	    stats_file_is_ours(dir, name))
		keep_newest(dir, k, pid, st.st_mtim.tv_sec);
}

void stats_sweep(int dir)
{
	char buffer[2048] __attribute__((aligned(8)));
	struct keep k = { .count = 0 };
	long got;

	if (sys_getpid() % STATS_SWEEP_EVERY)
		return;
	/* At most 256 buffers: a directory somebody filled with junk must not stop a fork. */
	for (int rounds = 0; rounds < 256; rounds++) {
		got = sys_call(SYS_getdents64, dir, buffer, sizeof(buffer), 0, 0, 0);
		if (got <= 0)
			return;
		for (long at = 0; at < got;) {
			const struct kernel_dirent64 *e = (const void *)(buffer + at);

			look_at(dir, &k, e->name);
			at += e->reclen;
		}
	}
}
