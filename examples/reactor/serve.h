/* SPDX-License-Identifier: MIT */
/*
 * What several architectures do alike with one connection: the ways to write a response, and the
 * rounds of reading, answering and writing around them.
 */
#ifndef REACTOR_SERVE_H
#define REACTOR_SERVE_H

#include "loop.h"

/*
 * How to write c->response. 0: it is out; -EAGAIN: the rest is kept; other -errno: broken.
 * conn_write_once is one.
 */
typedef int serve_write(struct worker *w, struct conn *c);

/* Over and over until the response is out, whatever it costs: the write-spin. -EAGAIN only where
 * the server stops. With a blocking socket the first write() is the only one. */
int serve_write_spinning(struct worker *w, struct conn *c);

/* As long as the socket takes something, but --max-writes times at most: Netty's rule. */
int serve_write_bounded(struct worker *w, struct conn *c);

/* Read once and answer everything it asks for, spinning. 0: wait for input; negative: close. */
int serve_spinning(struct worker *w, struct conn *c);

/* Answer all that the input at hand asks for, a response under way first. 0: read on; -EAGAIN: a
 * rest is kept, and maybe input for conn_keep_input; other negative: close. */
int serve_answers(struct worker *w, struct conn *c, serve_write *write_response);

/* An event on c, which waits level-triggered for input or, with a rest kept, for room. 0: go on;
 * negative: close. */
int serve_waiting(struct loop *loop, struct conn *c, serve_write *write_response);

#endif
