/*
 * What the core does for a stage; the contracts stand in <sluice/host.h>.
 */
#include "runtime/host.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "runtime/dispatcher.h"
#include "runtime/event.h"
#include "runtime/flow.h"
#include "runtime/parts.h"
#include "runtime/recorder.h"
#include "runtime/resume.h"
#include "runtime/store_identity.h"

static void *alloc(struct sluice_event *event, size_t size)
{
	return event_alloc(event_of(event), size);
}

static const uint8_t *digest(struct sluice_event *pub)
{
	struct event *event = event_of(pub);
	if (event->digest_known)
		return event->digest;
	digest_content(pub->event_type, pub->stream, pub->has_sequence, pub->sequence, pub->payload, event->digest);
	event->digest_known = true;
	return event->digest;
}

static void explain(struct sluice_event *pub, int status, int64_t delay_ns, const char *text, size_t size)
{
	struct event *event = event_of(pub);
	event->status = status;
	event->delay_ns = delay_ns;
	event->conflicts = false;
	if (size >= sizeof(event->detail))
		size = sizeof(event->detail) - 1;
	memcpy(event->detail, text, size);
	event->detail[size] = '\0';
}

static void conflict(struct sluice_event *pub, const char *text, size_t size)
{
	explain(pub, STATUS_CONFLICT, 0, text, size);
	event_of(pub)->conflicts = true;
}

static bool set_header(struct sluice_event *event, const char *name, const char *value)
{
	return event_set_header(event_of(event), name, value);
}

static bool respond(struct sluice_event *event, int status, const char *type, const void *body, size_t size)
{
	return event_respond(event_of(event), status, type, body, size);
}

static void resume(struct sluice_event *event, enum sluice_verdict verdict)
{
	resume_event(event_of(event)->pipeline->shared->resume_thread, event_of(event), verdict);
}

static void span(struct sluice_stage *stage, struct sluice_event *const *events, size_t count, unsigned span_index,
                 int64_t ns)
{
	if (span_index >= SLUICE_SPANS_MAX || count == 0)
		return;
	enum sluice_kind kind = stage->ops->kind;
	for (size_t i = 0; i < count; i++)
		event_of(events[i])->times.stages[kind].spans_ns[span_index] += ns;
	const struct generations *shared = instance_of(stage)->shared;
	if (shared)
		recorder_record(shared->recorder, series_of(kind, PART_SPAN + span_index), ns);
}

static void log_from_stage(struct sluice_stage *stage, enum sluice_log_level level, const char *name,
                           const struct sluice_field *fields, size_t field_count)
{
	log_fields(level, instance_of(stage)->label, name, fields, field_count);
}

static struct sluice_event *restore(struct sluice_stage *stage, const struct sluice_record *record)
{
	const struct dispatcher *dispatcher = instance_of(stage)->dispatcher;
	struct pipeline *pipeline = dispatcher ? dispatcher_served(dispatcher) : NULL;
	struct event *event = pipeline ? flow_restore(pipeline, record) : NULL;
	return event ? &event->pub : NULL;
}

static void announce_store(struct sluice_stage *stage, const char *identity)
{
	struct generations *shared = instance_of(stage)->shared;
	if (shared)
		store_identity_announce(&shared->store_identity, identity);
}

static uint64_t store_epoch(struct sluice_stage *stage)
{
	struct generations *shared = instance_of(stage)->shared;
	return shared ? store_identity_epoch(&shared->store_identity) : 0;
}

static void tell_acknowledged(struct sluice_stage *stage, const struct sluice_record *record)
{
	if (instance_of(stage)->creator)
		flow_tell_acknowledged(instance_of(stage)->creator, record);
}

static bool is_stopped(struct sluice_stage *stage)
{
	const struct dispatcher *dispatcher = instance_of(stage)->dispatcher;
	return dispatcher && dispatcher_is_stopped(dispatcher);
}

static bool may_be_same(const struct sluice_event *event)
{
	return ((const struct event *)(const void *)event)->pipeline->sameness != NULL;
}

static bool is_same(struct sluice_event *event, const struct sluice_record *stored)
{
	const struct pipeline *pipeline = event_of(event)->pipeline;
	return pipeline->sameness &&
	       pipeline->sameness->is_same(&pipeline->instances[SLUICE_KIND_PARSE]->stage, event, stored);
}

static const struct sluice_acknowledged acknowledged = {.tell = tell_acknowledged};
static const struct sluice_stopped stopped = {.is_stopped = is_stopped};
static const struct sluice_same_content same_content = {.may_be_same = may_be_same, .is_same = is_same};
static const struct sluice_parts parts = {.split = parts_split};
static const struct sluice_extension extensions[] = {
	{SLUICE_ACKNOWLEDGED, &acknowledged}, {SLUICE_STOPPED, &stopped}, {SLUICE_PARTS, &parts},
	{SLUICE_SAME_CONTENT, &same_content}, SLUICE_EXTENSION_END,
};

static const void *extension(const char *id)
{
	return sluice_extension_find(extensions, id);
}

const struct sluice_host host_table = {
	.size = sizeof(struct sluice_host),
	.now_ns = clock_now_ns,
	.wall_ns = clock_wall_ns,
	.alloc = alloc,
	.digest = digest,
	.explain = explain,
	.conflict = conflict,
	.set_header = set_header,
	.respond = respond,
	.resume = resume,
	.span = span,
	.log = log_from_stage,
	.hash = digest_hash,
	.random = digest_random,
	.restore = restore,
	.audit_hash = digest_audit_row,
	.record_digest = digest_record,
	.announce_store = announce_store,
	.store_epoch = store_epoch,
	.extension = extension,
};
