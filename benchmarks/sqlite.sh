#!/usr/bin/env bash
# P95 with SQLite at 500 requests/s from 50 connections, against a bare loop that commits the same rows on the same schedule
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
pairs=${1:-10}
count=${2:-2000}
rate=500

run_sluice() { start "sluice-$1" "$sluice" run "$root/pipelines/quickstart.yaml" --log-level warn --set listen.port=0 --set admin.enabled=false --set "persist.path=$work/$1.db"; }

# The bare loop writes to tables that Sluice has made, in a file of its own.
run_sluice bare
stop_server "$pid"
run_sluice sluice

blocks() { # ARM PAIR
	if [ "$1" = sluice ]; then
		"$programs/bench-send" "$port" 50 $rate "$count" "pair$2"
	else
		"$programs/bench-commit" "$work/bare.db" $rate "$count" "pair$2"
	fi
}

blocks sluice warm >/dev/null
blocks bare warm >/dev/null
printf '%-5s %-14s %12s %12s %8s\n' pair order 'sluice P95' 'bare P95' ratio
for ((i = 1; i <= pairs; i++)); do
	if ((RANDOM % 2)); then order="sluice bare"; else order="bare sluice"; fi
	declare -A p95
	for arm in $order; do
		line=$(blocks "$arm" "$i")
		p95[$arm]=$(value p95_us "$line")
		[ "$arm" = bare ] || lag=$(value lag_p95_us "$line")
	done
	ratio=$(calculate "${p95[sluice]} / ${p95[bare]}" 3)
	echo "$ratio $lag ${p95[sluice]}" >>"$work/ratios"
	printf '%-5s %-14s %9s µs %9s µs %8s\n' "$i" "${order/ /, }" "${p95[sluice]}" "${p95[bare]}" "$ratio"
done

# The pair is the unit: the mean of the logarithms.
read -r ratio low high < <(awk '{ print log($1) }' "$work/ratios" | estimate | awk '{ printf "%.2f %.2f %.2f\n", exp($1), exp($2), exp($3) }')
report "generator lag P95 in the last block, µs" "$lag"
report "ratio of the P95s, 95 % interval" "$ratio [$low, $high]"
judge "P95 with Sluice ÷ P95 of the bare loop, upper end of the interval" "$high" 3
exit $verdicts
