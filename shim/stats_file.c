/* SPDX-License-Identifier: MIT */
#include "stats_file.h"

#include "stats_dir.h"
#include "stats_sweep.h"
#include "sys.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char configured_dir[STATS_DIR_MAX]; /* UNSPIN_STATS_DIR */
static char runtime_dir[STATS_DIR_MAX];	   /* XDG_RUNTIME_DIR */
static char used_dir[STATS_DIR_MAX];	   /* the candidate that worked */
static unsigned user_id;		   /* effective, when the file is made */
static int is_wanted;

void stats_file_configure(const struct config *config, char *const *environment)
{
	static const char name[] = "XDG_RUNTIME_DIR=";

	is_wanted = (int)config->value[CONFIG_stats];
	memcpy(configured_dir, config->stats_dir, sizeof(configured_dir));
	for (; environment && *environment; environment++)
		if (!strncmp(*environment, name, sizeof(name) - 1) &&
		    strlen(*environment) - (sizeof(name) - 1) < sizeof(runtime_dir))
			strcpy(runtime_dir, *environment + sizeof(name) - 1);
}

/*
 * Opens the directory, made owner-only if it was not there. A link in its place, or a directory
 * of somebody else (except root's or one the user named), is refused: another user of the
 * machine could otherwise choose where we write.
 */
static int open_dir(const char *path, int is_named)
{
	struct stat st;
	long fd;

	sys_call(SYS_mkdirat, AT_FDCWD, path, 0700, 0, 0, 0);
	fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		      0, 0, 0);
	if (fd < 0)
		return -1;
	if (sys_call(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH, 0, 0) == 0 &&
	    (is_named || st.st_uid == user_id))
		return (int)fd;
	sys_call(SYS_close, fd, 0, 0, 0, 0, 0);
	return -1;
}

/* Growing a file past RLIMIT_FSIZE would kill the host with SIGXFSZ. */
static int is_within_file_limit(uint64_t bytes)
{
	struct rlimit limit;

	return sys_call(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit, 0, 0) == 0 &&
	       limit.rlim_cur >= bytes;
}

/*
 * An empty file of our own. One left by an earlier process of our number (or by this process
 * before an exec) is removed, never opened: O_EXCL and O_NOFOLLOW follow nothing.
 */
static int create_file(int dir)
{
	char path[STATS_DIR_MAX + 16];
	long fd = -1;

	stats_dir_file("", sys_getpid(), path);
	for (int tries = 0; tries < 2; tries++) {
		fd = sys_call(SYS_openat, dir, path + 1,
			      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600, 0, 0);
		if (fd != -EEXIST)
			break;
		sys_call(SYS_unlinkat, dir, path + 1, 0, 0, 0, 0);
	}
	return fd < 0 ? -1 : (int)fd;
}

static void remove_file(int dir)
{
	char path[STATS_DIR_MAX + 16];

	stats_dir_file("", sys_getpid(), path);
	sys_call(SYS_unlinkat, dir, path + 1, 0, 0, 0, 0);
}

/*
 * Blocks are really allocated (fallocate, not truncate): on a full tmpfs that fails here, while
 * a sparse file would raise SIGBUS in the host at the first touch.
 */
static void *map_file_in(int dir, void *address, uint64_t bytes)
{
	int fd = create_file(dir);
	long mapped = -1;

	if (fd < 0)
		return NULL;
	if (sys_call(SYS_fallocate, fd, 0, 0, bytes, 0, 0) == 0)
		mapped = sys_call(SYS_mmap, address, bytes, PROT_READ | PROT_WRITE,
				  MAP_SHARED | (address ? MAP_FIXED : 0), fd, 0);
	sys_call(SYS_close, fd, 0, 0, 0, 0, 0);
	if (mapped > 0 || mapped < -4095)
		return (void *)mapped;
	remove_file(dir);
	return NULL;
}

static void *map_in_some_dir(void *address, uint64_t bytes, const char **ret_dir)
{
	for (unsigned n = 0; stats_dir_candidate(n, configured_dir, runtime_dir, user_id, used_dir);
	     n++) {
		int dir = open_dir(used_dir, configured_dir[0] != '\0');
		void *mapped;

		if (dir < 0)
			continue;
		stats_sweep(dir);
		mapped = map_file_in(dir, address, bytes);
		sys_call(SYS_close, dir, 0, 0, 0, 0, 0);
		if (mapped) {
			*ret_dir = used_dir;
			return mapped;
		}
	}
	return NULL;
}

void *stats_file_map(void *address, uint64_t bytes, const char **ret_dir)
{
	void *mapped = NULL;
	long anonymous;

	*ret_dir = NULL;
	/* Not the constructor's: memcached -u drops root before it makes its first socket. */
	user_id = (unsigned)sys_call(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	if (is_wanted && is_within_file_limit(bytes))
		mapped = map_in_some_dir(address, bytes, ret_dir);
	if (mapped)
		return mapped;
	anonymous = sys_call(SYS_mmap, address, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				     (address ? MAP_FIXED : 0),
			     -1, 0);
	return anonymous > 0 || anonymous < -4095 ? (void *)anonymous : NULL;
}

long stats_file_read(const char *path, char *ret, unsigned room)
{
	long fd = sys_call(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long got;

	ret[0] = '\0';
	if (fd < 0)
		return fd;
	got = sys_call(SYS_read, fd, ret, room - 1, 0, 0, 0);
	sys_call(SYS_close, fd, 0, 0, 0, 0, 0);
	if (got >= 0)
		ret[got] = '\0';
	return got;
}
