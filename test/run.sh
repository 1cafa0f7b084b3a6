#!/usr/bin/env bash
# Runs all tests on both engines and in a browser: finds or installs what they
# need, starts a PostgreSQL of its own, and cleans up however it ends.
#
#   test/run.sh [go test arguments]     without arguments: everything
#
# TEST_POSTGRES, when set, names a server to use instead of starting one.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 LANG=C.UTF-8
go=${GO:-go}

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# postgres_bin prints the directory of the newest initdb, if there is one.
postgres_bin() {
	local found
	found=$(ls -d /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1) || true
	[ -n "$found" ] || found=$(command -v initdb || true)
	[ -z "$found" ] || dirname "$found"
}

# chromium prints the browser's path, if there is one. The one without windows comes first:
# it does the same for half the processor time.
chromium() {
	local name
	for name in chromium-headless-shell chromium chromium-browser google-chrome google-chrome-stable chrome; do
		command -v "$name" && return
	done
	return 0
}

# find_or_install leaves the missing Debian packages installed, or names them.
find_or_install() {
	local missing=()
	case $(chromium) in
	*-headless-shell) ;;
	'') missing+=(chromium) ;;
	*) [ "$(id -u)" != 0 ] || ! [ -e /etc/debian_version ] || missing+=(chromium) ;; # better than what is there, and not needed
	esac
	[ -n "$(postgres_bin)" ] || missing+=(postgresql) # tests of outages start their own, also beside TEST_POSTGRES
	[ -n "$(command -v nginx)" ] || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
	[ -n "$(command -v caddy)" ] || missing+=(caddy)
	[ -n "$(command -v haproxy)" ] || [ -x /usr/sbin/haproxy ] || missing+=(haproxy)
	[ -n "$(command -v systemd-analyze)" ] || missing+=(systemd)
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ] || ! [ -e /etc/debian_version ]; then
		die "The tests need: ${missing[*]}. On Debian or Ubuntu: sudo apt-get install ${missing[*]}"
	fi
	say "installing ${missing[*]} from Debian"
	# The packages would start servers of their own, which nobody needs here.
	local quiet=/etc/postgresql-common/createcluster.d/tests.conf policy=/usr/sbin/policy-rc.d
	mkdir -p "${quiet%/*}" && echo 'create_main_cluster = false' >"$quiet"
	if [ -e "$policy" ]; then policy=; else printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"; fi
	local log=$scratch/apt.log ok=yes
	{ apt-get update && lean_chromium && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 || ok=no
	rm -f "$quiet" ${policy:+"$policy"}
	[ "$ok" = yes ] || { tail -n 20 "$log" >&2; die "The tests need: ${missing[*]}. Installing them did not work, see above."; }
}

# lean_chromium takes the browser without windows where Debian has it.
lean_chromium() {
	! apt-cache show chromium-headless-shell >/dev/null 2>&1 || missing=("${missing[@]/%chromium/chromium-headless-shell}")
}

# as_postgres runs a command as somebody whom PostgreSQL accepts, which root is not.
as_postgres() {
	if [ "$(id -u)" = 0 ]; then
		(cd / && exec setpriv --reuid="$unprivileged" --regid="$(id -g "$unprivileged")" --clear-groups "$@")
	else
		"$@"
	fi
}

# start_postgres starts a server on a free port; what it stores is thrown away.
start_postgres() {
	[ -z "${TEST_POSTGRES:-}" ] || return 0
	local bin port
	bin=$(postgres_bin)
	unprivileged=nobody
	! id postgres >/dev/null 2>&1 || unprivileged=postgres
	mkdir "$scratch/pg"
	[ "$(id -u)" != 0 ] || chown "$unprivileged" "$scratch/pg"
	as_postgres "$bin/initdb" -D "$scratch/pg/data" -A trust -U postgres --locale=C.UTF-8 -E UTF8 --no-sync >"$scratch/initdb.log" 2>&1 ||
		{ cat "$scratch/initdb.log" >&2; die "PostgreSQL could not be set up, see above."; }
	for _ in 1 2 3 4 5 6 7 8; do
		port=$((20000 + RANDOM % 12000))
		if as_postgres "$bin/pg_ctl" -D "$scratch/pg/data" -w -t 60 -s -l "$scratch/pg/log" \
			-o "-p $port -k $scratch/pg -c listen_addresses=127.0.0.1 -c max_connections=300 -c fsync=off -c synchronous_commit=off -c full_page_writes=off" start >/dev/null 2>&1; then
			server=$bin
			export TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable"
			return 0
		fi
	done
	cat "$scratch/pg/log" >&2
	die "PostgreSQL does not start, see above."
}

# clean_up ends what was started, in whatever state it is.
clean_up() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP # a second signal must not leave half of it behind
	[ -z "$tests" ] || { kill -TERM "$tests" 2>/dev/null && wait "$tests" 2>/dev/null; } || true
	[ -z "$server" ] || as_postgres "$server/pg_ctl" -D "$scratch/pg/data" -m immediate -s stop >/dev/null 2>&1 || true
	rm -rf "$scratch"
	exit "$status"
}

server= tests= unprivileged=
scratch=$(mktemp -d "${TMPDIR:-/tmp}/pocket-id-test.XXXXXX")
chmod 711 "$scratch"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

find_or_install
start_postgres
CHROMIUM=$(chromium) && export CHROMIUM

mkdir -p build
$go build -o build/tally ./test/tally
need=()
if [ $# = 0 ]; then
	need=(-need sqlite,postgres,browser)
	# The longest first, so that the short ones fill the gaps.
	set -- -count=1 -timeout=60m ./test/browser ./test/protocol ./internal/oidc ./...
fi
build/tally "${need[@]}" -- "$@" &
tests=$!
wait "$tests" && tests= || { status=$?; tests=; exit "$status"; }

# What is deployed is held to the program in a module of its own: deploy/test/doc.go.
[ ${#need[@]} -gt 0 ] || exit 0
(cd deploy/test && exec ../../build/tally -- -count=1 -timeout=15m ./...) &
tests=$!
wait "$tests" && tests= || { status=$?; tests=; exit "$status"; }
