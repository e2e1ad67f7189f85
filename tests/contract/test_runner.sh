#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/run.sh counts what it is given: fails, skips, crashes, hangs and silence, each as such.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
mkdir -p "$top/a/deep" "$top/good" "$top/empty" "$top/unit"
bad=0

put() { # FILE BODY
	printf '#!/bin/bash\n%s\n' "$2" >"$top/$1"
	chmod +x "$top/$1"
}

report() { # NAME WANTED GOT
	if [[ $2 == "$3" ]]; then
		echo "ok $1"
	else
		echo "not ok $1: got '$3', wanted '$2'"
		bad=1
	fi
}

run() { # B=$top so that its unit/ is ours; LIB of the caller's stays
	TESTS=$top B=$top TEST_TIMEOUT=1 "$here/../run.sh" "$@" >"$top/out" 2>&1
	echo "$? $(tail -n 1 "$top/out")"
}

put good/test_pass 'echo ok one; echo ok two; echo noise'
put good/test_skip 'echo "skip three: no such thing here"; exit 77'
put good/not_a_test 'echo ok never'
report runner_counts_passed_and_skipped "0 2 passed, 0 failed, 1 skipped" "$(run good)"
report runner_lists_skips "1" "$(grep -c 'good/test_skip three: no such thing here' "$top/out")"

put a/test_fail 'echo ok one; echo "not ok two: broken"; exit 1'
put a/test_liar 'echo "not ok three: exit code says fine"'
put a/deep/test_crash 'echo ok four; kill -SEGV $$'
put a/deep/test_exit 'echo ok five; exit 3'
put a/test_silent 'exit 0'
put a/test_hang 'echo ok six; sleep 60'
put a/test_bare 'echo "skip seven"; exit 77'
put a/test_empty_skip 'exit 77'
report runner_counts_every_kind_of_failure "1 4 passed, 8 failed, 0 skipped" "$(run a)"
report runner_shows_the_detail "1" "$(grep -c 'not ok two: broken' "$top/out")"

report runner_fails_without_tests "1 0 passed, 1 failed, 0 skipped" "$(run empty)"

# What a test leaves behind is ended, a process group of its own included.
put good/test_leaver 'sleep 77 & echo $! >>'"$top"'/left; set -m; sleep 78 & echo $! >>'"$top"'/left; echo ok left'
run good >"$top/discard"
alive=0
for pid in $(cat "$top/left"); do
	kill -0 "$pid" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null && alive=1
done
report runner_leaves_no_process "0" "$alive"

put unit/test_cmocka 'cat <<END
[==========] tests: Running 4 test(s).
[ RUN      ] a
[       OK ] a
[ RUN      ] b
[  ERROR   ] --- 1 != 2
[   LINE   ] --- x.c:3: error: Failure!
[  FAILED  ] b
[ RUN      ] c
[  SKIPPED ] c
[ RUN      ] d
END
exit 139'
report runner_reads_cmocka "1 1 passed, 2 failed, 1 skipped" "$(run unit)"
exit $bad
