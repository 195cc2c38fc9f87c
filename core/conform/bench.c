/*
 * A stage on the bench; see bench.h. Events are in event.c, what the stage can call in host.c.
 */
#include "conform/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "conform/host.h"
#include "runtime/abi.h"
#include "runtime/loader.h"
#include "yaml/option.h"

struct own_bench {
	struct bench pub;   /* must be first */
	struct arena arena; /* of the config */
};

static struct own_bench *own_of(struct bench *bench)
{
	return (struct own_bench *)(void *)bench;
}

static bool is_given(const char *name, const char *const *options)
{
	size_t size = strlen(name);
	for (; options && *options; options++) {
		if (strncmp(*options, name, size) == 0 && (*options)[size] == '=')
			return true;
	}
	return false;
}

static bool set_options(void *config, const struct sluice_option *table, const char *const *options,
                        struct arena *arena, struct sluice_error *error)
{
	if (!option_fill_fallbacks(table, config, arena, error))
		return false;
	for (const char *const *option = options; option && *option; option++) {
		char *name = arena_strdup(arena, *option);
		char *equals = strchr(name, '=');
		if (!equals)
			return sluice_error_set(error, "%s: expected NAME=VALUE", *option);
		*equals = '\0';
		if (!option_set(table, config, name, equals + 1, arena, error))
			return false;
	}
	for (const struct sluice_option *option = table; option->type != SLUICE_TYPE_END; option++) {
		if ((option->flags & SLUICE_OPTION_REQUIRED) && !is_given(option->name, options))
			return sluice_error_set(error, "%s: is required: %s", option->name, option->help);
	}
	return true;
}

/* A stage that says no says why. */
static bool refused(const char *what, const struct sluice_error *error)
{
	if (!error->text[0])
		bench_breach("%s without an error text", what);
	return false;
}

static bool create_stage(struct own_bench *own, const struct sluice_stage_ops *ops, const char *const *options,
                         struct sluice_error *error)
{
	struct sluice_stage *stage = &own->pub.stage;
	void *config = arena_must(&own->arena, ops->config_size + 1);
	if (!set_options(config, ops->options, options, &own->arena, error))
		return false;
	stage->host = &bench_host;
	stage->ops = own->pub.ops = ops;
	stage->config = config;
	if (ops->check && !ops->check(config, error))
		return refused("check() said no", error);
	if (ops->self_test && !ops->self_test(error))
		return refused("self_test() said no", error);
	if (ops->create && !ops->create(stage, error))
		return refused("create() failed", error);
	return true;
}

struct bench *bench_create(const struct plugin *plugin, const char *const *options, bool read_only,
                           struct sluice_error *error)
{
	struct own_bench *own = must_calloc(1, sizeof(*own));
	struct sluice_error cause = {0};
	arena_init(&own->arena, 4096, NULL);
	own->pub.stage.read_only = read_only;
	if (create_stage(own, &plugin->ops, options, &cause))
		return &own->pub;
	sluice_error_set(error, "%s", cause.text);
	arena_finish(&own->arena);
	free(own);
	return NULL;
}

void bench_close(struct bench *bench)
{
	if (bench->ops->drain)
		bench->ops->drain(&bench->stage);
	if (bench->ops->destroy)
		bench->ops->destroy(&bench->stage);
	arena_finish(&own_of(bench)->arena);
	free(bench);
}

enum sluice_verdict bench_process(struct bench *bench, struct sluice_event *event)
{
	enum sluice_verdict verdict = SLUICE_FAIL;
	bench_process_batch(bench, &event, &verdict, 1);
	return verdict;
}

void bench_process_batch(struct bench *bench, struct sluice_event *const *events, enum sluice_verdict *verdicts,
                         size_t count)
{
	bench_process_on(bench, NULL, events, verdicts, count);
}

/* As the dispatcher does it: what is behind an event that has to be tried again is not handed over. */
static bool is_held(struct sluice_event *const *events, const enum sluice_verdict *verdicts, size_t number)
{
	for (size_t i = 0; i < number && events[number]->stream.data; i++)
		if (verdicts[i] == SLUICE_RETRY && sluice_bytes_equal(events[i]->stream, events[number]->stream))
			return true;
	return false;
}

static void store(struct bench *bench, struct sluice_batch batch)
{
	const struct sluice_persist_ops *ops = bench->ops->of.persist;
	if (ops->batch_max != 1) {
		ops->store(&bench->stage, &batch);
		return;
	}
	for (size_t i = 0; i < batch.count; i++) {
		struct sluice_batch one = {
			.events = &batch.events[i], .verdicts = &batch.verdicts[i], .count = 1, .worker = batch.worker};
		if (is_held(batch.events, batch.verdicts, i))
			batch.verdicts[i] = sluice_retry(batch.events[i], 0,
			                                 "an earlier event of its stream is to be tried again");
		else
			ops->store(&bench->stage, &one);
	}
}

void bench_process_on(struct bench *bench, struct sluice_worker *worker, struct sluice_event *const *events,
                      enum sluice_verdict *verdicts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		verdicts[i] = SLUICE_FAIL;
		bench_event_forget_words(events[i]);
	}
	if (bench->ops->kind == SLUICE_KIND_PERSIST) {
		store(bench,
		      (struct sluice_batch){.events = events, .verdicts = verdicts, .count = count, .worker = worker});
		return;
	}
	process_fn process = abi_process(bench->ops);
	for (size_t i = 0; i < count; i++)
		verdicts[i] = process(&bench->stage, events[i]);
}

void bench_settle(struct bench *bench, struct sluice_event *event, enum sluice_verdict verdict)
{
	if (bench->ops->settle)
		bench->ops->settle(&bench->stage, event, verdict);
	bench_free(event);
}

struct observation {
	struct sluice_observer pub; /* must be first */
	struct buffer text;
};

static void note(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                 const char *value, const char *help)
{
	struct buffer *text = &((struct observation *)(void *)observer)->text;
	buffer_printf(text, "%s", name);
	if (label)
		buffer_printf(text, "{%s=\"%s\"}", label, label_value);
	buffer_printf(text, " %s%s%s\n", value, help ? " # " : "", help ? help : "");
}

static void note_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                       double value, const char *help)
{
	char number[32];
	(void)snprintf(number, sizeof(number), "%.15g", value);
	note(observer, name, label, label_value, number, help);
}

static void note_text(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                      const char *value, const char *help)
{
	struct buffer text = {0};
	buffer_printf(&text, "= %s", value);
	note(observer, name, label, label_value, text.data, help);
	buffer_finish(&text);
}

static void note_unhealthy(struct sluice_observer *observer, const char *reason)
{
	buffer_printf(&((struct observation *)(void *)observer)->text, "unhealthy: %s\n", reason);
}

char *bench_observe(struct bench *bench)
{
	struct observation observation = {.pub = {.gauge = note_gauge, .unhealthy = note_unhealthy}};
	if (bench->ops->observe)
		bench->ops->observe(&bench->stage, &observation.pub);
	return buffer_take(&observation.text);
}

struct search {
	struct sluice_observer pub; /* must be first */
	const char *name, *label_value;
	double value;
};

static void compare_gauge(struct sluice_observer *observer, const char *name, const char *label,
                          const char *label_value, double value, const char *help)
{
	struct search *search = (struct search *)(void *)observer;
	(void)label, (void)help;
	bool has_label = search->label_value ? label_value && strcmp(label_value, search->label_value) == 0
	                                     : !label_value;
	if (strcmp(name, search->name) == 0 && has_label)
		search->value = value;
}

static void ignore_unhealthy(struct sluice_observer *observer, const char *reason)
{
	(void)observer, (void)reason;
}

double bench_gauge(struct bench *bench, const char *name, const char *label_value)
{
	struct search search = {.pub = {.gauge = compare_gauge, .unhealthy = ignore_unhealthy},
	                        .name = name,
	                        .label_value = label_value,
	                        .value = NAN};
	if (bench->ops->observe)
		bench->ops->observe(&bench->stage, &search.pub);
	return search.value;
}

const struct sluice_store_maintenance *bench_maintenance(const struct sluice_stage_ops *ops)
{
	static const struct sluice_store_maintenance none;
	const struct sluice_store_maintenance *maintenance = abi_maintenance(ops);
	return maintenance ? maintenance : &none;
}

char *bench_stats(struct bench *bench, struct sluice_error *error)
{
	struct observation observation = {.pub = {.gauge = note_gauge, .unhealthy = note_unhealthy, .text = note_text}};
	struct sluice_error cause = {0};
	if (bench_maintenance(bench->ops)->stats(&bench->stage, &observation.pub, &cause))
		return buffer_take(&observation.text);
	buffer_finish(&observation.text);
	(void)refused("stats() failed", &cause);
	sluice_error_set(error, "%s", cause.text);
	return NULL;
}
