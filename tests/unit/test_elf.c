/* SPDX-License-Identifier: MIT */
/* needs: tools/elf.c */
#include "unit.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include "tools/elf.h"

static unsigned char *image;
static size_t image_bytes;
static struct elf_facts facts;

/* Reads this very test program: it is an ELF file of our kind, wherever we are built. */
static int load_own_image(void **unused)
{
	FILE *file = fopen("/proc/self/exe", "rb");
	long bytes;

	(void)unused;
	fseek(file, 0, SEEK_END);
	bytes = ftell(file);
	rewind(file);
	image = malloc((size_t)bytes);
	image_bytes = fread(image, 1, (size_t)bytes, file);
	fclose(file);
	return image_bytes == (size_t)bytes ? 0 : -1;
}

static int drop_image(void **unused)
{
	(void)unused;
	free(image);
	return 0;
}

/* Parses a copy of exactly this size, so that AddressSanitizer sees the first byte too far. */
static void parse(const void *memory, size_t bytes)
{
	unsigned char *copy = calloc(1, bytes ? bytes : 1);

	memcpy(copy, memory, bytes);
	elf_parse(copy, bytes, &facts);
	free(copy);
}

static void own_program_is_dynamic_and_of_our_kind(void **unused)
{
	(void)unused;
	parse(image, image_bytes);
	assert_int_equal(facts.kind, ELF_OURS);
	assert_true(facts.has_interpreter);
	assert_true(facts.has_dynamic);
	assert_non_null(strstr(facts.interpreter, "ld-"));
	assert_string_equal(facts.trait[ELF_GO], "");
	assert_string_equal(facts.trait[ELF_SECCOMP], "");
}

static void other_files_are_told_apart(void **unused)
{
	ElfW(Ehdr) header;

	(void)unused;
	parse("", 0);
	assert_int_equal(facts.kind, ELF_NONE);
	parse("#!/bin/sh\n", 10);
	assert_int_equal(facts.kind, ELF_NONE);
	parse(ELFMAG, SELFMAG);
	assert_int_equal(facts.kind, ELF_BROKEN);
	memcpy(&header, image, sizeof(header));
	header.e_machine = EM_MIPS;
	parse(&header, sizeof(header));
	assert_int_equal(facts.kind, ELF_OTHER_MACHINE);
	assert_int_equal(facts.machine, EM_MIPS);
	memcpy(&header, image, sizeof(header));
	header.e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
	parse(&header, sizeof(header));
	assert_int_equal(facts.kind, ELF_OTHER_CLASS);
	memcpy(&header, image, sizeof(header));
	header.e_ident[EI_DATA] ^= ELFDATA2LSB ^ ELFDATA2MSB;
	header.e_machine = __builtin_bswap16(header.e_machine);
	parse(&header, sizeof(header));
	assert_int_equal(facts.kind, ELF_OTHER_ORDER);
	memcpy(&header, image, sizeof(header));
	header.e_phnum = 0;
	parse(&header, sizeof(header));
	assert_int_equal(facts.kind, ELF_BROKEN);
}

static void go_shows_by_its_mark_only_behind_the_byte_ff(void **unused)
{
	/* The byte is put in front here, or this very program would look like a Go program. */
	static const unsigned char before[] = { 0xff, 'x' };
	static const char mark[] = " Go buildinf:";
	unsigned char *longer = malloc(image_bytes + 1 + sizeof(mark));

	(void)unused;
	memcpy(longer, image, image_bytes);
	memcpy(longer + image_bytes + 1, mark, sizeof(mark));
	for (unsigned i = 0; i < 2; i++) {
		longer[image_bytes] = before[i];
		parse(longer, image_bytes + 1 + sizeof(mark));
		assert_int_equal(facts.trait[ELF_GO][0] != '\0', i == 0);
	}
	free(longer);
}

/* A program as small as it gets: header, two segments, a note "Go". */
static void go_shows_by_its_build_id(void **unused)
{
	struct {
		ElfW(Ehdr) header;
		ElfW(Phdr) segment[1];
		ElfW(Nhdr) note;
		char owner[4];
		char id[8];
	} tiny = { 0 };

	(void)unused;
	memcpy(&tiny.header, image, sizeof(tiny.header));
	tiny.header.e_phoff = sizeof(tiny.header);
	tiny.header.e_phnum = 1;
	tiny.segment[0].p_type = PT_NOTE;
	tiny.segment[0].p_offset = offsetof(__typeof__(tiny), note);
	tiny.segment[0].p_filesz = sizeof(tiny) - tiny.segment[0].p_offset;
	tiny.note = (ElfW(Nhdr)){ .n_namesz = 4, .n_descsz = 8, .n_type = 4 };
	memcpy(tiny.owner, "Go\0", 4);
	parse(&tiny, sizeof(tiny));
	assert_int_equal(facts.kind, ELF_OURS);
	assert_string_not_equal(facts.trait[ELF_GO], "");
	assert_false(facts.has_interpreter);
	memcpy(tiny.owner, "GNU", 4);
	parse(&tiny, sizeof(tiny));
	assert_string_equal(facts.trait[ELF_GO], "");
	/* Sizes that would lead out of the file, or round in circles. */
	tiny.note.n_namesz = UINT32_MAX;
	tiny.note.n_descsz = UINT32_MAX;
	parse(&tiny, sizeof(tiny));
	assert_string_equal(facts.trait[ELF_GO], "");
	tiny.segment[0].p_filesz = UINT64_MAX;
	parse(&tiny, sizeof(tiny));
	tiny.segment[0].p_offset = UINT64_MAX;
	parse(&tiny, sizeof(tiny));
}

/* The first kilobytes byte by byte, where the tables are, the rest in prime steps. */
static void no_length_makes_it_read_too_far(void **unused)
{
	(void)unused;
	for (size_t bytes = 0; bytes < image_bytes; bytes += bytes < 2048 ? 1 : 509)
		parse(image, bytes);
	parse(image, 16);
	assert_int_equal(facts.kind, ELF_BROKEN);
}

static void no_word_of_the_tables_leads_astray(void **unused)
{
	static const uint32_t nasty[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };
	size_t bytes = image_bytes < 8192 ? image_bytes : 8192;

	(void)unused;
	for (size_t at = 0; at + 4 <= bytes; at += 4) {
		uint32_t good;

		memcpy(&good, image + at, 4);
		for (unsigned n = 0; n < sizeof(nasty) / sizeof(nasty[0]); n++) {
			memcpy(image + at, &nasty[n], 4);
			elf_parse(image, image_bytes, &facts);
		}
		memcpy(image + at, &good, 4);
	}
	parse(image, image_bytes);
	assert_int_equal(facts.kind, ELF_OURS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_program_is_dynamic_and_of_our_kind),
		cmocka_unit_test(other_files_are_told_apart),
		cmocka_unit_test(go_shows_by_its_mark_only_behind_the_byte_ff),
		cmocka_unit_test(go_shows_by_its_build_id),
		cmocka_unit_test(no_length_makes_it_read_too_far),
		cmocka_unit_test(no_word_of_the_tables_leads_astray),
	};

	return cmocka_run_group_tests(tests, load_own_image, drop_image);
}
