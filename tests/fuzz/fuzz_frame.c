/* SPDX-License-Identifier: MIT */
/* needs: shim/frame.c */
/*
 * The reader of .eh_frame walks tables of whatever is mapped in the host. What it may rely on is
 * what _dl_find_object says, and the harness keeps that: the object has a beginning and an end, its
 * header lies inside, aligned, and so does the address asked for. (Of programs at a fixed address
 * the loader names less than the tables; then there is no end to keep to, here either.) All else is
 * the input's: it is laid over (xor) a sound object, so that an input of zeros has a rule and small
 * changes go deep.
 *
 * The rule found is then followed on a stack of which only the part a step may reach is there.
 */
#include "shim/frame.h"

#include <stdlib.h>
#include <string.h>

#define STACK_BYTES (256 << 10) /* a step is no longer, frame.c */

/* What the input begins with; the object follows. */
struct choice {
	uint16_t pc;	 /* offset in the object */
	uint16_t header; /* likewise, in words */
	uint32_t bp;	 /* offset in the stack */
};

/* Offsets of the sound object, and its one function. */
enum { HEADER = 0, CIE = 20, FDE = 44, CODE = 96, BYTES = 160 };

static const uint8_t sound[BYTES] = {
	/* version, encodings, the section, one row: where the function begins, its record */
	[HEADER] = 1, 0x1b, 0x03, 0x3b, CIE - 4, 0, 0, 0, 1, 0, 0, 0, CODE, 0, 0, 0, FDE, 0, 0, 0,
	/* length, 0, version, "zR", alignments 1 and -8, register 16, encoding; CFA = rsp + 8 */
	[CIE] = 20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1,
	/* length, back to the CIE, begin, bytes, no augmentation */
	[FDE] = 48, 0, 0, 0, FDE + 4 - CIE, 0, 0, 0, CODE - FDE - 8, 0, 0, 0, 64, 0, 0, 0, 0,
	/* push %rbp; mov; remember, leave, restore; another register */
	0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 20, 0x0a, 0xc6, 0x0c, 7, 8, 0x41, 0x0b,
	0x11, 6, 0x7e, 0x13, 0x70, 0x07, 3, 0x10, 3, 1, 0x70, 0x2e, 8,
};

static void follow(struct frame_rule rule, uint32_t bp)
{
	static uint64_t *stack; /* of malloc: a byte before it is seen too */
	struct frame frame;

	if (!stack)
		stack = calloc(1, STACK_BYTES);
	if (!stack)
		return;
	frame = (struct frame){ 1, (uintptr_t)stack, (uintptr_t)stack + bp % STACK_BYTES };
	if (rule.base == FRAME_UNKNOWN) /* what a free place of site.c's table says */
		abort();
	if (!frame_up(&frame, rule))
		return;
	if (frame.sp <= (uintptr_t)stack || frame.sp > (uintptr_t)stack + STACK_BYTES)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_object facts = { 0 };
	struct choice choice;
	uint8_t *object;

	if (size <= sizeof(choice))
		return 0;
	memcpy(&choice, data, sizeof(choice));
	data += sizeof(choice);
	size -= sizeof(choice);
	/* Of its own and of exactly this size: a byte beyond is seen. */
	object = malloc(size);
	if (!object)
		return 0;
	for (size_t i = 0; i < size; i++)
		object[i] = data[i] ^ (i < BYTES ? sound[i] : 0);
	facts.map_start = object;
	facts.map_end = object + size;
	facts.eh_frame_hdr = object + choice.header * 4u % size / 4 * 4;
	follow(frame_rule((uintptr_t)object + (CODE + 1u + choice.pc) % size, &facts), choice.bp);
	free(object);
	return 0;
}
