#!/usr/bin/env bash
# what a new message id costs in idempotency/lookup, memory and filter before a table of millions, and which old ids each knows
#
#   benchmarks/idempotency.sh [ROWS [ROUNDS [EVENTS]]]
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
rows=${1:-5000000}
rounds=${2:-20}
events=${3:-300}

database=$work/postgres
stop_database() {
	"$root/tests/support/postgres.sh" stop "$database" >/dev/null 2>&1 || true
	finish
}
trap stop_database EXIT
chmod 755 "$work"
url=$("$root/tests/support/postgres.sh" start "$database" fsync=on synchronous_commit=on max_wal_size=4GB)

# The tables as Sluice makes them, then rows as of long ago.
cat >"$work/pipeline.yaml" <<YAML
pipeline: tables
listen: { port: 0 }
admin: { port: 0 }
stages:
  - parse: json
  - persist: postgres
    url: "$url"
YAML
start tables "$sluice" run "$work/pipeline.yaml"
stop_server "$pid"
psql -q "$url" <<SQL
INSERT INTO webhook_events (message_id, event_type, payload, digest, request_id, received_at)
SELECT 'old-' || n, 'type', '{}', decode(repeat('00', 32), 'hex'), 'request', now() FROM generate_series(1, $rows) n;
VACUUM ANALYZE webhook_events;
CHECKPOINT;
SQL

"$programs/bench-idempotency" "$build" "$url" "$rounds" "$events" old- 2>/dev/null >"$work/lines"
last=$(tail -n 1 "$work/lines")
head -n -1 "$work/lines" >"$work/rounds"

# The ratio of two stages, round by round, as `RATIO [LOW, HIGH]`.
ratio() {
	local line
	while read -r line; do
		awk -v a="$(value "$1_ns" "$line")" -v b="$(value "$2_ns" "$line")" 'BEGIN { print log(a / b) }'
	done <"$work/rounds" | estimate | awk '{ printf "%.2f [%.2f, %.2f]\n", exp($1), exp($2), exp($3) }'
}

middle() { while read -r line; do value "$1_ns" "$line"; done <"$work/rounds" | median; }

echo "── a new id before $rows stored ones, on one thread and a local server; $rounds rounds of $events each, in turn"
printf '%-10s %12s   %s\n' '' 'median, µs' "old ids known, of $(value of "$last")"
for stage in lookup memory filter; do
	printf '%-10s %12s   %s\n' "$stage" "$(calculate "$(middle "$stage") / 1000")" "$(value "${stage}_knows" "$last")"
done
echo "lookup ÷ filter: $(ratio lookup filter)"
echo "filter ÷ memory: $(ratio filter memory)"
echo "the filter was whole after $(value whole_ms "$last") ms; new ids looked up all the same: $(calculate "100 * $(value rate "$last")" 4) %"
