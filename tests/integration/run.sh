#!/bin/sh
# The integration tests: the real binary, real sockets, real stores.
#
#   tests/integration/run.sh                  all of them, against build/
#   tests/integration/run.sh order bounds     those of order.test.mjs and bounds.test.mjs
#
#   SLUICE_BUILD=build-asan     another build, from the top of the tree
#   SLUICE_PATIENCE=5           deadlines this many times as long (a sanitizer build, a loaded machine)
#   SLUICE_JOBS=2               this many files at once
#   SLUICE_LONG=1               kill campaigns of 20 rounds instead of 3
#   SLUICE_SEED=N               the random moments of an earlier run
#   SLUICE_SCREENSHOTS=DIR      keeps what the reports look like
#   SLUICE_CONNECTIONS=N        no more connections than this at once
set -eu

cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
build=${SLUICE_BUILD:-build}
case $build in
/*) ;;
*) build=$root/$build ;;
esac
[ -x "$build/sluice" ] || {
	echo "run.sh: $build/sluice is not there: ./dev build" >&2
	exit 2
}
for program in node npm sqlite3 psql promtool chromium; do
	command -v "$program" >/dev/null || {
		echo "run.sh: $program is missing: apt install nodejs npm sqlite3 postgresql-client prometheus chromium" >&2
		exit 2
	}
done
[ -d node_modules ] && [ node_modules/.package-lock.json -nt package-lock.json ] ||
	npm ci --no-audit --no-fund --loglevel=error

if [ $# -eq 0 ]; then
	set -- *.test.mjs
else
	for name in "$@"; do
		set -- "$@" "$name.test.mjs"
		shift
	done
fi

# Ten thousand connections leave nothing to others.
alone=many_connections.test.mjs
jobs=${SLUICE_JOBS:-1}

# Prints the files, those first that take longest.
ordered() {
	for first in compare kill install store_away replay; do
		for file in "$@"; do
			[ "$file" != "$first.test.mjs" ] || echo "$file"
		done
	done
	printf '%s
' "$@" | grep -vE '^(compare|kill|install|store_away|replay)\.test\.mjs$' || true
}

# One PostgreSQL for all that do not kill theirs.
place=$(mktemp -d)
chmod 755 "$place"
clean() {
	"$root/tests/support/postgres.sh" stop "$place/postgres" >/dev/null 2>&1 || true
	rm -rf "$place"
}
trap clean EXIT
trap 'exit 130' INT TERM
SLUICE_TEST_POSTGRES=$("$root/tests/support/postgres.sh" start "$place/postgres" max_connections=200)
export SLUICE_TEST_POSTGRES SLUICE_BUILD="$build"

# What a test leaves behind goes, too.
TMPDIR=$place
export TMPDIR

# Descriptors for ten thousand connections, if they may be had.
ulimit -n "$(ulimit -H -n)" 2>/dev/null || true

reporter=
! node --help | grep -q -- --test-reporter || reporter=--test-reporter=spec

failed=0
if [ "$jobs" -gt 1 ]; then
	# The long ones first; the output of a file comes when it is through. Files that need the machine for themselves come after.
	beside=$(ordered "$@" | grep -vxF "$alone" || true)
	set -- $(printf '%s\n' "$@" | grep -xF "$alone" || true)
	printf '%s\n' "$beside" | xargs -r -P "$jobs" -I FILE sh -c '
		node --test $1 "$2" >"$3/$2.log" 2>&1 && status=0 || status=1
		cat "$3/$2.log"
		exit $status' sh "$reporter" FILE "$place" || failed=1
fi
for file in "$@"; do
	node --test $reporter "$file" || failed=1
done
exit $failed
