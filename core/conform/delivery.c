/* Deliveries, and images of a store. */
#include "conform/delivery.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/judge/audit.h"

#define SETTLE_NS (10 * NS_PER_S)

enum { NAME_SIZE = 160 };

static void name_of_check(const struct check *check, char name[NAME_SIZE])
{
	(void)snprintf(name, NAME_SIZE, "conform-%016llx-", check_unique(check));
}

struct sluice_event *delivery_add(struct delivery *delivery, const char *name, const char *stream, const char *payload)
{
	static atomic_uint number;
	char prefix[NAME_SIZE], id[2 * NAME_SIZE];
	check_that(delivery->check, delivery->count < DELIVERY_MAX, "conform: a check has too many events");
	struct sluice_event *event = bench_event(delivery->bench);
	name_of_check(delivery->check, prefix);
	(void)snprintf(id, sizeof(id), "%s%d-%u", prefix, (int)getpid(), atomic_fetch_add(&number, 1));
	event->request_id = sluice_copy(event, id, strlen(id));
	(void)snprintf(id, sizeof(id), "%s%s", prefix, name);
	bench_set_fields(event, id, "conform.event", stream, payload);
	delivery->events[delivery->count++] = event;
	return event;
}

struct sluice_event *delivery_add_numbered(struct delivery *delivery, const char *name, size_t round, size_t i,
                                           const char *stream, const char *payload)
{
	char text[80];
	(void)snprintf(text, sizeof(text), "%s-%zu-%zu", name, round, i);
	return delivery_add(delivery, text, stream, payload);
}

void delivery_add_batch(struct delivery *delivery, const char *name, size_t round, size_t count)
{
	static const char *const streams[] = {"a", "b", "a", NULL, "c"};
	for (size_t i = 0; i < count; i++)
		(void)delivery_add_numbered(delivery, name, round, i, streams[i % 5], "{\"a\": 1}");
}

static bool same_stream(const struct sluice_event *a, const struct sluice_event *b)
{
	return a->stream.data && b->stream.data && sluice_bytes_equal(a->stream, b->stream);
}

static void judge_words(const struct delivery *delivery, size_t i)
{
	struct check *check = delivery->check;
	const struct sluice_event *event = delivery->events[i];
	enum sluice_verdict verdict = delivery->verdicts[i];
	int status = bench_status(event);
	check_that(check, verdict != SLUICE_WAIT && (unsigned)verdict <= SLUICE_FAIL,
	           "event %zu of %zu got %s, which a persist stage may not return", i, delivery->count,
	           verdict_name(verdict));
	check_that(check, verdict != SLUICE_FAIL || status == 500,
	           "event %zu of %zu got FAIL without a reason: no verdict was set, or not with sluice_fail()", i,
	           delivery->count);
	check_that(check, verdict != SLUICE_RETRY || status == 503,
	           "event %zu of %zu got RETRY without a reason: see sluice_retry()", i, delivery->count);
	check_that(check, verdict != SLUICE_REJECT || (status >= 400 && status < 500),
	           "event %zu of %zu got REJECT with status %d, expected 400–499: see sluice_reject()", i,
	           delivery->count, status);
}

/* The first of the events behind number `i` that are in its stream and in the store, or 0. */
static size_t overtaker_of(const struct delivery *delivery, size_t i)
{
	for (size_t later = i + 1; later < delivery->count; later++) {
		if (same_stream(delivery->events[i], delivery->events[later]) &&
		    delivery->verdicts[later] == SLUICE_PASS)
			return later;
	}
	return 0;
}

void delivery_send(struct delivery *delivery)
{
	bench_process_on(delivery->bench, delivery->worker, delivery->events, delivery->verdicts, delivery->count);
	for (size_t i = 0; i < delivery->count; i++) {
		judge_words(delivery, i);
		size_t overtaker = delivery->verdicts[i] == SLUICE_RETRY ? overtaker_of(delivery, i) : 0;
		check_that(delivery->check, overtaker == 0,
		           "event %zu of the batch got RETRY, and event %zu of the same stream was stored", i,
		           overtaker);
	}
}

/* Those to be retried, as a batch of their own. */
static bool send_rest(struct delivery *delivery, struct delivery *rest)
{
	size_t places[DELIVERY_MAX] = {0};
	*rest = (struct delivery){.check = delivery->check, .bench = delivery->bench, .worker = delivery->worker};
	for (size_t i = 0; i < delivery->count; i++) {
		if (delivery->verdicts[i] != SLUICE_RETRY)
			continue;
		places[rest->count] = i;
		rest->events[rest->count] = delivery->events[i];
		rest->events[rest->count++]->attempt++;
	}
	if (rest->count == 0)
		return false;
	delivery_send(rest);
	for (size_t i = 0; i < rest->count; i++)
		delivery->verdicts[places[i]] = rest->verdicts[i];
	return true;
}

void delivery_send_until_settled(struct delivery *delivery)
{
	struct timespec moment = {.tv_nsec = 2 * NS_PER_MS};
	int64_t until_ns = clock_now_ns() + SETTLE_NS;
	struct delivery rest;
	delivery_send(delivery);
	while (send_rest(delivery, &rest)) {
		check_that(delivery->check, clock_now_ns() < until_ns,
		           "the trouble is over, and after 10 s an event still gets RETRY: %s",
		           bench_detail(rest.events[0]));
		(void)nanosleep(&moment, NULL);
	}
}

void delivery_expect(const struct delivery *delivery, size_t i, enum sluice_verdict verdict)
{
	check_that(delivery->check, delivery->verdicts[i] == verdict, "event %zu of %zu: expected %s, got %s%s%s", i,
	           delivery->count, verdict_name(verdict), verdict_name(delivery->verdicts[i]),
	           bench_detail(delivery->events[i])[0] ? ": " : "", bench_detail(delivery->events[i]));
}

void delivery_expect_all(const struct delivery *delivery, enum sluice_verdict verdict)
{
	for (size_t i = 0; i < delivery->count; i++)
		delivery_expect(delivery, i, verdict);
}

void delivery_end(struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->count; i++)
		bench_settle(delivery->bench, delivery->events[i], delivery->verdicts[i]);
	delivery->count = 0;
}

struct reading {
	struct store_image image;
	char prefix[NAME_SIZE];
};

static struct sluice_bytes copy(struct arena *arena, struct sluice_bytes bytes)
{
	if (!bytes.data)
		return bytes;
	char *data = arena_must(arena, bytes.size + 1);
	if (bytes.size)
		memcpy(data, bytes.data, bytes.size);
	return (struct sluice_bytes){data, bytes.size};
}

static bool keep_ours(void *context, const struct sluice_record *record)
{
	struct reading *reading = context;
	struct store_image *image = &reading->image;
	size_t size = strlen(reading->prefix);
	if (record->request_id.size < size || memcmp(record->request_id.data, reading->prefix, size) != 0)
		return true;
	if (image->count == image->room) {
		image->room = image->room ? 2 * image->room : 64;
		image->records = must_realloc(image->records, image->room * sizeof(*image->records));
	}
	struct sluice_record *own = &image->records[image->count++];
	*own = *record;
	own->message_id = copy(&image->arena, record->message_id);
	own->event_type = copy(&image->arena, record->event_type);
	own->stream = copy(&image->arena, record->stream);
	own->payload = copy(&image->arena, record->payload);
	own->request_id = copy(&image->arena, record->request_id);
	return true;
}

struct store_image store_read(struct check *check, struct bench *bench)
{
	struct reading reading = {{{0}, NULL, 0, 0}, ""};
	struct sluice_error error = {0};
	if (!bench->ops->of.persist->scan)
		check_skip(check, "it declares SLUICE_WRITE_ONLY: it keeps nothing that could be read");
	arena_init(&reading.image.arena, 65536, NULL);
	name_of_check(check, reading.prefix);
	bool ok = bench->ops->of.persist->scan(&bench->stage, 0, keep_ours, &reading, &error);
	check_that(check, ok, "scan() failed: %s", error.text);
	return reading.image;
}

void store_image_finish(struct store_image *image)
{
	arena_finish(&image->arena);
	free(image->records);
	*image = (struct store_image){0};
}

static bool is_of(const struct sluice_record *record, const struct sluice_event *event)
{
	return event->message_id.data ? sluice_bytes_equal(record->message_id, event->message_id)
	                              : sluice_bytes_equal(record->request_id, event->request_id);
}

size_t store_count(const struct store_image *image, const struct sluice_event *event)
{
	size_t count = 0;
	for (size_t i = 0; i < image->count; i++)
		count += is_of(&image->records[i], event);
	return count;
}

const struct sluice_record *store_find(const struct store_image *image, const struct sluice_event *event)
{
	for (size_t i = 0; i < image->count; i++) {
		if (is_of(&image->records[i], event))
			return &image->records[i];
	}
	return NULL;
}

/* Whether an earlier event of the delivery has its id. */
static bool is_twin(const struct delivery *delivery, size_t i)
{
	const struct sluice_event *event = delivery->events[i];
	for (size_t earlier = 0; earlier < i && event->message_id.data; earlier++) {
		if (sluice_bytes_equal(delivery->events[earlier]->message_id, event->message_id))
			return true;
	}
	return false;
}

void store_expect(const struct store_image *image, const struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->count; i++) {
		struct sluice_event *event = delivery->events[i];
		size_t count = store_count(image, event);
		check_that(delivery->check, count == 1,
		           "event %zu of %zu got %s: expected it in the store once, found it %zu times", i,
		           delivery->count, verdict_name(delivery->verdicts[i]), count);
		const struct sluice_record *record = store_find(image, event);
		check_that(delivery->check,
		           record && memcmp(record->digest, sluice_digest(event), SLUICE_DIGEST_SIZE) == 0,
		           "event %zu of %zu is in the store with another digest", i, delivery->count);
		for (size_t later = i + 1; later < delivery->count; later++) {
			const struct sluice_event *other = delivery->events[later];
			bool is_behind = same_stream(event, other) && !is_twin(delivery, later);
			const struct sluice_record *behind = is_behind ? store_find(image, other) : NULL;
			check_that(
				delivery->check, !behind || behind->id >= record->id,
				"events %zu and %zu of %zu are of one stream, and have the ids %lld and %lld in the store",
				i, later, delivery->count, (long long)record->id, (long long)behind->id);
		}
	}
}

void store_expect_in(const struct delivery *delivery)
{
	struct store_image image = store_read(delivery->check, delivery->bench);
	store_expect(&image, delivery);
	store_image_finish(&image);
}

static bool scan(void *store, int64_t after_id, sluice_record_fn each, void *context, struct sluice_error *error)
{
	struct bench *bench = store;
	return bench->ops->of.persist->scan(&bench->stage, after_id, each, context, error);
}

static bool audit_scan(void *store, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct bench *bench = store;
	return bench->ops->of.persist->audit_scan(&bench->stage, each, context, error);
}

struct audit_source store_audit_source(struct bench *bench)
{
	return (struct audit_source){
		.scan = scan, .audit_scan = bench->ops->of.persist->audit_scan ? audit_scan : NULL, .store = bench};
}

static void tell(void *context, const struct audit_finding *finding)
{
	struct check *check = context;
	const char *phrase = audit_violation_words[finding->violation].phrase;
	if (finding->writer.data)
		check_fail(check, __FILE__, __LINE__,
		           "the audit trail is broken: writer %.*s, position %lld, event %lld: %s",
		           (int)finding->writer.size, finding->writer.data, (long long)finding->position,
		           (long long)finding->event_id, phrase);
	check_fail(check, __FILE__, __LINE__, "the audit trail is broken: event %lld: %s", (long long)finding->event_id,
	           phrase);
}

void store_expect_audited(struct check *check)
{
	if (!check_ops(check)->of.persist->audit_scan)
		return;
	struct bench *bench = check_open_read_only(check);
	struct audit_source source = store_audit_source(bench);
	struct audit_result result;
	struct sluice_error error = {0};
	bool ok = audit_verify(&source, NULL, 0, tell, check, &result, &error);
	check_that(check, ok, "cannot read the audit trail: %s", error.text);
	check_that(check, result.events == 0 || result.rows > 0,
	           "%llu events are stored, and the audit trail has no row", (unsigned long long)result.events);
	audit_result_finish(&result);
	bench_close(bench);
}
