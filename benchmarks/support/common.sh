# Shared by the benchmarks: a private folder, servers that are stopped at the end, and figures from lines of name=value.
set -euo pipefail
shopt -s inherit_errexit
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${SLUICE_BUILD:-$root/build}
sluice=$build/sluice
programs=$build/benchmarks
work=$(mktemp -d)
servers=()

# A child of this shell.
stop_server() {
	kill -TERM "$1" 2>/dev/null || return 0
	wait "$1" 2>/dev/null || true
}

finish() {
	local pid
	for pid in "${servers[@]:-}"; do [ -z "$pid" ] || stop_server "$pid"; done
	rm -rf "$work"
}
trap finish EXIT

# start NAME COMMAND…: runs a server whose standard output says `ready http://ADDRESS:PORT`; sets $pid and $port.
start() {
	local name=$1
	shift
	mkfifo "$work/$name.in"
	"$@" <"$work/$name.in" >"$work/$name.out" 2>"$work/$name.err" &
	pid=$!
	servers+=("$pid")
	exec {hold}>"$work/$name.in" # the server's standard input stays open as long as this shell lives
	rm "$work/$name.in"
	local tries=0
	until grep -q '^ready ' "$work/$name.out"; do
		kill -0 "$pid" 2>/dev/null && [ $((tries += 1)) -lt 1200 ] || { cat "$work/$name.err" >&2; echo "$name did not start" >&2; exit 2; }
		read -rt 0.05 <> <(:) || true
	done
	port=$(sed -n 's/^ready .*:\([0-9]*\)$/\1/p' "$work/$name.out")
}

# The processor time of a process so far, in clock ticks.
processor_ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; }

# count_system_calls PID PORT COUNT FILE: of the process while 50 senders send it COUNT webhooks, by name.
count_system_calls() {
	perf stat -x ' ' -o "$4" -e raw_syscalls:sys_enter -e 'syscalls:sys_enter_*' -p "$1" -- \
		"$programs/bench-send" "$2" 50 0 "$3" calls >/dev/null
}
total_system_calls() { awk '/raw_syscalls/ { print $1 }' "$1"; }

# value NAME LINE: the value in a line of `name=value` words.
value() { tr ' ' '\n' <<<"$2" | sed -n "s/^$1=//p"; }

median() { sort -g | awk '{v[NR]=$1} END{print NR%2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

# estimate: of the numbers on standard input the mean and its 95 % interval by Student's t, as `MEAN LOW HIGH`.
estimate() {
	awk -v t="12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228 2.201 2.179 2.160 2.145 2.131 2.120 2.110 2.101 2.093" '
		{ d[NR] = $1; sum += $1 }
		END {
			if (NR < 2) { print sum, "-inf +inf"; exit }
			last = split(t, q, " "); mean = sum / NR
			for (i = 1; i <= NR; i++) square += (d[i] - mean) ^ 2
			half = (NR - 1 <= last ? q[NR - 1] : 2.09) * sqrt(square / (NR - 1) / NR)
			printf "%.4f %.4f %.4f\n", mean, mean - half, mean + half
		}'
}

calculate() { awk "BEGIN { printf \"%.${2:-2}f\", $1 }"; }

# The numbers of the cores that we may run on, one a line.
allowed_cores() {
	local first last
	taskset -cp $$ | sed 's/.*: //' | tr , '\n' | while IFS=- read -r first last; do seq "$first" "${last:-$first}"; done
}

verdicts=0
# One row of the result; a value beyond the limit makes the benchmark fail.
judge_by() { # SIGN EXPRESSION TEXT VALUE LIMIT
	local word=yes
	awk "BEGIN { exit !($2) }" || { word=NO; verdicts=1; }
	printf '%-66s %10s   %s %-6s %s\n' "$3" "$4" "$1" "$5" "$word"
}
judge() { judge_by ≤ "$2 <= $3" "$@"; }          # TEXT VALUE LIMIT
judge_at_least() { judge_by ≥ "$2 >= $3" "$@"; } # TEXT VALUE LIMIT
report() { printf '%-66s %10s\n' "$1" "$2"; }
