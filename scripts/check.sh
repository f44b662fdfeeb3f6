#!/usr/bin/env bash
# check.sh: everything that a change has to pass. Goes on after a failure and names what failed at the end.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

failed=()

# step NAME COMMAND... runs one check under a heading.
step() {
	local name=$1 start=$SECONDS
	shift
	printf '\n=== %s: %s\n' "$name" "$*"
	if "$@"; then
		printf -- '--- %s: ok, %d s\n' "$name" $((SECONDS - start))
	else
		printf -- '--- %s: FAILED, %d s\n' "$name" $((SECONDS - start))
		failed+=("$name")
	fi
}

# download tries three times: the network may be away for a moment.
download() {
	local try
	for try in 1 2 3; do
		go mod download && go -C tools mod download && go -C bench mod download && return
		sleep $((try * 5))
	done
	return 1
}

formatted() {
	local files
	files=$(gofmt -l .) || return
	[ -z "$files" ] && return
	printf 'not gofmt:\n%s\n' "$files"
	return 1
}

# fingerprint of every file that is or could be tracked.
fingerprint() { git ls-files -z --cached --others --exclude-standard | sort -zu | xargs -0 -r sha256sum 2>/dev/null; }

# generated compares the tree before and after, so it also works with changes that are not committed yet.
generated() {
	local before after
	before=$(fingerprint)
	go generate ./... || return
	after=$(fingerprint)
	[ "$before" = "$after" ] && return
	echo "go generate ./... changes:"
	diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") | awk '/^[<>]/ {print "  " $3}' | sort -u
	return 1
}

# bench is a module of its own: whether it fits to this one, and its own rules.
bench() { go -C bench vet ./... && go -C bench mod tidy -diff && (cd bench && ../bin/golangci-lint run); }

step download download
step format formatted
step vet go vet ./...
step tidy go mod tidy -diff
step generated generated
step lint make -s --no-print-directory lint
step bench bench
step test scripts/test.sh

echo
if [ ${#failed[@]} -gt 0 ]; then
	echo "check: FAILED after $SECONDS s: ${failed[*]}"
	exit 1
fi
echo "check: everything ok after $SECONDS s"
