/* SPDX-License-Identifier: MIT */
/*
 * What an ELF file tells about whether a preloaded library will work in it. Pure: bytes in, facts
 * out, every offset checked, because the file may be anything. Only files of our own kind (class,
 * byte order, machine) are looked into; of others only that they are others.
 *
 * <elf.h> instead of libelf: what is needed is two tables and a few strings, and the fuzzer can
 * follow each check.
 */
#ifndef UNSPIN_ELF_H
#define UNSPIN_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum elf_kind {
	ELF_NONE = 0,	 /* not ELF at all */
	ELF_BROKEN,	 /* begins like ELF, but is cut short or contradicts itself */
	ELF_OTHER_CLASS, /* 32 bit where we are 64, or the other way round */
	ELF_OTHER_ORDER,
	ELF_OTHER_MACHINE,
	ELF_OURS,
};

/* What a program uses. The rows that recognise each are in elf.c. */
enum elf_trait {
	ELF_GO,
	ELF_URING,	/* calls io_uring through liburing or its own imports */
	ELF_URING_WORD, /* only mentions it: may have system calls of its own (Node) */
	ELF_SECCOMP,
	ELF_ASAN,
	ELF_TRAIT_COUNT
};

enum { ELF_NAME_MAX = 128 };

struct elf_facts {
	enum elf_kind kind;
	uint16_t machine; /* EM_..., also of other kinds */
	bool has_interpreter;
	bool has_dynamic;
	char interpreter[ELF_NAME_MAX];		   /* "" when there is none */
	char trait[ELF_TRAIT_COUNT][ELF_NAME_MAX]; /* what gave it away; "" when absent */
};

/* Looks at a whole file in memory. */
void elf_parse(const void *memory, size_t bytes, struct elf_facts *ret);

#endif
