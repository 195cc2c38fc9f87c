/*
 * The bench: a host of its own that keeps what a stage says, for the test to look at. It ends a test with
 * ck_abort_msg() alone: Check's assertions work only inside a test, and the fuzz targets use the bench, too.
 */
#include "support/harness.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/digest.h"
#include "runtime/loader.h"
#include "runtime/option.h"

struct bench {
	struct harness pub; /* must be first */
	struct plugin *plugin;
	struct arena arena; /* of the config */
};

struct bench_event {
	struct sluice_event pub; /* must be first */
	struct arena arena;
	bool digest_known;
	uint8_t digest[SLUICE_DIGEST_SIZE];

	/* What the stage said. */
	int status;
	int64_t delay_ns;
	char detail[1024];
	int64_t spans_ns[SLUICE_SPANS_MAX];

	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool resumed;
	enum sluice_verdict resumed_with;
};

static struct bench_event *event_of(const struct sluice_event *event)
{
	return (struct bench_event *)(void *)event;
}

static const char *text_or(const char *text, const char *fallback)
{
	return text ? text : fallback;
}

/* The settable clock: 0 while the real ones run. */
static _Atomic int64_t fake_now_ns, fake_wall_ns;

static int64_t host_now_ns(void)
{
	int64_t fake = atomic_load(&fake_now_ns);
	return fake ? fake : clock_now_ns();
}

static int64_t host_wall_ns(void)
{
	int64_t fake = atomic_load(&fake_wall_ns);
	return fake ? fake : clock_wall_ns();
}

void harness_set_clock(int64_t wall_ns)
{
	if (!atomic_load(&fake_now_ns))
		atomic_store(&fake_now_ns, NS_PER_S);
	atomic_store(&fake_wall_ns, wall_ns);
}

void harness_advance_clock(int64_t ns)
{
	if (!atomic_load(&fake_now_ns))
		ck_abort_msg("harness_advance_clock() before harness_set_clock()");
	atomic_fetch_add(&fake_now_ns, ns);
	atomic_fetch_add(&fake_wall_ns, ns);
}

static void *host_alloc(struct sluice_event *event, size_t size)
{
	return arena_alloc(&event_of(event)->arena, size);
}

static const uint8_t *host_digest(struct sluice_event *event)
{
	struct bench_event *own = event_of(event);
	if (!own->digest_known)
		digest_content(event->event_type, event->stream, event->has_sequence, event->sequence, event->payload,
		               own->digest);
	own->digest_known = true;
	return own->digest;
}

static void host_explain(struct sluice_event *event, int status, int64_t delay_ns, const char *format,
                         va_list arguments)
{
	struct bench_event *own = event_of(event);
	own->status = status;
	own->delay_ns = delay_ns;
	(void)vsnprintf(own->detail, sizeof(own->detail), format, arguments);
}

static void host_resume(struct sluice_event *event, enum sluice_verdict verdict)
{
	struct bench_event *own = event_of(event);
	pthread_mutex_lock(&own->lock);
	if (own->resumed)
		ck_abort_msg("an event was resumed twice");
	if (verdict == SLUICE_WAIT)
		ck_abort_msg("an event was resumed to wait");
	own->resumed = true;
	own->resumed_with = verdict;
	pthread_cond_broadcast(&own->changed);
	pthread_mutex_unlock(&own->lock);
}

static void host_span(struct sluice_stage *stage, struct sluice_event *const *events, size_t count, unsigned span,
                      int64_t ns)
{
	unsigned declared = 0;
	while (stage->ops->spans && stage->ops->spans[declared])
		declared++;
	if (span >= declared)
		ck_abort_msg("span %u was timed, %u are declared", span, declared);
	for (size_t i = 0; i < count; i++)
		event_of(events[i])->spans_ns[span] += ns;
}

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static struct buffer log_text;

static void host_log(struct sluice_stage *stage, enum sluice_log_level level, const char *name,
                     const struct sluice_field *fields, size_t field_count)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	pthread_mutex_lock(&log_lock);
	buffer_printf(&log_text, "%s %s/%s %s", levels[level], kind_names[stage->ops->kind], stage->ops->name, name);
	for (size_t i = 0; i < field_count; i++) {
		const struct sluice_field *field = &fields[i];
		if (field->type == SLUICE_FIELD_INT)
			buffer_printf(&log_text, " %s=%lld", field->name, (long long)field->integer);
		else if (field->type == SLUICE_FIELD_REAL)
			buffer_printf(&log_text, " %s=%g", field->name, field->real);
		else
			buffer_printf(&log_text, " %s=%s", field->name, text_or(field->text, ""));
	}
	buffer_add_text(&log_text, "\n");
	pthread_mutex_unlock(&log_lock);
}

char *harness_take_log(void)
{
	pthread_mutex_lock(&log_lock);
	char *text = buffer_take(&log_text);
	pthread_mutex_unlock(&log_lock);
	return text;
}

static struct sluice_event *host_restore(struct sluice_stage *stage, const struct sluice_record *record);

static const struct sluice_host host = {
	.size = sizeof(host),
	.now_ns = host_now_ns,
	.wall_ns = host_wall_ns,
	.alloc = host_alloc,
	.digest = host_digest,
	.explain = host_explain,
	.resume = host_resume,
	.span = host_span,
	.log = host_log,
	.hash = digest_hash,
	.random = digest_random,
	.restore = host_restore,
	.audit_hash = digest_audit_row,
	.record_digest = digest_record,
};

static struct bench_event *event_new(void)
{
	struct bench_event *own = must_calloc(1, sizeof(*own));
	arena_init(&own->arena, 4096, NULL);
	pthread_mutex_init(&own->lock, NULL);
	pthread_cond_init(&own->changed, NULL);
	own->pub.host = &host;
	own->pub.received_at_ns = host_wall_ns();
	own->pub.deadline_ns = host_now_ns() + 10 * NS_PER_S;
	own->pub.attempt = 1;
	return own;
}

struct sluice_event *harness_event(struct harness *harness)
{
	(void)harness;
	struct sluice_event *event = &event_new()->pub;
	char id[UUID_TEXT_SIZE];
	digest_uuid7(event->received_at_ns, id);
	event->request_id = sluice_copy(event, id, strlen(id));
	event->path = sluice_copy(event, "/webhooks", strlen("/webhooks"));
	event->body = sluice_copy(event, "", 0);
	return event;
}

static struct sluice_bytes copy_of(struct sluice_event *event, struct sluice_bytes bytes)
{
	return bytes.data ? sluice_copy(event, bytes.data, bytes.size) : bytes;
}

static struct sluice_event *host_restore(struct sluice_stage *stage, const struct sluice_record *record)
{
	(void)stage;
	struct bench_event *own = event_new();
	struct sluice_event *event = &own->pub;
	event->acknowledged = true;
	event->received_at_ns = record->received_at_ns;
	event->request_id = copy_of(event, record->request_id);
	event->message_id = copy_of(event, record->message_id);
	event->event_type = copy_of(event, record->event_type);
	event->stream = copy_of(event, record->stream);
	event->sequence = record->sequence;
	event->has_sequence = record->has_sequence;
	event->payload = event->body = copy_of(event, record->payload);
	memcpy(own->digest, record->digest, sizeof(own->digest));
	own->digest_known = true;
	return event;
}

void harness_header(struct sluice_event *event, const char *name, const char *value)
{
	struct sluice_header *headers = sluice_alloc(event, (event->header_count + 1) * sizeof(*headers));
	if (event->header_count)
		memcpy(headers, event->headers, event->header_count * sizeof(*headers));
	headers[event->header_count] = (struct sluice_header){.name = sluice_copy(event, name, strlen(name)),
	                                                      .value = sluice_copy(event, value, strlen(value))};
	event->headers = headers;
	event->header_count++;
}

void harness_body(struct sluice_event *event, const void *data, size_t size)
{
	event->body = sluice_copy(event, data, size);
	event->payload = event->body;
	event_of(event)->digest_known = false;
}

static struct sluice_bytes copy_of_text(struct sluice_event *event, const char *text)
{
	return text ? sluice_copy(event, text, strlen(text)) : (struct sluice_bytes){NULL, 0};
}

void harness_fields(struct sluice_event *event, const char *message_id, const char *event_type, const char *stream,
                    const char *payload)
{
	event->message_id = copy_of_text(event, message_id);
	event->event_type = copy_of_text(event, event_type);
	event->stream = copy_of_text(event, stream);
	event->payload = copy_of_text(event, payload);
	event_of(event)->digest_known = false;
}

void harness_free(struct sluice_event *event)
{
	struct bench_event *own = event_of(event);
	pthread_cond_destroy(&own->changed);
	pthread_mutex_destroy(&own->lock);
	arena_finish(&own->arena);
	free(own);
}

static bool set_options(struct bench *bench, void *config, const char *const *options, struct sluice_error *error)
{
	const struct sluice_option *table = bench->plugin->ops.options;
	if (!option_fill_fallbacks(table, config, &bench->arena, error))
		return false;
	for (; options && *options; options++) {
		char *name = arena_strdup(&bench->arena, *options);
		char *equals = strchr(name, '=');
		if (!equals)
			ck_abort_msg("an option is written name=value, not \"%s\"", *options);
		*equals = '\0';
		if (!option_set(table, config, name, equals + 1, &bench->arena, error))
			return false;
	}
	return true;
}

static struct plugin *open_plugin(enum sluice_kind kind, const char *use, struct sluice_error *error)
{
	char **path = loader_stage_path(TEST_BUILD_DIR "/stages:" TEST_BUILD_DIR "/plugins:" TEST_BUILD_DIR
	                                               "/tests/stages");
	struct plugin *plugin = loader_open(path, kind, use, error);
	loader_free_path(path);
	return plugin;
}

static bool create_stage(struct bench *bench, const char *const *options, struct sluice_error *error)
{
	const struct sluice_stage_ops *ops = &bench->plugin->ops;
	void *config = arena_must(&bench->arena, ops->config_size + 1);
	if (!set_options(bench, config, options, error))
		return false;
	bench->pub.stage.host = &host;
	bench->pub.stage.ops = bench->pub.ops = ops;
	bench->pub.stage.config = config;
	if (ops->check && !ops->check(config, error))
		return false;
	if (ops->self_test && !ops->self_test(error))
		return false;
	return !ops->create || ops->create(&bench->pub.stage, error);
}

static struct harness *try_open(enum sluice_kind kind, const char *use, const char *const *options, bool read_only,
                                struct sluice_error *error)
{
	struct bench *bench = must_calloc(1, sizeof(*bench));
	arena_init(&bench->arena, 4096, NULL);
	bench->plugin = open_plugin(kind, use, error);
	bench->pub.stage.read_only = read_only;
	if (bench->plugin && create_stage(bench, options, error))
		return &bench->pub;
	if (!error->text[0])
		ck_abort_msg("%s/%s failed without a sentence", kind_names[kind], use);
	loader_close(bench->plugin);
	arena_finish(&bench->arena);
	free(bench);
	return NULL;
}

struct harness *harness_try(enum sluice_kind kind, const char *use, const char *const *options,
                            struct sluice_error *error)
{
	return try_open(kind, use, options, false, error);
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
	struct bench *bench = (struct bench *)harness;
	if (harness->ops->drain)
		harness->ops->drain(&harness->stage);
	if (harness->ops->destroy)
		harness->ops->destroy(&harness->stage);
	loader_close(bench->plugin);
	arena_finish(&bench->arena);
	free(bench);
}

static void forget_words(struct bench_event *own)
{
	own->status = 0;
	own->delay_ns = 0;
	own->detail[0] = '\0';
}

enum sluice_verdict harness_process(struct harness *harness, struct sluice_event *event)
{
	enum sluice_verdict verdict = SLUICE_FAIL;
	harness_process_batch(harness, &event, &verdict, 1);
	return verdict;
}

void harness_process_batch(struct harness *harness, struct sluice_event **events, enum sluice_verdict *verdicts,
                           size_t count)
{
	for (size_t i = 0; i < count; i++) {
		verdicts[i] = SLUICE_FAIL;
		forget_words(event_of(events[i]));
	}
	if (harness->ops->process_batch) {
		struct sluice_batch batch = {.events = events, .verdicts = verdicts, .count = count};
		harness->ops->process_batch(&harness->stage, &batch);
		return;
	}
	for (size_t i = 0; i < count; i++)
		verdicts[i] = harness->ops->process(&harness->stage, events[i]);
}

int harness_status(const struct sluice_event *event)
{
	return event_of(event)->status;
}

const char *harness_detail(const struct sluice_event *event)
{
	return event_of(event)->detail;
}

int64_t harness_delay_ns(const struct sluice_event *event)
{
	return event_of(event)->delay_ns;
}

int64_t harness_span_ns(const struct sluice_event *event, unsigned span)
{
	return event_of(event)->spans_ns[span];
}

bool harness_wait_resumed(struct sluice_event *event, enum sluice_verdict *verdict_out)
{
	struct bench_event *own = event_of(event);
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5;
	pthread_mutex_lock(&own->lock);
	while (!own->resumed && pthread_cond_timedwait(&own->changed, &own->lock, &until) == 0)
		;
	bool resumed = own->resumed;
	if (resumed && verdict_out)
		*verdict_out = own->resumed_with;
	pthread_mutex_unlock(&own->lock);
	return resumed;
}

bool harness_is_resumed(const struct sluice_event *event)
{
	struct bench_event *own = event_of(event);
	pthread_mutex_lock(&own->lock);
	bool resumed = own->resumed;
	pthread_mutex_unlock(&own->lock);
	return resumed;
}

void harness_settle(struct harness *harness, struct sluice_event *event, enum sluice_verdict verdict)
{
	if (harness->ops->settle)
		harness->ops->settle(&harness->stage, event, verdict);
	harness_free(event);
}
