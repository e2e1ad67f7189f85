/* SPDX-License-Identifier: MIT */
/* The headers cmocka wants, once. */
#ifndef UNSPIN_TEST_UNIT_H
#define UNSPIN_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#endif
