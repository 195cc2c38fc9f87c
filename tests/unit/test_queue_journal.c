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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/bench.h"
#include "runtime/loader.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/unit.h"

enum { SEGMENT = 64 * 1024, HEAD = 4096 };

static char folder[SCRATCH_SIZE], setting[96];

static void make_folder(void)
{
	scratch_folder(folder);
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

/* The marks of an older segment stand in newer ones, which go before it. */
START_TEST(test_what_was_delivered_does_not_come_back_when_newer_segments_are_gone)
{
	struct sluice_event *held = NULL, *e;
	enum { LIVES = 2, EVENTS = 700 };
	for (int life = 0; life < LIVES; life++) {
		struct harness *h = open_journal();
		struct sluice_event *inside[40];
		size_t count = 0;
		if (life)
			held = take_number(h, 0);
		for (int i = life ? EVENTS : 0; i < (life + 1) * EVENTS; i++) {
			e = event(h, i, 1000);
			ck_assert_msg(put(h, e) == SLUICE_PASS, "%d: %s", i, harness_detail(e));
			ck_assert_ptr_eq(take_number(h, i), e);
			if (i == 0) {
				held = e;
				continue;
			}
			inside[count++] = e;
			if (count < sizeof(inside) / sizeof(inside[0]))
				continue;
			while (count > 0) /* some of the first segment when the second is begun */
				finish(h, inside[--count], SLUICE_PASS);
		}
		while (count > 0)
			finish(h, inside[--count], SLUICE_PASS);
		finish(h, held, SLUICE_RETRY);
		int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;
		while (count_segments() > 3 && clock_now_ns() < until_ns)
			(void)sched_yield();
		ck_assert_uint_le(count_segments(), 3);
		harness_close(h);
	}
	expect_recovered(1);
}
END_TEST

static struct sluice_event *event_of_stream(struct harness *h, int number, const char *stream)
{
	struct sluice_event *e = event(h, number, 100);
	e->stream = (struct sluice_bytes){stream, strlen(stream)};
	return e;
}

/* Events 0 to 3 of an earlier life, of the streams a, b, a and none. */
static void leave_streams(void)
{
	static const char *const streams[] = {"a", "b", "a"};
	struct harness *h = open_journal();
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(put(h, event_of_stream(h, i, streams[i])), SLUICE_PASS);
	struct sluice_event *last = event(h, 3, 100);
	last->stream = (struct sluice_bytes){NULL, 0};
	ck_assert_int_eq(put(h, last), SLUICE_PASS);
	for (int i = 0; i < 4; i++)
		finish(h, take_number(h, i), SLUICE_RETRY);
	harness_close(h);
}

/* As the dispatcher does: again and again. */
static struct sluice_event *wait_for_any(struct harness *h)
{
	struct sluice_event *e = NULL;
	int64_t until_ns = clock_now_ns() + 20 * NS_PER_S;
	while (h->ops->of.queue->take(&h->stage, &e, 1) == 0 && clock_now_ns() < until_ns)
		(void)sched_yield();
	ck_assert_ptr_nonnull(e);
	return e;
}

static struct sluice_event *wait_for_number(struct harness *h, int number)
{
	struct sluice_event *e = wait_for_any(h);
	ck_assert_int_eq(e->sequence, number);
	return e;
}

static void expect_health(struct harness *h, const char *expected)
{
	char *seen = bench_observe((struct bench *)h);
	const char *unhealthy = strstr(seen, "unhealthy: ");
	ck_assert_msg(expected ? unhealthy && strstr(unhealthy, expected) : !unhealthy, "said \"%s\"", seen);
	free(seen);
}

enum { IN_FIRST_RECORD = HEAD + 150 };

static char original;

static void alter_first_record(void)
{
	overwrite(0, IN_FIRST_RECORD, "?", 1);
}

static void remember_first_record(void)
{
	glob_t files = segments();
	int fd = open(files.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(fd, &original, 1, IN_FIRST_RECORD), 1);
	(void)close(fd);
	globfree(&files);
}

static void mend_first_record(void)
{
	overwrite(0, IN_FIRST_RECORD, &original, 1);
}

static struct rlimit descriptors;

static void forbid_descriptors(void)
{
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
	struct rlimit none = {.rlim_cur = 0, .rlim_max = descriptors.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void allow_descriptors(void)
{
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
}

START_TEST(test_a_record_that_cannot_be_read_holds_its_stream_alone)
{
	leave_streams();
	remember_first_record();
	struct harness *h = open_journal();
	struct sluice_event *e;
	alter_first_record();
	finish(h, take_number(h, 1), SLUICE_PASS);
	finish(h, take_number(h, 3), SLUICE_PASS);
	ck_assert_int_eq(put(h, event_of_stream(h, 4, "a")), SLUICE_PASS);
	ck_assert_int_eq(put(h, event_of_stream(h, 5, "b")), SLUICE_PASS);
	finish(h, take_number(h, 5), SLUICE_PASS);
	ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, &e, 1), 0);
	expect_health(h, "an event of the backlog cannot be read");
	mend_first_record();
	finish(h, wait_for_number(h, 0), SLUICE_PASS);
	finish(h, take_number(h, 2), SLUICE_PASS);
	finish(h, take_number(h, 4), SLUICE_PASS);
	expect_health(h, NULL);
	harness_close(h);
	expect_recovered(0);
}
END_TEST

START_TEST(test_without_descriptors_the_backlog_waits_and_newer_streams_go_on)
{
	leave_streams();
	struct harness *h = open_journal();
	struct sluice_event *e;
	ck_assert_int_eq(put(h, event_of_stream(h, 4, "c")), SLUICE_PASS);
	ck_assert_int_eq(put(h, event_of_stream(h, 5, "b")), SLUICE_PASS);
	forbid_descriptors();
	e = take_number(h, 4);
	allow_descriptors();
	finish(h, e, SLUICE_PASS);
	expect_health(h, "Too many open files");
	for (int i = 0; i < 4; i++)
		finish(h, wait_for_number(h, i), SLUICE_PASS);
	finish(h, wait_for_number(h, 5), SLUICE_PASS);
	expect_health(h, NULL);
	harness_close(h);
	expect_recovered(0);
}
END_TEST

/* It is not marked, so a restored file brings it back. */
enum { SCATTERED = 50 };

/* In two segments, the first of which has more than are tried at a time. */
static void leave_without_streams(void)
{
	struct sluice_event *events[SCATTERED];
	struct harness *h = open_journal();
	for (int i = 0; i < SCATTERED; i++) {
		events[i] = event(h, i, 2000);
		events[i]->stream = (struct sluice_bytes){NULL, 0};
		ck_assert_int_eq(put(h, events[i]), SLUICE_PASS);
		ck_assert_ptr_eq(take_number(h, i), events[i]);
	}
	for (int i = 0; i < SCATTERED; i++)
		finish(h, events[i], SLUICE_RETRY);
	harness_close(h);
	ck_assert_uint_ge(count_segments(), 2);
}

/* Until the last has come; returns the first that came. */
static int take_to_the_last(struct harness *h)
{
	int first = -1, number = -1;
	while (number != SCATTERED - 1) {
		struct sluice_event *e = wait_for_any(h);
		ck_assert(number < 0 || e->sequence == number + 1);
		number = (int)e->sequence;
		first = first < 0 ? number : first;
		finish(h, e, SLUICE_PASS);
	}
	return first;
}

START_TEST(test_a_segment_that_is_gone_stops_no_other_and_may_come_back)
{
	leave_without_streams();
	struct harness *h = open_journal();
	struct sluice_event *e;
	glob_t files = segments();
	char away[160];
	(void)snprintf(away, sizeof(away), "%s.away", files.gl_pathv[0]);
	ck_assert_int_eq(rename(files.gl_pathv[0], away), 0);
	int first = take_to_the_last(h);
	ck_assert_int_gt(first, 16);
	expect_health(h, "No such file or directory");
	ck_assert_int_eq(rename(away, files.gl_pathv[0]), 0);
	bool came[SCATTERED] = {false}; /* in any order, as they have no streams */
	for (int i = 0; i < first; i++) {
		e = wait_for_any(h);
		ck_assert(e->sequence < first && !came[e->sequence]);
		came[e->sequence] = true;
		finish(h, e, SLUICE_PASS);
	}
	ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, &e, 1), 0);
	expect_health(h, NULL);
	globfree(&files);
	harness_close(h);
	expect_recovered(0);
}
END_TEST

START_TEST(test_a_record_that_was_never_read_is_there_at_the_next_start)
{
	leave_streams();
	remember_first_record();
	struct harness *h = open_journal();
	alter_first_record();
	finish(h, take_number(h, 1), SLUICE_PASS);
	finish(h, take_number(h, 3), SLUICE_PASS);
	harness_close(h);
	mend_first_record();
	h = open_journal();
	finish(h, take_number(h, 0), SLUICE_PASS);
	finish(h, take_number(h, 2), SLUICE_PASS);
	harness_close(h);
	expect_recovered(0);
}
END_TEST

static const struct sluice_host *true_host;
static bool pool_is_full;

static struct sluice_event *restore_if_there_is_room(struct sluice_stage *stage, const struct sluice_record *record)
{
	return pool_is_full ? NULL : true_host->restore(stage, record);
}

START_TEST(test_a_record_is_read_once_however_long_the_pool_is_full)
{
	struct sluice_error error = {0};
	leave_streams();
	struct plugin *plugin = loader_open_file(TEST_BUILD_DIR "/plugins/queue/journal.so", &error);
	struct bench *bench = bench_create(plugin, small_journal(), false, &error);
	ck_assert_msg(bench != NULL, "%s", error.text);
	struct sluice_host host = *bench->stage.host;
	struct sluice_event *e;
	true_host = bench->stage.host;
	host.restore = restore_if_there_is_room;
	bench->stage.host = &host;
	pool_is_full = true;
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(bench->ops->of.queue->take(&bench->stage, &e, 1), 0);
		alter_first_record(); /* whoever reads it again finds that */
	}
	pool_is_full = false;
	ck_assert_uint_eq(bench->ops->of.queue->take(&bench->stage, &e, 1), 1);
	ck_assert_int_eq(e->sequence, 0);
	bench->ops->of.queue->done(&bench->stage, e, SLUICE_PASS);
	bench_free(e);
	bench_close(bench);
	loader_close(plugin);
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
	char place[SCRATCH_SIZE], option[96];
	struct sluice_error error = {0};
	scratch_folder_in_memory(place);
	(void)snprintf(option, sizeof(option), "directory=%s", place);
	const char *const options[] = {option, NULL}, *const relaxed[] = {option, "durability=relaxed", NULL};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_QUEUE, "journal", options, &error));
	ck_assert_msg(strstr(error.text, "is kept in memory (tmpfs)") != NULL, "said \"%s\"", error.text);
	harness_close(harness_open(SLUICE_KIND_QUEUE, "journal", relaxed));
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
	tcase_add_test(all, test_what_was_delivered_does_not_come_back_when_newer_segments_are_gone);
	tcase_add_test(all, test_a_record_that_cannot_be_read_holds_its_stream_alone);
	tcase_add_test(all, test_without_descriptors_the_backlog_waits_and_newer_streams_go_on);
	tcase_add_test(all, test_a_segment_that_is_gone_stops_no_other_and_may_come_back);
	tcase_add_test(all, test_a_record_that_was_never_read_is_there_at_the_next_start);
	tcase_add_test(all, test_a_record_is_read_once_however_long_the_pool_is_full);
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
