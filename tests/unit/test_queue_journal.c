/*
 * queue/journal: what it does with its files. What every durable queue does is for the conformance suite to say.
 */
#include <check.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/harness.h"
#include "support/unit.h"

enum { SEGMENT = 64 * 1024, HEAD = 4096 };

static char folder[64], setting[96];

static void make_folder(void)
{
	(void)snprintf(folder, sizeof(folder), "/tmp/sluice-journal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(setting, sizeof(setting), "directory=%s/journal", folder);
}

static void remove_folder(void)
{
	char command[96];
	(void)snprintf(command, sizeof(command), "rm -rf %s", folder);
	ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): the test's own folder */
}

static const char *const *small_journal(void)
{
	static const char *options[4];
	options[0] = setting;
	options[1] = "segment_size=64KiB";
	options[2] = "max_size=192KiB";
	options[3] = NULL;
	return options;
}

static struct harness *open_journal(void)
{
	struct harness *h = harness_open(SLUICE_KIND_QUEUE, "journal", small_journal());
	struct sluice_error error = {0};
	ck_assert_msg(h->ops->of.queue->recover(&h->stage, &error), "%s", error.text);
	return h;
}

static void expect_refused(const char *expected)
{
	struct sluice_error error = {0};
	struct harness *h = harness_try(SLUICE_KIND_QUEUE, "journal", small_journal(), &error);
	ck_assert_ptr_null(h);
	ck_assert_msg(strstr(error.text, expected) != NULL, "said \"%s\"", error.text);
}

static struct sluice_event *event(struct harness *h, int number, size_t size)
{
	static char payload[200 * 1024];
	char id[32];
	struct sluice_event *e = harness_event(h);
	(void)snprintf(id, sizeof(id), "id-%d", number);
	memset(payload, 'x', size);
	payload[size] = '\0';
	harness_fields(e, id, "type", "s", payload);
	e->sequence = number;
	e->has_sequence = true;
	e->acknowledged = true;
	return e;
}

/* What put() says, or what the event was resumed with. */
static enum sluice_verdict put(struct harness *h, struct sluice_event *e)
{
	enum sluice_verdict verdict = h->ops->of.queue->put(&h->stage, e);
	if (verdict == SLUICE_WAIT)
		ck_assert(harness_wait_resumed(e, &verdict));
	return verdict;
}

static struct sluice_event *take_number(struct harness *h, int number)
{
	struct sluice_event *e;
	ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, &e, 1), 1);
	ck_assert_int_eq(e->sequence, number);
	return e;
}

static void finish(struct harness *h, struct sluice_event *e, enum sluice_verdict verdict)
{
	h->ops->of.queue->done(&h->stage, e, verdict);
	harness_free(e);
}

static void put_and_keep(struct harness *h, int count, size_t size)
{
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(put(h, event(h, i, size)), SLUICE_PASS);
	for (int i = 0; i < count; i++)
		finish(h, take_number(h, i), SLUICE_RETRY);
}

static void expect_recovered(int count)
{
	struct harness *h = open_journal();
	struct sluice_event *e;
	for (int i = 0; i < count; i++)
		finish(h, take_number(h, i), SLUICE_RETRY);
	ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, &e, 1), 0);
	harness_close(h);
}

static glob_t segments(void)
{
	glob_t files;
	char pattern[96];
	(void)snprintf(pattern, sizeof(pattern), "%s/journal/*.journal", folder);
	int result = glob(pattern, 0, NULL, &files);
	ck_assert(result == 0 || result == GLOB_NOMATCH);
	return files;
}

static size_t count_segments(void)
{
	glob_t files = segments();
	size_t count = files.gl_pathc;
	globfree(&files);
	return count;
}

/* Writes over the segment number `index` of those that are there, at `at`. */
static void overwrite(size_t index, off_t at, const void *data, size_t size)
{
	glob_t files = segments();
	ck_assert_uint_lt(index, files.gl_pathc);
	int fd = open(files.gl_pathv[index], O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, data, size, at), (ssize_t)size);
	(void)close(fd);
	globfree(&files);
}

/* The size of a record of put_and_keep(): two heads, the texts, the payload, whole eights. */
static off_t record_size(size_t payload)
{
	struct harness *h = open_journal();
	struct sluice_event *e = event(h, 0, payload);
	size_t texts = e->message_id.size + e->event_type.size + e->stream.size + e->request_id.size;
	harness_free(e);
	harness_close(h);
	return (off_t)((24 + 56 + texts + payload + 7) / 8 * 8);
}

START_TEST(test_segments_rotate_and_go_when_all_is_done)
{
	struct harness *h = open_journal();
	for (int i = 0; i < 600; i++) { /* some 600 KiB through 192 KiB */
		ck_assert_int_eq(put(h, event(h, i, 1000)), SLUICE_PASS);
		finish(h, take_number(h, i), SLUICE_PASS);
	}
	int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
	while (count_segments() > 1 && clock_now_ns() < until_ns)
		(void)sched_yield();
	ck_assert_uint_eq(count_segments(), 1);
	harness_close(h);
	expect_recovered(0);
}
END_TEST

START_TEST(test_a_full_journal_says_retry_until_a_segment_is_done)
{
	struct harness *h = open_journal();
	int count = 0;
	struct sluice_event *refused;
	while (put(h, refused = event(h, count, 1000)) == SLUICE_PASS)
		count++;
	ck_assert_msg(strstr(harness_detail(refused), "full") != NULL, "said \"%s\"", harness_detail(refused));
	ck_assert_int_gt(count, 150);
	harness_free(refused);
	ck_assert_uint_le(count_segments(), 3);
	for (int i = 0; i < 60; i++) /* all of the first segment */
		finish(h, take_number(h, i), SLUICE_PASS);
	ck_assert_int_eq(put(h, event(h, count, 1000)), SLUICE_PASS);
	for (int i = 60; i <= count; i++)
		finish(h, take_number(h, i), SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_an_event_larger_than_a_segment_gets_one_of_its_own)
{
	struct harness *h = open_journal();
	ck_assert_int_eq(put(h, event(h, 0, 100)), SLUICE_PASS);
	ck_assert_int_eq(put(h, event(h, 1, 100 * 1024)), SLUICE_PASS);
	struct sluice_event *refused = event(h, 2, 5000);
	ck_assert_int_eq(put(h, refused), SLUICE_RETRY); /* a third would be above max_size */
	harness_free(refused);
	finish(h, take_number(h, 0), SLUICE_RETRY);
	finish(h, take_number(h, 1), SLUICE_RETRY);
	harness_close(h);
	h = open_journal();
	finish(h, take_number(h, 0), SLUICE_PASS);
	struct sluice_event *large = take_number(h, 1);
	ck_assert_uint_eq(large->payload.size, 100 * 1024);
	finish(h, large, SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_an_event_larger_than_the_journal_stops_nothing)
{
	struct harness *h = open_journal();
	struct sluice_event *refused = event(h, 0, 190 * 1024);
	ck_assert_int_eq(put(h, refused), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(refused), "raise max_size"));
	harness_free(refused);
	ck_assert_int_eq(put(h, event(h, 1, 100)), SLUICE_PASS);
	finish(h, take_number(h, 1), SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_a_backlog_that_was_delivered_does_not_come_back)
{
	struct harness *h = open_journal();
	put_and_keep(h, 10, 100);
	harness_close(h);
	h = open_journal();
	for (int i = 0; i < 10; i++)
		finish(h, take_number(h, i), SLUICE_PASS);
	harness_close(h);
	expect_recovered(0);
}
END_TEST

START_TEST(test_a_torn_tail_is_cut)
{
	char torn[700];
	struct harness *h = open_journal();
	put_and_keep(h, 3, 500);
	harness_close(h);
	off_t end = HEAD + 3 * record_size(500);
	memset(torn, 'x', sizeof(torn));
	overwrite(0, end, torn, sizeof(torn));
	expect_recovered(3);
	overwrite(0, end - 100, "y", 1); /* of the last batch, behind which nothing says that it was synced */
	expect_recovered(2);
}
END_TEST

/* Nothing is cut: the journal stays as it is, and with the byte back all is there. */
START_TEST(test_an_altered_record_is_refused)
{
	struct harness *h = open_journal();
	put_and_keep(h, 3, 500);
	harness_close(h);
	off_t first = HEAD + 200, second = HEAD + record_size(500) + 200;
	for (int i = 0; i < 2; i++) {
		off_t at = i ? second : first;
		overwrite(0, at, "y", 1);
		expect_refused("was altered after it had been written");
		overwrite(0, at, "x", 1);
	}
	expect_recovered(3);
}
END_TEST

START_TEST(test_what_is_no_segment_of_this_journal_is_refused)
{
	uint32_t version = 2;
	char magic[8] = "SLUICEJ\n";
	struct harness *h = open_journal();
	put_and_keep(h, 1, 10);
	harness_close(h);
	overwrite(0, 8, &version, sizeof(version));
	expect_refused("has format 2, and this version of queue/journal reads up to 1");
	version = 1;
	overwrite(0, 8, &version, sizeof(version));
	overwrite(0, 20, "x", 1);
	expect_refused("is no segment of a journal, or its head was altered");
	overwrite(0, 20, "", 1);
	overwrite(0, 0, "other...", 8);
	expect_refused("is no segment of a journal");
	overwrite(0, 0, magic, sizeof(magic));
	glob_t files = segments();
	ck_assert_int_eq(truncate(files.gl_pathv[0], SEGMENT - 1), 0);
	expect_refused("has 65535 bytes, and was written with 65536");
	ck_assert_int_eq(truncate(files.gl_pathv[0], SEGMENT), 0);
	char renamed[128];
	(void)snprintf(renamed, sizeof(renamed), "%s/journal/00000000000000ff.journal", folder);
	ck_assert_int_eq(rename(files.gl_pathv[0], renamed), 0);
	expect_refused("was renamed: it is segment 1");
	ck_assert_int_eq(rename(renamed, files.gl_pathv[0]), 0);
	globfree(&files);
	expect_recovered(1);
}
END_TEST

START_TEST(test_segments_of_two_journals_are_refused)
{
	char from[128], to[128];
	struct harness *h = open_journal();
	put_and_keep(h, 1, 10);
	harness_close(h);
	(void)snprintf(from, sizeof(from), "%s/journal", folder);
	(void)snprintf(to, sizeof(to), "%s/other", folder);
	ck_assert_int_eq(rename(from, to), 0);
	h = open_journal();
	put_and_keep(h, 1, 10);
	harness_close(h);
	(void)snprintf(from, sizeof(from), "%s/other/0000000000000001.journal", folder);
	(void)snprintf(to, sizeof(to), "%s/journal/0000000000000002.journal", folder);
	ck_assert_int_eq(rename(from, to), 0);
	expect_refused("was renamed: it is segment 1"); /* the checksum covers the number, too */
	(void)snprintf(from, sizeof(from), "%s/journal/0000000000000001.journal", folder);
	ck_assert_int_eq(rename(from, to), 0);
	expect_refused("was renamed: it is segment 1");
}
END_TEST

START_TEST(test_a_segment_that_was_never_begun_is_no_harm)
{
	static const char zeros[SEGMENT];
	char path[128];
	struct harness *h = open_journal();
	put_and_keep(h, 2, 10);
	harness_close(h);
	for (size_t size = 0; size <= SEGMENT; size += SEGMENT / 2) {
		(void)snprintf(path, sizeof(path), "%s/journal/0000000000000002.journal", folder);
		FILE *file = fopen(path, "wbe");
		ck_assert_uint_eq(fwrite(zeros, 1, size, file), size);
		(void)fclose(file);
		expect_recovered(2);
	}
}
END_TEST

START_TEST(test_a_journal_belongs_to_one_process)
{
	struct harness *h = open_journal();
	expect_refused("another process uses this journal");
	harness_close(h);
	expect_recovered(0);
}
END_TEST

START_TEST(test_a_folder_in_memory_is_refused)
{
	static const char *const relaxed[] = {"directory=/dev/shm/sluice-journal-test", "durability=relaxed", NULL};
	struct sluice_error error = {0};
	const char *const options[] = {relaxed[0], NULL};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_QUEUE, "journal", options, &error));
	ck_assert_msg(strstr(error.text, "is kept in memory (tmpfs)") != NULL, "said \"%s\"", error.text);
	harness_close(harness_open(SLUICE_KIND_QUEUE, "journal", relaxed));
	ck_assert_int_eq(system("rm -r /dev/shm/sluice-journal-test"), 0); /* NOLINT(cert-env33-c) */
}
END_TEST

START_TEST(test_settings_that_cannot_work_are_refused)
{
	static const struct {
		const char *options[3], *expected;
	} cases[] = {
		{{"directory=", NULL}, "directory: expected a path of 1 to"},
		{{"segment_size=1MiB", "max_size=1MiB", NULL}, "max_size: expected at least two segments"},
		{{"directory=/nowhere/journal", NULL}, "directory: /nowhere/journal: cannot be created: No such file"},
		{{"directory=/etc/passwd", NULL}, "directory: /etc/passwd: Not a directory"},
	};
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_QUEUE, "journal", cases[_i].options, &error));
	ck_assert_msg(strstr(error.text, cases[_i].expected) != NULL, "said \"%s\"", error.text);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("queue/journal");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, make_folder, remove_folder);
	tcase_add_test(all, test_segments_rotate_and_go_when_all_is_done);
	tcase_add_test(all, test_a_full_journal_says_retry_until_a_segment_is_done);
	tcase_add_test(all, test_an_event_larger_than_a_segment_gets_one_of_its_own);
	tcase_add_test(all, test_an_event_larger_than_the_journal_stops_nothing);
	tcase_add_test(all, test_a_backlog_that_was_delivered_does_not_come_back);
	tcase_add_test(all, test_a_torn_tail_is_cut);
	tcase_add_test(all, test_an_altered_record_is_refused);
	tcase_add_test(all, test_what_is_no_segment_of_this_journal_is_refused);
	tcase_add_test(all, test_segments_of_two_journals_are_refused);
	tcase_add_test(all, test_a_segment_that_was_never_begun_is_no_harm);
	tcase_add_test(all, test_a_journal_belongs_to_one_process);
	tcase_add_test(all, test_a_folder_in_memory_is_refused);
	tcase_add_loop_test(all, test_settings_that_cannot_work_are_refused, 0, 4);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_queue_journal, make_suite)
