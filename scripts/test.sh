#!/usr/bin/env bash
# test.sh [PACKAGE...]: the tests of the packages (default: all), with the race detector where a C compiler is. One PostgreSQL
# and one Redis server run meanwhile.
#
# What is missing and cannot be installed is skipped and named, at the beginning and at the end; with GTF_TEST_ALL=yes it is
# an error.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()

# want PART: true if it is there.
want() {
	scripts/need.sh "$1" && return
	missing+=("$1")
	if [ "${GTF_TEST_ALL:-}" = yes ]; then
		echo "test.sh: every test is asked for, and this part is missing: $1" >&2
		exit 1
	fi
	return 1
}

flags=()
if want cc; then
	export CGO_ENABLED=1
	# SQLite is a C program translated to Go: with its own memory accesses traced, the tests take several times as long. The two
	# packages named here hold no generic code, of which the linker might keep an untraced copy for all.
	flags+=(-race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/memory=-race=false)
else
	export CGO_ENABLED=0
fi
for part in sha256sum postgres pgbouncer redis; do
	want "$part" || true # its tests skip themselves
done

[ $# -gt 0 ] || set -- ./...
go build -o bin/services ./internal/services # go run would hide the exit code
code=0
bin/services -- go test "${flags[@]}" -timeout 15m "$@" || code=$?
[ ${#missing[@]} = 0 ] || echo "test.sh: SKIPPED what needs: ${missing[*]}" >&2
exit $code
