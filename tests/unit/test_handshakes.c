/*
 * Verification handshakes: each is answered as its sender wants it, and nothing else is.
 */
#include <check.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/hex.h"
#include "conform/bench.h"
#include "sign/handshake.h"
#include "support/harness.h"
#include "support/unit.h"

enum { HEADERS_MAX = 4 };

struct request {
	const char *method, *target;
	const char *headers[2 * HEADERS_MAX + 1];
	const char *body;
};

/* What comes of it. */
struct result {
	enum sluice_verdict verdict;
	int status;
	bool responds;
	char body[512], header[512];
};

static struct result send(struct harness *h, const struct request *request, const char *header)
{
	struct result result = {0};
	struct sluice_event *event = harness_event(h);
	const char *body = request->body ? request->body : "";
	bench_set_target(event, request->method, request->target ? request->target : "/webhooks", NULL);
	for (const char *const *name = request->headers; *name; name += 2)
		harness_header(event, name[0], name[1]);
	harness_body(event, body, strlen(body));
	result.verdict = harness_process(h, event);
	result.status = harness_status(event);
	result.responds = bench_responds(event);
	if (result.responds) {
		struct sluice_bytes sent = bench_response_body(event);
		(void)snprintf(result.body, sizeof(result.body), "%.*s", (int)sent.size, sent.data);
	}
	const char *value = header ? bench_response_header(event, header) : NULL;
	(void)snprintf(result.header, sizeof(result.header), "%s", value ? value : "");
	harness_free(event);
	return result;
}

/* The HMAC-SHA256 of a text. */
static void mac(const char *key, const char *text, unsigned char out[32])
{
	ck_assert_ptr_nonnull(
		HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)text, strlen(text), out, NULL));
}

static const char *mac_hex(const char *key, const char *text)
{
	static char hex[65];
	unsigned char bytes[32];
	mac(key, text, bytes);
	hex_write(bytes, sizeof(bytes), hex);
	return hex;
}

static const char *mac_base64(const char *key, const char *text)
{
	static char encoded[45];
	unsigned char bytes[32];
	mac(key, text, bytes);
	(void)base64_write(BASE64_STANDARD, bytes, sizeof(bytes), encoded);
	return encoded;
}

#define NONE(handshake)                                                                                                \
	{                                                                                                              \
		"none", "handshake=" handshake, NULL                                                                   \
	}
#define TOKEN(handshake)                                                                                               \
	{                                                                                                              \
		"none", "handshake=" handshake, "verify_token=mytoken", NULL                                           \
	}

START_TEST(test_unsigned_handshakes_are_answered)
{
	static const struct {
		const char *options[4];
		struct request request;
		int status;
		const char *body, *header, *value;
	} cases[] = {
		{TOKEN("meta"),
	         {"GET",
	          "/webhooks?hub.mode=subscribe&hub.verify_token=mytoken&hub.challenge=1158201444",
	          {NULL},
	          NULL},
	         200,
	         "1158201444",
	         NULL,
	         NULL},
		{TOKEN("strava"),
	         {"GET",
	          "/webhooks?hub.verify_token=mytoken&hub.challenge=15f7d1a91c1f40f8&hub.mode=subscribe",
	          {NULL},
	          NULL},
	         200,
	         "{\"hub.challenge\":\"15f7d1a91c1f40f8\"}",
	         NULL,
	         NULL},
		{TOKEN("websub"),
	         {"GET", "/webhooks?hub.mode=unsubscribe&hub.topic=mytoken&hub.challenge=c", {NULL}, NULL},
	         200,
	         "c",
	         NULL,
	         NULL},
		{NONE("dropbox"),
	         {"GET", "/webhooks?challenge=ab%20c", {NULL}, NULL},
	         200,
	         "ab c",
	         "X-Content-Type-Options",
	         "nosniff"},
		{NONE("microsoft-graph"),
	         {"POST", "/webhooks?validationToken=Validation%3a+Testing+client", {NULL}, ""},
	         200,
	         "Validation: Testing client",
	         NULL,
	         NULL},
		{NONE("event-grid"),
	         {"POST",
	          NULL,
	          {"aeg-event-type", "SubscriptionValidation", NULL},
	          "[{\"id\":\"2d17\",\"data\":{\"validationCode\":\"512d38b6\"},\"eventType\":"
	          "\"Microsoft.EventGrid.SubscriptionValidationEvent\"}]"},
	         200,
	         "{\"validationResponse\":\"512d38b6\"}",
	         NULL,
	         NULL},
		{NONE("cloudevents"),
	         {"OPTIONS", NULL, {"WebHook-Request-Origin", "eventemitter.example.com", NULL}, NULL},
	         200,
	         "",
	         "WebHook-Allowed-Origin",
	         "eventemitter.example.com"},
		{NONE("okta"),
	         {"GET", NULL, {"X-Okta-Verification-Challenge", "my\"verification", NULL}, NULL},
	         200,
	         "{\"verification\":\"my\\\"verification\"}",
	         NULL,
	         NULL},
		{NONE("asana"),
	         {"POST", NULL, {"X-Hook-Secret", "b537207f20cbfa02", NULL}, "{}"},
	         200,
	         "",
	         "X-Hook-Secret",
	         "b537207f20cbfa02"},
		{NONE("ringcentral"),
	         {"POST", NULL, {"Validation-Token", "49d1c0a8", NULL}, ""},
	         200,
	         "",
	         "Validation-Token",
	         "49d1c0a8"},
		{NONE("smartsheet"),
	         {"POST", NULL, {"Smartsheet-Hook-Challenge", "c0ffee", NULL}, "{\"challenge\":\"c0ffee\"}"},
	         200,
	         "{\"smartsheetHookResponse\":\"c0ffee\"}",
	         NULL,
	         NULL},
		{TOKEN("fitbit"), {"GET", "/webhooks?verify=mytoken", {NULL}, NULL}, 204, "", NULL, NULL},
		{NONE("head"), {"HEAD", NULL, {NULL}, NULL}, 200, "", NULL, NULL},
		{NONE("get"), {"GET", NULL, {NULL}, NULL}, 200, "", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct harness *h = harness_open(SLUICE_KIND_AUTH, cases[i].options[0], cases[i].options + 1);
		struct result result = send(h, &cases[i].request, cases[i].header);
		ck_assert_msg(result.verdict == SLUICE_DONE && result.responds, "case %zu is not answered", i);
		ck_assert_int_eq(result.status, cases[i].status);
		ck_assert_str_eq(result.body, cases[i].body);
		if (cases[i].header)
			ck_assert_str_eq(result.header, cases[i].value);
		/* Events go on as ever. */
		const struct request event = {"POST", NULL, {NULL}, "{\"messageId\":\"a\"}"};
		ck_assert_int_eq(send(h, &event, NULL).verdict, SLUICE_PASS);
		/* And other methods stay refused. */
		const struct request other = {"PUT", NULL, {NULL}, "{}"};
		ck_assert_int_eq(send(h, &other, NULL).status, 405);
		harness_close(h);
	}
}
END_TEST

START_TEST(test_wrong_tokens_and_odd_challenges_are_refused)
{
	static const struct {
		const char *options[4];
		const char *method, *target;
		int status;
	} cases[] = {
		{TOKEN("meta"), "GET", "/webhooks?hub.mode=subscribe&hub.verify_token=other&hub.challenge=1", 403},
		{TOKEN("meta"), "GET", "/webhooks?hub.mode=subscribe&hub.verify_token=mytoke&hub.challenge=1", 403},
		{TOKEN("meta"), "GET", "/webhooks?hub.mode=subscribe&hub.challenge=1", 403},
		{TOKEN("meta"), "GET", "/webhooks?hub.mode=other&hub.verify_token=mytoken&hub.challenge=1", 405},
		{TOKEN("meta"), "GET", "/webhooks?hub.mode=subscribe&hub.verify_token=mytoken&hub.challenge=%0d%0aX",
	         403},
		{TOKEN("meta"), "GET", "/webhooks?hub.mode=subscribe&hub.verify_token=mytoken&hub.challenge=", 403},
		{TOKEN("meta"), "GET", "/webhooks?hub.mode=subscribe&hub.verify_token=mytoken", 405},
		{NONE("dropbox"), "GET", "/webhooks", 405},
		{NONE("dropbox"), "GET", "/webhooks?challenge=%zz", 405},
		{NONE("dropbox"), "HEAD", "/webhooks?challenge=a", 405},
		{TOKEN("fitbit"), "GET", "/webhooks?verify=wrong", 403},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct harness *h = harness_open(SLUICE_KIND_AUTH, cases[i].options[0], cases[i].options + 1);
		const struct request request = {cases[i].method, cases[i].target, {NULL}, NULL};
		struct result result = send(h, &request, NULL);
		ck_assert_msg(result.status == cases[i].status, "case %zu: %d", i, result.status);
		ck_assert(!result.responds);
		harness_close(h);
	}
}
END_TEST

START_TEST(test_the_origin_of_cloudevents_is_checked_where_one_is_set)
{
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "none",
	                                 (const char *[]){"handshake=cloudevents", "verify_token=a.example.com", NULL});
	const struct request good = {"OPTIONS", NULL, {"WebHook-Request-Origin", "a.example.com", NULL}, NULL};
	const struct request bad = {"OPTIONS", NULL, {"WebHook-Request-Origin", "b.example.com", NULL}, NULL};
	ck_assert_int_eq(send(h, &good, NULL).status, 200);
	ck_assert_int_eq(send(h, &bad, NULL).status, 403);
	harness_close(h);
}
END_TEST

#define SECRET "s3cret"

START_TEST(test_crc_of_x_is_made_with_the_secret_and_never_signs_an_event)
{
	static const char *const refused[] = {
		"%7B%22a%22%3A1%7D", "12345",     "true",        "null",      "1e5",
		"%22text%22",        "a%3Db%26c", "payload%3Dx", "v0%3A1%3A", "a.b",
	};
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac",
	                                 (const char *[]){"provider=x", "secrets=" SECRET, NULL});
	const struct request request = {"GET", "/webhooks?crc_token=Y2hhbGxlbmdl&nonce=n", {NULL}, NULL};
	struct buffer expected = {0};
	buffer_printf(&expected, "{\"response_token\":\"sha256=%s\"}", mac_base64(SECRET, "Y2hhbGxlbmdl"));
	struct result result = send(h, &request, NULL);
	ck_assert_int_eq(result.status, 200);
	ck_assert_str_eq(result.body, expected.data);
	buffer_finish(&expected);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char target[64];
		(void)snprintf(target, sizeof(target), "/webhooks?crc_token=%s", refused[i]);
		const struct request odd = {"GET", target, {NULL}, NULL};
		ck_assert_msg(send(h, &odd, NULL).status == 403, "%s was signed", refused[i]);
	}
	harness_close(h);
}
END_TEST

/* A signed request of one of the senders, with what else it says. */
static struct result send_signed(struct harness *h, const char *form, const char *prefix, const char *signature_header,
                                 const char *const *headers, const char *body)
{
	char text[1024], signature[128];
	(void)snprintf(text, sizeof(text), form, body);
	(void)snprintf(signature, sizeof(signature), "%s%s", prefix, mac_hex(SECRET, text));
	struct request request = {"POST", NULL, {signature_header, signature}, body};
	for (int i = 0; headers[i]; i++)
		request.headers[2 + i] = headers[i];
	return send(h, &request, NULL);
}

START_TEST(test_signed_handshakes_are_answered_once_they_are_proven)
{
	static const struct {
		const char *provider, *form, *prefix, *header;
		const char *headers[2 * HEADERS_MAX - 1];
		const char *body, *expected;
	} cases[] = {
		{"slack",
	         "v0:1700000000:%s",
	         "v0=",
	         "X-Slack-Signature",
	         {"X-Slack-Request-Timestamp", "1700000000", NULL},
	         "{\"token\":\"T\",\"challenge\":\"3eZbrw1aBm2rZgRNFdxV\",\"type\":\"url_verification\"}",
	         "3eZbrw1aBm2rZgRNFdxV"},
		{"zoom",
	         "v0:1700000000:%s",
	         "v0=",
	         "x-zm-signature",
	         {"x-zm-request-timestamp", "1700000000", NULL},
	         "{\"payload\":{\"plainToken\":\"qgg8vlvZRS6UYooatFL8Aw\"},\"event\":\"endpoint.url_validation\"}",
	         NULL},
		{"twitch",
	         "id2023-11-14T22:13:20.5Z%s",
	         "sha256=",
	         "Twitch-Eventsub-Message-Signature",
	         {"Twitch-Eventsub-Message-Id", "id", "Twitch-Eventsub-Message-Timestamp", "2023-11-14T22:13:20.5Z",
	          "Twitch-Eventsub-Message-Type", "webhook_callback_verification", NULL},
	         "{\"challenge\":\"pogchamp-kappa-360noscope-vohiyo\",\"subscription\":{}}",
	         "pogchamp-kappa-360noscope-vohiyo"},
	};
	harness_set_clock(INT64_C(1700000000) * NS_PER_S);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char provider[32], expected[256];
		(void)snprintf(provider, sizeof(provider), "provider=%s", cases[i].provider);
		(void)snprintf(expected, sizeof(expected),
		               "{\"plainToken\":\"qgg8vlvZRS6UYooatFL8Aw\",\"encryptedToken\":\"%s\"}",
		               mac_hex(SECRET, "qgg8vlvZRS6UYooatFL8Aw"));
		struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac",
		                                 (const char *[]){provider, "secrets=" SECRET, NULL});
		struct result result = send_signed(h, cases[i].form, cases[i].prefix, cases[i].header, cases[i].headers,
		                                   cases[i].body);
		ck_assert_msg(result.responds, "%s is not answered", cases[i].provider);
		ck_assert_int_eq(result.status, 200);
		ck_assert_str_eq(result.body, cases[i].expected ? cases[i].expected : expected);
		/* Unsigned it is refused. */
		struct request unsigned_request = {"POST", NULL, {NULL}, cases[i].body};
		result = send(h, &unsigned_request, NULL);
		ck_assert_int_eq(result.status, 401);
		ck_assert(!result.responds);
		harness_close(h);
	}
}
END_TEST

/* Those of LINE and Xero are lists without events; lists with some are events. */
START_TEST(test_an_empty_list_of_events_is_a_handshake)
{
	static const struct {
		const char *body;
		enum sluice_verdict verdict;
	} cases[] = {
		{"{\"destination\":\"x\",\"events\":[]}", SLUICE_DONE},
		{"{ \"events\" : [ ] }", SLUICE_DONE},
		{"{\"events\":[{\"type\":\"message\"}]}", SLUICE_PASS},
		{"{\"events\":null}", SLUICE_PASS},
		{"{\"events\":\"[]\"}", SLUICE_PASS},
		{"[\"events\"]", SLUICE_PASS},
		{"{\"events\":[],\"events\":[1]}", SLUICE_PASS},
		{"{\"events\":[", SLUICE_PASS},
	};
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac",
	                                 (const char *[]){"provider=line", "secrets=" SECRET, NULL});
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char bytes[32];
		char signature[45] = "";
		mac(SECRET, cases[i].body, bytes);
		(void)base64_write(BASE64_STANDARD, bytes, sizeof(bytes), signature);
		struct request request = {"POST", NULL, {"x-line-signature", signature, NULL}, cases[i].body};
		ck_assert_msg(send(h, &request, NULL).verdict == cases[i].verdict, "case %zu", i);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_configurations_that_cannot_work_are_refused)
{
	static const struct {
		const char *stage, *options[4], *expected;
	} cases[] = {
		{"none", {"handshake=slakc"}, "handshake: there is none called \"slakc\""},
		{"none", {"handshake=slack"}, "handshake: slack is signed: it needs a stage that verifies signatures"},
		{"none", {"handshake=x"}, "handshake: x is signed: it needs a stage that verifies signatures"},
		{"none", {"handshake=meta"}, "verify_token: expected the token that handshake meta is proven with"},
		{"none", {"handshake=dropbox", "verify_token=x"}, "verify_token: no handshake here is proven with one"},
		{"none", {"verify_token=x"}, "verify_token: no handshake here is proven with one"},
		{"hmac",
	         {"provider=meta", "secrets=x"},
	         "verify_token: expected the token that handshake meta is proven with"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error = {0};
		ck_assert_ptr_null(harness_try(SLUICE_KIND_AUTH, cases[i].stage, cases[i].options, &error));
		ck_assert_msg(strstr(error.text, cases[i].expected) != NULL, "%s", error.text);
	}
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac",
	                                 (const char *[]){"provider=meta", "secrets=x", "handshake=none", NULL});
	const struct request request = {"GET", "/webhooks?hub.mode=subscribe&hub.challenge=1", {NULL}, NULL};
	ck_assert(!send(h, &request, NULL).responds);
	harness_close(h);
}
END_TEST

START_TEST(test_requests_come_from_the_networks_that_are_named)
{
	static const struct {
		const char *address;
		enum sluice_verdict verdict;
	} cases[] = {
		{"203.0.113.7", SLUICE_PASS},        {"203.0.114.7", SLUICE_REJECT}, {"2001:db8::1", SLUICE_PASS},
		{"2001:db9::1", SLUICE_REJECT},      {"unknown", SLUICE_REJECT},     {"", SLUICE_REJECT},
		{"::ffff:203.0.113.9", SLUICE_PASS},
	};
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "none",
	                                 (const char *[]){"networks=203.0.113.0/24, 2001:db8::/32", NULL});
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_event *event = harness_event(h);
		bench_set_client(event, cases[i].address);
		ck_assert_msg(harness_process(h, event) == cases[i].verdict, "%s", cases[i].address);
		if (cases[i].verdict == SLUICE_REJECT)
			ck_assert_int_eq(harness_status(event), 403);
		harness_free(event);
	}
	harness_close(h);
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_AUTH, "hmac",
	                               (const char *[]){"secrets=x", "networks=203.0.113.7/24", NULL}, &error));
	ck_assert_ptr_nonnull(strstr(error.text, "networks: item 1: "));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("handshakes");
	TCase *all = tcase_create("handshakes");
	tcase_add_test(all, test_unsigned_handshakes_are_answered);
	tcase_add_test(all, test_wrong_tokens_and_odd_challenges_are_refused);
	tcase_add_test(all, test_the_origin_of_cloudevents_is_checked_where_one_is_set);
	tcase_add_test(all, test_crc_of_x_is_made_with_the_secret_and_never_signs_an_event);
	tcase_add_test(all, test_signed_handshakes_are_answered_once_they_are_proven);
	tcase_add_test(all, test_an_empty_list_of_events_is_a_handshake);
	tcase_add_test(all, test_configurations_that_cannot_work_are_refused);
	tcase_add_test(all, test_requests_come_from_the_networks_that_are_named);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_handshakes, suite)
