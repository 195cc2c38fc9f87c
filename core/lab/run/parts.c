/*
 * From a record to its parts; see parts.h.
 */
#include "lab/run/parts.h"

const struct part_words part_words[PARTS] = {
	[PART_UNSENT] = {"unsent", "waiting to be sent", true, false},
	[PART_INBOUND] = {"inbound", "to the server", false, false},
	[PART_AUTH] = {"auth", "auth", false, true},
	[PART_PARSE] = {"parse", "parse", false, true},
	[PART_IDEMPOTENCY] = {"idempotency", "idempotency", false, true},
	[PART_PARKED] = {"parked", "parked", true, true},
	[PART_QUEUE] = {"queue", "queue", true, true},
	[PART_PERSIST] = {"persist", "persist", false, true},
	[PART_REST] = {"rest", "not accounted for", false, true},
	[PART_RESPOND] = {"respond", "respond", false, true},
	[PART_OUTBOUND] = {"outbound", "back to the sender", false, false},
};

static bool stage_ran(const struct trace_record *record, enum sluice_kind kind)
{
	return record->stages[kind].work_ns >= 0;
}

bool parts_is_of_sender(const struct trace_record *record)
{
	return record->input != UINT32_MAX;
}

/* Two clocks are compared to the precision of their joining, so a difference may come out below zero. */
static int64_t at_least_zero(int64_t ns)
{
	return ns > 0 ? ns : 0;
}

static void take_sender(const struct trace_record *record, struct parts *parts)
{
	if (!parts_is_of_sender(record))
		return;
	parts->ns[PART_UNSENT] = at_least_zero(record->sent_ns - record->intended_ns);
	if (record->received_ns >= 0)
		parts->ns[PART_INBOUND] = at_least_zero(record->received_ns - record->sent_ns);
	if (record->replied_ns >= 0)
		parts->ns[PART_OUTBOUND] = at_least_zero(record->answered_ns - record->replied_ns);
}

/* Time in put() counts as waiting, as in the server's own figures. */
static void take_delays(const struct trace_record *record, struct parts *parts)
{
	int64_t waited = 0, parked = 0;
	bool waits = stage_ran(record, SLUICE_KIND_QUEUE);
	for (size_t kind = 0; kind < SLUICE_KIND_SLOTS; kind++) {
		if (!stage_ran(record, (enum sluice_kind)kind))
			continue;
		waited += record->stages[kind].wait_ns;
		parked += record->stages[kind].parked_ns;
	}
	if (waits)
		waited += record->stages[SLUICE_KIND_QUEUE].work_ns;
	if (waits || waited > 0)
		parts->ns[PART_QUEUE] = waited;
	if (parked > 0)
		parts->ns[PART_PARKED] = parked;
}

static void take_spans(const struct trace_record *record, struct parts *parts)
{
	const struct trace_stage *persist = &record->stages[SLUICE_KIND_PERSIST];
	int64_t spans = 0;
	for (size_t i = 0; i < SLUICE_SPANS_MAX; i++)
		spans += persist->spans_ns[i];
	if (stage_ran(record, SLUICE_KIND_PERSIST) && spans > 0)
		parts->unspanned_ns = at_least_zero(persist->work_ns - spans);
}

static void take_server(const struct trace_record *record, struct parts *parts)
{
	static const struct {
		enum part part;
		enum sluice_kind kind;
	} works[] = {
		{PART_AUTH, SLUICE_KIND_AUTH},
		{PART_PARSE, SLUICE_KIND_PARSE},
		{PART_IDEMPOTENCY, SLUICE_KIND_IDEMPOTENCY},
		{PART_PERSIST, SLUICE_KIND_PERSIST},
	};
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		parts->ns[works[i].part] = record->stages[works[i].kind].work_ns;
		parts->cpu_ns[works[i].part] = record->cpu_ns[works[i].kind];
	}
	parts->ns[PART_RESPOND] = record->respond_ns;
	take_delays(record, parts);
	take_spans(record, parts);
}

/* Answered by a durable queue, without persist: what is left is what the queue took to keep the event. */
static bool queue_answered(const struct trace_record *record)
{
	return stage_ran(record, SLUICE_KIND_QUEUE) && !stage_ran(record, SLUICE_KIND_PERSIST) &&
	       record->respond_ns >= 0;
}

static void take_rest(const struct trace_record *record, struct parts *parts)
{
	int64_t rest = parts->total_ns;
	for (size_t i = 0; i < PARTS; i++)
		rest -= at_least_zero(parts->ns[i]);
	if (rest > 0)
		parts->ns[queue_answered(record) ? PART_QUEUE : PART_REST] = rest;
}

static bool any_stage_ran(const struct trace_record *record)
{
	for (size_t kind = 0; kind < SLUICE_KIND_SLOTS; kind++)
		if (stage_ran(record, (enum sluice_kind)kind))
			return true;
	return false;
}

enum parts_verdict parts_of(const struct trace_record *record, struct parts *parts_out)
{
	if (record->answered_ns < 0)
		return PARTS_UNANSWERED;
	*parts_out = (struct parts){.total_ns = record->answered_ns - record->intended_ns,
	                            .raw_ns = record->answered_ns - record->sent_ns,
	                            .unspanned_ns = -1};
	if (!parts_is_of_sender(record) && parts_out->total_ns <= 0 && !any_stage_ran(record))
		return PARTS_REFUSED;
	for (size_t i = 0; i < PARTS; i++)
		parts_out->ns[i] = parts_out->cpu_ns[i] = -1;
	take_sender(record, parts_out);
	take_server(record, parts_out);
	take_rest(record, parts_out);
	return PARTS_KNOWN;
}

size_t parts_steps(const struct parts *parts, struct part_step steps_out[PARTS])
{
	size_t count = 0;
	int64_t at_ns = 0;
	for (size_t i = 0; i < PARTS; i++) {
		if (parts->ns[i] <= 0)
			continue;
		steps_out[count++] = (struct part_step){(enum part)i, at_ns, parts->ns[i]};
		at_ns += parts->ns[i];
	}
	return count;
}
