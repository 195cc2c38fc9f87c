/*
 * What an auth stage promises of its secrets: none is empty, and what is told of them tells them apart and nothing else.
 */
#include "conform/suite_auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "conform/sample.h"

/* Shorter ones than this are in "secret-1" by chance. */
enum { SECRET_MIN = 8 };

/* Whether the label gives the secret away. */
static bool shows(struct sluice_bytes label, const char *secret)
{
	size_t size = strlen(secret);
	return size >= SECRET_MIN ? memmem(label.data, label.size, secret, size) != NULL
	                          : size > 0 && label.size == size && memcmp(label.data, secret, size) == 0;
}

/* No value of a secret option may be in it. */
static void expect_no_secret(struct check *check, struct sluice_bytes label)
{
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		const char *given = option->flags & SLUICE_OPTION_SECRET ? check_option(check, option->name) : NULL;
		char *copy = given ? strdup(given) : NULL, *rest = copy;
		for (char *item; (item = strsep(&rest, ","));)
			check_that(check, !shows(label, item),
			           "the credential is a label, and has the secret itself in it");
		free(copy);
	}
}

struct buffer auth_copy_label(struct check *check, struct bench *bench, const struct valid *valid)
{
	struct buffer label = {0};
	struct sluice_event *event = valid_event(bench, valid);
	(void)sample_wait(check, event, bench_process(bench, event));
	buffer_add(&label, event->credential.data ? event->credential.data : "", event->credential.size);
	bench_settle(bench, event, SLUICE_PASS);
	return label;
}

/* By its label a secret is known that nobody uses any more. */
static void expect_labels_to_differ(struct check *check, struct bench *bench, const struct valid *first)
{
	struct valid second;
	if (check_request(check) || !valid_use_item(check, 1))
		return;
	struct bench *other = valid_open(check, &second);
	struct buffer labels[] = {auth_copy_label(check, bench, first), auth_copy_label(check, other, &second)};
	check_that(check,
	           labels[0].size != labels[1].size || memcmp(labels[0].data, labels[1].data, labels[0].size) != 0,
	           "two secrets have the same credential, %.*s: expected a label for each", (int)labels[0].size,
	           labels[0].data);
	(void)valid_use_item(check, 0);
}

void auth_labels_credentials(struct check *check)
{
	struct valid valid;
	struct bench *bench = valid_open(check, &valid);
	struct sluice_event *event = valid_event(bench, &valid), *again = valid_event(bench, &valid);
	struct sluice_bytes label, id;
	(void)sample_wait(check, event, bench_process(bench, event));
	(void)sample_wait(check, again, bench_process(bench, again));
	label = event->credential;
	id = event->authenticated_id;
	check_that(check, bench_same_bytes(label, again->credential),
	           "the same request twice: expected the same credential");
	check_that(check, bench_same_bytes(id, again->authenticated_id),
	           "the same request twice: expected the same authenticated_id");
	check_that(check, !id.data || (id.size > 0 && id.size <= SLUICE_NAME_MAX && utf8_valid(id.data, id.size)),
	           "authenticated_id: expected 1 to %d bytes of UTF-8, got %zu bytes", SLUICE_NAME_MAX, id.size);
	check_that(check, !label.data || (label.size > 0 && utf8_valid(label.data, label.size)),
	           "credential: expected a label, got %zu bytes", label.size);
	if (label.data) {
		expect_no_secret(check, label);
		expect_labels_to_differ(check, bench, &valid);
	}
	bench_settle(bench, event, SLUICE_PASS);
	bench_settle(bench, again, SLUICE_PASS);
	if (!label.data && !id.data)
		check_skip(check, "it sets neither credential nor authenticated_id");
}

static void expect_no_empty(struct check *check, const struct sluice_option *option, const char *given, size_t size,
                            const char *behind)
{
	struct buffer setting = {0};
	struct sluice_error error = {0};
	buffer_printf(&setting, "%s=%.*s%s", option->name, (int)size, given, behind);
	check_that(check, !check_try(check, (const char *const[]){setting.data, NULL}, &error),
	           "%s with an empty text%s was accepted: who knows no secret could then prove one", option->name,
	           *behind ? " in its list"
	           : size  ? " behind the name"
	                   : "");
	buffer_finish(&setting);
}

/* An empty item in a list may come of a variable that is not set. */
void auth_refuses_an_empty_secret(struct check *check)
{
	size_t count = 0;
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		const char *given = check_option(check, option->name);
		if (!(option->flags & SLUICE_OPTION_SECRET) || !given)
			continue;
		bool is_list = option->type == SLUICE_TYPE_STRINGS && option->max > 1;
		const char *colon = strchr(given, ':');
		expect_no_empty(check, option, "", 0, "");
		if (is_list)
			expect_no_empty(check, option, given, strlen(given), ",");
		if (is_list && colon) /* NAME: without the secret behind it */
			expect_no_empty(check, option, given, (size_t)(colon + 1 - given), "");
		count++;
	}
	if (count == 0)
		check_skip(check, "no secret option is given");
}
