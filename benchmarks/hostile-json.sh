#!/usr/bin/env bash
# small webhooks beside 16 MiB/s of JSON made to be dear (1 MiB and 24 MiB a body), against the same webhooks alone
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
seconds=${1:-5}
rate=${2:-16} # MiB/s
webhooks=200  # a second

serve() { # NAME MAX_BODY MAX_BYTES
	start "$1" "$sluice" run "$root/pipelines/quickstart.yaml" --log-level error --set listen.port=0 --set admin.enabled=false \
		--set "persist.path=$work/$1.db" --set "listen.max_body=$2" --set "events.max_bytes=$3"
}
small() { "$programs/bench-send" "$port" 20 $webhooks $((seconds * webhooks)) "$1"; }
peak_mib() { awk '/VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$1/status"; }

# around NAME MAX_BODY MAX_BYTES_MIB SIZE KIND…: a server of its own, alone and then beside each kind of body.
around() {
	local name=$1 limit=$(($3 + 64)) size=$4 kind line flood alone
	serve "$name" "$2" "$3MiB"
	small warm >/dev/null
	alone=$(value p50_us "$(small alone)")
	report "$name: P50 of small webhooks alone, µs" "$alone"
	shift 4
	for kind; do
		"$programs/bench-hostile" "$port" "$kind" "$size" "$rate" $((seconds + 1)) >"$work/flood" &
		line=$(small "$kind")
		wait $!
		flood=$(<"$work/flood")
		judge "$name, beside $(value mib_per_s "$flood") MiB/s of $kind: P50 ÷ P50 alone" "$(calculate "$(value p50_us "$line") / $alone")" 5
		report "  P95, µs; webhooks kept of $(value count "$line"); bodies kept, refused of $(value sent "$flood")" \
			"$(value p95_us "$line") $(value good "$line") $(value kept "$flood") $(value refused "$flood")"
	done
	judge "$name: peak of memory, MiB, against events.max_bytes + 64" "$(peak_mib "$pid")" "$limit"
	stop_server "$pid"
}

around "1 MiB" 1MiB 64 1048576 objects arrays ones numbers escapes deep keys cut
around "24 MiB" 25MiB 512 25165824 unstored keys cut objects
exit $verdicts
