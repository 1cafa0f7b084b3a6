#!/usr/bin/env bash
# Writes down what this release asks its tables, for the test that holds newer schemas to
# it: every statement that the tests lead to, on both engines, and the schema. It is run
# once for each release whose schema is new, and what it writes is committed with it.
#
#   TEST_POSTGRES=postgres://… test/statements.sh
set -euo pipefail
cd "$(dirname "$0")/.."
: "${TEST_POSTGRES:?names a server of PostgreSQL to run the tests on}"
schema=$(ls internal/db/migrations | tail -n 1 | cut -c1-4)
to=internal/db/testdata/before/$schema
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
go test -tags record -count=1 -timeout=60m \
	./internal/audit ./internal/directory ./internal/images ./internal/jobs ./internal/oidc ./internal/settings ./internal/signin \
	./internal/overview ./internal/app ./test/protocol
mkdir -p "$(dirname "$to")"
go run ./test/statements <"$TMPDIR/pocket-id-statements.tsv" >"$to.sql"
cp internal/db/testdata/schema.golden "$to.golden"
wc -l "$to.sql" >&2
