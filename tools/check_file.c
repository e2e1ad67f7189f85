/* SPDX-License-Identifier: MIT */
/* A program on disk: through PATH and scripts to the ELF file, and what that means. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "library.h"
#include "script.h"

/* The kernel's own limit (fs/exec.c: "This allows 4 levels of binfmt rewrites"). */
#define SCRIPT_LEVELS 5

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Can it be executed, as execve() would see it: 0 or an errno. */
static int try_path(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return errno;
	if (!S_ISREG(status.st_mode))
		return EACCES;
	return access(path, X_OK) < 0 ? errno : 0;
}

/* Like execvp(): a name without a slash is looked up in PATH. 0 or an errno. */
static int resolve(const char *name, char *ret_path)
{
	const char *at = getenv("PATH"), *end;
	int error = ENOENT, tried;

	if (strchr(name, '/') || !name[0]) {
		snprintf(ret_path, CHECK_PATH_MAX, "%s", name);
		return try_path(name);
	}
	for (at = at ? at : "/bin:/usr/bin"; at; at = *end ? end + 1 : NULL) {
		int length;

		end = strchrnul(at, ':');
		length = (int)(end - at);
		if (snprintf(ret_path, CHECK_PATH_MAX, "%.*s%s%s", length, at, length ? "/" : "./",
			     name) >= CHECK_PATH_MAX)
			continue;
		tried = try_path(ret_path);
		if (tried == 0)
			return 0;
		if (tried == EACCES)
			error = EACCES;
	}
	return error;
}

int check_read_file(const char *path, struct elf_facts *ret_facts, char *ret_script,
		    size_t *ret_script_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error = 0;
	void *memory = NULL;
	struct stat status;
	size_t bytes;

	if (fd < 0)
		return errno;
	bytes = fstat(fd, &status) < 0 ? 0 : (size_t)status.st_size;
	/* Mapped, not copied: of a program of 100 MB only a few pages are looked at closely. */
	if (bytes)
		memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (memory == MAP_FAILED)
		error = errno;
	close(fd);
	if (error)
		return error;
	elf_parse(memory ? memory : "", bytes, ret_facts);
	*ret_script_bytes = bytes < CHECK_SCRIPT_MAX ? bytes : CHECK_SCRIPT_MAX;
	if (memory) {
		memcpy(ret_script, memory, *ret_script_bytes);
		munmap(memory, bytes);
	}
	return 0;
}

/* Set-uid and friends count when they would change who we are: the kernel's test. */
static void add_privileges(struct report *report, const char *path)
{
	bool is_set_id, is_foreign, has_caps;
	struct statvfs mount;
	struct stat status;
	char caps[64];

	if (stat(path, &status) < 0)
		return;
	is_set_id =
		status.st_mode & S_ISUID || (status.st_mode & S_ISGID && status.st_mode & S_IXGRP);
	has_caps = getxattr(path, "security.capability", caps, sizeof(caps)) > 0;
	if (!is_set_id && !has_caps)
		return;
	if (statvfs(path, &mount) == 0 && mount.f_flag & ST_NOSUID) {
		check_add(report, FINDING_NO_SUID_MOUNT, "");
		return;
	}
	is_foreign =
		(status.st_mode & S_ISUID && status.st_uid != getuid()) ||
		(status.st_mode & S_ISGID && status.st_mode & S_IXGRP && status.st_gid != getgid());
	if (is_set_id)
		check_add(report, is_foreign ? FINDING_SET_ID : FINDING_SET_ID_SELF, "");
	if (has_caps)
		check_add(report, getuid() ? FINDING_FILE_CAPS : FINDING_FILE_CAPS_ROOT, "");
}

/* Our own dynamic loader: the library beside us was built for the same libc. */
static const char *own_interpreter(void)
{
	static struct elf_facts own;
	char script[CHECK_SCRIPT_MAX];
	size_t bytes;

	if (own.kind == ELF_NONE)
		check_read_file("/proc/self/exe", &own, script, &bytes);
	return own.interpreter;
}

static void add_interpreter(struct report *report, const char *interpreter)
{
	const char *own = own_interpreter();

	if (!strcmp(interpreter, own) || !own[0])
		return;
	if (strstr(interpreter, "ld-musl") && !strstr(own, "ld-musl"))
		check_add(report, FINDING_MUSL, interpreter);
	else
		check_add(report, FINDING_OTHER_LIBC, interpreter);
}

void check_add_traits(struct report *report, const struct elf_facts *facts)
{
	static const struct {
		enum elf_trait trait;
		enum finding_id finding;
	} rows[] = {
		{ ELF_GO, FINDING_GO },
		{ ELF_URING, FINDING_URING },
		{ ELF_SECCOMP, FINDING_SECCOMP },
		{ ELF_ASAN, FINDING_ASAN },
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (facts->trait[rows[i].trait][0])
			check_add(report, rows[i].finding, facts->trait[rows[i].trait]);
	if (facts->trait[ELF_URING_WORD][0] && !facts->trait[ELF_URING][0])
		check_add(report, FINDING_URING_WORD, "");
	snprintf(report->first_library, sizeof(report->first_library), "%s",
		 facts->trait[ELF_ASAN]);
}

static void add_elf(struct report *report, const char *path, const struct elf_facts *facts)
{
	static const enum finding_id by_kind[] = {
		[ELF_BROKEN] = FINDING_BROKEN_ELF,
		[ELF_OTHER_CLASS] = FINDING_OTHER_CLASS,
		[ELF_OTHER_ORDER] = FINDING_OTHER_ORDER,
		[ELF_OTHER_MACHINE] = FINDING_OTHER_MACHINE,
	};

	if (facts->kind != ELF_OURS) {
		check_add(report, by_kind[facts->kind], "");
		return;
	}
	if (facts->has_interpreter)
		add_interpreter(report, facts->interpreter);
	else
		check_add(report, FINDING_STATIC, facts->has_dynamic ? "static-pie" : "");
	add_privileges(report, path);
	check_add_traits(report, facts);
}

static bool is_shell(const char *path)
{
	static const char *const shells[] = {
		"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"
	};

	for (unsigned i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (!strcmp(base_name(path), shells[i]))
			return true;
	return false;
}

/* From a file that is not ELF to the name of what runs it. */
static void next_in_chain(struct report *report, const char *script, size_t bytes, char *ret_name)
{
	struct script_line line;
	bool is_cleared = false;

	if (!script_parse(script, bytes, &line)) {
		check_add(report, FINDING_NO_FIRST_LINE, "");
		snprintf(ret_name, CHECK_PATH_MAX, "/bin/sh");
		return;
	}
	snprintf(ret_name, CHECK_PATH_MAX, "%s", line.interpreter);
	if (!strcmp(base_name(line.interpreter), "env"))
		script_env_program(line.argument, ret_name, &is_cleared);
	if (is_cleared)
		check_add(report, FINDING_ENV_CLEARED, "");
	check_add(report, is_shell(ret_name) ? FINDING_SHELL : FINDING_SCRIPT, base_name(ret_name));
}

/* Follows scripts from name to an ELF file. 0, or the errno that execution would end with. */
static int follow(struct report *report, const char *name)
{
	char next[CHECK_PATH_MAX], script[CHECK_SCRIPT_MAX];
	struct elf_facts facts;
	size_t bytes;

	snprintf(next, sizeof(next), "%s", name);
	for (unsigned level = 0; level <= SCRIPT_LEVELS; level++) {
		char *path = report->chain[report->links];
		int error = resolve(next, path);

		report->links++;
		if (!error)
			error = check_read_file(path, &facts, script, &bytes);
		if (error)
			return error;
		if (facts.kind != ELF_NONE) {
			add_elf(report, path, &facts);
			return 0;
		}
		next_in_chain(report, script, bytes, next);
	}
	check_add(report, FINDING_TOO_DEEP, "");
	return 0;
}

static void add_library(struct report *report)
{
	char script[CHECK_SCRIPT_MAX], found[CHECK_PATH_MAX];
	struct elf_facts facts;
	size_t bytes;

	if (!library_find(found, sizeof(found))) {
		check_add(report, FINDING_NO_LIBRARY, found);
		return;
	}
	snprintf(report->library, sizeof(report->library), "%s", found);
	if (check_read_file(found, &facts, script, &bytes) || facts.kind != ELF_OURS ||
	    !facts.has_dynamic || facts.has_interpreter)
		check_add(report, FINDING_LIBRARY_BAD, found);
	else if (!library_can_be_preloaded(found))
		check_add(report, FINDING_LIBRARY_PATH, found);
}

int check_program(const char *name, struct report *ret)
{
	int error;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->asked, sizeof(ret->asked), "%s", name);
	error = follow(ret, name);
	if (error)
		return error;
	add_library(ret);
	if (ret->worst < SEVERITY_BLIND)
		check_add(ret, FINDING_VISIBLE, "");
	return 0;
}
