/* SPDX-License-Identifier: MIT */
/* needs: tools/dump_json.c tools/dump_text.c tools/dump_rows.c tools/advice.c tools/derive.c */
/* needs: tools/dump_process.c */
/* needs: tools/names.c tools/settings.c tools/nearest.c tools/table.c tools/text.c tools/emit.c */
/* needs: tools/read.c tools/process.c tools/symbol.c shim/config.c shim/stats_dir.c */
/*
 * libFuzzer: any bytes as a statistics file, through parser, JSON and text output.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. -Ishim \
 *		tests/fuzz/fuzz_stats_file.c <the sources above> -o build/fuzz_stats_file
 *
 * Without -fsanitize=fuzzer, compile with -DFUZZ_MAIN: then it runs the files named on the command
 * line (crash inputs), or, without any, spoils a good file at random with the seed it prints.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/stats_sample.h"
#include "tools/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t room, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t room);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct dump_about about = { .path = "fuzz", .now_ns = 1 };
	static FILE *nowhere;
	struct stats_view view;
	struct emit emit;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	if (read_parse(data, bytes, &view) != READ_OK)
		return 0;
	emit_begin(&emit, nowhere);
	dump_json(&emit, NULL, &view, &about);
	dump_text(nowhere, &view, &about, bytes & 1);
	return 0;
}

#ifndef FUZZ_MAIN
/* Start from a good file: the magic and the sizes are hard to guess. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t room, unsigned seed)
{
	struct sample sample;

	if (bytes < sizeof(struct stats_header)) {
		sample = sample_make();
		bytes = sample.bytes < room ? sample.bytes : room;
		memcpy(data, sample.memory, bytes);
		free(sample.memory);
	}
	/* Mostly keep the size: files cut short are refused at once and teach nothing. */
	if (seed % 64 == 0 || bytes < 128)
		return LLVMFuzzerMutate(data, bytes, room);
	LLVMFuzzerMutate(data + seed % (bytes - 64), 64, 64);
	return bytes;
}
#else
static void run_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *file = fopen(path, "rb");
	size_t bytes = file ? fread(data, 1, sizeof(data), file) : 0;

	if (file)
		fclose(file);
	LLVMFuzzerTestOneInput(data, bytes);
}

static void run_random(unsigned seed, unsigned rounds)
{
	struct sample sample = sample_make();
	uint8_t *spoiled = malloc(sample.bytes);

	printf("seed %u, %u rounds\n", seed, rounds);
	srand(seed);
	for (unsigned i = 0; i < SAMPLE_ROWS; i++) {
		sample_thread(&sample, i);
		sample_socket(&sample, i);
	}
	for (unsigned round = 0; round < rounds; round++) {
		memcpy(spoiled, sample.memory, sample.bytes);
		for (int n = 1 + rand() % 8; n; n--) {
			/* Half of the hits go where the sizes are. */
			size_t limit = rand() % 2 ? sizeof(struct stats_header) : sample.bytes;

			spoiled[(size_t)rand() % limit] = (uint8_t)rand();
		}
		LLVMFuzzerTestOneInput(spoiled, sample.bytes - (size_t)(rand() % 8 == 0));
	}
	free(spoiled);
	free(sample.memory);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc == 1)
		run_random(20240607, 20000);
	return 0;
}
#endif
