/*
 * The series, as a table of sorts.
 */
#include "conform/sample.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "conform/stated.h"

enum { LARGE = 20000 /* bytes */, RESUME_TIMEOUT_S = 5 };

static const struct sort {
	const char *body; /* %s: the id */
	const char *header, *value;
} sorts[SAMPLE_SORTS] = {
	{"{\"messageId\":\"%s\",\"eventType\":\"order.paid\",\"payload\":{\"total\":1.50}}", NULL, NULL},
	{"{\"messageId\":\"%s\",\"eventType\":\"a\\u0062\",\"stream\":\"s\\n1\",\"sequence\":7,\"payload\":[ 1, 2 ]}",
         "Content-Type", "application/json"},
	{"{\"messageId\":\"%s\",\"eventType\":\"cut\",\"payload\":{", "X-Hub-Signature-256", "sha256=00"},
	{"", "webhook-signature", "v1,AAAA"},
	{"{\"messageId\":\"\",\"eventType\":5}", "Authorization", "Bearer "},
	{"{\"messageId\":\"%s\",\"eventType\":\"long\",\"payload\":\"@\"}", "Authorization", "Bearer no-such-token"},
	{"\xff\xfe not JSON %s", "Stripe-Signature", "t=1,v1=zz"},
	{"{\"messageId\":\"\\ud83d\\ude00%s\",\"eventType\":\"\",\"payload\":null}", "X-Slack-Signature", "v0="},
	{"[[[[[[[[\"%s\"]]]]]]]]", "webhook-id", ""},
	{"{\"messageId\":\"%s\",\"eventType\":\"t\",\"payload\":\"\\u0000\"}", "X-Shopify-Hmac-SHA256", "?"},
};

/* %s becomes the id, @ a long text. */
static void add_body(struct buffer *out, const char *pattern, const char *id)
{
	for (const char *c = pattern; *c; c++) {
		if (*c == '%') {
			buffer_add_text(out, id);
			c++;
		} else if (*c == '@') {
			for (int i = 0; i < LARGE; i++)
				buffer_add(out, "x", 1);
		} else {
			buffer_add(out, c, 1);
		}
	}
}

struct sluice_event *sample_event(struct check *check, struct bench *bench, unsigned long i)
{
	const struct sort *sort = &sorts[i % SAMPLE_SORTS];
	struct sluice_event *event = bench_event(bench);
	struct buffer body = {0};
	char id[64], stream[32];
	const struct stated *model = i % SAMPLE_SORTS % 3 == 0 ? stated_model(check) : NULL;
	if (model && check_ops(check)->kind <= SLUICE_KIND_PARSE) {
		bench_free(event);
		return stated_event(bench, model);
	}
	(void)snprintf(id, sizeof(id), "conform-%llx-%lu", check_unique(check), i);
	(void)snprintf(stream, sizeof(stream), "stream-%lu", i % 3);
	add_body(&body, sort->body, id);
	if (sort->header)
		bench_add_header(event, sort->header, sort->value);
	bench_set_body(event, body.data, body.size);
	if (check_ops(check)->kind > SLUICE_KIND_PARSE) {
		/* What has come this far is well-formed, with and without a stream. */
		buffer_empty(&body);
		buffer_printf(&body, "{\"number\":%lu}", i);
		bench_set_body(event, body.data, body.size);
		bench_set_fields(event, id, "conform", i % 3 ? stream : NULL, body.data);
	}
	buffer_finish(&body);
	return event;
}

bool sample_is_processed(const struct check *check)
{
	return check_ops(check)->kind != SLUICE_KIND_QUEUE;
}

enum sluice_verdict sample_wait(struct check *check, struct sluice_event *event, enum sluice_verdict verdict)
{
	if (verdict == SLUICE_WAIT)
		check_that(check, bench_wait_resumed(event, RESUME_TIMEOUT_S * NS_PER_S, &verdict),
		           "process() returned WAIT: expected a resume within %d s, got none", RESUME_TIMEOUT_S);
	return verdict;
}

enum sluice_verdict sample_run(struct check *check, struct bench *bench, struct sluice_event *event)
{
	enum sluice_verdict verdict = sample_wait(check, event, bench_process(bench, event));
	bench_settle(bench, event, verdict);
	return verdict;
}

void sample_need_front(struct check *check)
{
	if (check_ops(check)->kind > SLUICE_KIND_IDEMPOTENCY)
		check_skip(check, "the checks of its kind do this in their own way");
}
