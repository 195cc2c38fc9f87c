#!/usr/bin/env bash
# what `sluice replay` costs per request against wrk, and how late it sends beside a server and PostgreSQL
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
rounds=${1:-9}
requests=${2:-20000} # of a round
count=${3:-30000}    # of a run at 500/s
runs=${4:-3}

stop_postgres() { "$root/tests/support/postgres.sh" stop "$work/postgres" >/dev/null 2>&1 || true; }
trap 'stop_postgres; finish' EXIT
chmod 755 "$work" # its user must get in

# ── (a) ──

cat >"$work/empty.yaml" <<'END'
pipeline: empty
listen: { port: 0, threads: 2 }
admin: { enabled: false }
stages:
  - { auth: empty }
  - { parse: empty }
  - { idempotency: empty }
  - { persist: empty }
END
generate() { "$sluice" generate --count "$1" --duplicates "$2" --output "$work/$3.jsonl"; }
generate "$requests" 0% closed

# wrk sends the first of the bodies again and again: the same size, and no work to make it.
cat >"$work/post.lua" <<END
local body = io.open("$work/closed.jsonl"):read():match('"body":"(.*)"}\$')
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = body:gsub("\\\\(.)", "%1")
END

# figures NAME: those of that name in the run's run.json, in their order; figure NAME: the first.
figures() { sed -n "s/^ *\"$1\": \([a-z0-9.e-]*\),\{0,1\}$/\1/p" "$work/run/run.json"; }
figure() { figures "$1" | head -1; }

# bounded COMMAND…: what it says of itself (a generator that was always busy is an INVALID one) is no failure here.
bounded() {
	local status=0
	"$@" >"$work/said" 2>"$work/errors" || status=$?
	[ "$status" = 0 ] || [ "$status" = 1 ] || [ "$status" = 30 ] || { cat "$work/errors" >&2; return 2; }
}

# spent COMMAND…: its output goes to $work/said; prints the µs of processor time that it took, of user and of system.
spent() {
	local TIMEFORMAT='%3U %3S'
	{ time bounded "$@"; } 2>&1 | awk '{ print ($1 + $2) * 1e6 }'
}
per_request() { # NAME
	local took
	if [ "$1" = wrk ]; then
		took=$(spent wrk -t1 -c50 -d2s -s "$work/post.lua" "http://127.0.0.1:$port/webhooks")
		calculate "$took / $(sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' "$work/said")" 3
	else
		rm -rf "$work/run"
		took=$(spent "$sluice" replay --input "$work/closed.jsonl" --url "http://127.0.0.1:$port" --rate 0 --requests "$1" --output "$work/run")
		calculate "$took / $1" 3
	fi
}

echo "── processor time per request, µs, 50 connections, 1 KiB payloads, median of $rounds rounds in turn"
start empty "$sluice" run "$work/empty.yaml" --stage-path "$programs/stages:$build/stages" --log-level error
empty=$pid
for ((i = 0; i < rounds; i++)); do
	declare -A cost
	for name in $(shuf -e wrk "$requests"); do cost[$name]=$(per_request "$name"); done
	sending=$(calculate "$(figure cpu_share) * $(figure cpus) * 1e6 / $(figures rate | tail -1)" 3)
	echo "${cost[wrk]} ${cost[$requests]} $sending" >>"$work/costs"
done
stop_server "$empty"
middle() { awk "{ print $1 }" "$work/costs" | median; }
report "wrk" "$(calculate "$(middle '$1')")"
report "sluice replay, all of it: reading the input, sending, writing the run" "$(calculate "$(middle '$2')")"
report "sluice replay, only its sending" "$(calculate "$(middle '$3')")"
report "its sending ÷ wrk" "$(calculate "$(middle '$3 / $1')")"
judge "all of it ÷ wrk" "$(calculate "$(middle '$2 / $1')")" 3

# ── (b) ──

echo "── lag at 500/s from 50 connections beside a server and PostgreSQL, $count requests, $runs times"
DB_URL=$("$root/tests/support/postgres.sh" start "$work/postgres")
export DB_URL
generate "$count" 2% open
start postgres "$sluice" run "$root/pipelines/postgres.yaml" --log-level warn --set listen.port=0 --set admin.enabled=false
for ((i = 0; i < runs; i++)); do
	rm -rf "$work/run"
	"$sluice" replay --input "$work/open.jsonl" --fresh --url "http://127.0.0.1:$port" --rate 500 --concurrency 50 --output "$work/run" >"$work/said" || true
	line="lag_p50=$(figure lag_p50_ms) lag_p95=$(figure lag_p95_ms) lag_p99=$(figure lag_p99_ms) errors=$(figure errors)"
	echo "$(figure lag_p95_ms) $(figure lag_p99_ms) $(figure errors)" >>"$work/lags"
	echo "$line p95=$(figure p95_ms) cpu_share=$(figure cpu_share) valid=$(figure valid)"
done
middle() { awk "{ print $1 }" "$work/lags" | median; }
judge "lag P95, ms, median of the runs" "$(middle '$1')" 0.2
judge "lag P99, ms, median of the runs" "$(middle '$2')" 1
judge "errors, all runs" "$(awk '{ sum += $3 } END { print sum }' "$work/lags")" 0
exit $verdicts
