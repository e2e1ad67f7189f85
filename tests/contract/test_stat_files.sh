#!/bin/bash
# SPDX-License-Identifier: MIT
# `unspin stat` on files of living, dead and hostile origin: what it shows, and that nothing makes
# it crash, hang or lie.
. "$(dirname "$0")/tap.sh"

if [ -z "$PYTHON" ]; then
	skip stat_files "python3 is missing"
	exit 77
fi

# Answers one request with 20 KB over TCP and waits for its end. "fork": so does a child, with 5
# bytes; "exec": becomes `sleep`, without the shim.
cat >"$WORK/server.py" <<'PY'
import os, socket, sys, time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
client.sendall(b"GET /")
server.recv(100)
server.sendall(b"x" * 20000)
what = sys.argv[2] if len(sys.argv) > 2 else "wait"
if what == "fork" and os.fork() == 0:
    server.sendall(b"child")
    what = "child"
open(sys.argv[1] + (".child" if what == "child" else ""), "w").close()
if what == "exec":
    os.execve("/bin/sleep", ["sleep", "60"], {})
time.sleep(60)
PY

await() { # FILE: waits up to 10 s for it
	for _ in $(seq 200); do [ -e "$1" ] && return; sleep 0.05; done
	not_ok await "$1 did not appear"
}

# start WHAT: runs the server under the shim, sets PID once it has written.
start() {
	LD_PRELOAD=$LIB "$PYTHON" "$WORK/server.py" "$WORK/ready.$1" "$1" &
	PID=$!
	PIDS+=("$PID")
	await "$WORK/ready.$1"
}

# json EXPRESSION: evaluates it over the JSON in OUT as `d`.
json() {
	printf '%s' "$OUT" | "$PYTHON" -c "import json, sys; d = json.load(sys.stdin); print($1)" 2>&1
}

tap_run "$UNSPIN" stat
tap_is nothing_to_list_is_no_error "$CODE" 0
tap_has nothing_to_list_says_how_to_start "$OUT" "unspin run --"
tap_run "$UNSPIN" stat --json
tap_is nothing_to_list_is_an_empty_array "$(json 'd')" "[]"

UNSPIN_WRTE=grow UNSPIN_SNDBUF_MAX=12 start wait
SERVER=$PID
FILE=$UNSPIN_STATS_DIR/$SERVER

tap_run "$UNSPIN" stat
tap_has list_shows_a_running_process "$(grep "^ *$SERVER " <<<"$OUT")" running
tap_is list_fits_the_terminal "$(awk 'length > 100' <<<"$OUT")" ""
tap_run "$UNSPIN" stat "$SERVER"
tap_is text_is_shown "$CODE$ERR" 0
tap_is text_fits_the_terminal "$(awk 'length > 100' <<<"$OUT")" ""
tap_has text_ends_in_a_sentence "$(tail -n 1 <<<"$OUT")" "."
tap_has text_names_the_nearest_setting "$OUT" "UNSPIN_WRITE"

tap_run "$UNSPIN" stat --json "$SERVER"
tap_is json_is_valid "$(json "d['pid']")" "$SERVER"
tap_is json_has_the_promised_keys "$(json "[k for k in '''pid exe mode started_ns totals sockets threads
	epolls decisions classes sites config problems'''.split() if k not in d]")" "[]"
tap_is json_has_the_promised_totals "$(json "[k for k in '''writes write_bytes eagain_writes
	short_writes spin_episodes spin_writes resumes responses grown_sockets waits empty_waits
	idle_polls wait_events unused_out dry_in herd_accepts threads_started globals'''.split()
	if k not in d['totals']]")" "[]"
tap_is json_has_the_promised_socket_keys "$(json "[k for k in '''fd local peer state writes write_bytes
	eagain_writes short_writes spins_max responses response_bytes_p50 sndbuf_start sndbuf_now
	strategy reason'''.split() if any(k not in s for s in d['sockets']) or not d['sockets']]")" "[]"
# The answer of 20 KB is of a class; what is known of one are the CLASS rows.
CLASS_KEYS=$(sed -n 's/^CLASS(\([a-z_]*\),.*/\1/p' "$ROOT/shim/stats.def")
tap_has class_rows_were_found "$CLASS_KEYS" need_bytes
tap_is json_has_every_class_row "$(json "[k for k in '''$CLASS_KEYS'''.split()
	if any(k not in c for c in d['classes']) or not d['classes']]")" "[]"
tap_is json_counts_are_true "$(json "d['totals']['write_bytes'], d['mode'], d['state']")" \
	"20005 adapt running"
tap_has json_addresses_are_true "$(json "[s['local'].startswith('127.0.0.1:') and
	s['peer'].startswith('127.0.0.1:') for s in d['sockets']]")" True
tap_is json_problems_say_what_was_meant \
	"$(json "sorted((p['name'], p['kind'], p['did_you_mean']) for p in d['problems'])")" \
	"[('UNSPIN_SNDBUF_MAX', 'out_of_range', '65536..1073741824 bytes'), ('UNSPIN_WRTE', 'unknown_name', 'UNSPIN_WRITE')]"
"$UNSPIN" stat --describe --json >"$WORK/describe"
tap_is every_key_is_described "$(json "sorted(({k for part in ('sockets', 'threads', 'epolls',
	'decisions', 'classes', 'sites', 'config', 'problems') for row in d[part] for k in row} | set(d['totals']) |
	set(d['totals']['globals']) | set(d)) -
	{row['name'] for rows in (lambda r: (r['counters'], r['fields']))(json.load(open('$WORK/describe')))
	for row in rows} - {'totals', 'globals', 'sockets', 'threads', 'epolls', 'decisions', 'classes', 'sites',
	'config', 'problems'})")" "[]"
# By scope: some of their names are other tables' too.
tap_is every_class_key_is_described_as_one "$(json "sorted({k for row in d['classes'] for k in row} -
	{row['name'] for rows in (lambda r: (r['counters'], r['fields']))(json.load(open('$WORK/describe')))
	for row in rows if row['scope'] == 'classes'})")" "[]"
tap_is every_description_has_unit_and_meaning "$("$PYTHON" -c "import json
print([r for r in json.load(open('$WORK/describe'))['counters'] if not r['unit'] or not r['meaning']])")" "[]"

tap_run env -u UNSPIN_STATS_DIR -u XDG_RUNTIME_DIR "$UNSPIN" stat --json "$SERVER"
tap_is file_elsewhere_is_found_through_the_process "$(json "d['pid']")" "$SERVER"

start fork
PARENT=$PID
await "$WORK/ready.fork.child"
tap_run "$UNSPIN" stat --json
CHILD=$(json "[p['pid'] for p in d if p['parent_pid'] == $PARENT][0]")
PIDS+=("$CHILD")
tap_is child_has_its_own_file "$(json "[p['totals']['write_bytes'] for p in d if p['parent_pid']]")" "[5]"
tap_has list_names_the_parent "$("$UNSPIN" stat | grep "^ *$CHILD ")" "$PARENT"

start exec
CHANGED=$PID
for _ in $(seq 100); do
	[ "$(cat "/proc/$CHANGED/comm")" = sleep ] && break
	sleep 0.05
done
tap_run "$UNSPIN" stat --json "$CHANGED"
tap_is after_exec_it_is_replaced "$(json "d['state']")" replaced

kill -9 "$SERVER"
wait "$SERVER" 2>/dev/null # also keeps bash from reporting the kill
tap_run "$UNSPIN" stat --json "$SERVER"
tap_is killed_process_can_be_read "$(json "d['state'], d['totals']['write_bytes']")" "ended 20005"
tap_run "$UNSPIN" stat "$FILE"
tap_has file_can_be_read_by_its_path "$OUT" ": ended"
tap_has list_says_how_to_clean "$("$UNSPIN" stat)" "--clean"

tap_run timeout 10 "$UNSPIN" stat --watch 1 "$SERVER"
tap_is watch_ends_with_the_process "$CODE" 0

# One damaged copy after the other: a clear line on stderr, nothing on stdout, code 1.
refuse() {
	local name=$1 file=$2 part=$3
	tap_run timeout 10 "$UNSPIN" stat --json "$file"
	if [ "$CODE" = 1 ] && [ -z "$OUT" ] && [ "$(wc -l <"$WORK/err")" = 1 ]; then
		tap_has "$name" "$ERR" "$part"
	else
		not_ok "$name" "code $CODE, stdout '${OUT:0:80}', stderr '$ERR'"
	fi
}

# spoil OFFSET BYTES: a copy of the file with these bytes (in printf's notation) at the offset.
spoil() {
	cp "$FILE" "$WORK/spoiled"
	printf "$2" | dd of="$WORK/spoiled" bs=1 seek="$1" conv=notrunc status=none
}

: >"$WORK/empty"
refuse empty_file "$WORK/empty" "still being made"
head -c 5000 "$FILE" >"$WORK/short"
refuse truncated_file "$WORK/short" "cut short"
head -c 3 "$FILE" >"$WORK/short"
refuse three_bytes "$WORK/short" "not a statistics file"
cp /bin/true "$WORK/foreign"
refuse foreign_file "$WORK/foreign" "not a statistics file"
spoil 0 '\0\0\0\0\0\0\0\0'
refuse unfinished_file "$WORK/spoiled" "still being made"
spoil 8 '\377'
refuse newer_version "$WORK/spoiled" "another version"
spoil 16 '\377\377\377\377'
refuse size_of_another_file "$WORK/spoiled" "cut short"
spoil 24 '\0\0\0\0'
refuse torn_header "$WORK/spoiled" "damaged"
ln -s "$FILE" "$WORK/link"
refuse link_is_not_followed "$WORK/link" "not a regular file"
mkfifo "$WORK/fifo"
refuse fifo_does_not_block "$WORK/fifo" "not a regular file"
refuse directory "$WORK" "not a regular file"
refuse device "/dev/zero" "not a regular file"
refuse missing_file "$WORK/nowhere/42x" "No such file"
refuse missing_process 4194304 "no process"
refuse process_without_the_shim $$ "not started under unspin"

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$UNSPIN_STATS_DIR"
	cp "$UNSPIN" "$WORK/unspin" && chmod 755 "$WORK/unspin"
	tap_run setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/unspin" stat "$FILE"
	tap_is other_user_is_refused "$CODE" 1
	tap_has other_user_is_told_why "$ERR" "only the user"
	chmod 700 "$UNSPIN_STATS_DIR"
else
	skip other_user_is_refused "needs root and setpriv"
fi

# A bad file beside good ones spoils nothing.
cp "$WORK/foreign" "$UNSPIN_STATS_DIR/1"
tap_run "$UNSPIN" stat --json
tap_is array_leaves_bad_files_out "$CODE$(json "1 in [p['pid'] for p in d]")" 0False
tap_has bad_file_is_named "$ERR" "$UNSPIN_STATS_DIR/1"

tap_run "$UNSPIN" stat --clean
tap_is clean_removes_the_dead "$(test -e "$FILE" && echo there)" ""
tap_is clean_keeps_the_living "$(test -e "$UNSPIN_STATS_DIR/$PARENT" && echo there)" there
tap_is clean_keeps_foreign_files "$(test -e "$UNSPIN_STATS_DIR/1" && echo there)" there

tap_run "$UNSPIN" stat --jsno
tap_is unknown_option_is_wrong_use "$CODE" 2
tap_has unknown_option_gets_the_nearest "$ERR" "--json"
"$UNSPIN" stat >/dev/full 2>/dev/null
tap_is full_disk_is_no_success $? 1
tap_done
