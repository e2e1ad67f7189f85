/* SPDX-License-Identifier: MIT */
/*
 * Uses sockets from .preinit_array, goes on with them in main, and keeps a thread writing across
 * the shim's constructor. The shim sees what comes after its constructor.
 */
#include "ct_early.h"

static int across[2];
static uint64_t thread_writes;
static int is_over;

static void *write_across(void *unused)
{
	(void)unused;
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		MUST(write(across[0], "a", 1) == 1);
		thread_writes++;
	}
	return NULL;
}

static void *read_across(void *unused)
{
	char buffer[4096];
	ssize_t n;
	uint64_t got = 0;

	(void)unused;
	while ((n = read(across[1], buffer, sizeof(buffer))) > 0)
		got += (uint64_t)n;
	return (void *)got;
}

static pthread_t writer, reader;

static void preinit(void)
{
	early_calls();
	early_open();
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, across) == 0);
	MUST(pthread_create(&writer, NULL, write_across, NULL) == 0);
	MUST(pthread_create(&reader, NULL, read_across, NULL) == 0);
}

__attribute__((section(".preinit_array"), used)) static void (*early)(void) = preinit;

int main(void)
{
	void *got;

	early_calls();
	/* The writing thread is the one that makes the statistics file, about now; what others do
	 * in that millisecond is not counted. */
	sleep_us(50000);
	late_use();
	sleep_us(20000);
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	close(across[0]);
	pthread_join(reader, &got);
	MUST((uint64_t)got == thread_writes);
	fact("late_fd", (uint64_t)early_pair[0]);
	fact("across_fd", (uint64_t)across[0]);
	fact("across_writes", thread_writes);
	return 0;
}
