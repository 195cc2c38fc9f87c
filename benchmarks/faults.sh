#!/usr/bin/env bash
# what each fault costs while events come in: lost or misplaced ones, how soon health tells it, how soon it heals
exec node "$(dirname "${BASH_SOURCE[0]}")/faults/main.mjs" "$@"
