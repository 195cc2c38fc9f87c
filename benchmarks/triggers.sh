#!/usr/bin/env bash
# what it costs PostgreSQL to be asked, in each transaction, whether the tables have triggers
exec node "$(dirname "${BASH_SOURCE[0]}")/triggers/main.mjs" "$@"
