#!/usr/bin/env bash
# whether verdicts can be trusted: real servers with a planted truth, in parts that can be resumed; --help has their times
exec node "$(dirname "${BASH_SOURCE[0]}")/trust/main.mjs" "$@"
