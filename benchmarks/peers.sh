#!/usr/bin/env bash
# the same service in Express and in Fastify, and bare loops, beside Sluice in one run: rate, P95, processor time, system calls
#
#   benchmarks/peers.sh [ROUNDS [COUNT]]
#
# All store to the same tables with the same durability. In each of ROUNDS webhooks with ids of their own go to each in turn, in an
# order drawn by lot: COUNT, or as many as it takes in two seconds. A ratio is the mean of the rounds' logarithms with its 95 %
# interval. Beside them stand two that store nothing: `http` answers at once, `later` from another thread, as whoever stores first
# must. No server that is built on the same library can be faster.
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
rounds=${1:-5}
count=${2:-4000}
paced_rate=500
paced_count=3000
peers=$root/benchmarks/peers
round_s=2
stores=(express fastify postgres batched sqlite journal)
arms=("${stores[@]}" http later)

case $(node --version) in v1[0-9].*) echo "peers: Fastify 5 needs Node.js 20 or newer, this is $(node --version)" >&2; exit 2 ;; esac
[ "$peers/node_modules/.package-lock.json" -nt "$peers/package-lock.json" ] || npm ci --prefix "$peers" --no-audit --no-fund --loglevel=error

stop_all() {
	finish
	"$root/tests/support/postgres.sh" stop "$database" >/dev/null 2>&1 || true
	rm -rf "$database"
}
database=$(mktemp -d)
chmod 755 "$database"
trap stop_all EXIT
server_url=$("$root/tests/support/postgres.sh" start "$database" fsync=on synchronous_commit=on max_connections=100)

declare -A pids ports urls
run_sluice() { # NAME URL OVERLAYS
	DB_URL=$2 STATE_DIR=$work start "$1" "$sluice" run "$peers/sluice.yaml" --enable "$3" --log-level error
}

# Its database is its own, with the tables that Sluice makes.
start_arm() {
	local arm=$1
	case $arm in
	http | later)
		start "$arm" "$programs/bench-bare" "$arm"
		pids[$arm]=$pid ports[$arm]=$port
		return
		;;
	esac
	urls[$arm]=${server_url%/*}/peers_$arm
	psql -q "$server_url" -c "CREATE DATABASE peers_$arm"
	case $arm in
	express | fastify)
		run_sluice "tables-$arm" "${urls[$arm]}" ''
		stop_server "$pid"
		DB_URL=${urls[$arm]} start "$arm" node "$peers/$arm.mjs"
		;;
	postgres) run_sluice "$arm" "${urls[$arm]}" '' ;;
	*) run_sluice "$arm" "${urls[$arm]}" "$arm" ;;
	esac
	pids[$arm]=$pid
	ports[$arm]=$port
}

# send ARM CONNECTIONS RATE COUNT ID: the line of bench-send, with the processor time that the server took.
send() {
	local arm=$1 before after line
	before=$(processor_ticks "${pids[$arm]}")
	line=$("$programs/bench-send" "${ports[$arm]}" "$2" "$3" "$4" "$5") || { echo "$arm: not every webhook was stored: $line" >&2; cat "$work/$arm.err" >&2; exit 1; }
	after=$(processor_ticks "${pids[$arm]}")
	echo "$4" >>"$work/sent-$arm"
	echo "$line processor_us=$(calculate "($after - $before) * 1e6 / $(getconf CLK_TCK) / $4" 1)"
}

in_random_order() { printf '%s\n' "$@" | shuf; }

# ratio FILE: of the numbers in it, as `MEAN [LOW, HIGH]`.
ratio() { awk '{ print log($1) }' "$1" | estimate | awk '{ printf "%.2f [%.2f, %.2f]\n", exp($1), exp($2), exp($3) }'; }

# closed CONNECTIONS: as fast as each answers.
closed() {
	local connections=$1 i arm line
	for ((i = 1; i <= rounds; i++)); do
		local -A rate=()
		for arm in $(in_random_order "${arms[@]}"); do
			line=$(send "$arm" "$connections" 0 "${counts[$arm]}" "closed-$connections-$i")
			rate[$arm]=$(value rate "$line")
			echo "$line" >>"$work/closed-$connections-$arm"
		done
		for arm in "${arms[@]}"; do
			echo "$(calculate "${rate[$arm]} / ${rate[express]}" 4)" >>"$work/to-express-$connections-$arm"
			echo "$(calculate "${rate[$arm]} / ${rate[fastify]}" 4)" >>"$work/to-fastify-$connections-$arm"
			echo "$(calculate "${rate[$arm]} / ${rate[later]}" 4)" >>"$work/to-later-$connections-$arm"
		done
	done
	printf '%-12s %12s %12s %18s %22s %22s\n' "$connections senders" 'webhooks/s' 'P95, ms' 'processor µs each' '× Express' '× Fastify'
	for arm in "${arms[@]}"; do
		printf '%-12s %12.0f %12.1f %18.0f %22s %22s\n' "$arm" "$(figure rate "$connections" "$arm")" \
			"$(calculate "$(figure p95_us "$connections" "$arm") / 1000")" "$(figure processor_us "$connections" "$arm")" \
			"$(ratio "$work/to-express-$connections-$arm")" "$(ratio "$work/to-fastify-$connections-$arm")"
	done
}
# figure NAME CONNECTIONS ARM: the median of the rounds.
figure() { tr ' ' '\n' <"$work/closed-$2-$3" | sed -n "s/^$1=//p" | median; }

ratio_to() { ratio "$work/to-$1-$2-$3"; } # PEER CONNECTIONS ARM

# at_least CONNECTIONS ARM PEER FACTOR
at_least() {
	judge_at_least "$2 ÷ $3, webhooks/s, $1 senders" "$(ratio_to "$3" "$1" "$2" | cut -d' ' -f1)" "$4"
}

# What 50 senders cost a server in system calls.
system_calls() {
	local arm calls
	echo "system calls for a webhook, 50 senders"
	for arm in "${stores[@]}"; do
		count_system_calls "${pids[$arm]}" "${ports[$arm]}" "$count" "$work/calls"
		echo "$count" >>"$work/sent-$arm"
		calls=$(calculate "$(total_system_calls "$work/calls") / $count" 1)
		case $arm in
		express | fastify | postgres) report "$arm" "$calls" ;;
		*) judge "$arm" "$calls" 6 ;;
		esac
	done
}

# paced ARM: P95 at a fixed rate, against one statement for each of the same rows on the same schedule with nothing around it.
paced() {
	local arm=$1 i side line
	local -A p95
	for ((i = 1; i <= 2 * rounds; i++)); do
		for side in $(in_random_order sluice bare); do
			if [ "$side" = sluice ]; then
				line=$(send "$arm" 50 $paced_rate $paced_count "paced-$i")
			else
				line=$("$programs/bench-commit-postgres" "${urls[bare]}" $paced_rate $paced_count "paced-$i" 1)
			fi
			p95[$side]=$(value p95_us "$line")
		done
		echo "$(calculate "${p95[sluice]} / ${p95[bare]}" 4)" >>"$work/paced-$arm"
	done
	report "ratio of the P95s, 95 % interval" "$(ratio "$work/paced-$arm")"
	judge "P95 with $arm ÷ P95 of a bare libpq loop, at $paced_rate/s" "$(ratio "$work/paced-$arm" | cut -d' ' -f1)" 2
}

# What one webhook takes of the processor where nothing is done but HTTP, and nothing but the insert in batches: $1 is `http` or
# `later`.
bare_processor_us() {
	calculate "$(figure processor_us 50 "$1") + $bare_insert_us" 1
}

profile() {
	local arm=$1
	perf record -q -F 999 -p "${pids[$arm]}" -o "$work/profile" -- "$programs/bench-send" "${ports[$arm]}" 50 0 "$count" profile >/dev/null 2>&1
	echo "$count" >>"$work/sent-$arm"
	perf report -q --stdio -i "$work/profile" --no-children -F overhead,dso,symbol 2>/dev/null | grep -v '^$' | head -n 15
}

# Nothing that was accepted may be missing. The journal is empty once its server has stopped.
stored() {
	local arm=$1
	stop_server "${pids[$arm]}"
	if [ "$arm" = sqlite ]; then
		sqlite3 "$work/peers.db" 'SELECT count(*) FROM webhook_events'
	else
		psql -Atq "${urls[$arm]}" -c 'SELECT count(*) FROM webhook_events'
	fi
}

say() { printf '\n\033[1m%s\033[0m\n' "── $*"; }

declare -A counts
for arm in "${arms[@]}"; do
	start_arm "$arm"
	send "$arm" 50 0 1000 cold >/dev/null
	line=$(send "$arm" 50 0 "$count" warm)
	enough=$(calculate "$round_s * $(value rate "$line")" 0)
	counts[$arm]=$((enough > count ? enough : count))
done
urls[bare]=${server_url%/*}/peers_bare
psql -q "$server_url" -c "CREATE DATABASE peers_bare"
run_sluice bare "${urls[bare]}" ''
stop_server "$pid"
bare_insert_us=$(value processor_us "$("$programs/bench-commit-postgres" "${urls[bare]}" 0 "$count" batched 25)")

say "as fast as each answers, $rounds rounds of $round_s s"
closed 50
closed 200
say "against the peers"
at_least 50 batched express 8
at_least 50 batched fastify 2
at_least 200 batched fastify 4
at_least 50 sqlite fastify 4
at_least 50 journal fastify 6
say "against what stores nothing, and PostgreSQL alone"
for arm in sqlite batched journal; do
	report "$arm ÷ later, webhooks/s, 50 senders" "$(ratio_to later 50 "$arm")"
done
for batch in 25 100; do
	line=$("$programs/bench-commit-postgres" "${urls[bare]}" 0 $((20 * count)) "alone-$batch" $batch)
	report "PostgreSQL alone, $batch rows in a statement, rows/s" "$(value rate "$line")"
done

say "system calls of the server for a webhook, 50 senders"
system_calls

say "beside PostgreSQL alone"
paced batched
for bare in later http; do
	report "processor time of $bare and a bare insert of 25, µs" "$(bare_processor_us "$bare")"
	judge "processor time with batched ÷ that" "$(calculate "$(figure processor_us 50 batched) / $(bare_processor_us "$bare")")" 1.3
done

say "what takes the server's processor time with batched, 50 senders"
profile batched

say "stored"
for arm in "${stores[@]}"; do
	judge_at_least "$arm, rows in the store" "$(stored "$arm")" "$(awk '{ n += $1 } END { print n }' "$work/sent-$arm")"
done
exit $verdicts
