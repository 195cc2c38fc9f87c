/*
 * auth/signature: HTTP Message Signatures, Amazon SNS, keys from files. The rows of the table of providers are in
 * test_providers.c.
 */
#include <check.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "conform/bench.h"
#include "support/harness.h"
#include "support/unit.h"

/* RFC 9421, appendix B: the keys, and the examples of B.2.5 and B.2.6. Their signatures do not cover the body, which is left
 * out here: with one they are refused. */
#define RFC_KEY "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
#define RFC_SECRET "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
#define RFC_TIME INT64_C(1618884473)
#define RFC_DATE "Tue, 20 Apr 2021 02:07:55 GMT"
#define B25_INPUT "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
#define B25 "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"
#define B26_INPUT                                                                                                      \
	"sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")"                  \
	";created=1618884473;keyid=\"test-key-ed25519\""
#define B26 "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"

#define MESSAGES "algorithm=http-message-signatures"

enum { HEADERS_MAX = 6 };

struct request {
	const char *target, *authority;
	const char *headers[2 * HEADERS_MAX + 1];
	const char *body;
};

static enum sluice_verdict send(struct harness *h, const struct request *request, char *id, size_t id_size)
{
	struct sluice_event *event = harness_event(h);
	const char *body = request->body ? request->body : "";
	bench_set_target(event, "POST", request->target ? request->target : "/foo?param=Value&Pet=dog",
	                 request->authority ? request->authority : "example.com");
	for (const char *const *header = request->headers; *header; header += 2)
		harness_header(event, header[0], header[1]);
	harness_body(event, body, strlen(body));
	enum sluice_verdict verdict = harness_process(h, event);
	if (verdict == SLUICE_REJECT)
		ck_assert_int_eq(harness_status(event), 401);
	if (id)
		(void)snprintf(id, id_size, "%.*s", (int)event->authenticated_id.size,
		               event->authenticated_id.data ? event->authenticated_id.data : "");
	harness_free(event);
	return verdict;
}

static void assert_taken(struct harness *h, const struct request *request)
{
	ck_assert_int_eq(send(h, request, NULL, 0), SLUICE_PASS);
}

static void assert_refused(struct harness *h, const struct request *request)
{
	ck_assert_msg(send(h, request, NULL, 0) == SLUICE_REJECT, "taken: %s", request->headers[1]);
}

static struct harness *open_messages(const char *key, const char *more)
{
	harness_set_clock(RFC_TIME * NS_PER_S);
	return harness_open(SLUICE_KIND_AUTH, "signature",
	                    (const char *[]){MESSAGES, key, "template.key_encoding=base64", more, NULL});
}

static const struct request b26 = {
	NULL,
	NULL,
	{"Signature-Input", B26_INPUT, "Signature", B26, "Date", RFC_DATE, "Content-Type", "application/json",
         "Content-Length", "18", NULL},
	NULL,
};
static const struct request b25 = {
	NULL,
	NULL,
	{"Signature-Input", B25_INPUT, "Signature", B25, "Date", RFC_DATE, "Content-Type", "application/json", NULL},
	NULL,
};

START_TEST(test_examples_of_rfc_9421_pass)
{
	struct harness *h = open_messages("keys=" RFC_KEY, NULL);
	assert_taken(h, &b26);
	assert_refused(h, &b25);
	harness_close(h);
	h = open_messages("secrets=" RFC_SECRET, NULL);
	assert_taken(h, &b25);
	assert_refused(h, &b26);
	harness_close(h);
}
END_TEST

START_TEST(test_all_that_a_message_signature_covers_counts)
{
	struct harness *h = open_messages("keys=" RFC_KEY, NULL);
	struct request changed = b26;
	changed.target = "/fop?param=Value&Pet=dog";
	assert_refused(h, &changed);
	changed = b26;
	changed.authority = "example.org";
	assert_refused(h, &changed);
	changed.authority = "EXAMPLE.com:443"; /* the same, as it is signed */
	assert_taken(h, &changed);
	changed.target = "/foo?other=query"; /* which it does not cover */
	assert_taken(h, &changed);
	for (size_t i = 5; i < 10; i += 2) {
		changed = b26;
		changed.headers[i] = "other";
		assert_refused(h, &changed);
	}
	for (size_t i = 0; i < 10; i += 2) {
		changed = b26;
		changed.headers[i] = "X-Other";
		assert_refused(h, &changed);
	}
	changed = b26;
	changed.body = "{\"hello\": \"world\"}"; /* a body that no digest covers */
	assert_refused(h, &changed);
	harness_close(h);
}
END_TEST

START_TEST(test_time_of_a_message_signature_counts)
{
	struct harness *h = open_messages("keys=" RFC_KEY, NULL);
	static const struct {
		int64_t offset;
		bool taken;
	} cases[] = {{300, true}, {301, false}, {-300, true}, {-301, false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		harness_set_clock((RFC_TIME + cases[i].offset) * NS_PER_S);
		(cases[i].taken ? assert_taken : assert_refused)(h, &b26);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_broken_signature_inputs_are_refused)
{
	static const char *const inputs[] = {
		"",
		"sig-b26",
		"sig-b26=",
		"sig-b26=(",
		"sig-b26=()",
		"sig-b26=(\"date\"",
		"sig-b26=(\"date\" \"date\");created=1618884473",
		"sig-b26=(\"Date\");created=1618884473",
		"sig-b26=(\"date\";sf);created=1618884473",
		"sig-b26=(\"@query-param\";name=\"Pet\");created=1618884473",
		"sig-b26=(\"@status\");created=1618884473",
		"sig-b26=(date);created=1618884473",
		"sig-b26=(\"date\");created=\"1618884473\";x=(",
		"sig-b26=(\"date\");created=161888447399999999999",
		"other=" /* of the right parameters, under a label that has no signature */
		"(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")"
		";created=1618884473;keyid=\"test-key-ed25519\"",
	};
	struct harness *h = open_messages("keys=" RFC_KEY, NULL);
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		struct request request = b26;
		request.headers[1] = inputs[i];
		assert_refused(h, &request);
	}
	harness_close(h);
}
END_TEST

START_TEST(test_what_must_be_covered_is_said_by_the_pipeline)
{
	struct harness *h = open_messages("keys=" RFC_KEY, "covered=@method, @path");
	assert_taken(h, &b26);
	harness_close(h);
	h = open_messages("keys=" RFC_KEY, "covered=@query");
	assert_refused(h, &b26);
	harness_close(h);
}
END_TEST

/* A key of our own, and what it signs. */
static EVP_PKEY *make_key(const char *type)
{
	EVP_PKEY *key = strcmp(type, "EC") == 0    ? EVP_EC_gen("P-256")
	                : strcmp(type, "RSA") == 0 ? EVP_RSA_gen(2048)
	                                           : EVP_PKEY_Q_keygen(NULL, NULL, type);
	ck_assert_ptr_nonnull(key);
	return key;
}

static void write_pem(EVP_PKEY *key, char *pem, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, key), 1);
	int length = BIO_read(bio, pem, (int)size - 1);
	ck_assert_int_gt(length, 0);
	pem[length] = '\0';
	BIO_free(bio);
}

static size_t sign_raw(EVP_PKEY *key, const char *text, unsigned char *out, size_t room)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const EVP_MD *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256();
	size_t size = room;
	ck_assert_int_eq(EVP_DigestSignInit(context, NULL, digest, NULL, key), 1);
	ck_assert_int_eq(EVP_DigestSign(context, out, &size, (const unsigned char *)text, strlen(text)), 1);
	EVP_MD_CTX_free(context);
	return size;
}

static void sign(EVP_PKEY *key, const char *text, char *base64)
{
	unsigned char bytes[512];
	size_t size = sign_raw(key, text, bytes, sizeof(bytes));
	base64[base64_write(BASE64_STANDARD, bytes, size, base64)] = '\0';
}

/* As RFC 9421 has it: both numbers, 32 bytes each. */
static void sign_p1363(EVP_PKEY *key, const char *text, char *base64)
{
	unsigned char der[80], raw[64];
	const unsigned char *at = der;
	size_t size = sign_raw(key, text, der, sizeof(der));
	ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &at, (long)size);
	ck_assert_ptr_nonnull(numbers);
	ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_r(numbers), raw, 32), 32);
	ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_s(numbers), raw + 32, 32), 32);
	ECDSA_SIG_free(numbers);
	base64[base64_write(BASE64_STANDARD, raw, sizeof(raw), base64)] = '\0';
}

static void digest_of(const char *body, char *base64)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	(void)SHA256((const unsigned char *)body, strlen(body), hash);
	base64[base64_write(BASE64_STANDARD, hash, sizeof(hash), base64)] = '\0';
}

#define BODY "{\"hello\": \"world\"}"
#define INPUT "(\"@method\" \"@target-uri\" \"content-digest\" \"webhook-id\");created=1618884473"

START_TEST(test_bodies_are_covered_by_their_digest)
{
	static const char *const types[] = {"ED25519", "EC", "RSA"};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char pem[1024], option[1100], digest[64], field[128], base[512], signature[700], value[720], id[64];
		EVP_PKEY *key = make_key(types[i]);
		write_pem(key, pem, sizeof(pem));
		(void)snprintf(option, sizeof(option), "keys=%s", pem);
		struct harness *h = open_messages(option, "template.id_header=webhook-id");
		digest_of(BODY, digest);
		(void)snprintf(field, sizeof(field), "md5=:AA==:, sha-256=:%s:", digest);
		(void)snprintf(
			base, sizeof(base),
			"\"@method\": POST\n\"@target-uri\": https://example.com/in?x=1\n\"content-digest\": %s\n"
			"\"webhook-id\": msg_1\n\"@signature-params\": " INPUT,
			field);
		(i == 1 ? sign_p1363 : sign)(key, base, signature);
		(void)snprintf(value, sizeof(value), "s=:%s:", signature);
		struct request request = {
			"/in?x=1",
			NULL,
			{"Signature-Input", "s=" INPUT, "Signature", value, "Content-Digest", field, "webhook-id",
		         "msg_1", NULL},
			BODY,
		};
		ck_assert_int_eq(send(h, &request, id, sizeof(id)), SLUICE_PASS);
		ck_assert_str_eq(id, "msg_1");
		struct request changed = request;
		changed.body = "{\"hello\": \"World\"}";
		assert_refused(h, &changed);
		changed = request;
		changed.headers[7] = "msg_2";
		assert_refused(h, &changed);
		changed = request;
		changed.headers[8] = "webhook-id"; /* a second line */
		changed.headers[9] = "msg_2";
		changed.headers[10] = NULL;
		assert_refused(h, &changed);
		changed = request;
		changed.target = "/in?x=2";
		assert_refused(h, &changed);
		EVP_PKEY_free(key);
		harness_close(h);
	}
}
END_TEST

static const char *write_file(const char *name, const char *text)
{
	static char path[256];
	(void)snprintf(path, sizeof(path), "/tmp/sluice-test-%d-%s", (int)getpid(), name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}

static void write_jwks(EVP_PKEY *key, char *text, size_t room)
{
	unsigned char raw[32];
	char x[48];
	size_t size = sizeof(raw);
	ck_assert_int_eq(EVP_PKEY_get_raw_public_key(key, raw, &size), 1);
	x[base64_write(BASE64_URL, raw, size, x)] = '\0';
	(void)snprintf(text, room,
	               "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"use\":\"sig\","
	               "\"kid\":\"1\",\"x\":\"%s\"}]}",
	               x);
}

#define V1A_BODY "{\"test\": 2432232314}"

static struct request v1a(EVP_PKEY *key, char *value, size_t room)
{
	char signature[128];
	sign(key, "msg_1.1700000000." V1A_BODY, signature);
	(void)snprintf(value, room, "v1,AAAA v1a,%s", signature);
	return (struct request){
		NULL,
		NULL,
		{"webhook-id", "msg_1", "webhook-timestamp", "1700000000", "webhook-signature", value, NULL},
		V1A_BODY};
}

START_TEST(test_key_sets_are_read_again_when_they_change)
{
	char jwks[512], option[300], value[200], other_value[200];
	EVP_PKEY *key = make_key("ED25519"), *other = make_key("ED25519");
	write_jwks(key, jwks, sizeof(jwks));
	const char *path = write_file("jwks.json", jwks);
	(void)snprintf(option, sizeof(option), "key_files=%s", path);
	harness_set_clock(INT64_C(1700000000) * NS_PER_S);
	struct harness *h = harness_open(SLUICE_KIND_AUTH, "signature",
	                                 (const char *[]){"provider=standard-webhooks-v1a", option, NULL});
	struct request mine = v1a(key, value, sizeof(value));
	struct request others = v1a(other, other_value, sizeof(other_value));
	assert_taken(h, &mine);
	assert_refused(h, &others);
	ck_assert_int_gt(h->ops->tick(&h->stage), 0);
	assert_taken(h, &mine);

	(void)write_file("jwks.json", "{\"keys\":[");
	(void)h->ops->tick(&h->stage);
	assert_taken(h, &mine); /* the old keys go on */
	write_jwks(other, jwks, sizeof(jwks));
	(void)write_file("jwks.json", jwks);
	(void)h->ops->tick(&h->stage);
	assert_taken(h, &others);
	assert_refused(h, &mine);
	(void)unlink(path);
	(void)h->ops->tick(&h->stage);
	assert_taken(h, &others);
	char *log = harness_take_log();
	ck_assert_ptr_nonnull(strstr(log, "keys_reloaded"));
	ck_assert_ptr_nonnull(strstr(log, "keys_not_reloaded"));
	free(log);
	EVP_PKEY_free(other);
	EVP_PKEY_free(key);
	harness_close(h);
}
END_TEST

/* A message of Amazon SNS, signed as its documentation says. */
static void write_message(EVP_PKEY *key, const char *type, const char *url, char *body, size_t room)
{
	bool is_notification = strcmp(type, "Notification") == 0;
	char text[1024], signature[400];
	if (is_notification)
		(void)snprintf(text, sizeof(text),
		               "Message\nHello \"you\"\nMessageId\n22b80b92\nTimestamp\n2012-05-02T00:54:06.655Z\n"
		               "TopicArn\narn:aws:sns:us-west-2:123:T\nType\nNotification\n");
	else
		(void)snprintf(
			text, sizeof(text),
			"Message\nHello \"you\"\nMessageId\n22b80b92\nSubscribeURL\n%s\nTimestamp\n"
			"2012-05-02T00:54:06.655Z\nToken\n2336412f\nTopicArn\narn:aws:sns:us-west-2:123:T\nType\n%s\n",
			url, type);
	sign(key, text, signature);
	(void)snprintf(body, room,
	               "{\"Type\":\"%s\",\"MessageId\":\"22b80b92\",\"TopicArn\":\"arn:aws:sns:us-west-2:123:T\","
	               "\"Message\":\"Hello \\\"you\\\"\",\"Timestamp\":\"2012-05-02T00:54:06.655Z\",%s%s%s"
	               "\"SignatureVersion\":\"2\",\"Signature\":\"%s\","
	               "\"SigningCertURL\":\"https://sns.us-west-2.amazonaws.com/x.pem\"}",
	               type, is_notification ? "" : "\"Token\":\"2336412f\",\"SubscribeURL\":\"",
	               is_notification ? "" : url, is_notification ? "" : "\",", signature);
}

static struct harness *open_sns(EVP_PKEY *key)
{
	char pem[1024], option[1100];
	write_pem(key, pem, sizeof(pem));
	(void)snprintf(option, sizeof(option), "keys=%s", pem);
	harness_set_clock(INT64_C(1700000000) * NS_PER_S);
	return harness_open(SLUICE_KIND_AUTH, "signature", (const char *[]){"provider=aws-sns", option, NULL});
}

START_TEST(test_notifications_of_sns_are_proven_by_what_is_signed)
{
	char body[2048], changed[2048], id[64];
	EVP_PKEY *key = make_key("RSA");
	struct harness *h = open_sns(key);
	write_message(key, "Notification", "", body, sizeof(body));
	struct request request = {NULL, NULL, {"x-amz-sns-message-type", "Notification", NULL}, body};
	ck_assert_int_eq(send(h, &request, id, sizeof(id)), SLUICE_PASS);
	ck_assert_str_eq(id, "22b80b92");
	static const char *const edits[][2] = {{"Hello", "Jello"},
	                                       {"22b80b92", "22b80b93"},
	                                       {"us-west-2:123", "us-west-2:124"},
	                                       {"2012-05", "2013-05"},
	                                       {"\"SignatureVersion\":\"2\"", "\"SignatureVersion\":\"1\""},
	                                       {"\"Type\":\"Notification\"", "\"Type\":\"Notificatiom\""}};
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		(void)snprintf(changed, sizeof(changed), "%s", body);
		char *at = strstr(changed, edits[i][0]);
		ck_assert_ptr_nonnull(at);
		memcpy(at, edits[i][1], strlen(edits[i][1]));
		request.body = changed;
		assert_refused(h, &request);
	}
	EVP_PKEY_free(key);
	harness_close(h);
}
END_TEST

START_TEST(test_a_subscription_of_sns_is_logged_for_the_operator_if_it_is_amazons)
{
	static const struct {
		const char *url;
		enum sluice_verdict verdict;
	} cases[] = {
		{"https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f", SLUICE_DONE},
		{"https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription", SLUICE_DONE},
		{"http://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription", SLUICE_REJECT},
		{"https://sns.us-west-2.amazonaws.com.example.org/?Action=ConfirmSubscription", SLUICE_REJECT},
		{"https://example.org/sns.us-west-2.amazonaws.com/", SLUICE_REJECT},
		{"https://sns.x@example.org/.amazonaws.com/", SLUICE_REJECT},
		{"https://sns.us-west-2.amazonaws.com", SLUICE_REJECT},
		{"https://sns..amazonaws.com/", SLUICE_REJECT},
	};
	EVP_PKEY *key = make_key("RSA");
	struct harness *h = open_sns(key);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char body[2048];
		write_message(key, "SubscriptionConfirmation", cases[i].url, body, sizeof(body));
		struct sluice_event *event = harness_event(h);
		harness_body(event, body, strlen(body));
		free(harness_take_log());
		ck_assert_msg(harness_process(h, event) == cases[i].verdict, "%s", cases[i].url);
		ck_assert_int_eq(harness_status(event), cases[i].verdict == SLUICE_DONE ? 200 : 403);
		char *log = harness_take_log();
		ck_assert((strstr(log, "open_to_confirm=") != NULL) == (cases[i].verdict == SLUICE_DONE));
		free(log);
		harness_free(event);
	}
	EVP_PKEY_free(key);
	harness_close(h);
}
END_TEST

START_TEST(test_configurations_that_cannot_verify_are_refused)
{
	static const struct {
		const char *options[4], *expected;
	} cases[] = {
		{{"provider=discord"}, "keys: expected the sender's public key, here or in key_files"},
		{{"provider=discord", "keys=xyz"},
	         "keys: item 1: expected PEM, a JSON Web Key, or a public key in base64 or hex"},
		{{"provider=sendgrid", "keys=" RFC_KEY},
	         "keys: item 1: expected an ECDSA key, got one of type ED25519"},
		{{"provider=discord", "keys={\"kty\":\"oct\"}"},
	         "keys: item 1: expected a JSON Web Key for signatures"},
		{{"provider=discord", "keys=" RFC_KEY, "secrets=x"}, "secrets: only http-message-signatures"},
		{{"provider=discord", "keys=" RFC_KEY, "covered=@path"}, "covered: only http-message-signatures"},
		{{"provider=discord", "key_files=/nowhere/at-all"}, "key_files: /nowhere/at-all: No such file"},
		{{"keys=" RFC_KEY}, "template.signature_header: expected the header with the signature"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_error error = {0};
		ck_assert_ptr_null(harness_try(SLUICE_KIND_AUTH, "signature", cases[i].options, &error));
		ck_assert_msg(strstr(error.text, cases[i].expected) != NULL, "%s", error.text);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("auth/signature");
	TCase *messages = tcase_create("messages");
	tcase_add_test(messages, test_examples_of_rfc_9421_pass);
	tcase_add_test(messages, test_all_that_a_message_signature_covers_counts);
	tcase_add_test(messages, test_time_of_a_message_signature_counts);
	tcase_add_test(messages, test_broken_signature_inputs_are_refused);
	tcase_add_test(messages, test_what_must_be_covered_is_said_by_the_pipeline);
	tcase_add_test(messages, test_bodies_are_covered_by_their_digest);
	suite_add_tcase(suite, messages);
	TCase *others = tcase_create("others");
	tcase_add_test(others, test_key_sets_are_read_again_when_they_change);
	tcase_add_test(others, test_notifications_of_sns_are_proven_by_what_is_signed);
	tcase_add_test(others, test_a_subscription_of_sns_is_logged_for_the_operator_if_it_is_amazons);
	tcase_add_test(others, test_configurations_that_cannot_verify_are_refused);
	suite_add_tcase(suite, others);
	return suite;
}

UNIT_SUITE(test_auth_signature, suite)
