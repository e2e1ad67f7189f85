/* SPDX-License-Identifier: MIT */
/* caught: wait-early */
/* seeds: 1 2 3 */
/* Cuts a wait short and says that nothing happened. */
#define NO_AFTER
#include "mutant.h"

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	return REAL(epoll_wait)(epfd, events, max, timeout > 5 ? timeout / 2 : timeout);
}
