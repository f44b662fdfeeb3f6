#!/usr/bin/env bash
# fuzz.sh TIME: every fuzz target of the module for that long, one after the other, then requests made of the OpenAPI document.
set -euo pipefail
cd "$(dirname "$0")/.."
time=$1

targets=$(git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' || true)
[ -n "$targets" ] || echo "no fuzz targets"
while IFS=: read -r file target; do
	[ -n "$file" ] || continue
	target=${target#func }
	echo "=== $target in $(dirname "$file")"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$file")" </dev/null
done <<<"$targets"
echo "=== 20,000 requests of the OpenAPI document"
go test ./httpapi -run '^TestAPIHoldsAgainstItsDocument$' -count=1 -requests 20000
