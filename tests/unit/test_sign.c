/* Signatures as senders make them: public vectors, and what auth/hmac takes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "lab/load/sign.h"
#include "support/harness.h"
#include "support/unit.h"

#define STANDARD "standard-webhooks:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WALL_NS (INT64_C(1614265330) * NS_PER_S)

static struct sluice_bytes bytes(const char *text)
{
	return (struct sluice_bytes){text, strlen(text)};
}

static struct signer *create(const char *spec, const char *form)
{
	struct sluice_error error = {0};
	struct signer *signer = signer_create(spec, form, &error);
	ck_assert_msg(signer != NULL, "%s: %s", spec, error.text);
	return signer;
}

/* The header lines; the caller frees them. */
static char *sign(const char *spec, const char *form, const char *id, const char *body)
{
	struct buffer out = {0};
	struct signer *signer = create(spec, form);
	signer_write(signer, bytes(id), bytes(body), WALL_NS, false, &out);
	signer_free(signer);
	return buffer_take(&out);
}

static void assert_signed(const char *spec, const char *form, const char *id, const char *body, const char *expected)
{
	char *lines = sign(spec, form, id, body);
	ck_assert_str_eq(lines, expected);
	free(lines);
}

START_TEST(test_standard_webhooks_vector)
{
	assert_signed(STANDARD, NULL, "msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}",
	              "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\r\n"
	              "webhook-timestamp: 1614265330\r\n"
	              "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\r\n");
}
END_TEST

START_TEST(test_github_vector)
{
	assert_signed(
		"github:It's a Secret to Everybody", NULL, "", "Hello, World!",
		"X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\n");
}
END_TEST

/* RFC 2202, test case 2 of HMAC-SHA-1, in each encoding. */
START_TEST(test_a_template_writes_each_encoding)
{
	static const char *const cases[][2] = {
		{"signature_header=S,digest=sha1", "S: effcdf6ae5eb2fa2d27416d5f184df9c259a7c79\r\n"},
		{"signature_header=S,digest=sha1,encoding=HEX", "S: EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79\r\n"},
		{"signature_header=S,digest=sha1,encoding=base64", "S: 7/zfauXrL6LSdBbV8YTfnCWafHk=\r\n"},
		{"signature_header=S,digest=sha1,encoding=base64url", "S: 7_zfauXrL6LSdBbV8YTfnCWafHk\r\n"},
		{"encoding=hex,digest=sha1,signature_header=S,prefix=v1,,x",
	         "S: v1,,xeffcdf6ae5eb2fa2d27416d5f184df9c259a7c79\r\n"},
		{"signature_header=S,digest=sha1,key_encoding=text,signed={body}",
	         "S: effcdf6ae5eb2fa2d27416d5f184df9c259a7c79\r\n"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_signed("template:Jefe", cases[i][0], "", "what do ya want for nothing?", cases[i][1]);
	assert_signed("template:4a656665", "signature_header=S,digest=sha1,key_encoding=hex", "",
	              "what do ya want for nothing?", "S: effcdf6ae5eb2fa2d27416d5f184df9c259a7c79\r\n");
}
END_TEST

/* What is signed, and the options with which auth/hmac takes it. */
static const struct {
	const char *spec, *form;
	const char *options[12];
} schemes[] = {
	{STANDARD, NULL, {"secrets=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}},
	{"standard-webhooks:aGk", NULL, {"secrets=whsec_aGk="}},
	{"github:hush", NULL, {"scheme=github", "secrets=hush"}},
	{"stripe:whsec_x", NULL, {"scheme=stripe", "secrets=whsec_x"}},
	{"slack:hush", NULL, {"scheme=slack", "secrets=hush"}},
	{"shopify:a:b", NULL, {"scheme=shopify", "secrets=a:b"}},
	{"template:hush",
         "signature_header=X-S,separator=,,timestamp_prefix=t=,prefix=v1=,signed={timestamp}.{body},timestamp_unit=us",
         {"scheme=template", "secrets=hush", "template.signature_header=X-S", "template.separator=,",
          "template.timestamp_prefix=t=", "template.prefix=v1=", "template.signed={timestamp}.{body}",
          "template.timestamp_unit=us"}},
	{"template:hush",
         "signature_header=X-S,timestamp_header=X-T,id_header=X-I,signed={timestamp}\n{id}:{body},digest=sha512,encoding=base64url,timestamp_unit=ms",
         {"scheme=template", "secrets=hush", "template.signature_header=X-S", "template.timestamp_header=X-T",
          "template.id_header=X-I", "template.signed={timestamp}\n{id}:{body}", "template.digest=sha512",
          "template.encoding=base64url", "template.timestamp_unit=ms"}},
};

static void add_headers(struct sluice_event *event, char *lines)
{
	char *rest = NULL;
	for (char *line = strtok_r(lines, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
		char *value = strstr(line, ": ");
		ck_assert_ptr_nonnull(value);
		*value = '\0';
		harness_header(event, line, value + 2);
	}
}

static enum sluice_verdict send(struct harness *h, const struct signer *signer, const char *id, bool spoil)
{
	static const char body[] = "{\"messageId\":\"m\"}";
	struct buffer lines = {0};
	signer_write(signer, bytes(id), bytes(body), WALL_NS, spoil, &lines);
	struct sluice_event *event = harness_event(h);
	add_headers(event, lines.data);
	harness_body(event, body, sizeof(body) - 1);
	enum sluice_verdict verdict = harness_process(h, event);
	harness_free(event);
	buffer_finish(&lines);
	return verdict;
}

START_TEST(test_the_stage_takes_what_is_signed_and_refuses_what_is_spoiled)
{
	harness_set_clock(WALL_NS);
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "hmac", schemes[_i].options);
	struct signer *signer = create(schemes[_i].spec, schemes[_i].form);
	ck_assert_int_eq(send(h, signer, "m-1", false), SLUICE_PASS);
	ck_assert_int_eq(send(h, signer, "", false), SLUICE_PASS);
	ck_assert_int_eq(send(h, signer, "m\r\nX-Other: 1", false), SLUICE_PASS);
	ck_assert_int_eq(send(h, signer, "m-1", true), SLUICE_REJECT);
	signer_free(signer);
	harness_close(h);
}
END_TEST

START_TEST(test_the_name_of_the_scheme_is_kept)
{
	struct signer *signer = create("github:x", NULL);
	ck_assert_str_eq(signer_scheme(signer), "github");
	signer_free(signer);
}
END_TEST

static const struct {
	const char *spec, *form, *sentence;
} refusals[] = {
	{"topsecret", NULL, "expected SCHEME:SECRET"},
	{"gitlab:topsecret", NULL, "expected SCHEME:SECRET"},
	{"github:", NULL, "expected a secret as text after the colon"},
	{"standard-webhooks:topsecret!", NULL, "expected a secret as base64, with or without whsec_ after the colon"},
	{"github:topsecret", "signature_header=X", "github has its own form"},
	{"template:topsecret", NULL, "the form: signature_header: expected the header"},
	{"template:topsecret", "X-Sig", "the form: expected NAME=VALUE"},
	{"template:topsecret", "signature_header=X,header=Y", "the form: auth/hmac's template has no option header"},
	{"template:topsecret", "signature_header=X,encoding=octal", "the form: encoding: there is no \"octal\""},
	{"template:topsecret", "signature_header=X,signed={id}", "the form: signed: expected {body} or {form}"},
	{"template:topsecret", "signature_header=X,signed={id}{body}", "the form: expected an {id}"},
	{"template:topsecret", "signature_header=X,id_header=I", "the form: expected an {id}"},
	{"template:topsecret", "signature_header=X,timestamp_header=T", "the form: expected a {timestamp}"},
	{"template:", "signature_header=X,key_encoding=hex", "expected a secret as hex after the colon"},
	{"standard-webhooks:whsec_", NULL, "expected a secret as base64, with or without whsec_ after the colon"},
	{"template:topsecret!", "signature_header=X,key_encoding=hex", "expected a secret as hex after the colon"},
};

START_TEST(test_a_refusal_says_what_was_expected_and_no_secret)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(signer_create(refusals[_i].spec, refusals[_i].form, &error));
	ck_assert_msg(strncmp(error.text, refusals[_i].sentence, strlen(refusals[_i].sentence)) == 0, "%s", error.text);
	ck_assert_ptr_null(strstr(error.text, "topsecret"));
}
END_TEST

static Suite *make_suite(void)
{
	TCase *cases = tcase_create("sign");
	tcase_add_test(cases, test_standard_webhooks_vector);
	tcase_add_test(cases, test_github_vector);
	tcase_add_test(cases, test_a_template_writes_each_encoding);
	tcase_add_loop_test(cases, test_the_stage_takes_what_is_signed_and_refuses_what_is_spoiled, 0,
	                    (int)(sizeof(schemes) / sizeof(schemes[0])));
	tcase_add_test(cases, test_the_name_of_the_scheme_is_kept);
	tcase_add_loop_test(cases, test_a_refusal_says_what_was_expected_and_no_secret, 0,
	                    (int)(sizeof(refusals) / sizeof(refusals[0])));
	Suite *suite = suite_create("sign");
	suite_add_tcase(suite, cases);
	return suite;
}

UNIT_SUITE(test_sign, make_suite)
