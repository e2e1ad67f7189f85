#!/bin/bash
# SPDX-License-Identifier: MIT
# What the shell contract tests share: a directory to work in, the commands under test, and the
# lines `ok NAME`, `not ok NAME: detail`, `skip NAME: reason`. Source it first, end with tap_done.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# B is absolute under tests/run.sh, or a directory of the project under make.
BUILD=${BUILD:-$(cd "$ROOT" && realpath "${B:-build}")}
UNSPIN=$(realpath "${UNSPIN:-$BUILD/unspin}")
LIB=$(realpath "${LIB:-$BUILD/libunspin.so}")
CC=${CC:-cc}
# A directory others may enter: some cases run as another user.
WORK=$(mktemp -d) && chmod 711 "$WORK"
export UNSPIN_STATS_DIR=$WORK/stats UNSPIN_LIBRARY=$LIB
unset LD_PRELOAD UNSPIN_MODE UNSPIN_WRITE
# The program itself, not the wrapper script a version manager puts in front of it.
PYTHON=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null || true)
FAILED=0
PIDS=()

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1: ${2:-}"; FAILED=1; }
skip() { echo "skip $1: $2"; }

# tap_is NAME GOT WANTED
tap_is() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got '$2', wanted '$3'"; fi
}

# tap_has NAME TEXT PART
tap_has() {
	case $2 in
	*"$3"*) ok "$1" ;;
	*) not_ok "$1" "no '$3' in '${2:0:600}'" ;;
	esac
}

# tap_hasnt NAME TEXT PART
tap_hasnt() {
	case $2 in
	*"$3"*) not_ok "$1" "'$3' in '${2:0:600}'" ;;
	*) ok "$1" ;;
	esac
}

# tap_run COMMAND...: sets OUT, ERR and CODE.
tap_run() {
	"$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	CODE=$?
	OUT=$(tr -d '\0' <"$WORK/out")
	ERR=$(tr -d '\0' <"$WORK/err")
}

# Only the processes we started, each by its number.
tap_clean_up() {
	local pid
	# Not reported by bash: disowned first.
	for pid in "${PIDS[@]}"; do
		disown "$pid" 2>/dev/null
		kill -9 "$pid" 2>/dev/null
	done
	rm -rf "$WORK"
}
trap tap_clean_up EXIT

tap_done() { exit "$FAILED"; }
