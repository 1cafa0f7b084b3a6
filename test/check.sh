#!/usr/bin/env bash
# Checks what can be checked without running the server: form, doubtful code,
# known holes, the plan of the house.
set -uo pipefail
cd "$(dirname "$0")/.."
go=${GO:-go}
failed=0

# step runs a command and shows its name, and its output when it fails.
step() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		printf 'ok    %s\n' "$name"
	else
		printf 'FAIL  %s\n%s\n' "$name" "$out"
		failed=1
	fi
}

# formatted fails when gofmt would change a file.
formatted() {
	local files
	files=$(gofmt -l $(git ls-files -co --exclude-standard '*.go')) || return 1
	[ -z "$files" ] || { printf 'gofmt would change:\n%s\n' "$files"; return 1; }
}

# known_holes asks the Go vulnerability database; where that cannot be reached
# it says so and goes on, because that is no fault of the code.
known_holes() {
	local out status
	out=$(timeout 240 $go tool govulncheck ./... 2>&1)
	status=$?
	if [ $status != 0 ] && grep -qE 'fetching vulnerabilities|dial tcp|no such host|Forbidden|TLS handshake|connection refused|i/o timeout' <<<"$out"; then
		printf 'note  govulncheck: its data cannot be reached from here, so known holes were not looked for\n'
	elif [ $status = 124 ]; then
		printf 'note  govulncheck: its data did not answer in time, so known holes were not looked for\n'
	elif [ $status != 0 ]; then
		printf 'FAIL  govulncheck\n%s\n' "$out"
		failed=1
	else
		printf 'ok    govulncheck\n'
	fi
}

step 'gofmt' formatted
step 'go mod tidy' $go mod tidy -diff
step 'go vet' $go vet ./...
step 'go vet of make parties' $go vet -tags parties ./test/browser
step 'staticcheck' $go tool staticcheck ./...
known_holes
step 'architecture' $go test ./test/architecture
exit $failed
