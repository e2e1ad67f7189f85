/* SPDX-License-Identifier: MIT */
/* The program under test, in a process of its own, with or without the shim. Does not return. */
#ifndef DIFFERENTIAL_HOST_H
#define DIFFERENTIAL_HOST_H

#include <stdint.h>

void host_main(uint64_t seed, int only) __attribute__((noreturn));

#endif
