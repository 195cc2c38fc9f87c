#!/usr/bin/env bash
# connections kept open against one for each webhook, without a store; and /metrics with and without compression
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
rounds=${1:-10}
count=${2:-3000}
rate=500

cat >"$work/pipeline.yaml" <<'END'
pipeline: keep-alive
listen: { port: 0 }
admin: { port: 0 }
stages: [{ auth: none }, { parse: json }, { persist: empty }]
optimizations:
  keep-alive: { listen: { keep_alive: 65s, header_timeout: 66s, compression: { enabled: true, threshold: 1KiB, level: 6 } } }
END
declare -A ports pids admins
serve() { # ARM SETTING…
	start "$1" "$sluice" run "$work/pipeline.yaml" --stage-path "$programs/stages:$build/stages" --log-level error "${@:2}"
	ports[$1]=$port pids[$1]=$pid admins[$1]=$(sed -n 's/^admin //p' "$work/$1.out")
}
serve closed --set listen.keep_alive=0s
serve kept --enable keep-alive

block() { # ARM ROUND: P50 and P95 in µs, processor time of the server per event in µs
	local line before
	before=$(processor_ticks "${pids[$1]}")
	line=$("$programs/bench-send" "${ports[$1]}" 50 $rate "$count" "$1$2")
	echo "$(value p50_us "$line") $(value p95_us "$line") $(calculate "($(processor_ticks "${pids[$1]}") - $before) * 1e6 / $(getconf CLK_TCK) / $count" 1)"
}

for arm in closed kept; do block $arm warm >/dev/null; done
for ((i = 1; i <= rounds; i++)); do
	if ((RANDOM % 2)); then order="closed kept"; else order="kept closed"; fi
	for arm in $order; do block "$arm" "$i" >"$work/$arm"; done
	paste -d ' ' "$work/closed" "$work/kept" >>"$work/rounds"
done

# The round is the unit: the mean of the logarithms.
ratio() { awk "{ print log(\$$1 / \$$2) }" "$work/rounds" | estimate | awk '{ printf "%.2f [%.2f, %.2f]", exp($1), exp($2), exp($3) }'; }
echo "── $rounds rounds of $count webhooks at $rate/s from 50 senders, closed ÷ kept"
printf '%-52s %24s\n' "P50" "$(ratio 1 4)" "P95" "$(ratio 2 5)" "processor time of the server per event" "$(ratio 3 6)"

plain=$(curl -s "${admins[kept]}/metrics" | wc -c)
small=$(curl -s -H 'Accept-Encoding: gzip' "${admins[kept]}/metrics" | wc -c)
echo "── /metrics"
report "bytes, and compressed" "$plain $small"
report "ratio" "$(calculate "$plain / $small" 1)"
