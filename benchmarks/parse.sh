#!/usr/bin/env bash
# parse/scan against parse/json and against building a tree with jansson, on GitHub's example payloads
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"
rounds=${1:-41}
packages=$root/tests/integration
contenders=(json scan tree)
json=$build/stages/parse/json.so scan=$build/plugins/parse/scan.so tree=tree

[ -d "$packages/node_modules/@octokit/webhooks-examples" ] || (cd "$packages" && npm ci --no-audit --no-fund --loglevel=error)
node -e '
	const { createRequire } = require("node:module");
	const examples = createRequire(process.argv[1] + "/")("@octokit/webhooks-examples");
	for (const { examples: bodies } of examples) for (const body of bodies) console.log(JSON.stringify(body));
' "$packages" >"$work/bodies"
awk 'NR % 8 == 0' "$work/bodies" >"$work/some" # to count instructions in

"$programs/bench-parse" "$work/bodies" "$rounds" "$json" "$scan" "$tree" >"$work/lines"
declare -A ns instructions
for i in 0 1 2; do ns[${contenders[i]}]=$(value ns_per_byte "$(sed -n "$((i + 1))p" "$work/lines")"); done

# The difference of three rounds and one, so that starting does not count.
collected() { valgrind --tool=callgrind --callgrind-out-file=/dev/null "$programs/bench-parse" "$work/some" "$1" "$2" 2>&1 | sed -n 's/.*Collected : //p'; }
bytes=$(($(wc -c <"$work/some") - $(wc -l <"$work/some")))
for name in "${contenders[@]}"; do
	instructions[$name]=$(calculate "($(collected 3 "${!name}") - $(collected 1 "${!name}")) / 2 / $bytes")
done

echo "── $(wc -l <"$work/bodies") bodies, $(wc -c <"$work/bodies") bytes, mapped as in pipelines/github.yaml; the fastest of $rounds rounds"
printf '%-12s %12s %12s %24s\n' '' 'ns a byte' 'MB/s' 'instructions a byte'
for name in "${contenders[@]}"; do
	printf '%-12s %12.3f %12.0f %24s\n' "$name" "${ns[$name]}" "$(calculate "1000 / ${ns[$name]}")" "${instructions[$name]}"
done
echo "(instructions as valgrind counts them, in which parse/scan has AVX2 at most)"
report "time of json ÷ scan" "$(calculate "${ns[json]} / ${ns[scan]}")"
report "time of tree ÷ scan" "$(calculate "${ns[tree]} / ${ns[scan]}")"
report "time of tree ÷ json" "$(calculate "${ns[tree]} / ${ns[json]}")"
report "instructions of json ÷ scan" "$(calculate "${instructions[json]} / ${instructions[scan]}")"
report "instructions of tree ÷ scan" "$(calculate "${instructions[tree]} / ${instructions[scan]}")"

echo "── bodies of 300 kB made to be dear, ns a byte"
printf '%-20s %9s %9s %14s\n' '' json scan 'json ÷ scan'
for part in '{}' '1' '1e308' '"b"' 'true' '"\u00e9"' '"é漢😀"' '[[[[[[[[[1]]]]]]]]]'; do
	node -e 'const part = process.argv[1]; console.log(`{"payload":[${Array(Math.ceil(3e5 / (part.length + 1))).fill(part)}]}`)' "$part" >"$work/dear"
	"$programs/bench-parse" "$work/dear" 15 "$json" "$scan" >"$work/lines"
	a=$(value ns_per_byte "$(sed -n 1p "$work/lines")") b=$(value ns_per_byte "$(sed -n 2p "$work/lines")")
	printf '%-20s %9.2f %9.2f %12s\n' "$part" "$a" "$b" "$(calculate "$a / $b")"
done
