#!/bin/bash
# SPDX-License-Identifier: MIT
# `unspin check`: what it says about each kind of program, and that its verdict is what then really
# happens with the library in LD_PRELOAD.
. "$(dirname "$0")/tap.sh"

# Ends with 0 when the shim is in it, else 1.
cat >"$WORK/self.c" <<'C'
#include <stdio.h>
#include <string.h>
#ifdef MARK
char mark[] = MARK;
char *volatile use = mark;
#endif
int main(void)
{
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");

	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "libunspin"))
			return 0;
	return 1;
}
C

# build NAME COMPILER OPTION...: false when this machine cannot.
build() {
	local name=$1
	shift
	command -v "$1" >/dev/null && "$@" -o "$WORK/$name" "$WORK/self.c" 2>/dev/null
}

# verdict NAME PROGRAM CODE PART...: code and each part of the text (a finding's id in JSON).
verdict() {
	local name=$1 program=$2 code=$3
	shift 3
	tap_run "$UNSPIN" check --json "$program"
	tap_is "${name}_verdict" "$CODE" "$code"
	for part in "$@"; do
		tap_has "${name}_says_$part" "$OUT" "\"id\": \"$part\""
	done
}

# reality NAME PROGRAM [RUNNER...]: what really happens agrees with the verdict for that user.
reality() {
	local name=$1 program=$2 said
	shift 2
	"$@" "$UNSPIN_COPY" check "$program" >/dev/null 2>&1
	said=$?
	LD_PRELOAD=$LIB_COPY "$@" "$program" >/dev/null 2>&1
	tap_is "${name}_verdict_is_true" "$said" $?
}
UNSPIN_COPY=$WORK/unspin LIB_COPY=$WORK/libunspin.so
cp "$UNSPIN" "$UNSPIN_COPY" && cp "$LIB" "$LIB_COPY" && chmod 755 "$UNSPIN_COPY" "$LIB_COPY"
unset UNSPIN_LIBRARY
UNSPIN=$UNSPIN_COPY

if ! build dynamic "$CC"; then
	skip check "no compiler"
	exit 77
fi
verdict dynamic "$WORK/dynamic" 0 visible
reality dynamic "$WORK/dynamic"
tap_run "$UNSPIN" check "$WORK/dynamic"
tap_has text_says_it_first "$(head -n 1 <<<"$OUT")" "the shim will see it"
tap_is text_fits_the_terminal "$(awk 'length > 100' <<<"$OUT" | grep -v "$WORK")" ""

if build static "$CC" -static; then
	verdict static "$WORK/static" 1 static
	reality static "$WORK/static"
else
	skip static "no static libc"
fi
if build static_pie "$CC" -static-pie; then
	verdict static_pie "$WORK/static_pie" 1 static
	reality static_pie "$WORK/static_pie"
else
	skip static_pie "no static-pie support"
fi
if build musl musl-gcc; then
	verdict musl "$WORK/musl" 1 musl
	tap_run "$UNSPIN" run -- "$WORK/musl"
	tap_is musl_still_starts "$CODE" 1 # its own answer: the shim is not in it
	tap_has musl_start_is_explained "$ERR" "without the shim"
else
	skip musl "musl-gcc is missing"
fi
if build m32 "$CC" -m32; then
	verdict other_class "$WORK/m32" 1 other_class
	reality other_class "$WORK/m32"
else
	# The first bytes are enough to tell.
	cp "$WORK/dynamic" "$WORK/m32"
	printf '\1' | dd of="$WORK/m32" bs=1 seek=4 conv=notrunc status=none
	verdict other_class "$WORK/m32" 1 other_class
	skip other_class_verdict_is_true "no 32-bit compiler"
fi
cp "$WORK/dynamic" "$WORK/mips"
printf '\10\0' | dd of="$WORK/mips" bs=1 seek=18 conv=notrunc status=none
verdict other_machine "$WORK/mips" 1 other_machine
if build asan "$CC" -fsanitize=address; then
	if readelf -d "$WORK/asan" | grep -q 'libasan\|libclang_rt'; then
		verdict asan "$WORK/asan" 0 asan
		tap_run "$UNSPIN" run --quiet -- "$WORK/asan"
		tap_is asan_starts_under_run "$CODE$ERR" 0
	else
		skip asan "this compiler links the run-time statically"
	fi
else
	skip asan "no AddressSanitizer"
fi
build go "$CC" '-DMARK="\377 Go buildinf:"' && verdict go "$WORK/go" 1 go
build uring "$CC" '-DMARK="io_uring"' && verdict uring_word "$WORK/uring" 0 uring_word
head -c 3000 "$WORK/dynamic" >"$WORK/cut" && chmod +x "$WORK/cut"
verdict cut_short "$WORK/cut" 1 broken_elf

# An import of io_uring_* or seccomp_* is enough, whatever library has it.
cat >"$WORK/imports.c" <<'C'
extern int WANTED(void);
int main(void) { return WANTED(); }
C
imports() {
	echo "int $2(void) { return 0; }" | "$CC" -shared -fPIC -x c - -o "$WORK/lib$1.so" &&
		"$CC" -DWANTED="$2" -o "$WORK/$1" "$WORK/imports.c" "$WORK/lib$1.so"
}
imports uring_import io_uring_queue_init && verdict uring_import "$WORK/uring_import" 0 uring
imports seccomp_import seccomp_load && verdict seccomp_import "$WORK/seccomp_import" 0 seccomp

# Set-uid and file capabilities: the truth depends on who starts it.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	cp "$WORK/dynamic" "$WORK/setuid" && chown 1 "$WORK/setuid" && chmod 4755 "$WORK/setuid"
	cp "$WORK/dynamic" "$WORK/setuid_own" && chmod 4755 "$WORK/setuid_own"
	cp "$WORK/dynamic" "$WORK/setgid" && chgrp 1 "$WORK/setgid" && chmod 2755 "$WORK/setgid"
	verdict setuid "$WORK/setuid" 1 set_id
	verdict setuid_own "$WORK/setuid_own" 0 set_id_self
	verdict setgid "$WORK/setgid" 1 set_id
	for name in dynamic setuid setuid_own setgid; do
		reality "${name}_by_owner" "$WORK/$name"
		reality "${name}_by_nobody" "$WORK/$name" "${nobody[@]}"
	done
	cp "$WORK/dynamic" "$WORK/caps"
	if command -v setcap >/dev/null && setcap cap_net_bind_service+ep "$WORK/caps" 2>/dev/null; then
		verdict caps "$WORK/caps" 0 file_caps_root
		tap_has caps_by_nobody_says_file_caps \
			"$("${nobody[@]}" "$UNSPIN" check --json "$WORK/caps")" '"id": "file_caps"'
		reality caps_by_root "$WORK/caps"
		reality caps_by_nobody "$WORK/caps" "${nobody[@]}"
	else
		skip caps "setcap is missing or refused"
	fi
else
	skip setuid "needs root and setpriv"
fi

# Scripts.
script() { # NAME FIRST-LINE
	printf '%s\n' "$2" >"$WORK/$1"
	chmod +x "$WORK/$1"
}
ln -s "$WORK/dynamic" "$WORK/interpreter"
export PATH=$WORK:$PATH
script direct "#!$WORK/interpreter -x"
script by_env "#!/usr/bin/env interpreter"
script by_env_split "#!/usr/bin/env -S A=1 interpreter --flag"
script cleared "#!/usr/bin/env -S -i $WORK/interpreter"
script chain "#!$WORK/by_env"
script loop "#!$WORK/loop"
script shell "#!/bin/sh"
script plain "exit 0"
script orphan "#!$WORK/nowhere"
for name in direct by_env by_env_split chain; do
	verdict "script_$name" "$WORK/$name" 0 script visible
	tap_has "script_${name}_is_followed_to_its_program" "$OUT" "$WORK/interpreter\""
	reality "script_$name" "$WORK/$name"
done
verdict script_cleared "$WORK/cleared" 1 env_cleared
reality script_cleared "$WORK/cleared"
verdict script_loop "$WORK/loop" 1 too_deep
verdict script_shell "$WORK/shell" 0 shell
verdict script_plain "$WORK/plain" 0 no_first_line
tap_run "$UNSPIN" check "$WORK/orphan"
tap_is script_orphan_is_not_found "$CODE" 2
tap_has script_orphan_names_the_interpreter "$ERR" "$WORK/nowhere"
script static_script "#!$WORK/static"
[ -x "$WORK/static" ] && verdict script_of_a_static_program "$WORK/static_script" 1 static

# Names.
tap_run "$UNSPIN" check interpreter
tap_has name_is_looked_up_in_path "$OUT" "$WORK/interpreter"
tap_run "$UNSPIN" check nosuchprogram
tap_is missing_program_is_code_2 "$CODE" 2
tap_run "$UNSPIN" check "$WORK/self.c"
tap_is file_without_x_is_code_2 "$CODE" 2
tap_run "$UNSPIN" check
tap_is no_program_is_wrong_use "$CODE" 2
tap_has no_program_shows_usage "$ERR" "Usage:"

# The library.
mkdir "$WORK/a b" && cp "$LIB" "$WORK/a b/" && ln -s "$WORK/a b/libunspin.so" "$WORK/nospace.so"
UNSPIN_LIBRARY="$WORK/a b/libunspin.so" verdict library_path "$WORK/dynamic" 1 library_path
UNSPIN_LIBRARY="$WORK/nospace.so" verdict library_link "$WORK/dynamic" 0 visible
UNSPIN_LIBRARY="$WORK/nowhere.so" verdict library_missing "$WORK/dynamic" 1 no_library
UNSPIN_LIBRARY="$WORK/dynamic" verdict library_bad "$WORK/dynamic" 1 library_bad

# Running processes.
sleep 60 &
PIDS+=($!)
verdict process_without $! 1 not_started
LD_PRELOAD=$LIB sleep 60 &
PIDS+=($!)
for _ in $(seq 100); do grep -q libunspin "/proc/$!/maps" && break; sleep 0.02; done
verdict process_with $! 0 loaded
tap_run "$UNSPIN" check 4194304
tap_is missing_process_is_code_2 "$CODE" 2
tap_done
