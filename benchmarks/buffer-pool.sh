#!/usr/bin/env bash
# memory of events from the heap each time, from 100 × 64 KiB allocated at start, and from what the last events left
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
rounds=${1:-40}
events=20000

names=("heap" "100 x 64 KiB at start" "512 x 16 KiB as needed")
pools=(0:16384:0 100:65536:1 512:16384:0)

# Of one event: the difference of two runs, so that starting does not count.
collected() { valgrind --tool=callgrind --callgrind-out-file=/dev/null "$programs/bench-event-pool" 1 "$1" "$2" "$3" 2>&1 | sed -n 's/.*Collected : //p'; }
allocations() { valgrind "$programs/bench-event-pool" 1 "$1" "$2" "$3" 2>&1 | sed -n 's/,//g; s/.*total heap usage: \([0-9]*\) allocs.*/\1/p'; }
each() { calculate "($("$1" 2200 "$2" "$3") - $("$1" 200 "$2" "$3")) / 2000" "$4"; }

for size in 800 10000 40000; do
	"$programs/bench-event-pool" "$rounds" "$events" "$size" "${pools[@]}" >"$work/lines"
	heap=$(value event_ns "$(sed -n 1p "$work/lines")")
	echo "── bodies of $size bytes, 50 in flight; the fastest of $rounds rounds"
	printf '%-26s %10s %12s %14s %12s %10s\n' '' 'ns/event' 'heap ÷ it' 'instructions' 'allocations' 'grown'
	for i in 0 1 2; do
		line=$(sed -n "$((i + 1))p" "$work/lines")
		ns=$(value event_ns "$line")
		printf '%-26s %10s %12s %14s %12s %10s\n' "${names[i]}" "$ns" "$(calculate "$heap / $ns")" "$(each collected "$size" "${pools[i]}" 0)" \
			"$(each allocations "$size" "${pools[i]}" 2)" "$(calculate "100 * $(value growths "$line") / $rounds / $events" 0) %"
	done
done
