#!/usr/bin/env bash
# every state that a crash can leave of the files of the journal and of SQLite, recovered: what is lost, doubled, altered
#
#   benchmarks/crash-states.sh [EVENTS [FAILING]]
#
# EVENTS events go through each and every write, sync and name is logged; FAILING events (of SQLite a sixth) go through once for
# each sync, which then fails with EIO or ENOSPC. A transaction of SQLite leaves more pages unsynced than the journal: of its
# states 40 with pages missing or torn are made after each operation, spread evenly. Of the states with FAILING events some are
# started once for each sync of that start, which fails; then comes another crash, and another start. See tests/crash/crash.h.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
states=${SLUICE_BUILD:-$root/build}/tests/crash-states
events=${1:-1000}
failing=${2:-60}
result=0
"$states" journal "$events" "$failing" 0 4 || result=$?
"$states" sqlite "$events" $((failing / 6)) 40 100 || result=$?
exit $result
