/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "scene.h"

void crowd_begin(struct crowd *crowd, const struct scene_plan *s, int is_nonblocking)
{
	memset(crowd, 0, sizeof(*crowd));
	crowd->scene = s;
	crowd->is_nonblocking = is_nonblocking;
	crowd->next = s->first;
	for (uint32_t n = 0; n < s->count; n++)
		crowd->to_accept += plan.conn[s->first + n].kind == KIND_ACCEPT;
	crowd->listener = conn_listen(plan.conn[s->first].scene, is_nonblocking);
}

void crowd_begin_full(struct crowd *crowd, const struct scene_plan *s, struct scene_plan *wide)
{
	*wide = *s;
	wide->width = s->count;
	crowd_begin(crowd, wide, 1);
	while (crowd->count < wide->count)
		if (!crowd_more(crowd))
			sleep_us(300);
}

struct conn *crowd_more(struct crowd *crowd)
{
	const struct scene_plan *s = crowd->scene;
	struct conn *c = NULL;

	if (crowd->count >= s->width)
		return NULL;
	while (crowd->next < s->first + s->count && plan.conn[crowd->next].kind == KIND_ACCEPT)
		crowd->next++;
	if (crowd->next < s->first + s->count) {
		c = conn_open(crowd->next++, crowd->is_nonblocking);
	} else if (crowd->to_accept) {
		c = conn_accept(crowd->listener, crowd->is_nonblocking);
		crowd->to_accept -= c != NULL;
	}
	if (c)
		crowd->open[crowd->count++] = c;
	return c;
}

void crowd_drop(struct crowd *crowd, uint32_t i)
{
	crowd->open[i] = crowd->open[--crowd->count];
}

int crowd_is_over(const struct crowd *crowd)
{
	return !crowd->count && !crowd->to_accept &&
	       crowd->next >= crowd->scene->first + crowd->scene->count;
}

void crowd_end(struct crowd *crowd)
{
	call_close(crowd->listener, crowd->scene->draw);
}

void scene_thread(pthread_t *ret_thread, void *(*start)(void *), void *argument)
{
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 262144);
	MUST(pthread_create(ret_thread, &small, start, argument) == 0);
	pthread_attr_destroy(&small);
}
