/*
 * Credentials: what is counted under which label.
 */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "serve/credentials.h"
#include "support/unit.h"

static struct credentials credentials;

static void init(void)
{
	credentials_init(&credentials);
}

static void finish(void)
{
	credentials_finish(&credentials);
}

static struct sluice_bytes bytes(const char *text)
{
	return (struct sluice_bytes){text, strlen(text)};
}

static uint64_t count_of(const char *label)
{
	for (size_t i = 0; i < credentials.count; i++)
		if (strcmp(credentials.items[i].label, label) == 0)
			return credentials.items[i].requests;
	return 0;
}

START_TEST(test_label_is_short_text_or_other)
{
	static const char sixty[] = "123456789012345678901234567890123456789012345678901234567890";
	char long_ascii[200], long_accents[200], cut_ascii[200], cut_accents[200];
	(void)snprintf(long_ascii, sizeof(long_ascii), "%s%s", sixty, "abcdefgh");
	(void)snprintf(cut_ascii, sizeof(cut_ascii), "%s%s", sixty, "abcd");
	(void)snprintf(long_accents, sizeof(long_accents), "%s%s", sixty, "ab\xc3\xa9\xc3\xa9\xc3\xa9");
	(void)snprintf(cut_accents, sizeof(cut_accents), "%s%s", sixty, "ab\xc3\xa9");
	char off_by_one[200], cut_off_by_one[200];
	(void)snprintf(off_by_one, sizeof(off_by_one), "%s%s", sixty, "abc\xc3\xa9");
	(void)snprintf(cut_off_by_one, sizeof(cut_off_by_one), "%s%s", sixty, "abc");
	const struct {
		struct sluice_bytes given;
		const char *label;
	} cases[] = {
		{bytes("secret-1"), "secret-1"},
		{bytes("caf\xc3\xa9 \"x\""), "caf\xc3\xa9 \"x\""},
		{bytes(long_ascii), cut_ascii},
		{bytes(cut_ascii), cut_ascii},
		{bytes(long_accents), cut_accents},
		{bytes(off_by_one), cut_off_by_one},
		{bytes(""), "other"},
		{bytes("caf\xe9"), "other"},
		{bytes("\xff"), "other"},
		{bytes("a\nb"), "other"},
		{{"a\0b", 3}, "other"},
		{bytes("other"), "other"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char label[CREDENTIAL_LABEL_MAX + 1];
		credential_label(cases[i].given, label);
		ck_assert_str_eq(label, cases[i].label);
	}
}
END_TEST

START_TEST(test_labels_are_bounded_and_the_rest_is_other)
{
	char label[32];
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < CREDENTIALS_MAX + 10; i++) {
			(void)snprintf(label, sizeof(label), "user-%d", i);
			credentials_add(&credentials, bytes(label));
		}
	}
	credentials_add(&credentials, bytes("other"));
	ck_assert_uint_eq(credentials.count, CREDENTIALS_MAX);
	ck_assert_uint_eq(count_of("user-0"), 3);
	(void)snprintf(label, sizeof(label), "user-%d", CREDENTIALS_MAX - 1);
	ck_assert_uint_eq(count_of(label), 3);
	ck_assert_uint_eq(credentials.other.requests, 31);
}
END_TEST

START_TEST(test_other_is_no_label_of_its_own)
{
	credentials_add(&credentials, bytes("other"));
	credentials_add(&credentials, bytes("\xff"));
	ck_assert_uint_eq(credentials.count, 0);
	ck_assert_uint_eq(credentials.other.requests, 2);
}
END_TEST

enum { THREADS = 4, ROUNDS = 2000, LABELS = 40 };

static void *add_many(void *context)
{
	char label[32];
	(void)context;
	for (int i = 0; i < ROUNDS; i++) {
		(void)snprintf(label, sizeof(label), "user-%d", i % LABELS);
		credentials_add(&credentials, bytes(label));
	}
	return NULL;
}

START_TEST(test_threads_that_meet_new_labels_lose_no_request)
{
	pthread_t threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	ck_assert_uint_eq(credentials.count, LABELS);
	for (int i = 0; i < LABELS; i++)
		ck_assert_uint_eq(credentials.items[i].requests, THREADS * ROUNDS / LABELS);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("credentials");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, init, finish);
	tcase_add_test(all, test_label_is_short_text_or_other);
	tcase_add_test(all, test_labels_are_bounded_and_the_rest_is_other);
	tcase_add_test(all, test_other_is_no_label_of_its_own);
	tcase_add_test(all, test_threads_that_meet_new_labels_lose_no_request);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_credentials, make_suite)
