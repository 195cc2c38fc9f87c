#!/usr/bin/env bash
# a scenario of benchmarks/scenarios: its comparison, the gate's verdict and the evidence
#
#   benchmarks/scenario.sh NAME [--full | --each] [FLAGS of sluice compare]
#
# Starts a PostgreSQL of its own, and what else the scenario needs; leaves the bundle in build/evidence/NAME. With --each that
# is a comparison for each overlay, and their table, with what it was measured on, is left in benchmarks/results/NAME.txt.
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
name=$1
shift
scenario=$root/benchmarks/scenarios/$name.yaml
gates=$root/benchmarks/gates
bundle=$root/build/evidence/$name
[ -f "$scenario" ] || { echo "there is no scenario $name" >&2; exit 2; }
mode=once
case ${1:-} in
--full | --each) mode=${1#--} && shift ;;
esac

database=$work/postgres
chmod 755 "$work"
redis=
finish_scenario() {
	[ -z "$redis" ] || stop_server "$redis"
	"$root/tests/support/postgres.sh" stop "$database" >/dev/null 2>&1 || true
	finish
}
trap finish_scenario EXIT

# Sets REDIS_PORT.
start_redis() {
	mkdir "$work/redis"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		REDIS_PORT=$((20000 + RANDOM % 12000))
		redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --dir "$work/redis" --save '' --appendonly yes --appendfsync always >"$work/redis.log" &
		redis=$!
		until redis-cli -p "$REDIS_PORT" ping >/dev/null 2>&1 || ! kill -0 "$redis" 2>/dev/null; do read -rt 0.05 <> <(:) || true; done
		if kill -0 "$redis" 2>/dev/null; then
			export REDIS_PORT
			return
		fi
	done
	cat "$work/redis.log" >&2
	exit 2
}

DB_URL=$("$root/tests/support/postgres.sh" start "$database" fsync=on synchronous_commit=on max_connections=300 shared_preload_libraries=pg_stat_statements)
export DB_URL
psql -q "$DB_URL" -c 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements'

# For the overlay redis-queue: a Redis that keeps what it answers.
if grep -q 'use: redis' "$root/benchmarks/scenarios/$name-pipeline.yaml"; then
	start_redis
fi

# 75 ms each way, where the scenario's database is far.
if [ "$name" = far-db ]; then
	start relay "$programs/bench-relay" "$(sed -E 's,.*:([0-9]+)/.*,\1,' <<<"$DB_URL")" 75
	DB_URL=$(sed -E "s,:[0-9]+/,:$port/," <<<"$DB_URL")
fi

rm -rf "$bundle"
mkdir -p "$bundle"

say() { printf '\n\033[1m%s\033[0m\n' "── $*"; }

# run PART FLAGS…: one part of the bundle. The gate's word comes from judge; what `compare` says by its own is no error here.
run() {
	local part=$1 status=0
	shift
	"$sluice" compare --scenario "$scenario" --output "$part" --gate '' "$@" || status=$?
	[ "$status" != 2 ] || { echo "$name: could not be done" >&2; exit 2; }
}

# judge GATE PART [FLAGS…]: prints the gate's rows, and puts them into the report; the gate's exit status is $decision.
judge() {
	local gate=$1 part=$2
	shift 2
	say "gate $gate"
	decision=0
	"$sluice" gate "$part" "$gates/$gate.yaml" "$@" || decision=$?
	[ "$decision" != 2 ] || exit 2
	"$sluice" report "$part" >/dev/null
}

pack() {
	say "the evidence"
	local status=0
	"$sluice" evidence pack "$1" || status=$?
	[ "$status" != 2 ] || exit 2
	"$sluice" evidence verify "$1"
	echo "$1/report.html"
}

# The way back was tried on what the part left behind: say how that went.
rolled_back() {
	local file=$1/rollback.json
	if grep -q '"ok": true' "$file"; then
		echo "rolled back: $(sed -n 's/.*"right": \([0-9]*\).*/\1/p' "$file") of 100 webhooks taken by the base, in $(sed -n 's/.*"seconds": \([0-9.]\{1,4\}\).*/\1/p' "$file") s"
	else
		echo "THE ROLLBACK FAILED: see $file" >&2
		exit 1
	fi
}

# The end, wherever it is: the way back, the bundle, and the gate's word as exit status.
finish_with() {
	rolled_back "$1"
	pack "$1"
	exit "$decision"
}

load_average() { cut -d ' ' -f 1-3 /proc/loadavg; }

# What the figures of a table rest on.
describe() {
	echo "./dev bench $name --each $*"
	sed -n 's/^about: "\(.*\)"$/\1/p' "$scenario"
	echo
	date -u '+date          %Y-%m-%d %H:%M UTC'
	git -C "$root" log -1 --format='commit        %h of %cs' 2>/dev/null || true
	sed -n 's/^model name[^:]*: //p;T;q' /proc/cpuinfo | sed 's/^/processor     /'
	echo "cores         $(nproc)"
	echo "kernel        $(uname -sr)"
	psql -qAt "$DB_URL" -c "SELECT 'PostgreSQL    ' || current_setting('server_version')"
	echo "load average  $(load_average) before"
	echo
}

# Every overlay alone, the enabled set, and that set less one each.
if [ "$mode" = each ]; then
	table=$root/benchmarks/results/$name.txt
	mkdir -p "${table%/*}"
	status=0
	describe "$@" | tee "$table"
	"$sluice" compare --scenario "$scenario" --output "$bundle" --gate '' --each "$@" | tee -a "$table" || status=${PIPESTATUS[0]}
	printf '\nload average  %s after\n' "$(load_average)" | tee -a "$table"
	echo "${table#"$root"/}"
	exit "$status"
fi

if [ "$mode" = once ]; then
	rmdir "$bundle"
	gate=$(sed -n 's,^gate: ../gates/\(.*\)\.yaml$,\1,p' "$scenario")
	say "$name: the comparison"
	run "$bundle" "$@"
	judge "$gate" "$bundle"
	finish_with "$bundle"
fi

say "$name, 1 of 3: smoke, 1,000 webhooks at 50/s over 10 connections"
run "$work/smoke" --single --rate 50 --concurrency 10 --block 20s "$@"
judge smoke-1k "$work/smoke"
if [ "$decision" != 10 ]; then
	rmdir "$bundle" && mv "$work/smoke" "$bundle"
	finish_with "$bundle"
fi

say "$name, 2 of 3: the controlled comparison, and the decision"
run "$work/interim" "$@"
judge interim "$work/interim"
if [ "$decision" != 10 ] && [ "$decision" != 11 ]; then
	rmdir "$bundle" && mv "$work/interim" "$bundle" && mv "$work/smoke" "$bundle/smoke"
	finish_with "$bundle"
fi

say "$name, 3 of 3: final, 30,000 webhooks at 500/s over 50 connections"
run "$work/final" --single --rate 500 --concurrency 50 --block 60s "$@"
rmdir "$bundle" && mv "$work/final" "$bundle" && mv "$work/smoke" "$work/interim" "$bundle"
judge gate-a "$bundle" --baseline "$bundle/interim"
finish_with "$bundle"
