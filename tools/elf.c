/* SPDX-License-Identifier: MIT */
#include "elf.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

/* What we were built for: the library and this command are built together. */
#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#elif defined(__i386__)
#define OUR_MACHINE EM_386
#elif defined(__riscv)
#define OUR_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define OUR_MACHINE EM_PPC64
#elif defined(__s390x__)
#define OUR_MACHINE EM_S390
#elif defined(__arm__)
#define OUR_MACHINE EM_ARM
#else
#error "add this machine's EM_ constant"
#endif
#define OUR_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
#define OUR_ORDER (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

typedef ElfW(Phdr) segment_header;

/* A file of our own kind, with the tables found so far; all ranges are inside the file. */
struct image {
	const unsigned char *memory;
	size_t bytes;
	ElfW(Ehdr) header;
	uint64_t strings, strings_bytes; /* DT_STRTAB: offset and size, 0 when unknown */
	uint64_t symbols, symbol_count;	 /* DT_SYMTAB */
};

/* How a trait shows. */
enum place { IN_NEEDED, IN_IMPORTS, IN_BYTES };

static const struct {
	enum elf_trait trait;
	enum place place;
	const char *text; /* names: how they begin; bytes: anywhere */
	int before;	  /* the byte that must stand in front; 0: any */
} marks[] = {
	/* 0xff apart from the text, or we would take this very program for a Go program. */
	{ ELF_GO, IN_BYTES, " Go buildinf:", 0xff },
	{ ELF_URING, IN_NEEDED, "liburing", 0 },
	{ ELF_URING, IN_IMPORTS, "io_uring_", 0 },
	{ ELF_URING_WORD, IN_BYTES, "io_uring", 0 },
	{ ELF_URING_WORD, IN_BYTES, "IO_URING", 0 },
	{ ELF_SECCOMP, IN_NEEDED, "libseccomp.", 0 },
	{ ELF_SECCOMP, IN_IMPORTS, "seccomp_", 0 },
	/* Only the run-time as a shared library insists on being first. */
	{ ELF_ASAN, IN_NEEDED, "libasan.so", 0 },
	{ ELF_ASAN, IN_NEEDED, "libclang_rt.asan", 0 },
	{ ELF_ASAN, IN_NEEDED, "libhwasan.so", 0 },
};

static bool is_inside(const struct image *image, uint64_t offset, uint64_t bytes)
{
	return offset <= image->bytes && bytes <= image->bytes - offset;
}

/* Copies a struct out: nothing in the file need be aligned. */
static bool fetch(const struct image *image, uint64_t offset, void *ret, size_t bytes)
{
	if (!is_inside(image, offset, bytes))
		return false;
	memcpy(ret, image->memory + offset, bytes);
	return true;
}

static bool fetch_segment(const struct image *image, unsigned n, segment_header *ret)
{
	uint64_t table = image->header.e_phoff;

	if (n >= image->header.e_phnum || image->header.e_phentsize < sizeof(*ret) ||
	    table > image->bytes)
		return false;
	return fetch(image, table + (uint64_t)n * image->header.e_phentsize, ret, sizeof(*ret));
}

/* Address in the running program -> offset in the file, by the loadable segments. */
static bool to_offset(const struct image *image, uint64_t address, uint64_t *ret)
{
	segment_header segment;

	for (unsigned n = 0; fetch_segment(image, n, &segment); n++) {
		if (segment.p_type != PT_LOAD || address < segment.p_vaddr ||
		    address - segment.p_vaddr >= segment.p_filesz)
			continue;
		*ret = address - segment.p_vaddr + segment.p_offset;
		return *ret >= segment.p_offset && *ret < image->bytes;
	}
	return false;
}

/* Copies a string out of the file, at most until `limit`; ret has ELF_NAME_MAX bytes. */
static void copy_string(const struct image *image, uint64_t offset, uint64_t limit, char *ret)
{
	size_t room, length;

	ret[0] = '\0';
	if (limit > image->bytes)
		limit = image->bytes;
	if (offset >= limit)
		return;
	room = (size_t)(limit - offset);
	if (room > ELF_NAME_MAX - 1)
		room = ELF_NAME_MAX - 1;
	length = strnlen((const char *)image->memory + offset, room);
	memcpy(ret, image->memory + offset, length);
	ret[length] = '\0';
}

static void note_name(struct elf_facts *facts, enum place place, const char *name)
{
	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (marks[i].place == place && !facts->trait[marks[i].trait][0] &&
		    !strncmp(name, marks[i].text, strlen(marks[i].text)))
			memcpy(facts->trait[marks[i].trait], name, strlen(name) + 1);
}

/* A string of the dynamic string table. */
static void dynamic_string(const struct image *image, uint64_t at, char *ret)
{
	ret[0] = '\0';
	if (at < image->strings_bytes)
		copy_string(image, image->strings + at, image->strings + image->strings_bytes, ret);
}

static void read_needed(const struct image *image, const segment_header *dynamic,
			struct elf_facts *facts)
{
	char name[ELF_NAME_MAX];
	ElfW(Dyn) entry;

	for (uint64_t at = 0; at + sizeof(entry) <= dynamic->p_filesz; at += sizeof(entry)) {
		if (!fetch(image, dynamic->p_offset + at, &entry, sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			return;
		if (entry.d_tag != DT_NEEDED)
			continue;
		dynamic_string(image, entry.d_un.d_val, name);
		note_name(facts, IN_NEEDED, name);
	}
}

/*
 * Finds string and symbol tables. Nothing in the dynamic section says how many symbols there are;
 * every linker puts the strings right behind them, which bounds the number.
 */
static void find_tables(struct image *image, const segment_header *dynamic)
{
	uint64_t strings = 0, symbols = 0, bytes = 0;
	ElfW(Dyn) entry;

	for (uint64_t at = 0; at + sizeof(entry) <= dynamic->p_filesz; at += sizeof(entry)) {
		if (!fetch(image, dynamic->p_offset + at, &entry, sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_STRTAB)
			strings = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_SYMTAB)
			symbols = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRSZ)
			bytes = entry.d_un.d_val;
	}
	if (!to_offset(image, strings, &image->strings) || !is_inside(image, image->strings, bytes))
		return;
	image->strings_bytes = bytes;
	if (to_offset(image, symbols, &image->symbols) && image->symbols < image->strings)
		image->symbol_count = (image->strings - image->symbols) / sizeof(ElfW(Sym));
}

static void read_imports(const struct image *image, struct elf_facts *facts)
{
	char name[ELF_NAME_MAX];
	ElfW(Sym) symbol;

	for (uint64_t i = 0; i < image->symbol_count; i++) {
		if (!fetch(image, image->symbols + i * sizeof(symbol), &symbol, sizeof(symbol)))
			return;
		if (symbol.st_shndx != SHN_UNDEF)
			continue;
		dynamic_string(image, symbol.st_name, name);
		note_name(facts, IN_IMPORTS, name);
	}
}

static void read_dynamic(struct image *image, const segment_header *segment,
			 struct elf_facts *facts)
{
	if (!is_inside(image, segment->p_offset, segment->p_filesz))
		return;
	facts->has_dynamic = true;
	find_tables(image, segment);
	read_needed(image, segment, facts);
	read_imports(image, facts);
}

static uint64_t round_up(uint64_t value)
{
	return (value + 3) & ~UINT64_C(3);
}

/* The Go linker signs its programs with a note of this owner (its build id). */
static void read_notes(const struct image *image, const segment_header *segment,
		       struct elf_facts *facts)
{
	uint64_t at = 0;
	ElfW(Nhdr) note;
	char owner[4];

	if (!is_inside(image, segment->p_offset, segment->p_filesz))
		return;
	while (at + sizeof(note) <= segment->p_filesz) {
		uint64_t name = segment->p_offset + at + sizeof(note);

		/* Sizes have 32 bits, so these sums cannot overflow. */
		if (!fetch(image, segment->p_offset + at, &note, sizeof(note)))
			return;
		if (note.n_namesz == sizeof(owner) && fetch(image, name, owner, sizeof(owner)) &&
		    !memcmp(owner, "Go\0", sizeof(owner)))
			strcpy(facts->trait[ELF_GO], "Go build id");
		at += sizeof(note) + round_up(note.n_namesz) + round_up(note.n_descsz);
	}
}

static void read_segments(struct image *image, struct elf_facts *facts)
{
	segment_header segment;

	for (unsigned n = 0; fetch_segment(image, n, &segment); n++) {
		if (segment.p_type == PT_LOAD &&
		    !is_inside(image, segment.p_offset, segment.p_filesz)) {
			facts->kind = ELF_BROKEN;
			return;
		}
		if (segment.p_type == PT_INTERP) {
			facts->has_interpreter = true;
			if (is_inside(image, segment.p_offset, segment.p_filesz))
				copy_string(image, segment.p_offset,
					    segment.p_offset + segment.p_filesz,
					    facts->interpreter);
		} else if (segment.p_type == PT_DYNAMIC) {
			read_dynamic(image, &segment, facts);
		} else if (segment.p_type == PT_NOTE) {
			read_notes(image, &segment, facts);
		}
	}
}

static bool has_bytes(const struct image *image, const char *text, int before)
{
	const unsigned char *at = image->memory, *end = at + image->bytes;
	size_t length = strlen(text);

	while ((at = memmem(at, (size_t)(end - at), text, length))) {
		if (!before || (at > image->memory && at[-1] == before))
			return true;
		at++;
	}
	return false;
}

static void search_bytes(const struct image *image, struct elf_facts *facts)
{
	for (unsigned i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		char *trait = facts->trait[marks[i].trait];

		if (marks[i].place == IN_BYTES && !trait[0] &&
		    has_bytes(image, marks[i].text, marks[i].before))
			snprintf(trait, ELF_NAME_MAX, "%s",
				 marks[i].text + strspn(marks[i].text, " "));
	}
}

/* The file's kind by its first bytes, which have the same place in every kind. */
static enum elf_kind find_kind(const unsigned char *memory, size_t bytes, uint16_t *ret_machine)
{
	uint16_t machine;

	if (bytes < SELFMAG || memcmp(memory, ELFMAG, SELFMAG))
		return ELF_NONE;
	if (bytes < sizeof(Elf32_Ehdr))
		return ELF_BROKEN;
	memcpy(&machine, memory + offsetof(Elf32_Ehdr, e_machine), sizeof(machine));
	if (memory[EI_DATA] != OUR_ORDER)
		machine = __builtin_bswap16(machine);
	*ret_machine = machine;
	if (machine != OUR_MACHINE && !(machine == EM_386 && OUR_MACHINE == EM_X86_64))
		return ELF_OTHER_MACHINE;
	if (memory[EI_CLASS] != OUR_CLASS)
		return ELF_OTHER_CLASS;
	if (memory[EI_DATA] != OUR_ORDER)
		return ELF_OTHER_ORDER;
	if (machine != OUR_MACHINE)
		return ELF_OTHER_MACHINE;
	return bytes < sizeof(ElfW(Ehdr)) ? ELF_BROKEN : ELF_OURS;
}

void elf_parse(const void *memory, size_t bytes, struct elf_facts *ret)
{
	struct image image = { .memory = memory, .bytes = bytes };
	segment_header last;

	memset(ret, 0, sizeof(*ret));
	ret->kind = find_kind(memory, bytes, &ret->machine);
	if (ret->kind != ELF_OURS)
		return;
	memcpy(&image.header, memory, sizeof(image.header));
	/* An ELF without program headers cannot be executed; with some missing it is cut short. */
	if (image.header.e_phnum == 0 || !fetch_segment(&image, image.header.e_phnum - 1u, &last)) {
		ret->kind = ELF_BROKEN;
		return;
	}
	read_segments(&image, ret);
	if (ret->kind == ELF_OURS)
		search_bytes(&image, ret);
}
