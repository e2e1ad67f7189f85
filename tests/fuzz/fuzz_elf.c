/* SPDX-License-Identifier: MIT */
/* needs: tools/elf.c tools/script.c */
/* libFuzzer: any bytes as a program `unspin check` looks at. */
#include <stdint.h>
#include "tools/elf.h"
#include "tools/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	char program[SCRIPT_NAME_MAX];
	struct script_line line;
	struct elf_facts facts;
	bool is_cleared;

	elf_parse(data, bytes, &facts);
	if (script_parse((const char *)data, bytes, &line))
		script_env_program(line.argument, program, &is_cleared);
	return 0;
}
