#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make deps: installs what building, testing and the demo need, from the distribution's packages.
# Says what and why, asks nothing, starts and enables no service, does nothing when all is there.
# Debian 12/13, Ubuntu 22.04/24.04; root or sudo.
set -eu

# What must be there : packages that bring it, first available wins : why
needs='
gcc:gcc:compiles the library, the command and the demo server
make:make:the build
/usr/include/stdio.h:libc6-dev:headers of the C library
/usr/include/linux/tcp.h:linux-libc-dev:headers of the kernel
/usr/include/cmocka.h:libcmocka-dev:unit tests
valgrind:valgrind:counts the instructions a wrapped call costs
strace:strace:the shim'\''s counts are checked against it
/usr/bin/python3:python3:test and demo drivers, the asyncio server under test
nginx:nginx-light nginx:real server under test
redis-server:redis-server:real server under test
redis-cli:redis-tools:its client and load generator
memcached:memcached:real server under test (seccomp)
node:nodejs:real server under test (libuv)
wrk:wrk:load for the demo and the benchmarks
curl:curl:plain requests in tests
ip:iproute2:the lab: two hosts out of network namespaces
unshare:util-linux:full and read-only file systems in tests
setcap:libcap2-bin:programs the shim cannot be loaded into
nm:binutils:checks what the library exports
pgrep:procps:tests find the processes they started
git:git:benchmarks record the commit
musl-gcc:musl-tools:another libc, for `unspin check`
'

is_there() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ] ;;
	esac
}

missing=
while IFS=: read -r probe packages why; do
	[ -n "$probe" ] || continue
	is_there "$probe" || missing="$missing$probe:$packages:$why
"
done <<<"$needs"
if [ -z "$missing" ]; then
	echo "deps: everything is there"
	exit 0
fi
if ! command -v apt-get >/dev/null; then
	echo "deps: no apt-get here; install these by hand:" >&2
	while IFS=: read -r probe packages why; do
		[ -z "$probe" ] || echo "  ${packages%% *} ($why)" >&2
	done <<<"$missing"
	exit 1
fi

sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "deps: needs root or sudo" >&2; exit 1; }
	sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq </dev/null || echo "deps: apt-get update failed, going on with the lists at hand" >&2

install=
while IFS=: read -r probe packages why; do
	[ -n "$probe" ] || continue
	chosen=
	for package in $packages; do
		if [ -n "$(apt-cache madison "$package" 2>/dev/null)" ]; then
			chosen=$package
			break
		fi
	done
	if [ -z "$chosen" ]; then
		echo "deps: no package for $probe ($why); tests that need it will be skipped" >&2
		continue
	fi
	echo "deps: installing $chosen: $why"
	install="$install $chosen"
done <<<"$missing"
[ -n "$install" ] || exit 0

# Packages of servers start them when installed, unless policy-rc.d forbids. An existing policy is
# the owner's and is left alone.
policy=/usr/sbin/policy-rc.d
mine=
if [ ! -e "$policy" ]; then
	mine=1
	printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
	$sudo chmod 755 "$policy"
fi
# Called by the trap.
# shellcheck disable=SC2317
clean_up() {
	[ -z "$mine" ] || $sudo rm -f "$policy"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# shellcheck disable=SC2086 # one word per package
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $install \
	</dev/null

# They enable themselves for the next boot too: not what somebody asked for who runs tests.
for service in nginx redis-server memcached; do
	case " $install " in
	*" $service"*)
		if command -v systemctl >/dev/null; then
			$sudo systemctl disable --now -q "$service" 2>/dev/null || true
		fi
		;;
	esac
done
echo "deps: done"
