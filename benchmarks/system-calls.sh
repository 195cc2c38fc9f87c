#!/usr/bin/env bash
# system calls of the server for a webhook, by name, beside a bare HTTP server's
#
#   benchmarks/system-calls.sh [COUNT]
#
# COUNT webhooks from 50 senders go to each of: a libmicrohttpd handler that stores nothing, SQLite, PostgreSQL in batches, the
# journal.
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
count=${1:-8000}
database=$(mktemp -d)
chmod 755 "$database"
stop_all() {
	finish
	"$root/tests/support/postgres.sh" stop "$database" >/dev/null 2>&1 || true
	rm -rf "$database"
}
trap stop_all EXIT
export DB_URL STATE_DIR=$work
DB_URL=$("$root/tests/support/postgres.sh" start "$database" fsync=on synchronous_commit=on)

# The calls that are made most, in a line.
names() { awk '$2 ~ /^syscalls/ && $1 / n >= 0.005 { sub(/.*sys_enter_/, "", $2); printf "%.2f %s\n", $1 / n, $2 }' n="$count" "$1" | sort -rg | head -n 10 | paste -sd, | sed 's/,/, /g'; }

arm() { # NAME COMMAND…
	start "$@"
	"$programs/bench-send" "$port" 50 0 2000 warm >/dev/null
	count_system_calls "$pid" "$port" "$count" "$work/calls"
	calls=$(calculate "$(total_system_calls "$work/calls") / $count")
	if [ "$1" = bare ]; then report "$1" "$calls"; else judge "$1" "$calls" 6; fi
	echo "  $(names "$work/calls")"
	stop_server "$pid"
}

echo "system calls for a webhook, 50 senders"
arm bare "$programs/bench-bare"
for overlay in sqlite batched journal; do
	arm "$overlay" "$sluice" run "$root/benchmarks/peers/sluice.yaml" --enable "$overlay" --log-level error
done
exit $verdicts
