/* SPDX-License-Identifier: MIT */
/*
 * What the bytes are. One ring of random bytes, mapped twice in a row from a file, is the content
 * of every stream: stream s begins at its own place, so byte p of s is ring[(start(s) + p) mod
 * ring size]. Sending needs no copy, sendfile has a file, checking is a comparison, and a wrong
 * byte tells whose it was. No ring byte is above 0xef: those mark blocks (scene_signal.c).
 */
#ifndef DIFFERENTIAL_PATTERN_H
#define DIFFERENTIAL_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RING_BYTES	((size_t)2053 * 4096) /* a prime number of pages: no stream repeats early */
#define BLOCK_BYTES	64
#define IS_BLOCK(b)	((b) >= 0xf0)
#define REQUESTS_OF(id) ((id) + 1000u) /* the stream a peer sends to the host */

int ring_create(void);
void ring_attach(int fd); /* read-only: a library that writes to the host's buffers crashes */

/* RING_BYTES readable bytes of the stream from pos on. */
const uint8_t *pattern(uint32_t stream, uint64_t pos);

/* The same place in the ring's file; up to the file's end only *ret_room bytes are there. */
off_t pattern_file(uint32_t stream, uint64_t pos, size_t *ret_room);

/* -1 when buf is what the stream holds at pos, else the index of the first wrong byte. */
ssize_t pattern_check(uint32_t stream, uint64_t pos, const uint8_t *buf, size_t n);

/* Says in words where the wrong bytes come from. Slow. */
void pattern_explain(uint32_t stream, uint64_t pos, const uint8_t *wrong, size_t n, char *text,
		     size_t room);

/* The k-th block of a connection. */
void block_fill(uint32_t k, uint8_t block[BLOCK_BYTES]);

#endif
