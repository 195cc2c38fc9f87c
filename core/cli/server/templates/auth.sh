#!/bin/sh
# Checks that the stage keeps the promises of its kind: `ctest --test-dir b`, or ./test.sh b/@NAME@.so
set -eu
exec "${SLUICE:-sluice}" conform "$@" --set token=open-sesame --request "$(dirname "$0")/request.http"
