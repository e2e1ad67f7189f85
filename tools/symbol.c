/* SPDX-License-Identifier: MIT */
#include "symbol.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef UNSPIN_HAS_LIBDW

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include "process.h"

#define FUNCTIONS(X)                                                                     \
	X(dwfl_begin) X(dwfl_end) X(dwfl_linux_proc_report) X(dwfl_report_end)           \
	X(dwfl_addrmodule) X(dwfl_module_addrinfo) X(dwfl_module_info)                   \
	X(dwfl_linux_proc_find_elf) X(dwfl_standard_find_debuginfo)

/* Loaded, not linked: a machine without libdw.so.1 must still be able to run `unspin`. */
static struct {
#define X(name) __typeof__(name) *name;
	FUNCTIONS(X)
#undef X
} dw;

static bool load_library(void)
{
	void *library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
	bool is_there = library != NULL;

#define X(name)                                                                            \
	if (is_there)                                                                      \
		is_there = (*(void **)&dw.name = dlsym(library, #name)) != NULL;
	FUNCTIONS(X)
#undef X
	/* Debug files that are here are used; none is fetched from a server. */
	unsetenv("DEBUGINFOD_URLS");
	return is_there;
}

/* The process's map, read once per process; NULL when there is none to be had. */
static Dwfl *map_of(const struct stats_view *view)
{
	static char *no_path;
	static Dwfl_Callbacks callbacks = { .debuginfo_path = &no_path };
	static uint64_t started_ns;
	static int library; /* 0 not tried, 1 there, -1 not */
	static Dwfl *map;

	if (started_ns == view->header.started_ns && library)
		return map;
	started_ns = view->header.started_ns;
	if (!library)
		library = load_library() ? 1 : -1;
	if (library < 0)
		return NULL;
	if (map)
		dw.dwfl_end(map);
	map = NULL;
	if (process_state(view, view->header.pid) != PROCESS_RUNNING)
		return NULL;
	callbacks.find_elf = dw.dwfl_linux_proc_find_elf;
	callbacks.find_debuginfo = dw.dwfl_standard_find_debuginfo;
	map = dw.dwfl_begin(&callbacks);
	if (map && (dw.dwfl_linux_proc_report(map, view->header.pid) != 0 ||
		    dw.dwfl_report_end(map, NULL, NULL) != 0)) {
		dw.dwfl_end(map);
		map = NULL;
	}
	return map;
}

static bool look_up(const struct stats_view *view, uint64_t address, char ret[SYMBOL_MAX])
{
	Dwfl *map = map_of(view);
	/* The call is before the address, perhaps the last byte of its function. */
	Dwfl_Module *module = map ? dw.dwfl_addrmodule(map, address - 1) : NULL;
	const char *name;
	Dwarf_Addr start;
	GElf_Off offset;
	GElf_Sym symbol;

	if (!module)
		return false;
	name = dw.dwfl_module_addrinfo(module, address - 1, &offset, &symbol, NULL, NULL, NULL);
	if (name) {
		snprintf(ret, SYMBOL_MAX, "%s", name);
		return true;
	}
	name = dw.dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
	if (!name)
		return false;
	name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	snprintf(ret, SYMBOL_MAX, "%s+%#" PRIx64, name, address - start);
	return true;
}

#else

static bool look_up(const struct stats_view *view, uint64_t address, char ret[SYMBOL_MAX])
{
	(void)view;
	(void)address;
	(void)ret;
	return false;
}

#endif

void symbol_name(const struct stats_view *view, uint64_t address, char ret[SYMBOL_MAX])
{
	if (!look_up(view, address, ret))
		snprintf(ret, SYMBOL_MAX, "%#" PRIx64, address);
	/* Names come from a file we do not know: nothing of them may steer a terminal. */
	for (char *at = ret; *at; at++)
		if (*at < ' ' || *at == 0x7f)
			*at = '?';
}

const char *symbol_text(const struct stats_view *view, uint64_t address)
{
	static char name[SYMBOL_MAX];

	symbol_name(view, address, name);
	return name;
}

const char *symbol_path(const struct stats_view *view, const struct class_row *row)
{
	const uint64_t address[] = { row->site, row->caller_1, row->caller_2, row->caller_3 };
	static char path[4 * (SYMBOL_MAX + 3)];
	char name[SYMBOL_MAX];
	size_t at = 0;

	for (unsigned i = 0; i < 4 && (!i || address[i]); i++) {
		symbol_name(view, address[i], name);
		at += (size_t)snprintf(path + at, sizeof(path) - at, "%s%s", i ? " < " : "", name);
	}
	return path;
}
