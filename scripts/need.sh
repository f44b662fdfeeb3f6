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
	*)
		echo "need.sh: unknown part: $1" >&2
		exit 2
		;;
	esac
}

there() { hash -r && command -v "${command%% *}" >/dev/null; }

may_install() { [ "${GTF_INSTALL:-yes}" != no ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# install PACKAGE... shows apt's output only when it fails.
install() {
	local log
	log=$(mktemp)
	if { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
		rm -f "$log"
		return
	fi
	cat "$log" >&2
	rm -f "$log"
	return 1
}

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
