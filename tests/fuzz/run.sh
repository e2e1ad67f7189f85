#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds and runs every harness here for a while:  tests/fuzz/run.sh BUILD SECONDS
# What crashes it is kept in BUILD/fuzz/NAME/. Needs clang with libFuzzer; not part of `make check`.
set -eu
cd "$(dirname "$0")/../.."
build=$1 seconds=$2
command -v clang >/dev/null || { echo "fuzz: needs clang (apt-get install clang)" >&2; exit 1; }

for harness in tests/fuzz/fuzz_*.c; do
	name=$(basename "$harness" .c)
	mkdir -p "$build/fuzz/$name/corpus"
	# shellcheck disable=SC2046 # the names of sources have no spaces
	clang -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-D_GNU_SOURCE -DUNSPIN_VERSION='"fuzz"' -I. -Ishim \
		"$harness" $(sed -n 's|.*needs: *\(.*\) \*/.*|\1|p' "$harness") -o "$build/fuzz/$name/run"
	echo "$name: $seconds s"
	if ! "$build/fuzz/$name/run" -max_total_time="$seconds" -artifact_prefix="$build/fuzz/$name/" \
		"$build/fuzz/$name/corpus" >"$build/fuzz/$name/log" 2>&1; then
		tail -n 30 "$build/fuzz/$name/log"
		exit 1
	fi
	grep -E '^Done|stat::number_of_executed' "$build/fuzz/$name/log" || true
done
