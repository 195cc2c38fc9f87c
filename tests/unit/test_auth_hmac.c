/*
 * auth/hmac: what is signed gets in, and nothing else.
 */
#include <check.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/unit.h"

#define REFUSED "the signature is missing, wrong, too old or too far ahead"
#define STANDARD_SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define STANDARD_ID "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define STANDARD_SIGNATURE "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define STANDARD_TIME INT64_C(1614265330)
#define STANDARD_BODY "{\"test\": 2432232314}"
#define GITHUB_SECRET "It's a Secret to Everybody"
#define GITHUB_SIGNATURE "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
#define GITHUB_BODY "Hello, World!"

enum { HEADERS_MAX = 4 };

/* A request: names and values of headers in turn, up to NULL. */
struct request {
	const char *headers[2 * HEADERS_MAX + 1];
	const char *body;
};

static enum sluice_verdict send(struct harness *h, const struct request *request)
{
	struct sluice_event *event = harness_event(h);
	for (const char *const *header = request->headers; *header; header += 2)
		harness_header(event, header[0], header[1]);
	harness_body(event, request->body, strlen(request->body));
	enum sluice_verdict verdict = harness_process(h, event);
	if (verdict != SLUICE_PASS) {
		ck_assert_int_eq(harness_status(event), 401);
		ck_assert_str_eq(harness_detail(event), REFUSED);
	}
	harness_free(event);
	return verdict;
}

static void assert_taken(struct harness *h, const struct request *request)
{
	ck_assert_msg(send(h, request) == SLUICE_PASS, "refused: %s", request->headers[1]);
}

static void assert_refused(struct harness *h, const struct request *request)
{
	ck_assert_msg(send(h, request) == SLUICE_REJECT, "taken: %s",
	              request->headers[0] ? request->headers[1] : "nothing");
}

static void at(int64_t wall_s)
{
	harness_set_clock(wall_s * NS_PER_S);
}

static struct harness *open_standard(void)
{
	at(STANDARD_TIME);
	return harness_open(SLUICE_KIND_AUTH, "hmac", (const char *[]){"secrets=" STANDARD_SECRET, NULL});
}

static struct harness *open_github(void)
{
	return harness_open(SLUICE_KIND_AUTH, "hmac",
	                    (const char *[]){"scheme=github", "secrets=" GITHUB_SECRET, NULL});
}

static const struct request standard = {
	{"webhook-id", STANDARD_ID, "webhook-timestamp", "1614265330", "webhook-signature", STANDARD_SIGNATURE},
	STANDARD_BODY,
};
static const struct request github = {{"X-Hub-Signature-256", GITHUB_SIGNATURE}, GITHUB_BODY};

/* HMAC-SHA256 in lower-case hex. */
static const char *sign(const char *key, const char *text)
{
	static char hex[65];
	unsigned char mac[32];
	ck_assert_ptr_nonnull(
		HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)text, strlen(text), mac, NULL));
	for (size_t i = 0; i < sizeof(mac); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", mac[i]);
	return hex;
}

static const char *format(char *text, size_t size, const char *form, const char *a, const char *b)
{
	(void)snprintf(text, size, form, a, b);
	return text;
}

START_TEST(test_standard_webhooks_vector_passes)
{
	struct harness *h = open_standard();
	assert_taken(h, &standard);
	struct request svix = {
		{"Svix-Id", STANDARD_ID, "Svix-Timestamp", "1614265330", "Svix-Signature", STANDARD_SIGNATURE},
		STANDARD_BODY};
	assert_taken(h, &svix);
	harness_close(h);
}
END_TEST

START_TEST(test_headers_of_two_families_do_not_mix)
{
	struct harness *h = open_standard();
	struct request mixed = {
		{"svix-id", STANDARD_ID, "webhook-timestamp", "1614265330", "webhook-signature", STANDARD_SIGNATURE},
		STANDARD_BODY};
	assert_refused(h, &mixed);
	harness_close(h);
}
END_TEST

/* Whoever reads the id behind us must read the one that was signed. */
START_TEST(test_headers_that_contradict_the_signed_ones_are_refused)
{
	static const struct {
		const char *name, *value;
		bool taken;
	} more[] = {
		{"webhook-id", "forged", false},
		{"webhook-timestamp", "1614265331", false},
		{"webhook-id", "", false},
		{"svix-id", "forged", false},
		{"svix-id", STANDARD_ID, false}, /* a second line */
		{"svix-timestamp", "1614265331", false},
		{"svix-signature", STANDARD_SIGNATURE, false},
		{"webhook-id", STANDARD_ID, true},
		{"webhook-timestamp", "1614265330", true},
		{"other-id", "forged", true},
	};
	struct harness *h = open_standard();
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		struct request request = {{"svix-id", STANDARD_ID, "svix-timestamp", "1614265330", "svix-signature",
		                           STANDARD_SIGNATURE, more[i].name, more[i].value},
		                          STANDARD_BODY};
		ck_assert_msg(send(h, &request) == (more[i].taken ? SLUICE_PASS : SLUICE_REJECT), "%s: %s",
		              more[i].name, more[i].value);
	}
	harness_close(h);
	h = open_github();
	assert_refused(h,
	               &(struct request){{"X-Hub-Signature-256", GITHUB_SIGNATURE, "x-hub-signature-256", "sha256=00"},
	                                 GITHUB_BODY});
	harness_close(h);
}
END_TEST

START_TEST(test_github_vector_passes)
{
	struct harness *h = open_github();
	assert_taken(h, &github);
	harness_close(h);
}
END_TEST

/* Every scheme with a signature made here, by the rule of its documentation. */
START_TEST(test_each_scheme_takes_what_was_signed_by_its_rule)
{
	char stripe[200], slack[200];
	format(stripe, sizeof(stripe), "t=1700000000,v1=%s%s", sign("whsec_x", "1700000000.{}"), ",v0=00");
	format(slack, sizeof(slack), "v0=%s%s", sign("key", "v0:1700000000:{}"), "");
	const struct {
		const char *options[3];
		struct request request;
	} cases[] = {
		{{"scheme=stripe", "secrets=whsec_x"}, {{"Stripe-Signature", stripe}, "{}"}},
		{{"scheme=slack", "secrets=key"},
	         {{"X-Slack-Signature", slack, "X-Slack-Request-Timestamp", "1700000000"}, "{}"}},
		{{"scheme=shopify", "secrets=hush"},
	         {{"X-Shopify-Hmac-SHA256", "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY="}, "{\"id\":1}"}},
	};
	at(1700000000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac", cases[i].options);
		assert_taken(h, &cases[i].request);
		struct request other = cases[i].request;
		other.body = "[]";
		assert_refused(h, &other);
		harness_close(h);
	}
}
END_TEST

/* Flips each bit of the header values and of the body in turn. */
static void assert_each_bit_counts(struct harness *h, const struct request *whole)
{
	struct request request = *whole;
	const char **parts[HEADERS_MAX + 1] = {&request.body};
	size_t count = 1;
	for (const char **header = request.headers; *header; header += 2)
		parts[count++] = &header[1];
	for (size_t part = 0; part < count; part++) {
		const char *text = *parts[part];
		for (size_t bit = 0; bit < 8 * strlen(text); bit++) {
			char copy[256];
			strcpy(copy, text);
			copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
			*parts[part] = copy;
			ck_assert_msg(send(h, &request) == SLUICE_REJECT, "taken with bit %zu of \"%s\" changed", bit,
			              text);
		}
		*parts[part] = text;
	}
	assert_taken(h, &request);
}

START_TEST(test_every_changed_bit_is_refused)
{
	struct harness *h = open_standard();
	assert_each_bit_counts(h, &standard);
	harness_close(h);
	h = open_github();
	assert_each_bit_counts(h, &github);
	harness_close(h);
}
END_TEST

START_TEST(test_cut_and_overlong_signatures_are_refused)
{
	struct harness *h = open_github();
	char text[200];
	struct request request = {{"X-Hub-Signature-256", text}, GITHUB_BODY};
	for (size_t size = 0; size < strlen(GITHUB_SIGNATURE); size++) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)size, GITHUB_SIGNATURE);
		assert_refused(h, &request);
	}
	format(text, sizeof(text), "%s%s", GITHUB_SIGNATURE, "0");
	assert_refused(h, &request);
	format(text, sizeof(text), "%s%s", GITHUB_SIGNATURE, &GITHUB_SIGNATURE[7]);
	assert_refused(h, &request);
	harness_close(h);
}
END_TEST

START_TEST(test_signature_in_other_letters_is_refused)
{
	struct harness *h = open_github();
	char text[100];
	struct request request = {{"X-Hub-Signature-256", text}, GITHUB_BODY};
	strcpy(text, GITHUB_SIGNATURE);
	for (char *c = text + 7; *c; c++)
		*c = (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
	assert_refused(h, &request);
	strcpy(text, GITHUB_SIGNATURE);
	text[20] = 'g';
	assert_refused(h, &request);
	harness_close(h);
}
END_TEST

START_TEST(test_missing_headers_are_refused)
{
	struct harness *h = open_standard();
	for (size_t missing = 0; missing < 3; missing++) {
		struct request request = {{NULL}, STANDARD_BODY};
		for (size_t i = 0, to = 0; i < 3; i++) {
			if (i == missing)
				continue;
			request.headers[to++] = standard.headers[2 * i];
			request.headers[to++] = standard.headers[2 * i + 1];
		}
		assert_refused(h, &request);
	}
	assert_refused(h, &(struct request){{NULL}, STANDARD_BODY});
	assert_refused(h, &(struct request){{NULL}, ""});
	harness_close(h);
}
END_TEST

START_TEST(test_any_of_several_secrets_may_have_signed)
{
	struct harness *h = harness_open(
		SLUICE_KIND_AUTH, "hmac",
		(const char *[]){"scheme=github", "secrets=new, " GITHUB_SECRET ", old", NULL});
	assert_taken(h, &github);
	char text[100];
	struct request request = {{"X-Hub-Signature-256", text}, "{}"};
	const char *const keys[] = {"new", "old"};
	for (size_t i = 0; i < 2; i++) {
		format(text, sizeof(text), "sha256=%s%s", sign(keys[i], "{}"), "");
		assert_taken(h, &request);
	}
	format(text, sizeof(text), "sha256=%s%s", sign("other", "{}"), "");
	assert_refused(h, &request);
	harness_close(h);
}
END_TEST

START_TEST(test_any_of_several_signatures_may_match)
{
	struct harness *h = open_standard();
	static const char *const taken[] = {
		"v1,AAAA " STANDARD_SIGNATURE,
		STANDARD_SIGNATURE " v1,AAAA",
		"v1a,AAAA v2,BBBB " STANDARD_SIGNATURE " v9",
		"  " STANDARD_SIGNATURE "  ",
	};
	static const char *const refused[] = {
		"",
		" ",
		"v1,",
		"v1",
		"v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"v1,v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",
		"v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=",
		"v1,AAAA," STANDARD_SIGNATURE,
		"v1,A v1,A v1,A v1,A v1,A v1,A v1,A v1,A v1,A v1,A v1,A v1,A v1,A v1,A v1,A v1,A " STANDARD_SIGNATURE,
	};
	struct request request = standard;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		request.headers[5] = taken[i];
		assert_taken(h, &request);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		request.headers[5] = refused[i];
		assert_refused(h, &request);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_stripe_header_needs_one_time_and_a_signature)
{
	at(1700000000);
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac",
	                                 (const char *[]){"scheme=stripe", "secrets=key", NULL});
	char hex[65];
	strcpy(hex, sign("key", "1700000000.{}"));
	static const struct {
		const char *form;
		bool taken;
	} cases[] = {
		{"t=1700000000,v1=%s", true},
		{"v1=%s,t=1700000000", true},
		{"t=1700000000,v0=6ffbb59b2300aae63f272406069a9788,v1=00,v1=%s", true},
		{"v1=%s", false},
		{"t=1700000000,t=1700000000,v1=%s", false},
		{"t=1700000001,v1=%s", false},
		{"t=,v1=%s", false},
		{"t=1700000000,v1=%s0", false},
		{"t=1700000000,v0=%s", false},
		{"t=1700000000%s", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[300];
		format(text, sizeof(text), cases[i].form, hex, "");
		struct request request = {{"Stripe-Signature", text}, "{}"};
		ck_assert_msg((send(h, &request) == SLUICE_PASS) == cases[i].taken, "%s", text);
	}
	harness_close(h);
}
END_TEST

static void assert_edges(struct harness *h, int64_t tolerance_s)
{
	at(STANDARD_TIME + tolerance_s);
	assert_taken(h, &standard);
	harness_advance_clock(NS_PER_S - 1);
	assert_taken(h, &standard);
	harness_advance_clock(1);
	assert_refused(h, &standard);
	at(STANDARD_TIME - tolerance_s);
	assert_taken(h, &standard);
	harness_advance_clock(-1);
	assert_refused(h, &standard);
}

START_TEST(test_time_may_be_off_by_the_tolerance_both_ways)
{
	struct harness *h = open_standard();
	assert_edges(h, 300);
	harness_close(h);
	h = harness_open(SLUICE_KIND_AUTH, "hmac", (const char *[]){"secrets=" STANDARD_SECRET, "tolerance=10s", NULL});
	assert_edges(h, 10);
	harness_close(h);
}
END_TEST

START_TEST(test_odd_timestamps_are_refused_though_signed)
{
	static const char *const times[] = {
		"",
		"-1",
		"+1700000000",
		"1700000000 0",
		"17e8",
		"0x6553f100",
		"1700000000.5",
		"０",
		"170000000000",
		"1700000000000000000",
		"99999999999999999999",
		"nan",
	};
	at(1700000000);
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac",
	                                 (const char *[]){"scheme=slack", "secrets=key", NULL});
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		char text[100], signature[100];
		format(text, sizeof(text), "v0:%s:%s", times[i], "{}");
		format(signature, sizeof(signature), "v0=%s%s", sign("key", text), "");
		struct request request = {{"X-Slack-Signature", signature, "X-Slack-Request-Timestamp", times[i]},
		                          "{}"};
		assert_refused(h, &request);
	}
	harness_close(h);
}
END_TEST

/* "a.1" + "…" would be signed like "a" + "1.…": a captured signature could be moved. */
START_TEST(test_id_with_a_dot_is_refused_though_signed)
{
	at(1700000000);
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac",
	                                 (const char *[]){"scheme=template", "secrets=key",
	                                                  "template.signature_header=S", "template.id_header=I",
	                                                  "template.timestamp_header=T",
	                                                  "template.signed={id}.{timestamp}.{body}", NULL});
	char signature[65];
	strcpy(signature, sign("key", "a.1700000000.{}"));
	struct request request = {{"S", signature, "T", "1700000000", "I", "a"}, "{}"};
	assert_taken(h, &request);
	strcpy(signature, sign("key", "a.b.1700000000.{}"));
	request.headers[5] = "a.b";
	assert_refused(h, &request);
	request.headers[5] = "";
	strcpy(signature, sign("key", ".1700000000.{}"));
	assert_refused(h, &request);
	harness_close(h);
}
END_TEST

START_TEST(test_body_is_signed_whole_with_its_nul_bytes)
{
	struct harness *h = open_github();
	static const unsigned char body[] = {'{', 0, 0xff, '}'};
	unsigned char mac[32];
	char text[80] = "sha256=";
	HMAC(EVP_sha256(), GITHUB_SECRET, (int)strlen(GITHUB_SECRET), body, sizeof(body), mac, NULL);
	for (size_t i = 0; i < sizeof(mac); i++)
		(void)snprintf(text + 7 + 2 * i, 3, "%02x", mac[i]);
	for (size_t size = 0; size <= sizeof(body); size++) {
		struct sluice_event *event = harness_event(h);
		harness_header(event, "x-hub-signature-256", text);
		harness_body(event, body, size);
		ck_assert_int_eq(harness_process(h, event), size == sizeof(body) ? SLUICE_PASS : SLUICE_REJECT);
		harness_free(event);
	}
	format(text, sizeof(text), "sha256=%s%s", sign(GITHUB_SECRET, ""), "");
	assert_taken(h, &(struct request){{"x-hub-signature-256", text}, ""});
	harness_close(h);
}
END_TEST

/* The signatures were made with Python's hmac module. */
START_TEST(test_template_covers_other_schemes)
{
	static const struct {
		const char *options[10];
		struct request request;
	} cases[] = {
		{{"secrets=key"}, {{"S", "a777724d943eb48dc69bca8a4a6d57a04db3f9ec7e1de4e581e860265bdf3032"}, "{}"}},
		{{"secrets=key", "template.encoding=HEX", "template.prefix=sha256="},
	         {{"S", "sha256=A777724D943EB48DC69BCA8A4A6D57A04DB3F9EC7E1DE4E581E860265BDF3032"}, "{}"}},
		{{"secrets=key", "template.encoding=base64", "template.digest=sha512"},
	         {{"S", "Vfq9qhgscO4gaxIU1E41DJlHed/DQkGyhtxtPxKizXD2ueV/GdZhqG2EhgSHRLoYwP6PgheDB1+QibWF5e3XKQ=="},
	          "{}"}},
		{{"secrets=key", "template.encoding=hex", "template.digest=sha1", "template.prefix=sha1="},
	         {{"S", "sha1=c9963b837183dc667106461b3de91d0885f539b3"}, "{}"}},
		{{"secrets=kez", "template.encoding=base64url"},
	         {{"S", "xyipAHkgAY96QLMxXpu5Kq5W6mI38LTTAZdtu4GZ66U="}, "{}"}},
		{{"secrets=kez", "template.encoding=base64url"},
	         {{"S", "xyipAHkgAY96QLMxXpu5Kq5W6mI38LTTAZdtu4GZ66U"}, "{}"}},
		{{"secrets=00ffA0", "template.key_encoding=hex"},
	         {{"S", "e0da7ef84d826d28d4e8749b9be19eb951f3986c81a500a061f7559a5934b7b4"}, "{}"}},
		{{"secrets=AP+gAA==", "template.key_encoding=base64"},
	         {{"S", "e0da7ef84d826d28d4e8749b9be19eb951f3986c81a500a061f7559a5934b7b4"}, "{}"}},
		{{"secrets=AP-gAA", "template.key_encoding=base64"},
	         {{"S", "e0da7ef84d826d28d4e8749b9be19eb951f3986c81a500a061f7559a5934b7b4"}, "{}"}},
		{{"secrets=key", "template.timestamp_header=T", "template.timestamp_unit=ms",
	          "template.signed={timestamp}{body}"},
	         {{"S", "2521c44e446b7fe79cb4a16f771598965f0ef23b0ab4dabde27233627a62ff4f", "T", "1700000299999"},
	          "{}"}},
		{{"secrets=key", "template.timestamp_header=T", "template.id_header=I",
	          "template.signed={body}\n{id}\n{timestamp}"},
	         {{"S", "100046b77c190b4120de6f29f33777e5437119fff1ce6f63055a8e96b5ca1fef", "T", "1700000000", "I",
	           "a.b"},
	          "{}"}},
		{{"secrets=key", "template.timestamp_prefix=ts=", "template.prefix=h1=", "template.separator=;",
	          "template.signed={timestamp}:{body}"},
	         {{"S", "ts=1700000000;h1=048e005f489e39cc19cda2cf96316b3b7492e7cd54393e76d145abd15e239bec"}, "{}"}},
	};
	at(1700000000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *options[13] = {"scheme=template", "template.signature_header=S"};
		for (size_t j = 0; cases[i].options[j]; j++)
			options[2 + j] = cases[i].options[j];
		struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac", options);
		assert_taken(h, &cases[i].request);
		struct request other = cases[i].request;
		other.body = "[]";
		assert_refused(h, &other);
		harness_close(h);
	}
}
END_TEST

/* A temporary file with a secret. */
static const char *secret_file(const char *content)
{
	static char path[SCRATCH_SIZE];
	int fd = scratch_file(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
	return path;
}

START_TEST(test_secret_file_holds_one_secret_without_line_ends)
{
	static const struct {
		const char *content, *key;
	} cases[] = {{"key", "key"},
	             {"key\n", "key"},
	             {"key\n\n", "key"},
	             {"key\r\n", "key"},
	             {"\xef\xbb\xbfkey\n", "key"},
	             {"two words\r\n\r\n", "two words"},
	             {"two\nlines\n", "two\nlines"},
	             {"a,b", "a,b"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char option[80], text[80];
		const char *path = secret_file(cases[i].content);
		format(option, sizeof(option), "secret_files=%s%s", path, "");
		struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac",
		                                 (const char *[]){"scheme=github", "secrets=other", option, NULL});
		format(text, sizeof(text), "sha256=%s%s", sign(cases[i].key, "{}"), "");
		assert_taken(h, &(struct request){{"X-Hub-Signature-256", text}, "{}"});
		harness_close(h);
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

START_TEST(test_secret_with_white_space_at_an_end_is_refused)
{
	static const char *const secrets[] = {" key",
	                                      "key ",
	                                      "key\t",
	                                      "key\v\n",
	                                      "key\f",
	                                      "\nkey",
	                                      "key \r\n",
	                                      "\rkey\n",
	                                      "key\xc2\xa0\n",
	                                      "key\xe2\x80\xa8",
	                                      "key\xe3\x80\x80",
	                                      "key\xef\xbb\xbf",
	                                      "\xe2\x80\x8bkey",
	                                      "key\xc2\x85"};
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		char option[80];
		const char *path = secret_file(secrets[i]);
		struct sluice_error error = {0};
		format(option, sizeof(option), "secret_files=%s%s", path, "");
		ck_assert_ptr_null(
			harness_try(SLUICE_KIND_AUTH, "hmac", (const char *[]){"scheme=github", option, NULL}, &error));
		ck_assert_msg(strstr(error.text, "white space: remove it") != NULL, "%zu: %s", i, error.text);
		ck_assert_ptr_null(strstr(error.text, "key"));
		ck_assert_int_eq(unlink(path), 0);
	}
}
END_TEST

/* Signs with `key` for X-Hub-Signature-256 and expects the label; NULL: refused, and none. */
static void assert_credential(struct harness *h, const char *key, const char *label)
{
	char text[100];
	struct sluice_event *event = harness_event(h);
	harness_header(event, "X-Hub-Signature-256", format(text, sizeof(text), "sha256=%s%s", sign(key, "{}"), ""));
	harness_body(event, "{}", 2);
	ck_assert_int_eq(harness_process(h, event), label ? SLUICE_PASS : SLUICE_REJECT);
	ck_assert_uint_eq(event->credential.size, label ? strlen(label) : 0);
	ck_assert(!label || memcmp(event->credential.data, label, strlen(label)) == 0);
	ck_assert_ptr_null(event->authenticated_id.data);
	harness_free(event);
}

START_TEST(test_secret_that_matched_is_named)
{
	char option[80];
	const char *path = secret_file("filed\n");
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac",
	                                 (const char *[]){"scheme=github", "secrets=new, old, old",
	                                                  format(option, sizeof(option), "secret_files=%s%s", path, ""),
	                                                  NULL});
	assert_credential(h, "new", "secret-1");
	assert_credential(h, "old", "secret-2");
	assert_credential(h, "filed", strrchr(path, '/') + 1);
	assert_credential(h, "none", NULL);
	harness_close(h);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(test_id_that_is_signed_is_the_authenticated_one)
{
	struct harness *h = open_standard();
	for (size_t i = 0; i < 2; i++) {
		struct sluice_event *event = harness_event(h);
		for (const char *const *header = standard.headers; *header; header += 2)
			harness_header(event, header[0], header[1]);
		harness_body(event, i ? "{}" : standard.body, i ? 2 : strlen(standard.body));
		ck_assert_int_eq(harness_process(h, event), i ? SLUICE_REJECT : SLUICE_PASS);
		ck_assert_uint_eq(event->authenticated_id.size, i ? 0 : strlen(STANDARD_ID));
		ck_assert(i || memcmp(event->authenticated_id.data, STANDARD_ID, strlen(STANDARD_ID)) == 0);
		harness_free(event);
	}
	harness_close(h);
}
END_TEST

static void assert_not_created(const char *const *options, const char *sentence)
{
	struct sluice_error error = {0};
	ck_assert_msg(!harness_try(SLUICE_KIND_AUTH, "hmac", options, &error), "created: %s", sentence);
	ck_assert_str_eq(error.text, sentence);
}

START_TEST(test_config_that_cannot_verify_is_refused)
{
	static const struct {
		const char *options[6];
		const char *sentence;
	} cases[] = {
		{{"scheme=github"}, "secrets: expected at least one, here or in secret_files"},
		{{"scheme=github", "secrets="}, "secrets: item 1: expected a secret, got an empty text"},
		{{"secrets=" STANDARD_SECRET ", whsec_!!"},
	         "secrets: item 2: expected base64 after whsec_; the value is secret and not shown"},
		{{"secrets=whsec_"}, "secrets: item 1: expected a secret, got an empty text"},
		{{"scheme=github", "secrets=x", "tolerance=5m"}, "tolerance: the scheme signs no timestamp; remove it"},
		{{"scheme=github", "secret_files=/nowhere/secret"},
	         "secret_files: /nowhere/secret: No such file or directory"},
		{{"scheme=github", "secret_files=/dev/null"},
	         "secret_files: /dev/null: expected a secret, got an empty text"},
		{{"scheme=github", "secret_files=/dev/zero"},
	         "secret_files: /dev/zero: expected a file of less than 65536 bytes"},
		{{"scheme=github", "secrets=x", "template.signature_header=S"},
	         "template: scheme github has its own; set scheme: template to use it"},
		{{"scheme=template", "secrets=x"}, "template.signature_header: expected the header with the signature"},
		{{"scheme=template", "secrets=x", "template.signature_header=S", "template.signed={id}"},
	         "template.signed: expected {body} or {form} in it, got \"{id}\""},
		{{"scheme=template", "secrets=x", "template.signature_header=S", "template.signed={bdy}.{body}"},
	         "template.signed: expected {id}, {timestamp}, {body}, {method}, {url} or {form} at \"{bdy}.{body}\""},
		{{"scheme=template", "secrets=x", "template.signature_header=S", "template.signed={body}.{body}"},
	         "template.signed: expected each placeholder once, got \"{body}.{body}\""},
		{{"scheme=template", "secrets=x", "template.signature_header=S", "template.signed={id}.{body}"},
	         "template.id_header: expected the header with the {id}"},
		{{"scheme=template", "secrets=x", "template.signature_header=S", "template.id_header=I"},
	         "template.signed: expected {id} in it: an unsigned one proves nothing"},
		{{"scheme=template", "secrets=x", "template.signature_header=S", "template.signed={timestamp}.{body}"},
	         "template.timestamp_header: expected the header with the {timestamp}"},
		{{"scheme=template", "secrets=x", "template.signature_header=S", "template.timestamp_prefix=t="},
	         "template.signed: expected {timestamp} in it: an unsigned one proves nothing"},
		{{"scheme=template", "secrets=abc", "template.signature_header=S", "template.key_encoding=hex"},
	         "secrets: item 1: expected hex; the value is secret and not shown"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_not_created(cases[i].options, cases[i].sentence);
}
END_TEST

START_TEST(test_log_says_why_without_secrets_or_signatures)
{
	struct harness *h = open_standard();
	free(harness_take_log());
	struct request request = standard;
	request.body = "{}";
	assert_refused(h, &request);
	at(STANDARD_TIME + 1000);
	assert_refused(h, &standard);
	char *log = harness_take_log();
	ck_assert_str_eq(log, "debug auth/hmac signature_refused why=no signature is that of a secret\n"
	                      "debug auth/hmac signature_refused why=the timestamp is too old\n");
	free(log);
	harness_close(h);
}
END_TEST

static void *verify_often(void *context)
{
	struct harness *h = context;
	uintptr_t wrong = 0;
	for (int i = 0; i < 500; i++) {
		struct sluice_event *event = harness_event(h);
		harness_header(event, "X-Hub-Signature-256", GITHUB_SIGNATURE);
		harness_body(event, GITHUB_BODY, strlen(GITHUB_BODY) - (size_t)(i % 2));
		wrong += harness_process(h, event) != (i % 2 ? SLUICE_REJECT : SLUICE_PASS);
		harness_free(event);
	}
	return (void *)wrong;
}

START_TEST(test_threads_verify_at_once)
{
	struct harness *h = open_github();
	pthread_t threads[4];
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, verify_often, h), 0);
	for (size_t i = 0; i < 4; i++) {
		void *wrong;
		ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
		ck_assert_ptr_null(wrong);
	}
	free(harness_take_log());
	harness_close(h);
}
END_TEST

START_TEST(test_published_vectors_are_its_self_test)
{
	struct harness *h = open_standard();
	struct sluice_error error = {0};
	ck_assert_msg(h->ops->self_test(&error), "%s", error.text);
	harness_close(h);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("auth/hmac");
	TCase *schemes = tcase_create("schemes");
	tcase_add_test(schemes, test_standard_webhooks_vector_passes);
	tcase_add_test(schemes, test_headers_of_two_families_do_not_mix);
	tcase_add_test(schemes, test_headers_that_contradict_the_signed_ones_are_refused);
	tcase_add_test(schemes, test_github_vector_passes);
	tcase_add_test(schemes, test_each_scheme_takes_what_was_signed_by_its_rule);
	tcase_add_test(schemes, test_stripe_header_needs_one_time_and_a_signature);
	tcase_add_test(schemes, test_template_covers_other_schemes);
	tcase_add_test(schemes, test_threads_verify_at_once);
	tcase_add_test(schemes, test_published_vectors_are_its_self_test);
	suite_add_tcase(suite, schemes);
	TCase *attacks = tcase_create("attacks");
	tcase_add_test(attacks, test_every_changed_bit_is_refused);
	tcase_add_test(attacks, test_cut_and_overlong_signatures_are_refused);
	tcase_add_test(attacks, test_signature_in_other_letters_is_refused);
	tcase_add_test(attacks, test_missing_headers_are_refused);
	tcase_add_test(attacks, test_any_of_several_signatures_may_match);
	tcase_add_test(attacks, test_time_may_be_off_by_the_tolerance_both_ways);
	tcase_add_test(attacks, test_odd_timestamps_are_refused_though_signed);
	tcase_add_test(attacks, test_id_with_a_dot_is_refused_though_signed);
	tcase_add_test(attacks, test_body_is_signed_whole_with_its_nul_bytes);
	suite_add_tcase(suite, attacks);
	TCase *secrets = tcase_create("secrets");
	tcase_add_test(secrets, test_any_of_several_secrets_may_have_signed);
	tcase_add_test(secrets, test_secret_file_holds_one_secret_without_line_ends);
	tcase_add_test(secrets, test_secret_with_white_space_at_an_end_is_refused);
	tcase_add_test(secrets, test_secret_that_matched_is_named);
	tcase_add_test(secrets, test_id_that_is_signed_is_the_authenticated_one);
	tcase_add_test(secrets, test_config_that_cannot_verify_is_refused);
	tcase_add_test(secrets, test_log_says_why_without_secrets_or_signatures);
	suite_add_tcase(suite, secrets);
	return suite;
}

UNIT_SUITE(test_auth_hmac, suite)
