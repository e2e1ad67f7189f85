/* SPDX-License-Identifier: MIT */
/*
 * Can the shim see this program? Used by `unspin check` (all findings) and `unspin run` (warnings).
 *
 * The answer is a list of findings (finding.def), each with a detail: which library, which
 * interpreter. Blind as soon as one finding is of that severity.
 */
#ifndef UNSPIN_CHECK_H
#define UNSPIN_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include "elf.h"
#include "emit.h"

enum severity { SEVERITY_OK, SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_BLIND };

enum finding_id {
#define FINDING(id, severity, meaning, remedy) FINDING_##id,
#include "finding.def"
	FINDING_COUNT
};

struct finding_row {
	const char *name; /* "set_id" */
	enum severity severity;
	const char *meaning, *remedy;
};

enum { CHECK_PATH_MAX = 512, CHECK_LINKS_MAX = 8, CHECK_FINDINGS_MAX = 16 };

struct report {
	char asked[CHECK_PATH_MAX];		     /* the program as named */
	int pid;				     /* of a running process, else 0 */
	char chain[CHECK_LINKS_MAX][CHECK_PATH_MAX]; /* file, interpreter, its interpreter ... */
	unsigned links;
	char library[CHECK_PATH_MAX];	  /* libunspin.so; "" when not found */
	char first_library[ELF_NAME_MAX]; /* must stand before ours in LD_PRELOAD, or "" */
	struct {
		enum finding_id id;
		char detail[CHECK_PATH_MAX];
	} findings[CHECK_FINDINGS_MAX];
	unsigned count;
	enum severity worst;
};

const struct finding_row *check_finding(enum finding_id id);
const char *check_severity(enum severity severity);

/* Adds a finding once; detail may be "". */
void check_add(struct report *report, enum finding_id id, const char *detail);

bool check_has(const struct report *report, enum finding_id id);

/*
 * Looks at a program before its start, following PATH and scripts. 0, or the errno an execvp()
 * of it would fail with (ENOENT, EACCES ...); then the report is not complete.
 */
int check_program(const char *name, struct report *ret);

/* Looks at a running process; 0 or an errno. */
int check_process(int pid, struct report *ret);

/* Which of its traits matter, whatever stage the program is in. */
void check_add_traits(struct report *report, const struct elf_facts *facts);

/* Reads a file into facts; 0 or an errno. *ret_script gets the first bytes of what is not ELF. */
enum { CHECK_SCRIPT_MAX = 256 };
int check_read_file(const char *path, struct elf_facts *ret_facts, char *ret_script,
		    size_t *ret_script_bytes);

/* Prints the findings of at least this severity, each with what to do. */
void check_print(FILE *out, const struct report *report, enum severity least, unsigned indent);
void check_json(struct emit *emit, const struct report *report);

#endif
