#!/usr/bin/env bash
# Writes the golden files anew: every test that knows -update runs with it.
set -euo pipefail
cd "$(dirname "$0")/.."
packages=$(grep -lE 'flag\.Bool\("update"' $(git ls-files -co --exclude-standard '*_test.go') | xargs -n 1 dirname | sort -u)
failed=0
for dir in $packages; do
	${GO:-go} test -count=1 "./$dir" -update || failed=1
done
git status --short
exit $failed
