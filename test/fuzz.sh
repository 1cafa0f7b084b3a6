#!/usr/bin/env bash
# Runs each fuzz target for a while, one after the other, and says what came of it.
#
#   FUZZ_TIME   how long each runs, as go test -fuzztime has it; 10m without it
#   FUZZ        a part of the names to run; all without it
set -uo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
failed=0
for package in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n 1 dirname | sort -u); do
	for target in $($go test -list '^Fuzz' "./$package" | grep '^Fuzz'); do
		[[ $target == *${FUZZ:-}* ]] || continue
		if out=$($go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZ_TIME:-10m}" "./$package" 2>&1); then
			printf 'ok    %-30s %-40s %s\n' "$package" "$target" "$(grep -o 'execs: [0-9]*' <<<"$out" | tail -n 1)"
		else
			printf 'FAIL  %-30s %s\n%s\n' "$package" "$target" "$out"
			failed=1
		fi
	done
done
exit $failed
