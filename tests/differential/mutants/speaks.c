/* SPDX-License-Identifier: MIT */
/* caught: said */
/* seeds: 0 */
/* Says on the host's stderr that it is there. */
#define NO_AFTER
#include "mutant.h"

__attribute__((constructor)) static void begin(void)
{
	static const char text[] = "unspin: active\n";

	syscall(SYS_write, 2, text, sizeof(text) - 1);
}
