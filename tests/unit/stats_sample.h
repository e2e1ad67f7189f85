/* SPDX-License-Identifier: MIT */
/* A small, valid statistics file in memory for the tests of its readers to read and to spoil. */
#ifndef UNSPIN_STATS_SAMPLE_H
#define UNSPIN_STATS_SAMPLE_H

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "shim/config.h"
#include "shim/stats_layout.h"

enum { SAMPLE_ROWS = 4, SAMPLE_STARTED_NS = 1000000000, SAMPLE_MONOTONIC_NS = 5000 };

struct sample {
	unsigned char *memory; /* free() it */
	size_t bytes;
	struct stats_header *header;
	struct thread_row *threads; /* SAMPLE_ROWS of each kind, all free */
	struct socket_row *sockets;
	struct epoll_row *epolls;
	struct decision_row *decisions;
	struct class_row *classes;
};

static inline size_t sample_place(struct section *section, size_t at, size_t stride)
{
	at = (at + 63) & ~(size_t)63;
	*section = (struct section){ at, SAMPLE_ROWS, (uint32_t)stride };
	return at + SAMPLE_ROWS * stride;
}

static inline struct sample sample_make(void)
{
	struct section section[SECTION_COUNT];
	size_t at = sizeof(struct stats_header);
	struct sample s;

	at = sample_place(&section[SECTION_THREADS], at, sizeof(struct thread_row));
	at = sample_place(&section[SECTION_SOCKETS], at, sizeof(struct socket_row));
	at = sample_place(&section[SECTION_EPOLLS], at, sizeof(struct epoll_row));
	at = sample_place(&section[SECTION_DECISIONS], at, sizeof(struct decision_row));
	at = sample_place(&section[SECTION_CLASSES], at, sizeof(struct class_row));
	s.bytes = (at + 63) & ~(size_t)63;
	s.memory = aligned_alloc(64, s.bytes);
	memset(s.memory, 0, s.bytes);
	s.header = (void *)s.memory;
	s.threads = (void *)(s.memory + section[SECTION_THREADS].offset);
	s.sockets = (void *)(s.memory + section[SECTION_SOCKETS].offset);
	s.epolls = (void *)(s.memory + section[SECTION_EPOLLS].offset);
	s.decisions = (void *)(s.memory + section[SECTION_DECISIONS].offset);
	s.classes = (void *)(s.memory + section[SECTION_CLASSES].offset);
	memcpy(s.header->section, section, sizeof(section));
	s.header->magic = STATS_MAGIC;
	s.header->version = STATS_VERSION;
	s.header->header_bytes = sizeof(*s.header);
	s.header->file_bytes = s.bytes;
	s.header->pid = 42;
	s.header->mode = MODE_ADAPT;
	s.header->started_ns = SAMPLE_STARTED_NS;
	s.header->started_monotonic_ns = SAMPLE_MONOTONIC_NS;
	strcpy(s.header->exe, "/usr/sbin/server");
	s.header->total_count = TOTAL_COUNT;
	s.header->global_count = GLOBAL_COUNT;
	s.header->option_count = CONFIG_COUNT;
	for (unsigned i = 0; i < CONFIG_COUNT; i++)
		s.header->option_value[i] = config_rows[i].def;
	return s;
}

static inline struct thread_row *sample_thread(struct sample *s, unsigned n)
{
	s->threads[n].state = ROW_OPEN;
	s->threads[n].tid = 42 + (int)n;
	strcpy(s->threads[n].name, "main");
	return &s->threads[n];
}

/* A socket 10.0.0.1:80 with a peer 10.0.0.2:1000+n. */
static inline struct socket_row *sample_socket(struct sample *s, unsigned n)
{
	struct socket_row *row = &s->sockets[n];

	row->state = ROW_OPEN;
	row->fd = 10 + (int)n;
	row->kind = SOCKET_KIND_TCP;
	row->opened_ns = SAMPLE_MONOTONIC_NS + 500;
	row->local = (struct stats_addr){ .family = AF_INET, .port = 80, .ip = { 10, 0, 0, 1 } };
	row->peer = (struct stats_addr){ .family = AF_INET,
					 .port = (uint16_t)(1000 + n),
					 .ip = { 10, 0, 0, 2 } };
	return row;
}

#endif
