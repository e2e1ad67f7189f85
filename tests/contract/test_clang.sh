#!/bin/bash
# SPDX-License-Identifier: MIT
# A second compiler: clang builds everything without a warning, and the unit tests pass with its
# code. In a build directory inside the other, so that a second run builds only what changed.
. "$(dirname "$0")/tap.sh"

if ! command -v clang >/dev/null; then
	skip builds_without_a_warning_under_clang "needs clang"
	skip unit_tests_pass_under_clang "needs clang"
	skip every_unit_test_is_run_under_clang "needs clang"
	exit 77
fi
# Nothing of a make that runs us: its B and its jobs are not ours.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CFLAGS LDFLAGS
own=$BUILD/clang
# What is run is optimised; the rest is only to be understood, for which -O0 takes half the time.
build() { make -C "$ROOT" -s -k -j"$(nproc)" CC=clang CI=1 B="$own" "$@"; }
both() { build CFLAGS=-O2 "$own/libunspin.so" unit && build CFLAGS=-O0 all; }
tap_run both
complaints=$(grep -E ': (warning|error):' <<<"$ERR")
tap_is builds_without_a_warning_under_clang "$CODE ${complaints:-$([ "$CODE" = 0 ] || echo "$ERR")}" "0 "

tap_run env -u LIB -u UNSPIN B="$own" "$ROOT/tests/run.sh" unit
tap_is unit_tests_pass_under_clang "$CODE $(grep 'not ok' <<<"$OUT")" "0 "
wanted=$(cd "$ROOT/tests/unit" && printf 'unit/%s\n' test_*.c | sed 's/\.c$//' | sort)
tap_is every_unit_test_is_run_under_clang "$(grep -o '^unit/test_[a-z_]*' <<<"$OUT" | sort)" "$wanted"
tap_done
