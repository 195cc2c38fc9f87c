#!/usr/bin/env bash
# kill -9 of Sluice and of PostgreSQL under load, 20 times each: what was acknowledged and is not stored as it was sent
exec node "$(dirname "${BASH_SOURCE[0]}")/kills/main.mjs" "$@"
