#!/usr/bin/env bash
# what a stage boundary costs, alone and within HTTP, and what the hop through the queue costs
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
groups=${1:-20}
rounds=${2:-15}

mapfile -t cores < <(allowed_cores)
first=() # what puts a command before other programs
if [ ${#cores[@]} -gt 1 ] && chrt -f 1 true 2>/dev/null; then first=(chrt -f 1); fi

pipeline() { # NAME STAGE…
	local name=$1 stage
	shift
	{
		echo "pipeline: $name"
		echo "listen: { port: 0, threads: 1 }"
		echo "admin: { enabled: false }"
		echo "observability: { lineage: { slowest: 0 } }" # which requests are among the slowest is chance, and so is what that costs
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

# Executed for that many requests by the thread that answers: the others work by the clock, which valgrind slows down.
instructions() { # NAME COUNT
	local out=$work/callgrind-$1-$2
	serve "$1" valgrind --tool=callgrind --separate-threads=yes --compress-strings=no --callgrind-out-file="$out"
	"$programs/bench-send" "$port" 1 0 "$2" >/dev/null
	if [ "$1" = bare ]; then exec {hold}>&-; fi
	stop_server "$pid"
	sed -n 's/^totals: //p' "$(grep -l '^fn=handle$' "$out"-*)"
}

per_request() { # NAME
	local few many
	few=$(instructions "$1" 200)
	many=$(instructions "$1" 2200)
	calculate "($many - $few) / 2000" 0
}

echo "── a boundary, without HTTP"
line=$("${first[@]}" "$programs/bench-boundary")
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

# The rest of the machine is kept out of the comparison as far as it can be: a server has one thread and a core to itself,
# the client is on another and does not sleep, both come before other programs where we may say so, and what is compared
# was measured within a fraction of a second. A group is a fresh start of all servers, since where a process lies in memory
# is also a part of its speed; the median of its rounds is one observation.
echo "── within HTTP: time per request, 50 connections, $groups groups of $rounds rounds, servers on core ${cores[0]}, client on core ${cores[-1]}${first[*]:+, }${first[*]}"
measure_group() { # NUMBER
	local name places=() pids=()
	for name in bare one four queue; do
		serve "$name" "${first[@]}" taskset -c "${cores[0]}"
		places+=("$port:$pid")
		pids+=("$pid")
	done
	"${first[@]}" taskset -c "${cores[-1]}" "$programs/bench-rounds" "$rounds" 1000 50 "${places[@]}" >"$work/group-$1"
	for name in "${pids[@]}"; do stop_server "$name"; done
}
for ((i = 1; i <= groups; i++)); do measure_group "$i"; done

# over_groups EXPRESSION: the estimate of what awk makes of the columns of a round: time and processor time of bare, one,
# four, queue.
over_groups() {
	local file
	for file in "$work"/group-*; do awk "{ print $1 }" "$file" | median; done | estimate
}
# report_estimate TEXT EXPRESSION
report_estimate() {
	local mean low high
	read -r mean low high < <(over_groups "$2")
	report "$1" "$(calculate "$mean") [$(calculate "$low"), $(calculate "$high")]"
}
judge_estimate() { # TEXT EXPRESSION LIMIT
	local mean low high
	read -r mean low high < <(over_groups "$2")
	judge "$1" "$(calculate "$mean")" "$3"
	report "  its 95 % interval" "[$(calculate "$low"), $(calculate "$high")]"
}
report_estimate "the bare libmicrohttpd handler, µs" '$1 / 1000'
report_estimate "  of which it ran, % (less than 90: the machine is busy, or the client slower)" '100 * $2 / $1'
report_estimate "Sluice with one empty stage, ratio of its rate to that" '$1 / $3'
report_estimate "Sluice with four empty stages, ratio of its rate to that" '$1 / $5'
report_estimate "Sluice with one empty stage behind a queue, ratio of its rate to that" '$1 / $7'
judge_estimate "five empty stages by throughput, % of the bare handler" '100 * 5 / 3 * ($5 - $3) / $1' 5
report_estimate "the same by processor time" '100 * 5 / 3 * ($6 - $4) / $2'
report_estimate "the hop through the queue, processor time in µs" '($8 - $4) / 1000'
exit $verdicts
