#!/usr/bin/env bash
# need.sh NAME...: makes sure that what the tests use is there, and fails where it is not.
#
# Missing parts are installed from Debian's packages if that is allowed: for root, unless GTF_INSTALL=no. Otherwise one
# line says what is skipped without the part. To add a part, add a case to `about`.
set -euo pipefail

# about NAME sets: command (that proves it is there), packages (Debian's), without (what cannot be tested).
about() {
	case $1 in
	cc)
		command=$(go env CC) packages="gcc libc6-dev" without="tests run without the race detector"
		;;
	sha256sum)
		command=sha256sum packages=coreutils without="manifests are not checked with sha256sum -c"
		;;
	postgres)
		command=postgres packages=postgresql without="nothing that needs PostgreSQL is tested"
		;;
	pgbouncer)
		command=pgbouncer packages=pgbouncer without="PostgreSQL is not tested behind a pooler"
		;;
	redis)
		command=redis-server packages=redis-server without="nothing that needs Redis is tested"
		;;
	*)
		echo "need.sh: unknown part: $1" >&2
		exit 2
		;;
	esac
}

# Debian keeps PostgreSQL's programs out of PATH, and those of /usr/sbin out of the users'.
there() {
	local dir
	hash -r && command -v "${command%% *}" >/dev/null && return
	for dir in /usr/sbin /usr/lib/postgresql/*/bin; do
		[ -x "$dir/${command%% *}" ] && return
	done
	[ "$command" = redis-server ] && command -v valkey-server >/dev/null
}

may_install() { [ "${GTF_INSTALL:-yes}" != no ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# install PACKAGE... shows apt's output only when it fails.
install() {
	local log
	log=$(mktemp)
	if { update && quietly "$@"; } </dev/null >"$log" 2>&1; then
		rm -f "$log"
		return
	fi
	cat "$log" >&2
	rm -f "$log"
	return 1
}

updated=""
update() { [ -n "$updated" ] || apt-get -q update && updated=yes; }

# quietly PACKAGE... installs programs and nothing that runs: no service is started, PostgreSQL makes no cluster. What it
# changes for that is put back when its subshell ends.
quietly() (
	policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.conf ours=""
	export DEBIAN_FRONTEND=noninteractive
	trap '[ -z "$ours" ] || rm -f "$policy"; [ ! -e "$cluster.before" ] || mv -f "$cluster.before" "$cluster"' EXIT
	trap exit INT TERM
	if [ ! -e "$policy" ]; then # a machine that has one, as containers do, has decided already
		ours=yes
		{ printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"; } || exit
	fi
	if [[ " $* " == *" postgresql "* ]]; then
		apt-get -qy install --no-install-recommends postgresql-common || exit
		{ cp -p "$cluster" "$cluster.before" && printf 'create_main_cluster = false\n' >>"$cluster"; } || exit
	fi
	apt-get -qy install --no-install-recommends "$@"
)

missing=0
for part in "$@"; do
	about "$part"
	there && continue
	if may_install; then
		echo "install: $packages" >&2
		# shellcheck disable=SC2086 # several packages
		install $packages && there && continue
	fi
	echo "SKIP: $command is missing (Debian: $packages): $without" >&2
	missing=1
done
exit $missing
