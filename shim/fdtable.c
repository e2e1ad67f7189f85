/* SPDX-License-Identifier: MIT */
#include "fdtable.h"

#include "sys.h"

#include <sys/mman.h>

struct fdrec *fdtable_chunk[FDTABLE_CHUNKS];
struct fd_tags fd_tags;

#define CHUNK_BYTES (sizeof(struct fdrec) << FDTABLE_CHUNK_BITS)

struct fdrec *fdtable_get(int fd)
{
	struct fdrec *rec = fdtable_find(fd), *expected = NULL;
	long mapped;

	if (rec || (unsigned)fd >= FDTABLE_CHUNKS << FDTABLE_CHUNK_BITS)
		return rec;
	mapped = sys_call(SYS_mmap, 0, CHUNK_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapped < 0 && mapped > -4096)
		return NULL;
	/* Pairs with fdtable_find's acquire: a published chunk is seen zeroed. */
	if (!cas_acq_rel(&fdtable_chunk[(unsigned)fd >> FDTABLE_CHUNK_BITS], &expected,
			 (struct fdrec *)mapped))
		sys_call(SYS_munmap, mapped, CHUNK_BYTES, 0, 0, 0, 0);
	return fdtable_find(fd);
}

void fdtable_next_epoch(void)
{
	fd_tags.epoch++;
	fd_tags.quiet = fd_tags.epoch << 4 | FD_QUIET;
	fd_tags.ignored = fd_tags.epoch << 4 | FD_NOT_SOCKET;
	fd_tags.other_socket = fd_tags.epoch << 4 | FD_OTHER_SOCKET;
	fd_tags.epoll = fd_tags.epoch << 4 | FD_EPOLL;
}

int fdtable_end(void)
{
	int chunk = FDTABLE_CHUNKS;

	while (chunk > 0 && !load_acquire(&fdtable_chunk[chunk - 1]))
		chunk--;
	return chunk << FDTABLE_CHUNK_BITS;
}
