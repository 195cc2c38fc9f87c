# Shared by the benchmarks: a private folder, servers that are stopped at the end, and figures from lines of name=value.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${SLUICE_BUILD:-$root/build}
sluice=$build/sluice
programs=$build/benchmarks
work=$(mktemp -d)
servers=()

stop_server() {
	kill -TERM "$1" 2>/dev/null || return 0
	while kill -0 "$1" 2>/dev/null; do read -rt 0.05 <> <(:) || true; done
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

# value NAME LINE: the value in a line of `name=value` words.
value() { tr ' ' '\n' <<<"$2" | sed -n "s/^$1=//p"; }

median() { sort -g | awk '{v[NR]=$1} END{print NR%2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

calculate() { awk "BEGIN { printf \"%.${2:-2}f\", $1 }"; }

verdicts=0
# judge TEXT VALUE LIMIT: one row of the result; a value over the limit makes the benchmark fail.
judge() {
	if awk "BEGIN { exit !($2 <= $3) }"; then
		printf '%-66s %10s   ≤ %-6s yes\n' "$1" "$2" "$3"
	else
		printf '%-66s %10s   ≤ %-6s NO\n' "$1" "$2" "$3"
		verdicts=1
	fi
}
report() { printf '%-66s %10s\n' "$1" "$2"; }
