/* SPDX-License-Identifier: MIT */
/*
 * Prototypes of the exported wrappers, from the table, so that a wrapper whose type differs from
 * its row (or from libc's header) does not compile. Each wrapper is: find the record, leave by
 * the real call if there is nothing to see, else real call, observe, return exactly what the
 * real call returned.
 */
#ifndef UNSPIN_HOOKS_H
#define UNSPIN_HOOKS_H

#include "guard.h"
#include "real.h"

#define SYM(class, ret, name, params, args, raw) EXPORT ret name params;
#include "symbols.def"

/* gcc wants an alias to have its target's attributes (from libc's header); clang has no such word. */
#if defined(__has_attribute) && __has_attribute(copy)
#define SAME_ATTRIBUTES(name) , copy(name)
#else
#define SAME_ATTRIBUTES(name)
#endif

/* A public second name: the same code under another symbol. */
#define HOOK_ALIAS(name, alias_name) \
	EXPORT __typeof__(name) alias_name __attribute__((alias(#name) SAME_ATTRIBUTES(name)))

#endif
