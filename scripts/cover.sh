#!/usr/bin/env bash
# cover.sh LEAST: the coverage of the root package by its tests, failing under LEAST percent.
set -euo pipefail
cd "$(dirname "$0")/.."
least=$1
profile=bin/cover.out

mkdir -p bin
go test -timeout 15m -coverprofile="$profile" .
echo
echo "least covered:"
go tool cover -func="$profile" | grep -v '^total:' | awk '$NF + 0 < 100 {print $NF "\t" $1 "\t" $2}' | sort -n | head -15
total=$(go tool cover -func="$profile" | awk '/^total:/ {print $NF + 0}')
echo
echo "root package: $total % (at least $least); every line: go tool cover -html=$profile"
awk -v total="$total" -v least="$least" 'BEGIN {exit total < least}'
