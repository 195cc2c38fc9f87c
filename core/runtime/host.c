/*
 * What the core does for a stage; the contracts stand in <sluice/host.h>.
 */
#include "runtime/host.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "runtime/event.h"
#include "runtime/flow.h"
#include "runtime/recorder.h"
#include "runtime/resumer.h"

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

static void explain(struct sluice_event *pub, int status, int64_t delay_ns, const char *format, va_list arguments)
{
	struct event *event = event_of(pub);
	event->status = status;
	event->delay_ns = delay_ns;
	(void)vsnprintf(event->detail, sizeof(event->detail), format, arguments);
}

static void resume(struct sluice_event *event, enum sluice_verdict verdict)
{
	resumer_resume(event_of(event), verdict);
}

static void span(struct sluice_stage *stage, struct sluice_event *const *events, size_t count, unsigned span_index,
                 int64_t ns)
{
	if (span_index >= SLUICE_SPANS_MAX || count == 0)
		return;
	enum sluice_kind kind = stage->ops->kind;
	for (size_t i = 0; i < count; i++)
		event_of(events[i])->times.stages[kind].spans_ns[span_index] += ns;
	if (!slot_of(stage)->pipeline) /* a store opened to be read */
		return;
	recorder_record(flow_recorder(slot_of(stage)->pipeline), series_of(kind, PART_SPAN + span_index), ns);
}

static void log_from_stage(struct sluice_stage *stage, enum sluice_log_level level, const char *name,
                           const struct sluice_field *fields, size_t field_count)
{
	log_fields(level, slot_of(stage)->label, name, fields, field_count);
}

static struct sluice_event *restore(struct sluice_stage *stage, const struct sluice_record *record)
{
	struct pipeline *pipeline = slot_of(stage)->pipeline;
	struct event *event = pipeline ? flow_restore(pipeline, record) : NULL;
	return event ? &event->pub : NULL;
}

const struct sluice_host host_table = {
	.size = sizeof(struct sluice_host),
	.now_ns = clock_now_ns,
	.wall_ns = clock_wall_ns,
	.alloc = alloc,
	.digest = digest,
	.explain = explain,
	.resume = resume,
	.span = span,
	.log = log_from_stage,
	.hash = digest_hash,
	.random = digest_random,
	.restore = restore,
	.audit_hash = digest_audit_row,
	.record_digest = digest_record,
};
