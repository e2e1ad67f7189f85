#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make check-layers: includes go one way, shim -> policy -> probes -> event.h (but shim/atomic.h, how
# memory is accessed, is for all three); the tools know the
# file's layout and nothing else of the library; examples and lab know nothing of it; nobody
# includes a .c; probes and policy call no libc function and no system call.
#
#   tests/check_layers.sh [TREE]     checks the tree (default: this one), then itself
#   CHECK_LAYERS_SELF=0              without the check of itself
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
tree=$(cd "${1:-$here}" && pwd) || exit 2
CC=${CC:-cc}
cd "$tree" || exit 2

# Headers of the standard and of fixed-width types; epoll.h and poll.h for constants only.
pure='^(stdint|stddef|stdbool|limits|string|inttypes|sys/epoll|poll)\.h$'
# What probes and policy objects may leave to libc: what the compiler itself inserts.
memory='^(memset|memcpy|memmove|memcmp|bcmp|_GLOBAL_OFFSET_TABLE_)$'

# The path a quoted include means, from the root; the includer's own directory goes first.
resolve() { # FROM_FILE NAME
	local dir=${1%/*} base
	for base in "$dir/" "" "shim/"; do
		if [[ -e $base$2 ]]; then
			realpath -m --relative-to=. "$base$2"
			return
		fi
	done
	realpath -m --relative-to=. "$dir/$2" # missing: named where it should be
}

# Which files a room may include, as a pattern over root paths; nothing printed: no rule.
may_include() { # FILE
	case $1 in
	probes/event.h) echo '^$' ;;
	probes/*) echo '^probes/[^/]*\.(h|def)$|^shim/atomic\.h$' ;;
	policy/*) echo '^(policy|probes)/[^/]*\.(h|def)$|^shim/atomic\.h$' ;;
	shim/*) echo '^(shim|policy|probes)/[^/]*\.(h|def)$' ;;
	tools/*) echo '^tools/.*\.(h|def)$|^shim/(stats_layout|config|stats_dir)\.h$|^(shim|policy|probes)/[^/]*\.def$' ;;
	examples/*) echo '^examples/.*\.(h|def)$' ;;
	tests/lab/*) echo '^tests/lab/.*\.(h|def)$' ;;
	*) echo '\.(h|def|inc)$' ;;
	esac
}

check_includes() {
	local file line text name target bad=0
	while IFS=: read -r file line text; do
		if [[ $text =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\"([^\"]+)\" ]]; then
			name=${BASH_REMATCH[1]}
			target=$(resolve "$file" "$name")
			[[ $target =~ $(may_include "$file") ]] && continue
			echo "$file:$line: may not include $target"
		elif [[ $text =~ ^[[:space:]]*#[[:space:]]*include[[:space:]]*\<([^\>]+)\> ]]; then
			name=${BASH_REMATCH[1]}
			[[ $name == *.c ]] || [[ $file =~ ^(probes|policy)/ && ! $name =~ $pure ]] || continue
			echo "$file:$line: may not include <$name>"
		else
			echo "$file:$line: cannot tell what this includes: $text"
		fi
		bad=1
	done < <(find shim probes policy tools examples tests -name '*.[ch]' -o -name '*.def' \
		2>/dev/null | sort | xargs -r grep -nEH '^[[:space:]]*#[[:space:]]*include')
	return $bad
}

# Compiled here, not taken from the build directory: it may be old or of another compiler.
check_symbols() {
	local objects bad=0 room own name file
	objects=$(mktemp -d) || return 2
	for room in probes policy; do
		mkdir -p "$objects/$room"
		for file in "$room"/*.c; do
			[[ -e $file ]] || continue
			if ! "$CC" -std=gnu11 -D_GNU_SOURCE -O2 -w -U_FORTIFY_SOURCE -fno-stack-protector \
				-c -o "$objects/${file%.c}.o" "$file"; then
				echo "$file: does not compile by itself"
				bad=1
			fi
		done
	done
	for room in probes policy; do
		# A room may use its own functions, and policy also those of probes.
		own=$(nm --defined-only "$objects/$room"/*.o "$objects"/probes/*.o 2>/dev/null |
			awk 'NF == 3 { print $3 }')
		while read -r file name; do
			[[ $name =~ $memory ]] || grep -qxF -- "$name" <<<"$own" && continue
			echo "$room/$(basename "${file%.o:}").c: needs $name"
			bad=1
		done < <(nm -A -u "$objects/$room"/*.o 2>/dev/null | awk '{ print $1, $NF }')
	done
	rm -rf "$objects"
	return $bad
}

check() {
	local bad=0
	check_includes || bad=1
	check_symbols || bad=1
	return $bad
}

# Each kind of violation, planted in a small tree, must be found where it was planted.
self_test() {
	local top bad=0 wanted file text
	top=$(mktemp -d) || return 2
	trap 'rm -rf "$top"' RETURN
	plant() { # CLEAN? FILE TEXT
		rm -rf "${top:?}"/*
		mkdir -p "$top"/{shim,probes,policy,tools,examples/reactor,tests/lab,tests/unit}
		echo 'int event;' >"$top/probes/event.h"
		echo 'int probe(void);' >"$top/probes/spin.h"
		printf '#include "spin.h"\n#include "event.h"\nint probe(void) { return 1; }\n' >"$top/probes/spin.c"
		echo 'int policy(void);' >"$top/policy/policy.h"
		printf '#include "policy.h"\n#include "../probes/spin.h"\nint policy(void) { return probe(); }\n' \
			>"$top/policy/policy.c"
		: >"$top/shim/stats_layout.h"
		: >"$top/shim/action.h"
		: >"$top/shim/action.c"
		: >"$top/tools/read.h"
		[[ $# -eq 0 ]] || printf '%b' "$2" >>"$top/$1"
	}
	plant
	if ! CHECK_LAYERS_SELF=0 "$here/tests/check_layers.sh" "$top" >"$top/out"; then
		echo "check_layers: a clean tree is refused: $(cat "$top/out")"
		bad=1
	fi
	while IFS='|' read -r file text wanted; do
		plant "$file" "$text"
		CHECK_LAYERS_SELF=0 "$here/tests/check_layers.sh" "$top" >"$top/out" 2>&1 && bad=1
		if ! grep -qF -- "$wanted" "$top/out"; then
			echo "check_layers: not noticed: $text in $file"
			bad=1
		fi
	done <<-'END'
		probes/spin.c|#include "../policy/policy.h"\n|may not include policy/policy.h
		probes/spin.c|#include "../shim/action.h"\n|may not include shim/action.h
		probes/event.h|#include "spin.h"\n|may not include probes/spin.h
		probes/spin.c|#include <unistd.h>\n|may not include <unistd.h>
		probes/spin.c|int getpid(void); int f(void) { return getpid(); }\n|needs getpid
		probes/spin.c|int policy(void); int g(void) { return policy(); }\n|needs policy
		policy/policy.c|#include "../shim/action.h"\n|may not include shim/action.h
		policy/policy.c|#include <sys/socket.h>\n|may not include <sys/socket.h>
		policy/policy.c|long syscall(long); int h(void) { return (int)syscall(1); }\n|needs syscall
		shim/action.c|#include "../tools/read.h"\n|may not include tools/read.h
		tools/stat.c|#include "../shim/action.h"\n|may not include shim/action.h
		examples/reactor/main.c|#include "../../shim/stats_layout.h"\n|may not include shim/stats_layout.h
		tests/lab/net.c|#include "../../shim/stats_layout.h"\n|may not include shim/stats_layout.h
		tests/unit/test_x.c|#include "../../shim/action.c"\n|may not include shim/action.c
		tests/unit/test_x.c|#include <action.c>\n|may not include <action.c>
		shim/action.c|#define X "action.h"\n#include X\n|cannot tell what this includes
	END
	return $bad
}

status=0
check || status=1
if [[ ${CHECK_LAYERS_SELF:-1} != 0 ]]; then
	self_test || status=1
	[[ $status -eq 0 ]] && echo "layers: shim -> policy -> probes -> event.h, nothing else"
fi
exit $status
