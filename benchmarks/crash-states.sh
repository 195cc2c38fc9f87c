#!/usr/bin/env bash
# every state that a crash can leave of the journal's files, recovered: what is lost, doubled, altered
#
#   benchmarks/crash-states.sh [EVENTS] [FAILING]
#
# EVENTS events go through it and each write, sync and name is logged; FAILING events go through it once for each sync, which
# then fails with EIO or ENOSPC. See tests/crash/crash.h.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
exec "${SLUICE_BUILD:-$root/build}/tests/crash-states" journal "${1:-1000}" "${2:-60}"
