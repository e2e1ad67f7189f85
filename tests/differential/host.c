/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "board.h"
#include "call.h"
#include "monitor.h"
#include "pattern.h"
#include "scene.h"

static pthread_t scene_threads[MAX_SCENES];

static void run_scene(const struct scene_plan *s)
{
	switch (s->kind) {
#define SCENE(name, low, high, threads, help)                                                      \
	case SCENE_##name:                                                                         \
		scene_##name(s);                                                                   \
		break;
		SCENES(SCENE)
#undef SCENE
	}
}

static void *scene_main(void *argument)
{
	run_scene(argument);
	call_thread_end();
	return NULL;
}

/* What is open at the end must be what was open at the start: the test's own links. */
static void list_open(void)
{
	size_t used = 0;

	for (int fd = 0; fd < 1024; fd++)
		if (syscall(SYS_fcntl, fd, F_GETFD) >= 0 && used < sizeof(board->fds_at_end) - 8)
			used += (size_t)sprintf(board->fds_at_end + used, " %d", fd);
}

static void *last_thread(void *argument)
{
	(void)argument;
	for (uint32_t s = 0; s < plan.scenes; s++)
		pthread_join(scene_threads[s], NULL);
	call_thread_end();
	monitor_stop();
	list_open();
	exit(plan.exit_code);
}

void host_main(uint64_t seed, int only)
{
	pthread_t last;

	board_attach(BOARD_FD);
	ring_attach(RING_FD);
	plan_make(&plan, seed, only);
	bell_install();
	if (only < 0)
		scene_exact(seed);
	monitor_start();
	for (uint32_t s = 0; s < plan.scenes; s++)
		scene_thread(&scene_threads[s], scene_main, &plan.scene[s]);
	if (!plan.exits_by_thread)
		last_thread(NULL);
	scene_thread(&last, last_thread, NULL);
	pthread_exit(NULL);
}
