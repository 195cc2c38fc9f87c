#!/usr/bin/env bash
# `./dev demo`: the main job on 1,000 webhooks, and where the time went
source "$(dirname "${BASH_SOURCE[0]}")/support/common.sh"

echo "serving pipelines/quickstart.yaml (SQLite in a temporary folder)"
start sluice "$sluice" run "$root/pipelines/quickstart.yaml" --log-level warn --set listen.port=0 --set admin.port=0 --set "persist.path=$work/demo.db"
admin=$(sed -n 's/^admin //p' "$work/sluice.out")
url=http://127.0.0.1:$port/webhooks

# 980 webhooks of 50 customers, 20 of them sent twice: 1,000 requests over 10 connections.
body() { printf '{"messageId":"msg_%05d","eventType":"%s","stream":"customer-%d","sequence":%d,"payload":{"order":%d,"total":"%d.90","currency":"EUR"}}' "$1" "$2" $(($1 % 50)) $(($1 / 50)) "$1" $(($1 % 97)); }
types=(order.created order.paid order.shipped invoice.finalized customer.updated)
mkdir "$work/bodies"
for ((i = 0; i < 980; i++)); do body "$i" "${types[i % 5]}" >"$work/bodies/$i"; done
for ((i = 0; i < 1000; i++)); do
	n=$((i < 980 ? i : (i - 980) * 49))
	printf 'next\nurl = "%s"\ndata-binary = "@%s/bodies/%d"\nheader = "Content-Type: application/json"\noutput = "/dev/null"\nwrite-out = "%%{http_code}\\n"\n' "$url" "$work" "$n"
done | sed 1d >"$work/requests"
echo "sending 1,000 webhooks, 20 of them duplicates"
curl --silent --show-error --config "$work/requests" | sort | uniq -c | awk '{printf "  %5d × %s %s\n", $1, $2, $2==202 ? "accepted" : $2==200 ? "duplicate" : "?"}'

echo "one more, by hand:"
echo "  \$ curl -d '$(body 7 order.shipped)' $url"
printf '  %s\n' "$(curl --silent -H 'Content-Type: application/json' -d "$(body 7 order.shipped)" "$url")"
echo
"$sluice" status --admin "$admin"
stop_server "$pid"
echo
"$sluice" audit verify "$root/pipelines/quickstart.yaml" --set "persist.path=$work/demo.db"
