/* SPDX-License-Identifier: MIT */
/*
 * The original functions. `real.write(...)` is libc's (or the next preloaded library's) write.
 *
 * The table starts out filled with raw system calls, so a wrapper called before our constructor
 * (another library's constructor, the program's .preinit_array) works and needs no test for NULL
 * and no dlsym: dlsym takes the loader's lock and, before glibc 2.34, allocates. real_resolve()
 * replaces the entries once, in the constructor; afterwards they never change. A symbol the libc
 * does not have keeps its system call.
 *
 * Inside the library, never call an interposed function by its name: use real.x where the call
 * is the host's own, and shim/sys.h where it is ours.
 */
#ifndef UNSPIN_REAL_H
#define UNSPIN_REAL_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "atomic.h"

struct real {
#define SYM(class, ret, name, params, args, raw) ret(*name) params;
#include "symbols.def"
};

extern HIDDEN struct real real;

/* Looks every symbol up with dlsym(RTLD_NEXT). Constructor only. */
void real_resolve(void);

/*
 * glibc's _dl_find_object: the mapped object an address lies in, found without a lock; safe in
 * signal handlers. NULL before glibc 2.35 and before the constructor.
 */
struct frame_object;
extern int (*real_find_object)(void *address, struct frame_object *ret);

#endif
