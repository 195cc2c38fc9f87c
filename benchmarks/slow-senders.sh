#!/usr/bin/env bash
# signed senders beside slow and idle connections at three times listen.max_connections: their responses and their P95
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
limit=${1:-1000}
rate=${2:-200}
seconds=${3:-10}
rounds=${4:-3}

cat >"$work/signed.yaml" <<END
pipeline: signed
listen: { port: 0, max_connections: $limit, header_timeout: 10s, body_timeout: 30s }
admin: { port: 0 }
stages:
  - { auth: hmac, scheme: github, secrets: [secret] }
  - parse: json
  - idempotency: memory
  - { queue: memory, workers: 4 }
  - { persist: sqlite, path: $work/signed.db }
END
"$sluice" generate --count $((rate * seconds)) --duplicates 0% --output "$work/input.jsonl"

figure() { sed -n "s/^ *\"$1\": \([0-9.e-]*\),\{0,1\}$/\1/p" "$work/run/run.json" | head -1; }

# measure NAME: adds P95 in ms and responses that are not 2xx to $work/NAME.
measure() {
	rm -rf "$work/run"
	"$sluice" replay --input "$work/input.jsonl" --fresh --url "http://127.0.0.1:$listener" --sign github:secret \
		--rate "$rate" --concurrency 20 --output "$work/run" >"$work/said" 2>&1 || true
	echo "$(figure p95_ms) $(figure errors)" >>"$work/$1"
	printf '%-28s P95 %8s ms, not 2xx: %s of %s\n' "$1" "$(figure p95_ms)" "$(figure errors)" $((rate * seconds))
}
middle() { awk '{ print $1 }' "$work/$1" | median; }

# A sender that keeps its connections, and one that opens a new one for every webhook.
for keep_alive in 65s 0s; do
	start "signed-$keep_alive" "$sluice" run "$work/signed.yaml" --log-level error --set "listen.keep_alive=$keep_alive"
	signed=$pid listener=$port
	measure "warm-$keep_alive"
	for ((i = 0; i < rounds; i++)); do
		measure "undisturbed-$keep_alive"
		start "slow-$keep_alive-$i" "$programs/bench-slow" "$listener" $((3 * limit))
		slow=$pid
		measure "beset-$keep_alive"
		stop_server "$slow"
	done
	stop_server "$signed"
	report "keep_alive $keep_alive: P95 undisturbed, ms, median of $rounds" "$(middle "undisturbed-$keep_alive")"
	report "… beside $((3 * limit)) slow and idle connections" "$(middle "beset-$keep_alive")"
	judge "… ratio" "$(calculate "$(middle "beset-$keep_alive") / $(middle "undisturbed-$keep_alive")")" 3
	judge "… not 2xx, %" "$(awk -v n=$((rate * seconds)) '{ bad += $2 } END { printf "%.3f", 100 * bad / (n * NR) }' "$work/beset-$keep_alive")" 1
done
exit $verdicts
