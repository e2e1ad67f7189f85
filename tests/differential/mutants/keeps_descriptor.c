/* SPDX-License-Identifier: MIT */
/* caught: fds lowest trace */
/* seeds: 0 1 */
/* Keeps a descriptor of its own: every number the host gets is another. */
#define NO_AFTER
#include "mutant.h"

__attribute__((constructor)) static void begin(void)
{
	(void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
}
