/* What a persist stage holds. */
#include "support/store.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

static struct sluice_bytes copy(struct sluice_bytes bytes)
{
	if (!bytes.data)
		return bytes;
	char *data = must_alloc(bytes.size + 1);
	memcpy(data, bytes.data, bytes.size);
	data[bytes.size] = '\0';
	return (struct sluice_bytes){data, bytes.size};
}

static bool keep(void *context, const struct sluice_record *record)
{
	struct store_image *image = context;
	image->records = must_realloc(image->records, (image->count + 1) * sizeof(*image->records));
	struct sluice_record *own = &image->records[image->count++];
	*own = *record;
	own->message_id = copy(record->message_id);
	own->event_type = copy(record->event_type);
	own->stream = copy(record->stream);
	own->payload = copy(record->payload);
	own->request_id = copy(record->request_id);
	return true;
}

struct store_image stored_read(struct harness *harness)
{
	struct store_image image = {0};
	struct sluice_error error = {0};
	ck_assert_msg(harness->ops->of.persist->scan(&harness->stage, 0, keep, &image, &error), "%s", error.text);
	return image;
}

/* The copies are this file's own; sluice_bytes only lends them. */
static void free_copy(struct sluice_bytes bytes)
{
	free((void *)bytes.data);
}

void stored_free(struct store_image *image)
{
	for (size_t i = 0; i < image->count; i++) {
		const struct sluice_record *record = &image->records[i];
		free_copy(record->message_id);
		free_copy(record->event_type);
		free_copy(record->stream);
		free_copy(record->payload);
		free_copy(record->request_id);
	}
	free(image->records);
	*image = (struct store_image){0};
}

const struct sluice_record *stored_find(const struct store_image *image, const char *message_id)
{
	struct sluice_bytes wanted = {message_id, strlen(message_id)};
	for (size_t i = 0; i < image->count; i++) {
		if (sluice_bytes_equal(image->records[i].message_id, wanted))
			return &image->records[i];
	}
	return NULL;
}

static bool count_one(void *context, const struct sluice_record *record)
{
	(void)record;
	++*(size_t *)context;
	return true;
}

size_t stored_count(struct harness *harness)
{
	size_t count = 0;
	struct sluice_error error = {0};
	ck_assert_msg(harness->ops->of.persist->scan(&harness->stage, 0, count_one, &count, &error), "%s", error.text);
	return count;
}

static bool scan(void *store, int64_t after_id, sluice_record_fn each, void *context, struct sluice_error *error)
{
	struct harness *harness = store;
	return harness->ops->of.persist->scan(&harness->stage, after_id, each, context, error);
}

static bool audit_scan(void *store, sluice_audit_fn each, void *context, struct sluice_error *error)
{
	struct harness *harness = store;
	return harness->ops->of.persist->audit_scan(&harness->stage, each, context, error);
}

struct audit_result store_audit(struct harness *harness)
{
	struct audit_source source = {.scan = scan, .audit_scan = audit_scan, .store = harness};
	struct audit_result result;
	struct sluice_error error = {0};
	ck_assert_msg(audit_verify(&source, NULL, 0, NULL, NULL, &result, &error), "%s", error.text);
	return result;
}

size_t store_audit_rows(struct harness *harness)
{
	struct audit_result result = store_audit(harness);
	for (int i = 0; i < AUDIT_VIOLATIONS; i++)
		ck_assert_msg(result.violations[i] == 0, "audit: %llu times: %s",
		              (unsigned long long)result.violations[i], audit_violation_words[i].phrase);
	size_t rows = (size_t)result.rows;
	audit_result_finish(&result);
	return rows;
}

struct look {
	struct sluice_observer pub; /* must be first */
	const char *name, *label_value;
	double value;
	char reason[512];
};

static void take_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                       double value, const char *help)
{
	struct look *look = (struct look *)observer;
	(void)label, (void)help;
	if (look->name && strcmp(name, look->name) == 0 &&
	    (!look->label_value || (label_value && strcmp(label_value, look->label_value) == 0)))
		look->value = value;
}

static void take_reason(struct sluice_observer *observer, const char *reason)
{
	struct look *look = (struct look *)observer;
	(void)snprintf(look->reason, sizeof(look->reason), "%s", reason);
}

static struct look observe(struct harness *harness, const char *name, const char *label_value)
{
	struct look look = {.pub = {.gauge = take_gauge, .unhealthy = take_reason},
	                    .name = name,
	                    .label_value = label_value,
	                    .value = -1};
	harness->ops->observe(&harness->stage, &look.pub);
	return look;
}

double store_gauge(struct harness *harness, const char *name, const char *label_value)
{
	return observe(harness, name, label_value).value;
}

const char *store_unhealthy(struct harness *harness)
{
	static _Thread_local struct look look;
	look = observe(harness, NULL, NULL);
	return look.reason;
}

struct sluice_event *store_event(struct harness *harness, const char *message_id, const char *stream,
                                 const char *payload)
{
	struct sluice_event *event = harness_event(harness);
	harness_fields(event, message_id, "test.event", stream, payload);
	return event;
}
