/* SPDX-License-Identifier: MIT */
/*
 * Makes system calls fail, as a sandbox or an old kernel would: CT_FILTER in the environment holds
 * rules "NUMBER[,ARGUMENT=VALUE]...:ERRNO", separated by blanks. Applied by main, so that the
 * loader and the constructors have done their work.
 */
#ifndef UNSPIN_TESTS_CT_FILTER_H
#define UNSPIN_TESTS_CT_FILTER_H

#include "ct.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define FILTER_ROOM 512

CT void filter_add(struct sock_filter *code, unsigned *n, uint16_t op, uint32_t k, uint8_t yes,
		   uint8_t no)
{
	MUST(*n < FILTER_ROOM);
	code[(*n)++] = (struct sock_filter){ op, yes, no, k };
}

/* One rule: every comparison that fails skips the rest of it. Little-endian low words. */
CT const char *filter_rule(struct sock_filter *code, unsigned *n, const char *text)
{
	unsigned jumps[8], count = 0, argument;
	char *end;

	filter_add(code, n, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	jumps[count++] = *n;
	filter_add(code, n, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)strtoul(text, &end, 10), 0, 0);
	while (*end == ',') {
		argument = (unsigned)strtoul(end + 1, &end, 10);
		MUST(*end == '=' && argument < 6 && count < 8);
		filter_add(code, n, BPF_LD | BPF_W | BPF_ABS,
			   (uint32_t)(offsetof(struct seccomp_data, args) + 8 * argument), 0, 0);
		jumps[count++] = *n;
		filter_add(code, n, BPF_JMP | BPF_JEQ | BPF_K,
			   (uint32_t)strtoul(end + 1, &end, 10), 0, 0);
	}
	MUST(*end == ':');
	filter_add(code, n, BPF_RET | BPF_K,
		   SECCOMP_RET_ERRNO | ((uint32_t)strtoul(end + 1, &end, 10) & 0xffff), 0, 0);
	while (count--)
		code[jumps[count]].jf = (uint8_t)(*n - jumps[count] - 1);
	return end;
}

CT void filter_from_environment(void)
{
	static struct sock_filter code[FILTER_ROOM];
	struct sock_fprog program = { .filter = code };
	const char *text = getenv("CT_FILTER");
	unsigned n = 0;

	if (!text || !*text)
		return;
	while (*text) {
		text = filter_rule(code, &n, text);
		text += *text == ' ';
	}
	filter_add(code, &n, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	program.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		puts("fact no_seccomp 1");
		exit(0);
	}
}

#endif
