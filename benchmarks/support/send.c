/*
 * bench-send PORT CONNECTIONS RATE COUNT [PREFIX]: sends webhooks as load.h says and prints one line of names and
 * values. RATE 0 is the closed loop. Message ids are PREFIX-number, one stream per 50 numbers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "support/load.h"

static void write_request(void *context, size_t i, struct buffer *out)
{
	char body[1024];
	int size = snprintf(
		body, sizeof(body),
		"{\"messageId\":\"%s-%zu\",\"eventType\":\"order.created\",\"stream\":\"customer-%zu\",\"sequence\":%"
		"zu,"
		"\"payload\":{\"order\":{\"id\":%zu,\"currency\":\"EUR\",\"lines\":[{\"sku\":\"A-1000\",\"quantity\":2,"
		"\"price\":\"19.90\"},{\"sku\":\"B-2000\",\"quantity\":1,\"price\":\"5.00\"}],\"note\":\"%0300d\"}}}",
		(const char *)context, i, i % 50, i / 50, i, 7);
	buffer_printf(out,
	              "POST /webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
	              "%d\r\n\r\n",
	              size);
	buffer_add(out, body, (size_t)size);
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		(void)fprintf(stderr, "usage: %s PORT CONNECTIONS RATE COUNT [PREFIX]\n", argv[0]);
		return 2;
	}
	char prefix[] = "bench";
	struct load load = {
		.port = atoi(argv[1]),
		.connections = strtoul(argv[2], NULL, 10),
		.rate = strtod(argv[3], NULL),
		.count = strtoul(argv[4], NULL, 10),
		.write_request = write_request,
		.context = argc > 5 ? argv[5] : prefix,
	};
	struct load_result result;
	bool ok = load_run(&load, &result);
	size_t good = 0;
	for (size_t i = 0; i < load.count; i++)
		good += result.status[i] >= 200 && result.status[i] < 300;
	(void)printf("p50_us=%.1f p95_us=%.1f p99_us=%.1f lag_p95_us=%.1f rate=%.1f good=%zu count=%zu\n",
	             (double)load_quantile(result.latency_ns, load.count, 0.50) / 1e3,
	             (double)load_quantile(result.latency_ns, load.count, 0.95) / 1e3,
	             (double)load_quantile(result.latency_ns, load.count, 0.99) / 1e3,
	             (double)load_quantile(result.lag_ns, load.count, 0.95) / 1e3, (double)load.count / result.seconds,
	             good, load.count);
	load_free(&result);
	return ok && good == load.count ? 0 : 1;
}
