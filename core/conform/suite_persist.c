/*
 * What a persist stage promises: its verdicts, and how what it stored is read. Further checks are in
 * suite_persist_content.c, suite_persist_concurrency.c, suite_persist_trouble.c, suite_persist_disk.c,
 * suite_persist_restart.c and suite_persist_locations.c.
 */
#include "conform/suite_persist.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "conform/delivery.h"
#include "conform/model.h"

static void takes_every_batch_size(struct check *check)
{
	static const size_t sizes[] = {1, 2, 3, 7, 64, DELIVERY_MAX};
	static const char *const streams[] = {"a", NULL, "b", "a", "c"};
	struct bench *bench = check_open(check);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct delivery delivery = {.check = check, .bench = bench};
		for (size_t n = 0; n < sizes[i]; n++) {
			char name[48];
			(void)snprintf(name, sizeof(name), "size-%zu-%zu", sizes[i], n);
			(void)delivery_add(&delivery, name, streams[n % 5], "{\"a\": 1}");
		}
		delivery_send(&delivery);
		delivery_expect_all(&delivery, SLUICE_PASS);
		store_expect_in(&delivery);
		delivery_end(&delivery);
	}
	bench_close(bench);
}

static void expect_verdict(struct check *check, struct bench *bench, const char *name, const char *payload,
                           enum sluice_verdict verdict)
{
	struct delivery delivery = {.check = check, .bench = bench};
	(void)delivery_add(&delivery, name, "s", payload);
	delivery_send(&delivery);
	delivery_expect(&delivery, 0, verdict);
	struct store_image image = store_read(check, bench);
	size_t count = store_count(&image, delivery.events[0]);
	check_that(check, count == 1,
	           "a message id was sent more than once: expected it in the store once, found it %zu times", count);
	store_image_finish(&image);
	delivery_end(&delivery);
}

static void knows_duplicates(struct check *check)
{
	struct bench *bench = check_open(check);
	expect_verdict(check, bench, "one", "{\"a\": 1}", SLUICE_PASS);
	expect_verdict(check, bench, "one", "{\"a\": 1}", SLUICE_DONE);
	expect_verdict(check, bench, "two", "{\"a\": 1}", SLUICE_PASS);
	expect_verdict(check, bench, "one", "{\"a\": 1}", SLUICE_DONE);
	bench_close(bench);
	bench = check_open(check);
	expect_verdict(check, bench, "one", "{\"a\": 1}", SLUICE_DONE);
	expect_verdict(check, bench, "two", "{\"a\": 1}", SLUICE_DONE);
	bench_close(bench);
}

static void knows_twins(struct check *check)
{
	static const struct {
		const char *name, *stream, *payload;
		enum sluice_verdict verdict;
	} events[] = {
		{"twin", "s", "{\"a\": 1}", SLUICE_PASS},    {"other", "s", "{\"a\": 1}", SLUICE_PASS},
		{"twin", "s", "{\"a\": 1}", SLUICE_DONE},    {"twin", "s", "{\"a\": 2}", SLUICE_REJECT},
		{"other", "t", "{\"a\": 1}", SLUICE_REJECT}, {"third", "s", "{\"a\": 1}", SLUICE_PASS},
		{"twin", "s", "{\"a\": 1}", SLUICE_DONE},
	};
	struct bench *bench = check_open(check);
	struct delivery delivery = {.check = check, .bench = bench};
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		(void)delivery_add(&delivery, events[i].name, events[i].stream, events[i].payload);
	delivery_send(&delivery);
	struct store_image image = store_read(check, bench);
	for (size_t i = 0; i < delivery.count; i++) {
		delivery_expect(&delivery, i, events[i].verdict);
		size_t count = store_count(&image, delivery.events[i]);
		check_that(
			check, count == 1,
			"a message id came more than once in one batch: expected it in the store once, found it %zu times",
			count);
	}
	store_image_finish(&image);
	delivery_end(&delivery);
	bench_close(bench);
}

static void change_payload(struct sluice_event *event)
{
	event->payload = sluice_copy(event, "{\"a\": 2}", 8);
}

static void change_type(struct sluice_event *event)
{
	event->event_type = sluice_copy(event, "other", 5);
}

static void change_stream(struct sluice_event *event)
{
	event->stream = sluice_copy(event, "t", 1);
}

static void change_sequence(struct sluice_event *event)
{
	event->has_sequence = true;
	event->sequence = 1;
}

static void refuses_conflicts(struct check *check)
{
	static const struct {
		const char *field;
		void (*change)(struct sluice_event *event);
	} changes[] = {{"payload", change_payload},
	               {"type", change_type},
	               {"stream", change_stream},
	               {"sequence", change_sequence}};
	struct bench *bench = check_open(check);
	struct delivery original = {.check = check, .bench = bench};
	(void)delivery_add(&original, "conflict", "s", "{\"a\": 1}");
	delivery_send(&original);
	delivery_expect(&original, 0, SLUICE_PASS);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct delivery delivery = {.check = check, .bench = bench};
		struct sluice_event *event = delivery_add(&delivery, "conflict", "s", "{\"a\": 1}");
		changes[i].change(event);
		delivery_send(&delivery);
		check_that(check, delivery.verdicts[0] == SLUICE_REJECT && bench_conflicts(event),
		           "same id, other %s: expected a conflict, got %s with %d: see sluice_conflict()",
		           changes[i].field, verdict_name(delivery.verdicts[0]), bench_status(event));
		check_that(check, !strstr(bench_detail(event), "{\"a\""), "the reason contains the payload: \"%s\"",
		           bench_detail(event));
		delivery_end(&delivery);
	}
	store_expect_in(&original);
	struct store_image image = store_read(check, bench);
	const struct sluice_record *record = store_find(&image, original.events[0]);
	check_that(check, record->payload_rewritten || sluice_bytes_equal(record->payload, original.events[0]->payload),
	           "a conflicting event was rejected, and the stored event has its payload now");
	persist_expect_record(check, "after the conflicts", original.events[0], record);
	store_image_finish(&image);
	delivery_end(&original);
	bench_close(bench);
}

static void keeps_order(struct check *check)
{
	static const char *const streams[] = {"a", "b", "a", "a", "c", "b", NULL};
	static struct delivery all; /* what the batches are made of, in the order of acceptance */
	struct bench *bench = check_open(check);
	all = (struct delivery){.check = check, .bench = bench};
	for (size_t batch = 0; batch < 6; batch++) {
		struct delivery delivery = {.check = check, .bench = bench};
		for (size_t i = 0; i < 6 * batch + 5; i++) {
			char name[48];
			(void)snprintf(name, sizeof(name), "order-%zu-%zu", batch, i);
			all.events[all.count++] = delivery_add(&delivery, name, streams[i % 7], "{}");
		}
		delivery_send(&delivery);
		delivery_expect_all(&delivery, SLUICE_PASS);
	}
	store_expect_in(&all);
	delivery_end(&all);
	bench_close(bench);
}

/* Twenty events, in the store; and the store to be read. */
static struct bench *open_with_twenty(struct check *check)
{
	struct bench *bench = check_open(check);
	struct delivery delivery = {.check = check, .bench = bench};
	for (int i = 0; i < 20; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "scan-%d", i);
		(void)delivery_add(&delivery, name, i % 3 ? "s" : NULL, "{}");
	}
	delivery_send(&delivery);
	delivery_expect_all(&delivery, SLUICE_PASS);
	delivery_end(&delivery);
	return bench;
}

struct walk {
	struct check *check;
	int64_t last_id, after_id;
	size_t count, enough; /* enough: where the walk ends; 0: nowhere */
	bool ended;
};

static bool step(void *context, const struct sluice_record *record)
{
	struct walk *walk = context;
	check_that(walk->check, !walk->ended, "scan() went on after the callback returned false");
	check_that(walk->check, record->id > walk->after_id, "scan() after id %lld yielded id %lld",
	           (long long)walk->after_id, (long long)record->id);
	check_that(walk->check, walk->count == 0 || record->id > walk->last_id,
	           "scan() yielded id %lld after id %lld: expected ascending ids", (long long)record->id,
	           (long long)walk->last_id);
	walk->last_id = record->id;
	walk->ended = ++walk->count == walk->enough;
	return !walk->ended;
}

static struct walk walk_from(struct check *check, struct bench *bench, int64_t after_id, size_t enough)
{
	struct walk walk = {.check = check, .after_id = after_id, .enough = enough};
	struct sluice_error error = {0};
	if (!bench->ops->of.persist->scan)
		check_skip(check, "it declares SLUICE_WRITE_ONLY: it keeps nothing that could be read");
	check_that(check, bench->ops->of.persist->scan(&bench->stage, after_id, step, &walk, &error),
	           "scan() failed: %s", error.text);
	return walk;
}

static void scans_in_order(struct check *check)
{
	struct bench *bench = open_with_twenty(check);
	check_that(check, walk_from(check, bench, 0, 0).count >= 20, "20 events are stored, and scan() yielded fewer");
	bench_close(bench);
}

static void scans_from_an_id(struct check *check)
{
	struct bench *bench = open_with_twenty(check);
	struct store_image image = store_read(check, bench);
	for (size_t i = 0; i < image.count; i += check_effort(check, 6, 1, 1)) {
		int64_t id = image.records[i].id;
		size_t count = walk_from(check, bench, id, 0).count;
		check_that(check, count >= image.count - 1 - i,
		           "%zu events have ids above %lld, and scan() yielded %zu", image.count - 1 - i, (long long)id,
		           count);
		check_that(check, walk_from(check, bench, id - 1, 1).last_id == id,
		           "scan() after id %lld: expected id %lld first", (long long)id - 1, (long long)id);
	}
	store_image_finish(&image);
	bench_close(bench);
}

static void scan_ends_early(struct check *check)
{
	struct bench *bench = open_with_twenty(check);
	for (size_t enough = 1; enough < 20; enough += 6)
		check_that(check, walk_from(check, bench, 0, enough).count == enough,
		           "scan() ended before the callback returned false");
	bench_close(bench);
}

static void is_audited(struct check *check)
{
	if (!check_ops(check)->of.persist->audit_scan)
		check_skip(check, "it has no audit_scan()");
	bench_close(open_with_twenty(check));
	struct bench *bench = check_open(check);
	expect_verdict(check, bench, "another life", "{\"a\": 1}", SLUICE_PASS);
	expect_verdict(check, bench, "another life", "{\"a\": 1}", SLUICE_DONE);
	expect_verdict(check, bench, "its second", "{\"a\": 1}", SLUICE_PASS);
	bench_close(bench);
	store_expect_audited(check);
}

/* A tail that is cut off a chain shows by its head alone. */
static void logs_its_heads(struct check *check)
{
	struct sluice_error error = {0};
	struct audit_result result;
	if (!check_ops(check)->of.persist->audit_scan)
		check_skip(check, "it has no audit_scan()");
	for (int life = 0; life < 2; life++) {
		struct bench *bench = check_open(check);
		expect_verdict(check, bench, life ? "of the second life" : "of the first life", "{}", SLUICE_PASS);
		bench_close(bench);
	}
	char *log = bench_take_log();
	struct bench *bench = check_open_read_only(check);
	struct audit_source source = store_audit_source(bench);
	check_that(check, audit_verify(&source, NULL, 0, NULL, NULL, &result, &error),
	           "cannot read the audit trail: %s", error.text);
	bool is_shared = check_option(check, "url") != NULL; /* with others, who have logs of their own */
	size_t found = 0;
	for (size_t i = 0; i < result.head_count; i++) {
		struct buffer line = {0};
		const struct audit_head *head = &result.heads[i];
		buffer_printf(&line, "audit_head writer=%s position=%lld hash=", head->writer,
		              (long long)head->position);
		found += strstr(log, line.data) != NULL;
		check_that(check, is_shared || strstr(log, line.data),
		           "its chain of the writer %s ends at position %lld, and when it ended it had not logged: %s…",
		           head->writer, (long long)head->position, line.data);
		buffer_finish(&line);
	}
	check_that(check, found > 0, "it has not logged the head of its chain (audit_head) when it ended");
	audit_result_finish(&result);
	bench_close(bench);
	free(log);
}

char *persist_look_into_folder(struct check *check)
{
	struct dirent **entries;
	struct buffer text = {0};
	int count = scandir(check_folder(check), &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char path[1024], hex[DIGEST_HEX_SIZE] = "";
		uint8_t digest[SLUICE_DIGEST_SIZE];
		struct sluice_error error = {0};
		(void)snprintf(path, sizeof(path), "%s/%s", check_folder(check), entries[i]->d_name);
		if (entries[i]->d_type == DT_REG && digest_file(path, digest, &error))
			digest_hex(digest, hex);
		buffer_printf(&text, "%s %s\n", entries[i]->d_name, hex);
		free(entries[i]);
	}
	free(entries);
	return buffer_take(&text);
}

void persist_expect_folder(struct check *check, const char *before, const char *what)
{
	char *after = persist_look_into_folder(check);
	check_that(check, strcmp(before, after) == 0,
	           "%s: a read_only stage must not create or change anything, and its folder has changed", what);
	free(after);
}

static void only_reads(struct check *check)
{
	char *before = persist_look_into_folder(check);
	struct sluice_error error = {0};
	struct bench *bench = check_try_read_only(check, &error);
	if (bench)
		bench_close(bench);
	persist_expect_folder(check, before, "opened where there is no store");
	free(before);

	bench_close(open_with_twenty(check));
	before = persist_look_into_folder(check);
	bench = check_open_read_only(check);
	struct store_image image = store_read(check, bench);
	check_that(check, image.count == 20, "20 events are stored, and a read_only stage sees %zu", image.count);
	store_image_finish(&image);
	bench_close(bench);
	store_expect_audited(check);
	persist_expect_folder(check, before, "opened, scanned and closed");
	free(before);
}

static void keeps_dead_letters_apart(struct check *check)
{
	if (!check_ops(check)->of.persist->dead_letter)
		check_skip(check, "it has no dead_letter()");
	struct bench *bench = check_open(check);
	struct delivery delivery = {.check = check, .bench = bench};
	for (int i = 0; i < 2; i++) {
		struct sluice_error error = {0};
		struct sluice_event *event = delivery_add(&delivery, "dead", "s", "{}");
		event->acknowledged = true;
		for (int time = 0; time < 2; time++)
			check_that(check,
			           bench->ops->of.persist->dead_letter(&bench->stage, event,
			                                               "a reason of the check's own", &error),
			           "dead_letter() failed %s: %s",
			           time || i ? "for an event it has already" : "for the first time", error.text);
	}
	struct store_image image = store_read(check, bench);
	check_that(check, image.count == 0, "scan() yields a dead letter as a stored event");
	store_image_finish(&image);
	for (size_t i = 0; i < delivery.count; i++)
		bench_free(delivery.events[i]);
	delivery.count = 0;
	expect_verdict(check, bench, "dead", "{}", SLUICE_PASS);
	bench_close(bench);
	store_expect_audited(check);
}

static void follows_its_model(struct check *check)
{
	size_t scripts = check_effort(check, 10, 150, 20000);
	model_check(check, &model_of_persist, check_option(check, "url") ? scripts / 20 + 1 : scripts);
}

const struct check_entry suite_persist[] = {
	{"batch-sizes", "batches of 1 to 256 events are stored, with a verdict for each", takes_every_batch_size, 0},
	{"readable-at-once", "another process can read an event as soon as it has PASS", persist_is_readable_at_once,
         0},
	{"exact-bytes", "payloads are read exactly as they were stored", persist_keeps_exact_bytes, 0},
	{"fields", "every field is read as it was stored, absent ones included", persist_keeps_all_fields, 0},
	{"digest", "the digest of the whole event is stored", persist_stores_the_digest, 0},
	{"duplicate", "an event stored before is DONE, also after a restart", knows_duplicates, 0},
	{"twins", "an id that comes more than once in one batch is stored once", knows_twins, 0},
	{"conflict", "a stored id with other content is a conflict, and the stored event stays", refuses_conflicts, 0},
	{"poison", "an event that the store refuses fails alone", persist_isolates_poison, 0},
	{"order", "ids grow in the order of the batch within a stream", keeps_order, 0},
	{"retry-holds", "after RETRY for one event, no later event of its stream is stored",
         persist_stays_in_order_when_retried, 0},
	{"scan-order", "scan() yields ascending ids", scans_in_order, 0},
	{"scan-after", "scan() begins after the id it is given", scans_from_an_id, 0},
	{"scan-ends", "scan() ends when the callback returns false", scan_ends_early, 0},
	{"audit", "the audit trail covers every event, and its chains are intact", is_audited, 0},
	{"audit-heads", "when it ends, the head of each chain is in the log", logs_its_heads, 0},
	{"read-only", "a read_only stage creates and changes nothing", only_reads, 0},
	{"dead-letters", "a dead letter is not a stored event, and may be added twice", keeps_dead_letters_apart, 0},
	{"letters", "dead letters are listed as they were acknowledged, and one is dropped at a time",
         persist_lists_its_dead_letters, 0},
	{"many-threads", "workers that store different streams at once lose nothing", persist_stores_from_many_threads,
         0},
	{"one-id-at-once", "one id from several threads at once is stored once", persist_stores_one_id_once, 0},
	{"survives-kill", "an event with PASS survives kill -9", persist_survives_kill, 0},
	{"full-disk", "on a full disk events get RETRY, and are stored when sent again", persist_survives_a_full_disk,
         0},
	{"power-cut", "an event with PASS survives a power cut", persist_survives_a_power_cut, 0},
	{"failing-disk", "a call to the disk that fails loses and doubles nothing, whichever it is",
         persist_survives_a_failing_disk, 0},
	{"read-error", "while it cannot read what is stored, no event is stored again", persist_cannot_read, 0},
	{"torn-write", "a crash within a write harms nothing before it and nothing after it",
         persist_survives_a_torn_write, 0},
	{"many-files", "an event is known however many files were filled since, also after a restart",
         persist_remembers_in_all_its_files, 0},
	{"clock-jumps", "however the clocks are set, no event is lost, doubled or reordered",
         persist_ignores_the_clocks, 0},
	{"older-copy", "with its store replaced by an older copy it goes on from there, as another store",
         persist_starts_from_an_older_copy, 0},
	{"two-processes", "two processes at one place lose and double nothing, or the second is refused",
         persist_shares_its_place, 0},
	{"model", "after any operations it says and holds what a model of it says", follows_its_model, 0},
	{"lost-connection", "a connection cut during a batch loses and doubles nothing",
         persist_survives_lost_connections, 0},
	{"unreachable", "create() fails if the store cannot be reached, and leaves nothing behind",
         persist_refuses_an_unreachable_store, 0},
	{"location", "pipelines with different locations share nothing", persist_keeps_locations_apart, 0},
	{"maintain", "maintain() changes no row", persist_maintains, 0},
	{"stats", "stats() shows figures and changes nothing", persist_shows_stats, 0},
	{"drop", "drop() removes all of a location made for a laboratory", persist_drops_its_location, 0},
	{"drop-refused", "drop() refuses any other location, and leaves it as it is", persist_refuses_to_drop, 0},
	{NULL, NULL, NULL, 0},
};
