/*
 * The table of schemes, and the one place that knows what a signed text may hold.
 */
#include "scheme.h"

#include <string.h>

#define SECONDS INT64_C(1000000000)

const char *const scheme_names[] = {
	[SCHEME_STANDARD_WEBHOOKS] = "standard-webhooks",
	[SCHEME_GITHUB] = "github",
	[SCHEME_STRIPE] = "stripe",
	[SCHEME_SLACK] = "slack",
	[SCHEME_SHOPIFY] = "shopify",
	[SCHEME_TEMPLATE] = "template",
	NULL,
};

const struct scheme schemes[SCHEME_TEMPLATE] = {
	/* standardwebhooks.com, specification 1.0: "Signature scheme" and "Webhook headers" */
	[SCHEME_STANDARD_WEBHOOKS] =
		{
			.headers = {{"webhook-signature", "webhook-timestamp", "webhook-id"},
                                    {"svix-signature", "svix-timestamp", "svix-id"}},
			.signed_text = "{id}.{timestamp}.{body}",
			.separator = " ",
			.prefix = "v1,",
			.digest = "SHA256",
			.encoding = ENCODING_BASE64,
			.key_encoding = KEY_BASE64,
			.key_prefix = "whsec_",
			.unit_ns = SECONDS,
			.tolerance_ns = 300 * SECONDS,
		},
	/* docs.github.com: "Validating webhook deliveries" */
	[SCHEME_GITHUB] =
		{
			.headers = {{.signature = "X-Hub-Signature-256"}},
			.signed_text = "{body}",
			.prefix = "sha256=",
			.digest = "SHA256",
			.encoding = ENCODING_HEX,
		},
	/* docs.stripe.com: "Verify webhook signatures manually" */
	[SCHEME_STRIPE] =
		{
			.headers = {{.signature = "Stripe-Signature"}},
			.signed_text = "{timestamp}.{body}",
			.separator = ",",
			.prefix = "v1=",
			.timestamp_prefix = "t=",
			.digest = "SHA256",
			.encoding = ENCODING_HEX,
			.unit_ns = SECONDS,
			.tolerance_ns = 300 * SECONDS,
		},
	/* api.slack.com: "Verifying requests from Slack" */
	[SCHEME_SLACK] =
		{
			.headers = {{.signature = "X-Slack-Signature", .timestamp = "X-Slack-Request-Timestamp"}},
			.signed_text = "v0:{timestamp}:{body}",
			.prefix = "v0=",
			.digest = "SHA256",
			.encoding = ENCODING_HEX,
			.unit_ns = SECONDS,
			.tolerance_ns = 300 * SECONDS,
		},
	/* shopify.dev: "Verify the origin of a webhook" */
	[SCHEME_SHOPIFY] =
		{
			.headers = {{.signature = "X-Shopify-Hmac-SHA256"}},
			.signed_text = "{body}",
			.prefix = "",
			.digest = "SHA256",
			.encoding = ENCODING_BASE64,
		},
};

static const struct placeholder {
	const char *text;
	enum part_kind kind;
} placeholders[] = {
	{"{id}", PART_ID},
	{"{timestamp}", PART_TIMESTAMP},
	{"{body}", PART_BODY},
};

/* The part that `text` begins with; a literal of size 0 if it is a brace that begins no placeholder. */
static struct part first_part(const char *text)
{
	if (*text != '{')
		return (struct part){PART_LITERAL, text, strcspn(text, "{")};
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
		size_t size = strlen(placeholders[i].text);
		if (strncmp(text, placeholders[i].text, size) == 0)
			return (struct part){placeholders[i].kind, text, size};
	}
	return (struct part){PART_LITERAL, text, 0};
}

size_t scheme_split(const char *text, struct part parts[PARTS_MAX], struct sluice_error *error)
{
	size_t count = 0;
	for (const char *rest = text; *rest; rest += parts[count++].size) {
		if (count == PARTS_MAX) {
			sluice_error_set(error, "expected at most %d parts", PARTS_MAX);
			return 0;
		}
		parts[count] = first_part(rest);
		if (parts[count].size == 0) {
			sluice_error_set(error, "expected {id}, {timestamp} or {body} at \"%s\"", rest);
			return 0;
		}
		for (size_t i = 0; i < count; i++) {
			if (parts[count].kind != PART_LITERAL && parts[i].kind == parts[count].kind) {
				sluice_error_set(
					error, "expected each of {id}, {timestamp} and {body} once, got \"%s\"", text);
				return 0;
			}
		}
	}
	if (!strstr(text, "{body}")) {
		sluice_error_set(error, "expected a {body} in it, got \"%s\"", text);
		return 0;
	}
	return count;
}
