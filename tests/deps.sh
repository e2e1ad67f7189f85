#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make deps: installs what building, testing and the demo need, on Debian 12/13 and Ubuntu
# 22.04/24.04 (apt; root or sudo without a password). Says what and why, asks nothing, starts and
# enables no service. What is there already, from wherever, is kept; when nothing is missing,
# nothing is done.
#
# One row per purpose:  what for | what shows that it is there | packages ("a/b": a, else b)
#	Shown by program names (looked for in PATH and the sbin directories) or file patterns.
table='
compiler, make, C headers|gcc make /usr/include/stdio.h /usr/include/linux/seccomp.h|gcc make libc6-dev linux-libc-dev
unit tests|/usr/include/cmocka.h|libcmocka-dev
names of call sites in `unspin stat` (optional)|/usr/include/elfutils/libdwfl.h|libdw-dev
contract tests: read the built library|nm readelf|binutils
contract tests: count and refuse system calls|strace|strace
contract tests: a program of another libc|musl-gcc|musl-tools
contract tests: file capabilities|setcap|libcap2-bin
tests: namespaces, sessions, users, processes|unshare setpriv setsid mount pkill|util-linux mount procps
tests are written in it; asyncio is a server under test|/usr/bin/python3|python3
tests: a second preloaded library|/usr/lib/*/libjemalloc.so.2|libjemalloc2
lab and demo: two hosts with a real round trip|ip|iproute2
cost of a wrapped call|valgrind|valgrind
server under test and in the demo|nginx|nginx-light/nginx
server under test, and its load|redis-server redis-benchmark|redis-server redis-tools
server under test|memcached|memcached
server under test|node|nodejs
load for demo and benchmarks|wrk|wrk
open-loop load of the benchmarks|httperf|httperf
plots of the benchmarks|gnuplot|gnuplot-nox
'
# What these packages would start, if they were let.
services='nginx redis-server memcached'

set -u
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C
policy=/usr/sbin/policy-rc.d
saved=$policy.before-unspin
mark='# written by tests/deps.sh of unspin'

die() {
	echo "deps: $*" >&2
	exit 1
}

is_there() { # everything named is present
	local what
	for what; do
		if [[ $what == /* ]]; then
			compgen -G "$what" >/dev/null || return 1
		else
			command -v "$what" >/dev/null || return 1
		fi
	done
}

# The first of "a/b" that apt can install.
choose() {
	local package
	for package in ${1//\// }; do
		if apt-cache show "$package" >/dev/null 2>&1; then
			echo "$package"
			return
		fi
	done
	echo "${1##*/}"
}

# Rows of the table whose mark is missing, into the array `rows`.
missing_rows() {
	local row marks
	rows=()
	while IFS= read -r row; do
		[[ -n $row ]] || continue
		marks=${row#*|}
		set -f # the patterns are for is_there
		is_there ${marks%|*} || rows+=("$row")
		set +f
	done <<<"$table"
}

# Packages start their services when installed, unless this file says no (101).
forbid_services() {
	allow_services # what a killed run left
	[[ -e $policy || -L $policy ]] && mv "$policy" "$saved"
	printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy" && chmod 755 "$policy" ||
		die "cannot write $policy"
}

allow_services() {
	grep -qsF "$mark" "$policy" && rm -f "$policy"
	[[ -e $saved || -L $saved ]] && mv -f "$saved" "$policy"
	return 0
}

# A package enables its service for the next boot even if it may not start it now.
disable_service() {
	local name=$1
	if command -v systemctl >/dev/null; then
		systemctl disable "$name" >/dev/null 2>&1
	elif command -v update-rc.d >/dev/null; then
		update-rc.d "$name" disable >/dev/null 2>&1
	fi
	rm -f /etc/systemd/system/*.wants/"$name.service"
	if [[ $name == redis-server ]]; then
		rm -f /etc/systemd/system/redis.service
	fi
}

install() {
	local row package packages=() new=() service status=0
	apt-get update -q </dev/null || echo "deps: apt-get update failed; trying what is known"
	for row in "${rows[@]}"; do
		for package in ${row##*|}; do
			packages+=("$(choose "$package")")
		done
	done
	for service in $services; do
		[[ -e /etc/init.d/$service || -e /lib/systemd/system/$service.service ]] ||
			new+=("$service")
	done
	trap 'exit 130' INT TERM HUP
	trap allow_services EXIT
	forbid_services
	apt-get install -y -q --no-install-recommends -o Dpkg::Options::=--force-confold \
		-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "${packages[@]}" </dev/null || status=1
	for service in "${new[@]}"; do
		[[ -e /etc/init.d/$service || -e /lib/systemd/system/$service.service ]] &&
			disable_service "$service"
	done
	return $status
}

missing_rows
if ((${#rows[@]} == 0)); then
	echo "deps: everything is there"
	exit 0
fi
for row in "${rows[@]}"; do
	printf 'deps: %-55s %s\n' "${row%%|*}" "${row##*|}"
done
command -v apt-get >/dev/null || die "no apt-get here; install the packages above by other means"
if ((EUID != 0)); then
	command -v sudo >/dev/null || die "needs root: run 'make deps' as root"
	sudo -n true 2>/dev/null || die "needs root and sudo wants a password: run 'sudo make deps'"
	exec sudo -n "$0"
fi
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none
install || die "apt-get failed, see above"
missing_rows
if ((${#rows[@]})); then
	printf 'deps: still missing: %s\n' "${rows[@]%%|*}" >&2
	exit 1
fi
echo "deps: done"
