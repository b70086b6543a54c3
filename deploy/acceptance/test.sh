#!/bin/sh
# Runs every test this machine can run, then says what was exercised and what was not.
#   test.sh [unit|acceptance]   one part only
set -u
cd "$(dirname "$0")/../.."
part=${1:-all}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SIDECART_BIN=$work/bin; export SIDECART_BIN # every suite builds the services once
done_="$work/done" skipped="$work/skipped" failed="$work/failed"
: >"$done_"; : >"$skipped"; : >"$failed"

race=-race
if [ "$(go env CGO_ENABLED)" != 1 ] || ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then
	race=
	echo 'the race detector (it needs a C compiler)' >>"$skipped"
fi

run() { # run NAME COMMAND…: one line before, one in the summary
	name=$1; shift
	echo "== $name"
	if "$@"; then echo "$name" >>"$done_"; else echo "$name" >>"$failed"; fi
}

tests() { (cd "$1" && shift && go test $race -timeout 60m "$@"); }
alone() { (cd "$1" && GOWORK=off go build ./...); }

if [ "$part" != acceptance ]; then
	for m in services/kit services/contracts services/gateway services/users services/orders services/payments \
		services/notifications deploy/local; do
		run "unit tests: $m" tests $m ./...
		run "builds alone: $m" alone $m
	done
	run "builds alone: deploy/acceptance" alone deploy/acceptance
	run "manifests: deploy/kubernetes" sh -c "cd deploy/kubernetes && GOWORK=off go test ./..."
	run "alerts and metrics: deploy/observability" sh -c "cd deploy/observability && GOWORK=off go test ./..."
fi

# Which kinds of system this machine can run: a component set and a Redis.
postgres() {
	command -v initdb >/dev/null || [ -n "${SIDECART_POSTGRES_BIN:-}" ] ||
		[ -n "$(ls -d /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb /usr/local/opt/postgresql*/bin/initdb 2>/dev/null)" ]
}
chromium() {
	command -v chromium || command -v chromium-browser || command -v google-chrome || command -v google-chrome-stable
} >/dev/null
skip() { echo "$1" >>"$skipped"; }
systems='in-process'
if ! command -v redis-server >/dev/null; then
	skip 'embedded set on a real Redis (no redis-server on PATH)'
	skip 'production set (no redis-server on PATH)'
else
	systems="server $systems"
	if postgres; then systems="$systems production"; else skip 'production set (no PostgreSQL: initdb is not to be found)'; fi
fi
if [ -z "${SIDECART_MONGODB_URI:-}" ]; then
	skip 'orders on MongoDB (SIDECART_MONGODB_URI is not set); the production set has them on PostgreSQL, by a swapped YAML'
fi

suite() { # suite KIND COMMAND…: a command in deploy/acceptance on one kind of system
	kind=$1; shift
	case $kind in
	server) run "$2: embedded set, redis-server" env SIDECART_REDIS=server sh -c "cd deploy/acceptance && $1" ;;
	in-process) run "$2: embedded set, in-process Redis" env SIDECART_REDIS=in-process sh -c "cd deploy/acceptance && $1" ;;
	production) run "$2: production set" env SIDECART_COMPONENTS=production sh -c "cd deploy/acceptance && $1" ;;
	esac
}

if [ "$part" != unit ]; then
	if chromium; then
		run 'the console in a browser' sh -c 'cd deploy/acceptance && go test -count=1 -timeout 60m ./console'
	else
		skip 'the console in a browser (no Chromium on PATH)'
	fi
	run 'conformance of stores and buses' sh -c 'cd deploy/acceptance && go test -count=1 -timeout 60m ./conformance'
	run 'components, swapped and broken' sh -c 'cd deploy/acceptance && go test -count=1 -timeout 60m ./components'
	run 'traces, from click to mail' sh -c 'cd deploy/acceptance && go test -count=1 -timeout 60m ./tracing'
	for kind in $systems; do
		suite "$kind" "go test $race -count=1 -timeout 60m . ./harness/..." acceptance
		suite "$kind" 'go test -count=1 -timeout 60m -v ./chaos' recovery
	done
fi

echo
echo 'Exercised:';     sed 's/^/  /' "$done_"
if [ -s "$skipped" ]; then echo 'Not exercised:'; sed 's/^/  /' "$skipped"; fi
if [ -s "$failed" ]; then echo 'FAILED:';        sed 's/^/  /' "$failed"; fi
printf '%s passed, %s failed, %s skipped\n' "$(wc -l <"$done_" | tr -d ' ')" "$(wc -l <"$failed" | tr -d ' ')" "$(wc -l <"$skipped" | tr -d ' ')"
[ ! -s "$failed" ]
