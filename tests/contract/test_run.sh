#!/bin/bash
# SPDX-License-Identifier: MIT
# `unspin run`: becomes the program, hands over the settings, explains its refusals.
. "$(dirname "$0")/tap.sh"

tap_run "$UNSPIN" run -- sh -c 'echo out; echo err >&2; exit 7'
tap_is code_and_streams_are_the_programs "$CODE$OUT$ERR" 7outerr
{ "$UNSPIN" run -- sh -c 'kill -TERM $$'; } 2>/dev/null # bash reports the signal
tap_is signal_is_the_programs $? 143
tap_is stdin_is_the_programs "$(echo hello | "$UNSPIN" run -- cat)" hello
tap_is pid_stays "$(sh -c 'echo $$; exec "$0" run -- sh -c "echo \$\$"' "$UNSPIN" | uniq | wc -l)" 1
tap_is arguments_are_kept "$("$UNSPIN" run printf '%s,' --json '' -- 'a b')" "--json,,--,a b,"

preload() { "$UNSPIN" run -- sh -c 'echo "$LD_PRELOAD"'; }
tap_is library_is_preloaded "$(preload)" "$LIB"
tap_is library_comes_first "$(LD_PRELOAD=/x.so preload 2>/dev/null)" "$LIB:/x.so"
tap_is library_comes_once "$(LD_PRELOAD=$LIB preload)" "$LIB"
tap_is library_beside_the_command_is_found \
	"$(cp "$UNSPIN" "$LIB" "$WORK/" && cd / && env -u UNSPIN_LIBRARY "$WORK/unspin" run -- \
		sh -c 'echo "$LD_PRELOAD"')" "$WORK/$(basename "$LIB")"
mkdir -p "$WORK/p/bin" "$WORK/p/lib/unspin"
cp "$UNSPIN" "$WORK/p/bin/" && cp "$LIB" "$WORK/p/lib/unspin/"
tap_is installed_library_is_found "$(env -u UNSPIN_LIBRARY "$WORK/p/bin/unspin" run -- \
	sh -c 'echo "$LD_PRELOAD"')" "$WORK/p/lib/unspin/$(basename "$LIB")"

settings() { "$UNSPIN" run "$@" -- sh -c 'echo "$UNSPIN_MODE,$UNSPIN_WRITE,$UNSPIN_SNDBUF_MAX"'; }
tap_is profile_sets_its_group "$(settings --profile latency)" adapt,auto,1m
tap_is environment_wins_over_profile "$(UNSPIN_SNDBUF_MAX=70k settings --profile latency)" adapt,auto,70k
tap_is set_wins_over_all "$(UNSPIN_SNDBUF_MAX=70k settings --set sndbuf_max=2m --profile latency)" \
	adapt,auto,2m
tap_is observe_is_a_setting "$(UNSPIN_MODE=adapt settings --observe)" observe,,
tap_is set_takes_the_variables_name "$(settings --set UNSPIN_WRITE=grow)" ,grow,

# refuse NAME CODE PART ARGUMENT...
refuse() {
	local name=$1 code=$2 part=$3
	shift 3
	tap_run "$UNSPIN" run "$@"
	if [ "$CODE" = "$code" ]; then
		tap_has "$name" "$ERR" "$part"
	else
		not_ok "$name" "code $CODE: $ERR"
	fi
}
refuse unknown_setting_gets_the_nearest 2 "did you mean write?" --set wirte=grow -- true
refuse bad_word_gets_the_words 2 "auto|off|grow" --set write=groww -- true
refuse bad_number_gets_the_range 2 "65536..1073741824 bytes" --set sndbuf_max=1 -- true
refuse setting_without_value_gets_the_words 2 "off|observe|adapt" --set mode -- true
refuse unknown_profile_gets_the_nearest 2 "did you mean safe?" --profile saef -- true
refuse unknown_option_gets_the_nearest 2 "did you mean --quiet?" --quite -- true
refuse no_program_shows_usage 2 "Usage:"
refuse missing_program_is_127 127 "not found" -- nosuchprogram
echo text >"$WORK/text"
refuse file_without_x_is_126 126 "Permission denied" -- "$WORK/text"
printf '#!%s/nowhere\n' "$WORK" >"$WORK/orphan" && chmod +x "$WORK/orphan"
refuse missing_interpreter_is_127 127 "interpreter" -- "$WORK/orphan"
UNSPIN_LIBRARY=$WORK/nowhere.so refuse missing_library_is_code_2 2 "UNSPIN_LIBRARY" -- true
mkdir "$WORK/a b" && cp "$LIB" "$WORK/a b/"
UNSPIN_LIBRARY="$WORK/a b/libunspin.so" refuse library_with_a_space_is_refused 2 "a space or a colon" -- true

if echo 'int main(void) { return 3; }' | "$CC" -static -x c - -o "$WORK/static" 2>/dev/null; then
	tap_run "$UNSPIN" run -- "$WORK/static"
	tap_is blind_program_still_runs "$CODE" 3
	tap_has blind_program_is_warned_about "$ERR" "statically linked"
	tap_run "$UNSPIN" run --quiet -- "$WORK/static"
	tap_is quiet_is_quiet "$CODE$ERR" 3
else
	skip blind_program_still_runs "no static libc"
fi
tap_run env UNSPIN_WRTE=grow "$UNSPIN" run -- true
tap_has bad_variable_is_warned_about "$ERR" "UNSPIN_WRITE"

# Help is complete: every option of the table, and the same text for the manual page.
tap_run "$UNSPIN" run --help
for key in mode write override sndbuf_max stats_dir; do
	tap_has "help_has_$key" "$OUT" "  $key="
done
tap_is help_fits_the_terminal "$(awk 'length > 100' <<<"$OUT")" ""
tap_run "$UNSPIN" help --man
tap_has man_has_the_settings "$OUT" "UNSPIN_SNDBUF_MAX"
if command -v groff >/dev/null; then
	tap_is man_page_is_clean "$("$UNSPIN" help --man | groff -man -ww -Tutf8 -z 2>&1)" ""
else
	skip man_page_is_clean "groff is missing"
fi
tap_has version_is_told "$("$UNSPIN" --version)" "unspin "
tap_run "$UNSPIN" stats
tap_is unknown_command_is_wrong_use "$CODE" 2
tap_has unknown_command_gets_the_nearest "$ERR" "unspin stat"
tap_done
