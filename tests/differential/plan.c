/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <stdio.h>
#include <string.h>

#include "chance.h"

static const struct {
	const char *name;
	uint32_t low, high, threads;
	const char *help;
} kinds[] = {
#define SCENE(name, low, high, threads, help) { #name, low, high, threads, help },
	SCENES(SCENE)
#undef SCENE
};

const char *plan_scene_name(int kind)
{
	return kinds[kind].name;
}

int plan_scene_kind(const char *name)
{
	for (int k = 0; k < SCENE_KINDS; k++)
		if (!strcmp(name, kinds[k].name))
			return k;
	return -1;
}

static uint64_t response_size(uint64_t draw, int may_be_large)
{
	switch (chance_below(draw, 10)) {
	case 0:
		return chance_range(draw, 1, 64);
	case 1:
	case 2:
		return chance_range(draw, 100, 20000);
	case 3:
	case 4:
	case 5:
		return chance_range(draw, 20000, 200000);
	case 9:
		if (may_be_large)
			return chance_range(draw, 1000000, 3500000);
		/* fall through */
	default:
		return chance_range(draw, 100000, 600000);
	}
}

static void draw_sizes(struct conn_plan *c, uint64_t *at)
{
	c->rounds = chance_range(chance_next(at), 1, MAX_ROUNDS);
	c->request_bytes = chance_range(chance_next(at), 1, 300);
	c->is_pipelined = chance_below(chance_next(at), 3) == 0;
	for (uint32_t r = 0; r < c->rounds; r++)
		c->total += c->response[r] = response_size(chance_next(at), r == 0);
	c->chunking = (uint8_t)chance_below(chance_next(at), 3);
	c->uses_one_op = chance_below(chance_next(at), 3) != 0;
}

/* A small receive buffer hands out less than a read asks for. */
static uint32_t reads_needed(const struct conn_plan *c)
{
	uint32_t half = (uint32_t)c->rcvbuf / 2;

	return (uint32_t)(c->total / (half && half < c->read_bytes ? half : c->read_bytes)) + 1;
}

/* A pace at which reading all of it takes 0 or 10 … 120 ms, apart from pauses. */
static void draw_pace(struct conn_plan *c, uint64_t *at)
{
	uint32_t target_ms = chance_range(chance_next(at), 10, 120);

	c->read_bytes = chance_range(chance_next(at), 4096, 131072);
	if (chance_below(chance_next(at), 3) == 0)
		c->read_bytes = chance_range(chance_next(at), 1, 3000);
	if (c->read_bytes < c->total / 400)
		c->read_bytes = (uint32_t)(c->total / 400);
	if (chance_below(chance_next(at), 2))
		c->read_sleep_us = target_ms * 1000 / reads_needed(c);
	if (chance_below(chance_next(at), 3) == 0) {
		c->pause_at = chance_next(at) % (c->total + 1);
		c->pause_ms = chance_range(chance_next(at), 5, 90);
	}
}

static void draw_ends(struct conn_plan *c, uint64_t *at)
{
	static const uint8_t ends[] = {
		END_READS, END_READS, END_READS,  END_READS,  END_HALF,
		END_HALF,  END_READS, END_CLOSES, END_RESETS, END_VANISHES
	};

	c->peer_end = ends[chance_below(chance_next(at), sizeof(ends))];
	c->host_end = (uint8_t)chance_below(chance_next(at), HOST_ENDS);
	c->end_at = chance_next(at) % (c->total + 1);
	/* Lingering ends at the peer's end, which must then come by itself. */
	if (c->host_end == HOST_LINGERS && c->peer_end != END_READS && c->peer_end != END_HALF)
		c->host_end = HOST_CLOSES;
}

static void draw_sockets(struct conn_plan *c, uint64_t *at)
{
	static const uint8_t ways[] = { KIND_ACCEPT, KIND_ACCEPT, KIND_ACCEPT, KIND_ACCEPT,
					KIND_ACCEPT, KIND_ACCEPT, KIND_DIAL,   KIND_DIAL,
					KIND_PAIR,   KIND_PIPE };

	c->kind = ways[chance_below(chance_next(at), sizeof(ways))];
	if (chance_below(chance_next(at), 5))
		c->maxseg =
			1448; /* as over Ethernet: default buffers are then small enough to stall */
	if (chance_below(chance_next(at), 5) < 2)
		c->sndbuf = (int)chance_range(chance_next(at), 1, 65536);
	if (chance_below(chance_next(at), 2))
		c->rcvbuf = (int)chance_range(chance_next(at), 4000, 40000);
	if (!c->maxseg)
		c->rcvbuf = 0; /* 64 KB segments into a 4 KB window crawl at the pace of timers */
	c->uses_dup = chance_below(chance_next(at), 4) == 0;
	if (c->kind == KIND_PIPE) { /* one way: no requests, no shutdown, no reset */
		c->request_bytes = 0;
		if (c->host_end == HOST_LINGERS)
			c->host_end = HOST_CLOSES;
		if (c->peer_end == END_HALF || c->peer_end == END_RESETS)
			c->peer_end = END_READS;
	}
}

/* What a scene's style asks of its connections. */
static void suit_scene(struct conn_plan *c, const struct scene_plan *s)
{
	uint32_t nth = c->id - s->first;

	if (s->kind == SCENE_chop) {
		c->kind = KIND_ACCEPT;
		c->request_bytes = 0;
		c->uses_dup = 0;
		/* Even ones are victims, whose peer reads nothing before the stroke; odd ones
		 * heirs. */
		c->is_frozen = nth % 2 == 0;
		c->uses_one_op &= !c->is_frozen;
		c->peer_end = c->is_frozen ? END_VANISHES : END_READS;
		c->end_at = 0;
		c->host_end = HOST_CLOSES;
		if (c->is_frozen) {
			c->rounds = 1;
			c->total = c->response[0] = chance_range(c->draw, 3000000, 6000000);
			c->read_bytes = 65536;
			c->read_sleep_us = 0;
			c->rcvbuf = 32768;
		}
	} else if (s->kind == SCENE_bell) {
		c->kind = c->kind == KIND_DIAL ? KIND_DIAL : KIND_ACCEPT;
		c->uses_dup = 0;
		c->takes_blocks = nth % 2 == 0;
		if (nth %
		    2) { /* the bells: only handlers write them, as long as their thread works */
			c->request_bytes = 0;
			c->rounds = 1;
			c->total = c->response[0] = c->total % 60000 + 1;
			c->end_at %= c->total + 1;
		} else { /* and those must take long enough to be rung at */
			c->sndbuf = 8192;
			c->read_sleep_us = 60000 / reads_needed(c);
		}
	} else if (s->kind == SCENE_fork) {
		c->kind = KIND_ACCEPT;
		c->uses_dup = 0;
		c->host_end = HOST_CLOSES;
		c->peer_end = c->peer_end == END_HALF ? END_HALF : END_READS;
	} else if (s->kind == SCENE_udp) {
		c->kind = KIND_UDP;
		c->peer_end = END_READS;
		c->host_end = HOST_CLOSES;
	}
}

static void draw_conn(struct plan *p, struct scene_plan *s, uint32_t scene)
{
	struct conn_plan *c = &p->conn[p->conns];
	uint64_t at = chance(s->draw, p->conns);

	c->id = p->conns++;
	c->scene = scene;
	c->style = s->kind;
	c->draw = chance_next(&at);
	draw_sizes(c, &at);
	draw_ends(c, &at);
	draw_sockets(c, &at);
	draw_pace(c, &at);
	suit_scene(c, s);
}

static void draw_scene(struct plan *p, int kind, uint64_t draw)
{
	struct scene_plan *s = &p->scene[p->scenes];
	uint32_t count = chance_range(draw, kinds[kind].low, kinds[kind].high);

	if (p->conns + count > MAX_CONNS)
		return;
	s->kind = (uint8_t)kind;
	s->draw = draw;
	s->first = p->conns;
	s->count = kind == SCENE_chop ? count & ~1u : count;
	s->threads = kinds[kind].threads;
	s->width = chance_range(chance(draw, 1), 2, s->count + 1);
	p->has_fork |= kind == SCENE_fork;
	p->has_signals |= kind == SCENE_bell;
	for (uint32_t n = 0; n < s->count; n++)
		draw_conn(p, s, p->scenes);
	p->scenes++;
}

void plan_make(struct plan *ret_plan, uint64_t seed, int only)
{
	struct plan *p = ret_plan;
	uint64_t at = chance(seed, 0x504c414e);
	uint32_t scenes = chance_range(chance_next(&at), 2, 3);

	memset(p, 0, sizeof(*p));
	p->seed = seed;
	p->exit_code = (int)chance_range(chance_next(&at), 0, 60);
	p->exits_by_thread = chance_below(chance_next(&at), 4) == 0;
	/* The first scene goes through all kinds as seeds count up, the others are drawn. */
	draw_scene(p, only >= 0 ? only : (int)(seed % SCENE_KINDS), chance_next(&at));
	for (uint32_t s = 1; s < scenes && only < 0; s++)
		draw_scene(p, (int)chance_below(chance_next(&at), SCENE_KINDS), chance_next(&at));
}

void plan_describe(const struct plan *p)
{
	static const char *const kind[] = { "accept", "dial", "pair", "pipe", "udp" };
	static const char *const end[] = { "reads", "half", "closes", "resets", "vanishes" };

	for (uint32_t s = 0; s < p->scenes; s++)
		printf("scene %u %s: connections %u-%u, %u at once\n", s,
		       plan_scene_name(p->scene[s].kind), p->scene[s].first,
		       p->scene[s].first + p->scene[s].count - 1, p->scene[s].width);
	for (uint32_t n = 0; n < p->conns; n++) {
		const struct conn_plan *c = &p->conn[n];

		printf("conn %u scene %u %s: %u rounds of %u, %llu bytes; sndbuf %d rcvbuf %d mss "
		       "%d; "
		       "reads %u each %u us, pause %u ms at %llu; peer %s at %llu; host end %u "
		       "chunks %u dup %u one_op %u\n",
		       n, c->scene, kind[c->kind], c->rounds, c->request_bytes,
		       (unsigned long long)c->total, c->sndbuf, c->rcvbuf, c->maxseg, c->read_bytes,
		       c->read_sleep_us, c->pause_ms, (unsigned long long)c->pause_at,
		       end[c->peer_end], (unsigned long long)c->end_at, c->host_end, c->chunking,
		       c->uses_dup, c->uses_one_op);
	}
}
