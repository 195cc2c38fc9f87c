#!/usr/bin/env bash
# what storing an event costs PostgreSQL: in a session of its own and through a pooler, with the question for triggers and without
exec node "$(dirname "${BASH_SOURCE[0]}")/triggers/main.mjs" "$@"
