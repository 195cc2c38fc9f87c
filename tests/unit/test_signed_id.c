/*
 * What `sluice check` says about message ids and signatures, and about settings that no request can satisfy.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/config.h"
#include "support/scratch.h"
#include "support/unit.h"

#define STANDARD "auth.secrets=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WARNING "is not covered by the signature that auth/hmac verifies"

enum { SETS_MAX = 6 };

static const char pipeline[] = "pipeline: p\nstages:\n  - auth: hmac\n    secrets: [c2VjcmV0]\n  - parse: json\n"
			       "  - persist: sqlite\n";

/* Loads the pipeline with these settings; the first warning, or else the error. */
static void load(const char *const *sets, char *warning, char *failure, size_t size)
{
	char file[SCRATCH_SIZE];
	int fd = scratch_file(file);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, pipeline, sizeof(pipeline) - 1), sizeof(pipeline) - 1);
	(void)close(fd);
	struct sluice_error error = {0};
	struct config_request request = {
		.file = file, .sets = sets, .stage_path = TEST_BUILD_DIR "/stages:" TEST_BUILD_DIR "/plugins"};
	struct config *config = config_load(&request, &error);
	(void)snprintf(warning, size, "%.500s", config && config->warnings[0] ? config->warnings[0] : "");
	(void)snprintf(failure, size, "%.500s", error.text);
	config_free(config);
	(void)unlink(file);
}

static const struct {
	const char *sets[SETS_MAX];
	const char *warning, *failure; /* a part of it; "": none */
} cases[] = {
	{{"parse.message_id=/id"}, "", ""},
	{{"parse.message_id=auth:id"}, "", ""},
	{{"parse.message_id=header:webhook-id"}, "", ""},
	{{"parse.message_id=[header:Webhook-Id, header:svix-id]"}, "", ""},
	{{"parse.message_id=header:webhook-timestamp"}, "", ""},
	{{"parse.message_id=header:webhook-signature"}, "header:webhook-signature " WARNING, ""},
	{{"parse.message_id=[/id, header:X-Id]"}, "header:X-Id " WARNING, ""},
	{{"auth.scheme=github", "parse.message_id=header:X-GitHub-Delivery"}, "header:X-GitHub-Delivery " WARNING, ""},
	{{"auth.scheme=slack", "parse.message_id=header:webhook-id"}, "header:webhook-id " WARNING, ""},
	{{"auth.scheme=stripe", "parse.message_id=/id"}, "", ""},
	{{"auth.scheme=github", "parse.message_id=auth:id"}, "", "message_id: auth:id: auth/hmac verifies no id"},
	{{"auth.use=none", "parse.message_id=auth:id"}, "", ""}, /* a stage that does not say what it verifies */
	{{"auth.use=none", "parse.message_id=header:X-Id"}, "", ""},
	{{"auth.scheme=template", "auth.template.signature_header=S", "auth.template.signed=v0{id}.{body}",
          "auth.template.id_header=X-Id", "parse.message_id=header:x-id"},
         "",
         ""},
	{{"auth.scheme=template", "auth.template.signature_header=S", "parse.message_id=header:X-Id"},
         "header:X-Id " WARNING,
         ""},
	/* What no request could satisfy. */
	{{"auth.scheme=template", "auth.template.signature_header=X Signature"},
         "",
         "template.signature_header: expected the name of a header, got \"X Signature\""},
	{{"auth.scheme=template", "auth.template.signature_header=X-Signature\t"},
         "",
         "template.signature_header: expected the name of a header"},
	{{"auth.scheme=template", "auth.template.signature_header=S",
          "auth.template.id_header=X-Id:", "auth.template.signed=v0{id}{body}"},
         "",
         "template.id_header: expected the name of a header"},
	{{"auth.tolerance=900ms"}, "", "tolerance: expected at least one unit of the timestamp"},
	{{"auth.secret_files=/nowhere/secret"}, "", "secret_files: /nowhere/secret: No such file or directory"},
	{{"auth.secret_files=/"}, "", "secret_files: /: Is a directory"},
	{{"auth.scheme=github", "auth.secrets=[\"s3cret \"]"}, "", "secrets: item 1 ends in white space"},
	{{"auth.scheme=github", "auth.secrets=[good, \"\\ts3cret\"]"}, "", "secrets: item 2 begins with white space"},
	{{"auth.scheme=github", "auth.secrets=[\"s3cret\\r\\n\"]"}, "", ""},
	{{"auth.scheme=github", "auth.secrets=[\"\\n\"]"}, "", "secrets: item 1: expected a secret, got an empty text"},
	{{"admin.token=s3cret\xc2\xa0"}, "", "admin.token: ends in white space"},
	{{"admin.token=s3cret\n"}, "", ""},
};

START_TEST(test_settings_that_cannot_be_meant_are_told)
{
	char warning[600], failure[600];
	load(cases[_i].sets, warning, failure, sizeof(warning));
	ck_assert_msg(strstr(warning, cases[_i].warning) && !warning[0] == !cases[_i].warning[0], "%s: %s",
	              cases[_i].sets[0], warning);
	ck_assert_msg(strstr(failure, cases[_i].failure) && !failure[0] == !cases[_i].failure[0], "%s: %s",
	              cases[_i].sets[0], failure);
	ck_assert_ptr_null(strstr(failure, "s3cret"));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("signed ids and secrets");
	TCase *settings = tcase_create("settings");
	tcase_add_loop_test(settings, test_settings_that_cannot_be_meant_are_told, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(suite, settings);
	return suite;
}

UNIT_SUITE(test_signed_id, suite)
