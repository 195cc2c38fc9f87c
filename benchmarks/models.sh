#!/usr/bin/env bash
# random operations against the model of its kind, on each stage that needs no server: what goes wrong is shortened to a script
#
#   benchmarks/models.sh [MILLIONS [SEED]]
#
# MILLIONS of operations in all (10), four fifths of them on the stages in memory. Each hundred is a script with a seed of its
# own, from SEED (1) on: what is found can be run again by that.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${SLUICE_BUILD:-$root/build}
scripts=$((${1:-10} * 10000))
seed=${2:-1}
result=0
shares=(stages/idempotency/memory:40 stages/queue/memory:40 plugins/queue/journal:10 stages/persist/sqlite:10)
for row in "${shares[@]}"; do
	"$build/sluice" conform "$build/${row%:*}.so" --only model --scripts $((scripts * ${row#*:} / 100)) --seed "$seed" \
		--timeout 24h || result=$?
done
exit $result
