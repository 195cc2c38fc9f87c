/*
 * Events of one request; see parts.h.
 */
#include "runtime/parts.h"

#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "runtime/flow.h"
#include "runtime/resume.h"

enum { NOBODY = -1 };

/* What is known of a part, for the next one of its stream: nothing yet, who waits to know, or which of two it is. */
static struct event kept_mark, lost_mark;

struct parts {
	struct event *carrier;
	size_t count;
	atomic_size_t unanswered;
	atomic_size_t undecided;
	struct event **events;         /* a reference each */
	_Atomic(struct event *) *next; /* of each: NULL, who waits, or a mark */
	struct event_answer *answers;
	/* A hash table of streams: the number of the last part of each that goes on, or NOBODY. */
	int32_t *streams;
	size_t stream_slots; /* a power of two */
};

static bool is_mark(const struct event *next)
{
	return next == &kept_mark || next == &lost_mark;
}

static void finish(struct parts *parts);

static void note_answer(void *context, const struct event_answer *answer)
{
	struct parts *parts = context;
	parts->answers[answer->event->part] = *answer;
	if (atomic_fetch_sub(&parts->unanswered, 1) == 1)
		finish(parts);
}

static struct parts *allocate(struct event *carrier, size_t count)
{
	struct parts *parts = event_alloc(carrier, sizeof(*parts));
	if (!parts)
		return NULL;
	*parts = (struct parts){.carrier = carrier, .count = count};
	parts->events = event_alloc(carrier, count * sizeof(*parts->events));
	parts->next = event_alloc(carrier, count * sizeof(*parts->next));
	parts->answers = event_alloc(carrier, count * sizeof(*parts->answers));
	parts->stream_slots = 2;
	while (parts->stream_slots < 2 * count)
		parts->stream_slots *= 2;
	parts->streams = event_alloc(carrier, parts->stream_slots * sizeof(*parts->streams));
	if (!parts->events || !parts->next || !parts->answers || !parts->streams)
		return NULL;
	memset(parts->streams, 0xff, parts->stream_slots * sizeof(*parts->streams));
	for (size_t i = 0; i < count; i++)
		atomic_init(&parts->next[i], NULL);
	atomic_init(&parts->unanswered, count);
	atomic_init(&parts->undecided, count);
	return parts;
}

/* An event with a place in the pool; NULL: there is none. */
static struct event *make(struct parts *parts, size_t number, struct sluice_bytes element)
{
	struct event *carrier = parts->carrier, *part = event_pool_get(carrier->pool, carrier->pipeline);
	if (!event_pool_admit(carrier->pool, part)) {
		event_release(part);
		return NULL;
	}
	flow_pin(carrier->pipeline);
	part->pins = carrier->pipeline->pins;
	event_reference(carrier);
	part->carrier = carrier;
	part->parts = parts;
	part->pub = carrier->pub;
	part->pub.part = (uint32_t)number;
	part->pub.parts = (uint32_t)parts->count;
	part->pub.payload = element;
	memset(part->pub.local, 0, sizeof(part->pub.local));
	part->answer = note_answer;
	part->answer_context = parts;
	part->at = SLUICE_KIND_PARSE;
	part->times.start_ns = carrier->times.start_ns;
	part->times.wall_ns = carrier->times.wall_ns;
	part->entered_ns = carrier->entered_ns;
	event_reference(part); /* until all have their answers */
	return part;
}

static void release_all(struct parts *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		event_release(parts->events[i]);
}

enum sluice_verdict parts_split(struct sluice_event *pub, const struct sluice_bytes *elements, size_t count)
{
	struct event *carrier = event_of(pub);
	const struct config *config = carrier->pipeline->config;
	if (carrier->at != SLUICE_KIND_PARSE || carrier->parts || count == 0)
		return sluice_fail(pub, "the parse stage split a request that cannot be split");
	if (count > (size_t)config->events.max)
		return sluice_reject(pub, 413, "the body: %zu events; events.max lets in %lld", count,
		                     (long long)config->events.max);
	struct parts *parts = allocate(carrier, count);
	if (!parts)
		return sluice_retry(pub, 0, "the bound on bytes in flight is reached");
	for (size_t i = 0; i < count; i++) {
		parts->events[i] = make(parts, i, elements[i]);
		if (parts->events[i])
			continue;
		release_all(parts, i);
		release_all(parts, i); /* each had two references */
		return sluice_retry(pub, 0, "the bound on events in flight is reached");
	}
	carrier->parts = parts;
	return SLUICE_PASS;
}

void parts_abandon(struct event *carrier)
{
	struct parts *parts = carrier->parts;
	carrier->parts = NULL;
	release_all(parts, parts->count);
	release_all(parts, parts->count);
}

void parts_decide(struct event *event, enum sluice_verdict verdict)
{
	struct parts *parts = event->parts;
	if (!parts || !event->carrier)
		return;
	struct event *mark = verdict == SLUICE_RETRY ? &lost_mark : &kept_mark;
	_Atomic(struct event *) *next = &parts->next[event->pub.part];
	struct event *waits = atomic_load(next);
	do
		if (is_mark(waits))
			return;
	while (!atomic_compare_exchange_weak(next, &waits, mark));
	(void)atomic_fetch_sub(&parts->undecided, 1);
	if (waits)
		resume_event(event->pipeline->shared->resume_thread, waits,
		             mark == &lost_mark ? sluice_retry(&waits->pub, 0, "%s", flow_behind_lost) : SLUICE_PASS);
}

bool parts_may_reject(const struct event *event)
{
	return !event->parts || atomic_load(&event->parts->undecided) == 0;
}

static int32_t *slot_of(const struct parts *parts, struct sluice_bytes stream)
{
	size_t slot = digest_hash(stream.data, stream.size) & (parts->stream_slots - 1);
	while (parts->streams[slot] != NOBODY &&
	       !sluice_bytes_equal(parts->events[parts->streams[slot]]->pub.stream, stream))
		slot = (slot + 1) & (parts->stream_slots - 1);
	return &parts->streams[slot];
}

/* The part before this one in its stream; NOBODY: it is the first, or of no stream. */
static int32_t follow(const struct parts *parts, size_t number)
{
	struct sluice_bytes stream = parts->events[number]->pub.stream;
	if (!stream.data)
		return NOBODY;
	int32_t *slot = slot_of(parts, stream), before = *slot;
	*slot = (int32_t)number;
	return before;
}

static void go_on(struct event *part, enum sluice_verdict verdict)
{
	if (verdict != SLUICE_PASS) {
		flow_finish(part, verdict);
		return;
	}
	part->at++;
	flow_advance(part);
}

/* The part may be in other hands before this returns. */
static void go_behind(struct parts *parts, struct event *part, int32_t before)
{
	struct event *known = NULL;
	flow_await_part(part);
	if (before == NOBODY) {
		go_on(part, SLUICE_PASS);
		return;
	}
	resume_expect(part);
	if (!atomic_compare_exchange_strong(&parts->next[before], &known, part))
		go_on(part, known == &kept_mark ? SLUICE_PASS : sluice_retry(&part->pub, 0, "%s", flow_behind_lost));
	else if (!resume_park(part))
		go_on(part, part->resumed_with);
}

/* All are parsed before the first goes on: of what goes on, the stream is known. */
static void parse_all(const struct parts *parts)
{
	bool is_lost = false;
	for (size_t i = 0; i < parts->count; i++) {
		struct event *part = parts->events[i];
		part->resumed_with = is_lost ? sluice_retry(&part->pub, 0, "%s", flow_behind_lost) : flow_parse(part);
		/* Its stream is not known: any behind it may be of that. Or it comes again when there are fewer. */
		is_lost |= part->resumed_with == SLUICE_RETRY || part->status == STATUS_TOO_MANY;
	}
}

void parts_send(struct event *carrier)
{
	struct parts *parts = carrier->parts;
	event_reference(carrier); /* the last answer may end it, and with it the parts */
	parse_all(parts);
	for (size_t i = 0; i < parts->count; i++) {
		struct event *part = parts->events[i];
		if (part->resumed_with == SLUICE_PASS)
			go_behind(parts, part, follow(parts, i));
		else
			flow_finish(part, part->resumed_with);
	}
	event_release(carrier);
}

static bool is_kept(const struct event_answer *answer)
{
	return answer->verdict == SLUICE_PASS || answer->verdict == SLUICE_DONE;
}

/* The smaller, the more it says about the whole: what can be stored later goes before what never can. */
static int rank_of(const struct event_answer *answer)
{
	static const int ranks[] = {[SLUICE_RETRY] = 0, [SLUICE_FAIL] = 1, [SLUICE_REJECT] = 2,
	                            [SLUICE_PASS] = 3,  [SLUICE_DONE] = 4, [SLUICE_WAIT] = 5};
	return ranks[answer->verdict];
}

/* The stages behind the parse stage are those of the part that took longest. */
static void take_times(struct event_times *times, const struct event_times *last)
{
	for (unsigned kind = SLUICE_KIND_PARSE + 1; kind < KIND_COUNT; kind++)
		times->stages[kind] = last->stages[kind];
	times->ack_ns = last->ack_ns;
	times->attempts = last->attempts;
	times->batch_size = last->batch_size;
}

static struct event_answer sum_up(const struct parts *parts)
{
	const struct event_answer *deciding = &parts->answers[0], *last = &parts->answers[0];
	struct event *carrier = parts->carrier;
	size_t failed = 0;
	int64_t delay_ns = 0;
	for (size_t i = 0; i < parts->count; i++) {
		const struct event_answer *each = &parts->answers[i];
		deciding = rank_of(each) < rank_of(deciding) ? each : deciding;
		last = each->times->ack_ns > last->times->ack_ns ? each : last;
		failed += !is_kept(each);
		delay_ns = each->delay_ns > delay_ns ? each->delay_ns : delay_ns;
	}
	struct event_answer answer = *deciding;
	take_times(&carrier->times, last->times);
	answer.event = &carrier->pub;
	answer.times = &carrier->times;
	answer.delay_ns = delay_ns;
	answer.parts = parts->answers;
	answer.part_count = parts->count;
	if (failed)
		(void)snprintf(carrier->detail, sizeof(carrier->detail),
		               "%zu of %zu events not stored; event %u: %.120s", failed, parts->count,
		               deciding->event->part + 1, deciding->detail);
	answer.detail = failed ? carrier->detail : "";
	if (!deciding->response->headers)
		answer.response = &carrier->response;
	return answer;
}

static void finish(struct parts *parts)
{
	struct event *carrier = parts->carrier;
	struct event_answer answer = sum_up(parts);
	flow_finish_carrier(carrier, &answer);
	release_all(parts, parts->count);
	event_release(carrier);
}
