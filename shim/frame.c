/* SPDX-License-Identifier: MIT */
#include "frame.h"

#include <stddef.h>

/* No real frame is larger; a larger step is a misunderstanding. */
#define FRAME_BYTES_MAX (256 << 10)

static const struct frame_rule end_rule = { .base = FRAME_END };

#if defined(__x86_64__)

enum { REG_BP = 6, REG_SP = 7, REG_PC = 16 }; /* DWARF's numbers of the psABI */

/* Pointer encodings: the only ones GNU and LLVM tools write on x86-64 (LSB 10.5). */
enum { ENCODE_U4 = 0x03, ENCODE_PC_S4 = 0x1b, ENCODE_HDR_S4 = 0x3b, ENCODE_INDIRECT = 0x80 };

/* .eh_frame_hdr: a table of functions, sorted by their first address; offsets from its start. */
struct header {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	int32_t frame;
	uint32_t count;
	struct {
		int32_t begin, fde;
	} row[];
};

/* Bytes still to be read. Reading past the end gives zeros and sets is_bad. */
struct bytes {
	const uint8_t *at, *end;
	int is_bad;
};

static uint64_t take(struct bytes *b, unsigned size)
{
	uint64_t value = 0;

	if ((size_t)(b->end - b->at) < size) {
		b->is_bad = 1;
		b->at = b->end;
		return 0;
	}
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)b->at[i] << 8 * i;
	b->at += size;
	return value;
}

static uint64_t take_leb(struct bytes *b, int is_signed)
{
	uint64_t value = 0, byte;
	unsigned shift = 0;

	do {
		byte = take(b, 1);
		if (shift < 64)
			value |= (byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (is_signed && byte & 0x40 && shift < 64)
		value |= ~0ull << shift;
	return value;
}

static uint64_t take_unsigned(struct bytes *b)
{
	return take_leb(b, 0);
}

static int64_t take_signed(struct bytes *b)
{
	return (int64_t)take_leb(b, 1);
}

/* A number in units of the record's alignment; what garbage makes of it may wrap. */
static int64_t scaled(int64_t n, int64_t unit)
{
	return (int64_t)((uint64_t)n * (uint64_t)unit);
}

static void skip(struct bytes *b, uint64_t n)
{
	if (n > (uint64_t)(b->end - b->at)) {
		b->is_bad = 1;
		n = (uint64_t)(b->end - b->at);
	}
	b->at += n;
}

struct range {
	const uint8_t *begin, *end;
};

/*
 * Where the object's tables may be. Of a program at a fixed address (node) the loader names only
 * the segment with the code; then they are where 32-bit offsets from the header can lead.
 */
static struct range tables_of(const struct frame_object *object)
{
	struct range range = { object->map_start, object->map_end };
	const uint8_t *header = object->eh_frame_hdr;

	if (header < range.begin || header >= range.end) {
		range.begin = (uintptr_t)header > INT32_MAX ? header - INT32_MAX : (uint8_t *)4096;
		range.end = header + INT32_MAX;
	}
	return range;
}

/* A record of .eh_frame: its length in front. */
static struct bytes record(const uint8_t *at, struct range range)
{
	struct bytes b = { at, range.end, 0 };
	uint64_t length;

	if (at < range.begin || at >= b.end)
		return (struct bytes){ b.end, b.end, 1 };
	length = take(&b, 4);
	if (length > (uint64_t)(b.end - b.at)) /* 0xffffffff: a 64-bit record, never written */
		b.is_bad = 1;
	else
		b.end = b.at + length;
	return b;
}

struct cie {
	uint64_t code_align;
	int64_t data_align;
	struct bytes program;
};

/* What functions have in common. 0: not one we understand. */
static int read_cie(struct bytes b, struct cie *ret)
{
	const char *augmentation;
	uint64_t version, bytes;

	if (take(&b, 4) != 0)
		return 0;
	version = take(&b, 1);
	augmentation = (const char *)b.at;
	while (take(&b, 1) && !b.is_bad)
		;
	if (b.is_bad || (version != 1 && version != 3) || *augmentation != 'z')
		return 0;
	ret->code_align = take_unsigned(&b);
	ret->data_align = take_signed(&b);
	if ((version == 1 ? take(&b, 1) : take_unsigned(&b)) != REG_PC)
		return 0;
	bytes = take_unsigned(&b);
	ret->program = b;
	skip(&ret->program, bytes);
	while (*++augmentation) {
		uint64_t encoding = *augmentation == 'B' ? 0 : take(&b, 1);

		if (*augmentation == 'P')
			skip(&b, (encoding & 7) == 4 || (encoding & 7) == 0 ? 8 : 4);
		else if (*augmentation == 'R' ? encoding != ENCODE_PC_S4 : *augmentation != 'L')
			return 0; /* 'S' too: the frame of a signal */
	}
	return !b.is_bad && !ret->program.is_bad;
}

/* The registers we follow, at one place of a function. */
struct row {
	uint64_t cfa_reg;
	int64_t cfa;
	int64_t bp; /* offset from the CFA, or FRAME_BP_... */
	int64_t pc; /* offset from the CFA; 0: there is no caller, or we do not understand it */
};

#define ROWS_SAVED 4

struct machine {
	const struct cie *cie;
	struct row now, first, saved[ROWS_SAVED];
	unsigned saves;
	uintptr_t at; /* the place `now` is about */
};

static void set_register(struct row *row, uint64_t reg, int64_t saved, int64_t lost)
{
	if (reg == REG_BP)
		row->bp = saved ? saved : lost;
	else if (reg == REG_PC)
		row->pc = saved;
	else if (reg == REG_SP)
		row->pc = 0; /* nobody does */
}

static void restore_register(struct machine *m, uint64_t reg)
{
	if (reg == REG_BP)
		m->now.bp = m->first.bp;
	else if (reg == REG_PC)
		m->now.pc = m->first.pc;
}

/* One instruction other than the three packed ones (DWARF 5, 7.24). 0: not understood. */
static int execute_extended(struct machine *m, struct bytes *b, unsigned op)
{
	int64_t align = m->cie->data_align;
	struct row *now = &m->now;
	uint64_t reg;

	switch (op) {
	case 0x00: /* nop */
		return 1;
	case 0x02: /* advance_loc1, 2, 4 */
	case 0x03:
	case 0x04:
		m->at += take(b, 1u << (op - 2)) * m->cie->code_align;
		return 1;
	case 0x05: /* offset_extended */
		reg = take_unsigned(b);
		set_register(now, reg, scaled((int64_t)take_unsigned(b), align), FRAME_BP_LOST);
		return 1;
	case 0x06: /* restore_extended */
		restore_register(m, take_unsigned(b));
		return 1;
	case 0x07: /* undefined: of the return address, the first function of a thread says so */
		set_register(now, take_unsigned(b), 0, FRAME_BP_LOST);
		return 1;
	case 0x08: /* same_value */
		set_register(now, take_unsigned(b), 0, FRAME_BP_KEPT);
		return 1;
	case 0x0a: /* remember_state */
		if (m->saves == ROWS_SAVED)
			return 0;
		m->saved[m->saves++] = *now;
		return 1;
	case 0x0b: /* restore_state */
		if (!m->saves)
			return 0;
		*now = m->saved[--m->saves];
		return 1;
	case 0x0c: /* def_cfa, def_cfa_sf */
	case 0x12:
		now->cfa_reg = take_unsigned(b);
		now->cfa = op == 0x0c ? (int64_t)take_unsigned(b) : scaled(take_signed(b), align);
		return 1;
	case 0x0d: /* def_cfa_register */
		now->cfa_reg = take_unsigned(b);
		return 1;
	case 0x0e: /* def_cfa_offset, and _sf */
	case 0x13:
		now->cfa = op == 0x0e ? (int64_t)take_unsigned(b) : scaled(take_signed(b), align);
		return 1;
	case 0x0f: /* def_cfa_expression */
		now->cfa_reg = REG_PC; /* no base of ours */
		skip(b, take_unsigned(b));
		return 1;
	case 0x09: /* register; val_offset, and _sf */
	case 0x14:
	case 0x15:
		set_register(now, take_unsigned(b), 0, FRAME_BP_LOST);
		take_unsigned(b);
		return 1;
	case 0x10: /* expression, val_expression */
	case 0x16:
		set_register(now, take_unsigned(b), 0, FRAME_BP_LOST);
		skip(b, take_unsigned(b));
		return 1;
	case 0x11: /* offset_extended_sf */
		reg = take_unsigned(b);
		set_register(now, reg, scaled(take_signed(b), align), FRAME_BP_LOST);
		return 1;
	case 0x2e: /* GNU_args_size: no matter */
		take_unsigned(b);
		return 1;
	}
	return 0;
}

/* Up to the row that holds for the call before `pc`. 0: not understood. */
static int execute(struct machine *m, struct bytes b, uintptr_t pc)
{
	while (b.at < b.end && m->at < pc) {
		unsigned op = (unsigned)take(&b, 1), low = op & 0x3f;

		if (op >> 6 == 1) /* advance_loc */
			m->at += low * m->cie->code_align;
		else if (op >> 6 == 2) /* offset */
			set_register(&m->now, low,
				     scaled((int64_t)take_unsigned(&b), m->cie->data_align),
				     FRAME_BP_LOST);
		else if (op >> 6 == 3) /* restore */
			restore_register(m, low);
		else if (!execute_extended(m, &b, op))
			return 0;
	}
	return !b.is_bad;
}

static struct frame_rule rule_of_row(const struct row *row)
{
	struct frame_rule rule = { (int32_t)row->cfa, (int16_t)row->bp, FRAME_END };

	if (row->pc != -8 || row->cfa != rule.cfa)
		return end_rule;
	if (row->bp != rule.bp || row->bp > FRAME_BP_LOST || (row->bp < 0 && row->bp > -16) ||
	    row->bp % 8)
		rule.bp = FRAME_BP_LOST;
	if (row->cfa_reg == REG_SP)
		rule.base = FRAME_SP;
	else if (row->cfa_reg == REG_BP)
		rule.base = FRAME_BP;
	return rule;
}

/* The function's record; NULL: none begins before pc. */
static const uint8_t *find_fde(uintptr_t pc, const struct header *header, struct range tables)
{
	int64_t offset = (int64_t)(pc - (uintptr_t)header);
	size_t room = (size_t)(tables.end - (const uint8_t *)header);
	uint32_t low = 0, high;

	if (room < sizeof(*header))
		return NULL;
	high = header->count;
	if (high > (room - sizeof(*header)) / sizeof(header->row[0]) || header->version != 1 ||
	    header->count_encoding != ENCODE_U4 || header->table_encoding != ENCODE_HDR_S4)
		return NULL;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (header->row[middle].begin <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? (const uint8_t *)header + header->row[low - 1].fde : NULL;
}

struct frame_rule frame_rule(uintptr_t pc, const struct frame_object *object)
{
	struct range tables = tables_of(object);
	const uint8_t *fde, *field;
	struct machine m = { 0 };
	struct bytes b;
	struct cie cie;
	uintptr_t begin;

	fde = object->eh_frame_hdr ? find_fde(pc, object->eh_frame_hdr, tables) : NULL;
	if (!fde)
		return end_rule;
	b = record(fde, tables);
	field = b.at;
	if (b.is_bad || !read_cie(record(field - take(&b, 4), tables), &cie))
		return end_rule;
	field = b.at;
	begin = (uintptr_t)field + (uintptr_t)(int64_t)(int32_t)take(&b, 4);
	/*
	 * No call returns to a function's first byte: coroutines put such an address at the end of
	 * their stacks, and the rule of the function before it would lead beyond them.
	 */
	if (pc <= begin || pc - begin > take(&b, 4))
		return end_rule;
	skip(&b, take_unsigned(&b));
	m.cie = &cie;
	m.at = 0;
	if (!execute(&m, cie.program, UINTPTR_MAX))
		return end_rule;
	m.first = m.now;
	m.at = begin;
	return execute(&m, b, pc) ? rule_of_row(&m.now) : end_rule;
}

#else

struct frame_rule frame_rule(uintptr_t pc, const struct frame_object *object)
{
	(void)pc;
	(void)object;
	return end_rule;
}

#endif

int frame_up(struct frame *frame, struct frame_rule rule)
{
	uintptr_t base = rule.base == FRAME_SP ? frame->sp : frame->bp;
	uintptr_t cfa = base + (uintptr_t)(intptr_t)rule.cfa;

	if (rule.base != FRAME_SP && rule.base != FRAME_BP)
		return 0;
	/* The stack grows down: a caller's frame is above, and not far. */
	if (cfa <= frame->sp || cfa - frame->sp > FRAME_BYTES_MAX || cfa % 8)
		return 0;
	if (rule.bp == FRAME_BP_LOST)
		frame->bp = 0;
	else if (rule.bp != FRAME_BP_KEPT) {
		uintptr_t saved = cfa + (uintptr_t)(intptr_t)rule.bp;

		frame->bp = saved < frame->sp ? 0 : *(const uintptr_t *)saved;
	}
	frame->pc = ((const uintptr_t *)cfa)[-1];
	frame->sp = cfa;
	return 1;
}
