#!/usr/bin/env bash
# what a stage boundary costs, alone and within HTTP, and what the hop through the queue costs
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
rounds=${1:-15}

cat >"$work/post.lua" <<'END'
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"messageId":"bench","eventType":"order.created","payload":{"a":1}}'
END

pipeline() { # NAME STAGE…
	local name=$1 stage
	shift
	{
		echo "pipeline: $name"
		echo "listen: { port: 0, threads: 2 }"
		echo "admin: { enabled: false }"
		echo "stages:"
		for stage in "$@"; do echo "  - $stage"; done
	} >"$work/$name.yaml"
}
pipeline one 'persist: empty'
pipeline four 'auth: empty' 'parse: empty' 'idempotency: empty' 'persist: empty'
pipeline queue 'queue: memory' 'persist: empty'
stage_path=$programs/stages:$build/stages

serve() { # NAME [PREFIX…]: bare, one, four or queue
	local name=$1
	shift
	if [ "$name" = bare ]; then
		start "$name-$RANDOM$RANDOM" "$@" "$programs/bench-bare"
	else
		start "$name-$RANDOM$RANDOM" "$@" "$sluice" run "$work/$name.yaml" --stage-path "$stage_path" --log-level error
	fi
}

instructions() { # NAME COUNT: executed for that many requests, start and end included
	serve "$1" valgrind --tool=callgrind --callgrind-out-file=/dev/null
	"$programs/bench-send" "$port" 1 0 "$2" >/dev/null
	local log
	log=$(ls -t "$work/$1"-*.err | head -1)
	if [ "$1" = bare ]; then exec {hold}>&-; fi
	stop_server "$pid"
	sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$log" | head -1
}

per_request() { # NAME
	local few many
	few=$(instructions "$1" 200)
	many=$(instructions "$1" 2200)
	calculate "($many - $few) / 2000" 0
}

echo "── a boundary, without HTTP"
line=$("$programs/bench-boundary")
judge "a boundary with its stamp and histograms, ns" "$(value boundary_ns "$line")" 60
report "of which one read of the clock, ns" "$(value clock_ns "$line")"
report "ratio to one read of the clock" "$(calculate "$(value boundary_ns "$line") / $(value clock_ns "$line")")"

echo "── within HTTP: instructions per request (callgrind)"
bare=$(per_request bare)
one=$(per_request one)
four=$(per_request four)
report "the bare libmicrohttpd handler" "$bare"
report "Sluice with one empty stage" "$one"
report "Sluice with four empty stages" "$four"
judge "five empty stages, % of the bare handler" "$(calculate "100 * 5 / 3 * ($four - $one) / $bare")" 5
report "everything else Sluice does (ids, copies, answer), % of the bare handler" "$(calculate "100 * ($one - $bare) / $bare - 100 / 3 * ($four - $one) / $bare")"

echo "── within HTTP: requests per second, 50 connections, median of $rounds rounds in turn"
declare -A ports pids rates costs
for name in bare one four queue; do
	serve "$name"
	ports[$name]=$port
	pids[$name]=$pid
done
ticks=$(getconf CLK_TCK)
spent() { awk -v ticks="$ticks" '{ print ($14 + $15) * 1e6 / ticks }' "/proc/$1/stat"; } # µs of processor time
# Sets the round's requests per second, and the server's processor time per request in µs: what a rate comes down to when the
# client shares the cores.
measure() {
	local before after said
	before=$(spent "${pids[$1]}")
	said=$(wrk -t1 -c50 -d1s -s "$work/post.lua" "http://127.0.0.1:${ports[$1]}/webhooks")
	after=$(spent "${pids[$1]}")
	rates[$1]=$(sed -n 's/^Requests\/sec: *//p' <<<"$said")
	costs[$1]=$(calculate "($after - $before) / $(sed -n 's/^ *\([0-9]*\) requests in .*/\1/p' <<<"$said")" 4)
}
for ((i = 0; i < rounds; i++)); do
	for name in $(shuf -e bare one four queue); do measure "$name"; done
	echo "${rates[bare]} ${rates[one]} ${rates[four]} ${rates[queue]} ${costs[bare]} ${costs[one]} ${costs[four]}" >>"$work/rates"
done
# The round is the unit: each figure is compared with the others of its own round.
middle() { awk "{ print $1 }" "$work/rates" | median; }
report "the bare libmicrohttpd handler" "$(middle '$1')"
report "Sluice with one empty stage, ratio to it" "$(calculate "$(middle '$2 / $1')")"
report "Sluice with four empty stages, ratio to it" "$(calculate "$(middle '$3 / $1')")"
report "Sluice with one empty stage behind a queue, ratio to it" "$(calculate "$(middle '$4 / $1')")"
report "five empty stages by the rates, % of the bare handler (noisy: the client shares the cores)" "$(calculate "$(middle '100 * 5 / 3 * (1 / $3 - 1 / $2) * $1')")"
report "processor time per request, µs: bare, one, four" "$(calculate "$(middle '$5')") $(calculate "$(middle '$6')") $(calculate "$(middle '$7')")"
judge "five empty stages, % of the bare handler's processor time per request" "$(calculate "$(middle '100 * 5 / 3 * ($7 - $6) / $5')")" 5
report "the hop through the queue, ratio of the rate without it to that with it" "$(calculate "$(middle '$2 / $4')")"
exit $verdicts
