/* SPDX-License-Identifier: MIT */
/*
 * One step up the stack, by the call frame information the compiler left in .eh_frame: what
 * libunwind does, cut down to what a guest may do. A rule depends on the return address alone, so
 * it is read once per address and kept (site.c).
 *
 * Understood are the frames compilers make (CFA = stack or frame pointer + constant, return
 * address below it). Whatever else is met ends the walk: expressions (PLT, realigned stacks),
 * signal frames, assembly or JIT code without information, the first function of a thread.
 *
 * Never allocates, locks or calls anything; 500 bytes of stack. Reads the object's tables and, in
 * frame_up(), two words of the stack between here and the caller's frame. x86-64; elsewhere every
 * walk ends at once.
 */
#ifndef UNSPIN_FRAME_H
#define UNSPIN_FRAME_H

#include <stdint.h>

/* The registers of one frame right after the call it made has returned. */
struct frame {
	uintptr_t pc; /* return address */
	uintptr_t sp;
	uintptr_t bp;
};

enum frame_base { FRAME_UNKNOWN = 0, FRAME_END, FRAME_SP, FRAME_BP };

#define FRAME_BP_KEPT 0 /* the function has left the caller's rbp in the register */
#define FRAME_BP_LOST 1

/* How to find the caller's frame: one 64-bit word, so that it is stored and loaded whole. */
struct frame_rule {
	int32_t cfa; /* CFA = base + cfa; the return address is in the word below it */
	int16_t bp;  /* the caller's rbp is at CFA + bp; or one of the two above */
	uint16_t base; /* enum frame_base */
};

/* What _dl_find_object (glibc 2.35) tells about a mapped object, as far as x86-64 has it. */
struct frame_object {
	unsigned long long flags;
	void *map_start, *map_end;
	void *link_map;
	void *eh_frame_hdr;
	unsigned long long reserved[7];
};

/* The rule for a return address inside the object; FRAME_END when there is none we understand. */
struct frame_rule frame_rule(uintptr_t pc, const struct frame_object *object);

/* Makes the caller's frame of it. 0: the walk ends here, and *frame is as it was. */
int frame_up(struct frame *frame, struct frame_rule rule);

#endif
