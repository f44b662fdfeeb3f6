#!/usr/bin/env bash
# test.sh [PACKAGE...]: the tests of the packages (default: all), with the race detector where a C compiler is. One PostgreSQL
# and one Redis server run meanwhile.
#
# In CI (CI=true) nothing may be missing; elsewhere what is missing is skipped and named.
set -euo pipefail
cd "$(dirname "$0")/.."

# want PART...: true if they are there.
want() {
	scripts/need.sh "$@" && return
	if [ "${CI:-}" = true ]; then
		echo "test.sh: CI runs every test, and a part is missing of: $*" >&2
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
want sha256sum postgres pgbouncer redis || true # their tests skip themselves

[ $# -gt 0 ] || set -- ./...
go build -o bin/services ./internal/services # go run would hide the exit code
exec bin/services -- go test "${flags[@]}" -timeout 15m "$@"
