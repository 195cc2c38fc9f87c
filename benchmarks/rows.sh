#!/usr/bin/env bash
# what indexes, the type of the payload and its compression cost PostgreSQL for each event
exec node "$(dirname "${BASH_SOURCE[0]}")/rows/main.mjs" "$@"
