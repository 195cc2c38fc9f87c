/*
 * What a persist stage promises of an event's content: every field, and every byte of the payload.
 */
#include <stdlib.h>
#include <string.h>

#include "conform/delivery.h"
#include "conform/suite_persist.h"

enum { MIB = 1048576 };

/* A payload, and whether every store must take it: all take JSON, and some only that. */
static const struct payload {
	const char *name, *data;
	size_t size;
	bool is_json;
} payloads[] = {
	{"plain", "{\"a\": 1}", 8, true},
	{"spaces", " {\t\"a\" :\r\n1 } ", 14, true},
	{"order", "{\"b\":1,\"a\":2,\"b\":3}", 19, true},
	{"numbers", "[1.0,1e2,-0,0.10,12345678901234567890]", 38, true},
	{"escapes", "\"\\u00e9\\/\xc3\xa9\"", 12, true},
	{"quotes", "[\"it's $1 'quoted' \\\\ %s\"]", 26, true},
	{"text", "not JSON", 8, false},
	{"nothing", "", 0, false},
	{"nul", "a\0b\0", 4, false},
	{"only-nul", "\0", 1, false},
	{"bytes", "\xff\xfe\x80\xc3\x28", 5, false},
	{"backslash-x", "\\x41", 4, false},
};

static struct sluice_event *add_payload(struct delivery *delivery, const char *name, const void *data, size_t size)
{
	struct sluice_event *event = delivery_add(delivery, name, "s", "");
	event->payload = sluice_copy(event, data, size);
	return event;
}

static void expect_payload(const struct delivery *delivery, size_t i, const char *name, bool must)
{
	struct check *check = delivery->check;
	const struct sluice_event *event = delivery->events[i];
	struct store_image image = store_read(check, delivery->bench);
	if (must)
		delivery_expect(delivery, i, SLUICE_PASS);
	check_that(check, delivery->verdicts[i] == SLUICE_PASS || delivery->verdicts[i] == SLUICE_FAIL,
	           "payload \"%s\": expected PASS or FAIL, got %s", name, verdict_name(delivery->verdicts[i]));
	bool is_stored = delivery->verdicts[i] == SLUICE_PASS;
	check_that(check, store_count(&image, event) == is_stored,
	           "payload \"%s\": got %s, and is in the store %zu times", name, verdict_name(delivery->verdicts[i]),
	           store_count(&image, event));
	const struct sluice_record *record = store_find(&image, event);
	check_that(check, !record || record->payload_rewritten || sluice_bytes_equal(record->payload, event->payload),
	           "payload \"%s\": stored %zu bytes, read %zu bytes that differ", name, event->payload.size,
	           record->payload.size);
	store_image_finish(&image);
}

void persist_keeps_exact_bytes(struct check *check)
{
	size_t count = sizeof(payloads) / sizeof(payloads[0]);
	struct bench *bench = check_open(check);
	char *large = malloc(MIB);
	for (size_t i = 0; i <= count; i++) {
		const struct payload *payload = i < count ? &payloads[i] : &(struct payload){"1 MiB", large, MIB, true};
		memset(large, 'x', MIB);
		large[0] = large[MIB - 1] = '"';
		struct delivery delivery = {.check = check, .bench = bench};
		(void)add_payload(&delivery, payload->name, payload->data, payload->size);
		delivery_send(&delivery);
		expect_payload(&delivery, 0, payload->name, payload->is_json);
		delivery_end(&delivery);
	}
	free(large);
	bench_close(bench);
}

/* Events at the edges of what a field may hold. */
static void dress_first(struct sluice_event *event)
{
	event->has_sequence = true;
	event->sequence = INT64_MIN;
	event->received_at_ns = INT64_C(1700000000123456789);
}

static void dress_last(struct sluice_event *event)
{
	event->has_sequence = true;
	event->sequence = INT64_MAX;
	event->event_type = sluice_copy(event, "", 0);
	event->received_at_ns = 1000;
}

static void dress_zero(struct sluice_event *event)
{
	event->has_sequence = true;
	event->sequence = 0;
	event->stream = (struct sluice_bytes){NULL, 0};
}

static void dress_long(struct sluice_event *event)
{
	char name[SLUICE_NAME_MAX];
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = "\xf0\x9f\x8c\x8a'"[i % 5];
	event->event_type = sluice_copy(event, name, sizeof(name));
	event->stream = sluice_copy(event, name, sizeof(name));
	memcpy(name, event->message_id.data, event->message_id.size);
	memset(name + event->message_id.size, '"', sizeof(name) - event->message_id.size);
	event->message_id = sluice_copy(event, name, sizeof(name));
}

static void undress(struct sluice_event *event)
{
	event->message_id = event->event_type = event->stream = (struct sluice_bytes){NULL, 0};
}

static void leave(struct sluice_event *event)
{
	(void)event;
}

void persist_expect_record(struct check *check, const char *name, const struct sluice_event *event,
                           const struct sluice_record *record)
{
	const struct {
		const char *name;
		struct sluice_bytes was, is;
	} fields[] = {
		{"message_id", event->message_id, record->message_id},
		{"event_type", event->event_type, record->event_type},
		{"stream", event->stream, record->stream},
		{"request_id", event->request_id, record->request_id},
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		check_that(check, bench_same_bytes(fields[i].was, fields[i].is),
		           "%s: %s was stored %s (%zu bytes) and read %s (%zu bytes)", name, fields[i].name,
		           fields[i].was.data ? "present" : "absent", fields[i].was.size,
		           fields[i].is.data ? "present" : "absent", fields[i].is.size);
	check_that(check, record->has_sequence == event->has_sequence, "%s: the sequence was stored %s and read %s",
	           name, event->has_sequence ? "present" : "absent", record->has_sequence ? "present" : "absent");
	check_that(check, !event->has_sequence || record->sequence == event->sequence,
	           "%s: the sequence was stored as %lld and read as %lld", name, (long long)event->sequence,
	           (long long)record->sequence);
	check_that(check, record->received_at_ns / 1000 == event->received_at_ns / 1000,
	           "%s: received_at_ns was stored as %lld and read as %lld", name, (long long)event->received_at_ns,
	           (long long)record->received_at_ns);
}

void persist_keeps_all_fields(struct check *check)
{
	static const struct {
		const char *name;
		void (*dress)(struct sluice_event *event);
	} dresses[] = {
		{"a plain event", leave},
		{"the least sequence", dress_first},
		{"the greatest sequence, an empty type", dress_last},
		{"sequence 0, no stream", dress_zero},
		{"names of 255 bytes", dress_long},
		{"no id, type or stream", undress},
	};
	struct bench *bench = check_open(check);
	for (size_t i = 0; i < sizeof(dresses) / sizeof(dresses[0]); i++) {
		struct delivery delivery = {.check = check, .bench = bench};
		struct sluice_event *event = delivery_add(&delivery, dresses[i].name, "s", "{}");
		dresses[i].dress(event);
		delivery_send(&delivery);
		delivery_expect(&delivery, 0, SLUICE_PASS);
		struct store_image image = store_read(check, bench);
		const struct sluice_record *record = store_find(&image, event);
		check_that(check, record, "%s: got PASS, and is not in the store", dresses[i].name);
		persist_expect_record(check, dresses[i].name, event, record);
		store_image_finish(&image);
		delivery_end(&delivery);
	}
	bench_close(bench);
}

void persist_stores_the_digest(struct check *check)
{
	struct bench *bench = check_open(check);
	struct delivery delivery = {.check = check, .bench = bench};
	(void)delivery_add(&delivery, "digest-1", "s", "{\"a\": 1}");
	(void)delivery_add(&delivery, "digest-2", NULL, "{\"a\": 2}");
	delivery.events[1]->has_sequence = true;
	delivery.events[1]->sequence = 7;
	delivery_send(&delivery);
	delivery_expect_all(&delivery, SLUICE_PASS);
	struct store_image image = store_read(check, bench);
	store_expect(&image, &delivery);
	for (size_t i = 0; i < delivery.count; i++) {
		const struct sluice_record *record = store_find(&image, delivery.events[i]);
		uint8_t digest[SLUICE_DIGEST_SIZE];
		bench->stage.host->record_digest(record, digest);
		check_that(check, record->payload_rewritten || memcmp(digest, record->digest, SLUICE_DIGEST_SIZE) == 0,
		           "event %zu: the stored digest is not that of the stored fields", i);
	}
	store_image_finish(&image);
	delivery_end(&delivery);
	bench_close(bench);
}
