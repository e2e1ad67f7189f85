#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs groups of tests and counts them:  tests/run.sh unit contract integration lab transparency
#
#   unit    every $B/unit/test_* (cmocka programs)
#   others  every executable test_* below tests/GROUP/
#
# A test prints one line per case, "ok NAME", "not ok NAME: detail" or "skip NAME: reason", and
# exits 0, 1 (a case failed) or 77 (all skipped). Anything else is a failure too: a crash, a
# timeout ($TEST_TIMEOUT seconds), no case at all, a skip without a reason. A skip never counts as
# passed. Each test runs in a session of its own, of which nothing survives it.
#
# The last line is exactly "N passed, N failed, N skipped"; exit 1 when anything failed.
# TESTS: where the groups are (the test of this script sets it).
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 2
tests=${TESTS:-$root/tests}
B=$(realpath -m "${B:-build}")
LIB=${LIB:-$B/libunspin.so} UNSPIN=${UNSPIN:-$B/unspin}
export B LIB UNSPIN
limit=${TEST_TIMEOUT:-300}

work=$(mktemp -d) || exit 2
passed=0 failed=0 session=
: >"$work/skips"

end_session() {
	[[ -n $session ]] && pkill -KILL -s "$session"
	session=
}
trap 'end_session; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# Runs "$@" in a session of its own; output to $work/out, ends everything it started. Returns its
# exit code, 124 after the limit.
run_alone() {
	local rc

	# setsid forks only for a group leader; a background job of this script is none.
	setsid timeout --foreground -k 5 "$limit" "$@" </dev/null >"$work/out" 2>&1 &
	session=$!
	wait "$session"
	rc=$?
	end_session
	return $rc
}

# cmocka's report as case lines; a program that ends early leaves cases uncounted: one failure.
cases_of_cmocka() {
	awk '
		/^\[==========\].*Running/ { for (i = 1; i <= NF; i++) if ($i == "Running") wanted += $(i + 1); open = 1 }
		/^\[==========\].* run\.$/ { open = 0 }
		!open { next }
		/^\[ RUN / { detail = "" ; next }
		/^\[       OK \]/ { print "ok " $4; seen++; next }
		/^\[  SKIPPED \]/ { print "skip " $4 ": " (detail ? detail : "skipped by the test"); seen++; next }
		/^\[  FAILED  \]/ { print "not ok " $4 ": " detail; seen++; next }
		/^\[  ERROR/ { sub(/^\[[^]]*\] (--- )?/, "") }
		NF { detail = detail (detail ? " | " : "") $0 }
		END { if (seen < wanted) print "not ok " wanted - seen "_cases_never_ended: " detail }
	' "$work/out"
}

# One test: its name for people, how to read its output, the command.
run_test() {
	local name=$1 reader=$2 rc begin=$EPOCHREALTIME seconds ok bad skipped
	shift 2
	printf '%-52s ' "$name"
	run_alone "$@"
	rc=$?
	seconds=$(awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
	"$reader" | sed 's/[[:space:]]*$//' >"$work/cases"
	# Skips need a reason; a bare "skip NAME" is a mistake of the test.
	sed -i -E 's/^skip ([^:]*):?$/not ok \1: skipped without a reason/' "$work/cases"
	case $rc in
	0 | 77) [[ -s $work/cases ]] || echo "not ok $name: printed no case" ;;
	124 | 137) echo "not ok $name: timed out after $limit s or was killed" ;;
	*) grep -q '^not ok' "$work/cases" || echo "not ok $name: ended with exit code $rc" ;;
	esac >>"$work/cases"
	# Only failing cases explain exit code 1; with any other the program broke off.
	if ((rc != 0 && rc != 1 && rc != 77 && rc != 124 && rc != 137)) && [[ $reader == cat_cases ]]; then
		grep -q "ended with exit code" "$work/cases" ||
			echo "not ok $name: ended with exit code $rc" >>"$work/cases"
	fi
	ok=$(grep -c '^ok ' "$work/cases")
	bad=$(grep -c '^not ok ' "$work/cases")
	skipped=$(grep -c '^skip ' "$work/cases")
	passed=$((passed + ok)) failed=$((failed + bad))
	grep '^skip ' "$work/cases" | sed "s|^skip |$name |" >>"$work/skips"
	printf '%3d ok%s%s  %s s\n' "$ok" "$( ((bad)) && echo ", $bad FAILED")" \
		"$( ((skipped)) && echo ", $skipped skipped")" "$seconds"
	if ((bad)); then
		grep '^not ok ' "$work/cases" | head -n 25 | cut -c1-1200 | sed 's/^/    /'
		((bad > 25)) && echo "    ... and $((bad - 25)) more"
		# What is not a case line explains crashes.
		grep -vE '^(ok|not ok|skip) ' "$work/out" | tail -n 15 | cut -c1-400 | sed 's/^/    > /'
	fi
}

cat_cases() { grep -E '^(ok|not ok|skip) ' "$work/out"; }

run_group() {
	local group=$1 found=0 path
	if [[ $group == unit ]]; then
		for path in "$B"/unit/test_*; do
			[[ -f $path && -x $path && ${path##*/} != *.* ]] || continue
			found=1
			run_test "unit/${path##*/}" cases_of_cmocka "$path"
		done
	else
		while IFS= read -r path; do
			found=1
			run_test "${path#"$tests"/}" cat_cases "$path"
		done < <(find "$tests/$group" -type f -name 'test_*' -perm -u+x 2>/dev/null | sort)
	fi
	((found)) && return
	echo "not ok $group: no test found"
	failed=$((failed + 1))
}

(($#)) || set -- unit contract integration
for group; do
	run_group "$group"
done
if [[ -s $work/skips ]]; then
	echo "skipped:"
	sed 's/^/    /' "$work/skips"
fi
skipped=$(wc -l <"$work/skips")
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
