/* SPDX-License-Identifier: MIT */
/*
 * What a request means: /bytes/N, /stats, or a file below --root.
 */
#ifndef REACTOR_ROUTE_H
#define REACTOR_ROUTE_H

#include "response.h"

struct server;

/*
 * The answer to what the parser returned (not HTTP_MORE). 0 or -ENOMEM. Any thread. The caller
 * gives it back with response_put, which ends every use of its bytes.
 */
int route_request(struct server *srv, enum http_result result, const struct http_request *request,
		  struct response **ret_response);

#endif
