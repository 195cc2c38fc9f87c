/*
 * The bench of core/conform for tests. It ends a test with ck_abort_msg() alone: Check's assertions work only inside a
 * test, and the fuzz targets use the harness, too.
 */
#include "support/harness.h"

#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "conform/bench.h"
#include "runtime/loader.h"

enum { RESUME_TIMEOUT_S = 5 };

struct own_harness {
	struct harness pub; /* must be first */
	struct bench *bench;
	struct plugin *plugin;
};

static struct bench *bench_of(struct harness *harness)
{
	return ((struct own_harness *)(void *)harness)->bench;
}

static void abort_test(const char *sentence)
{
	ck_abort_msg("%s", sentence);
}

static struct plugin *open_plugin(enum sluice_kind kind, const char *use, struct sluice_error *error)
{
	char **path = loader_stage_path(TEST_BUILD_DIR "/stages:" TEST_BUILD_DIR "/plugins:" TEST_BUILD_DIR
	                                               "/tests/stages");
	struct plugin *plugin = loader_open(path, kind, use, error);
	loader_free_path(path);
	return plugin;
}

static struct harness *try_open(enum sluice_kind kind, const char *use, const char *const *options, bool read_only,
                                struct sluice_error *error)
{
	bench_on_breach(abort_test);
	struct plugin *plugin = open_plugin(kind, use, error);
	struct bench *bench = plugin ? bench_create(plugin, options, read_only, error) : NULL;
	if (!bench) {
		loader_close(plugin);
		return NULL;
	}
	struct own_harness *own = must_alloc(sizeof(*own));
	*own = (struct own_harness){{bench->stage, bench->ops}, bench, plugin};
	return &own->pub;
}

struct harness *harness_try(enum sluice_kind kind, const char *use, const char *const *options,
                            struct sluice_error *error)
{
	return try_open(kind, use, options, false, error);
}

struct harness *harness_try_read_only(enum sluice_kind kind, const char *use, const char *const *options,
                                      struct sluice_error *error)
{
	return try_open(kind, use, options, true, error);
}

static struct harness *must_open(enum sluice_kind kind, const char *use, const char *const *options, bool read_only)
{
	struct sluice_error error = {0};
	struct harness *harness = try_open(kind, use, options, read_only, &error);
	if (!harness)
		ck_abort_msg("%s", error.text);
	return harness;
}

struct harness *harness_open(enum sluice_kind kind, const char *use, const char *const *options)
{
	return must_open(kind, use, options, false);
}

struct harness *harness_open_read_only(enum sluice_kind kind, const char *use, const char *const *options)
{
	return must_open(kind, use, options, true);
}

void harness_close(struct harness *harness)
{
	struct own_harness *own = (struct own_harness *)(void *)harness;
	bench_close(own->bench);
	loader_close(own->plugin);
	free(own);
}

void harness_set_clock(int64_t wall_ns)
{
	bench_set_clock(wall_ns);
}

void harness_advance_clock(int64_t ns)
{
	bench_advance_clock(ns);
}

struct sluice_event *harness_event(struct harness *harness)
{
	return bench_event(bench_of(harness));
}

void harness_header(struct sluice_event *event, const char *name, const char *value)
{
	bench_add_header(event, name, value);
}

void harness_body(struct sluice_event *event, const void *data, size_t size)
{
	bench_set_body(event, data, size);
}

void harness_fields(struct sluice_event *event, const char *message_id, const char *event_type, const char *stream,
                    const char *payload)
{
	bench_set_fields(event, message_id, event_type, stream, payload);
}

enum sluice_verdict harness_process(struct harness *harness, struct sluice_event *event)
{
	return bench_process(bench_of(harness), event);
}

void harness_process_batch(struct harness *harness, struct sluice_event **events, enum sluice_verdict *verdicts,
                           size_t count)
{
	bench_process_batch(bench_of(harness), events, verdicts, count);
}

int harness_status(const struct sluice_event *event)
{
	return bench_status(event);
}

const char *harness_detail(const struct sluice_event *event)
{
	return bench_detail(event);
}

int64_t harness_delay_ns(const struct sluice_event *event)
{
	return bench_delay_ns(event);
}

int64_t harness_span_ns(const struct sluice_event *event, unsigned span)
{
	return bench_span_ns(event, span);
}

bool harness_wait_resumed(struct sluice_event *event, enum sluice_verdict *verdict_out)
{
	return bench_wait_resumed(event, RESUME_TIMEOUT_S * NS_PER_S, verdict_out) && harness_is_resumed(event);
}

bool harness_is_resumed(const struct sluice_event *event)
{
	unsigned resumes = bench_resumes(event);
	if (resumes > 1)
		ck_abort_msg("an event was resumed %u times", resumes);
	return resumes == 1;
}

void harness_settle(struct harness *harness, struct sluice_event *event, enum sluice_verdict verdict)
{
	bench_settle(bench_of(harness), event, verdict);
}

void harness_free(struct sluice_event *event)
{
	bench_free(event);
}

char *harness_stats(struct harness *harness)
{
	struct sluice_error error = {0};
	char *figures = bench_stats(bench_of(harness), &error);
	if (!figures)
		ck_abort_msg("%s", error.text);
	return figures;
}

char *harness_take_log(void)
{
	return bench_take_log();
}
