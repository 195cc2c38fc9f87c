/*
 * The phase engine; see flow.h.
 */
#include "runtime/flow.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/utf8.h"
#include "runtime/dispatcher.h"
#include "runtime/inflate.h"
#include "runtime/methods.h"
#include "runtime/parts.h"
#include "runtime/resume.h"
#include "runtime/split.h"

const char flow_behind_lost[] = "an earlier event of the stream could not be stored";

static bool is_kept(enum sluice_verdict verdict)
{
	return verdict == SLUICE_PASS || verdict == SLUICE_DONE;
}

/* The one stamp per boundary: what ends here begins the next. */
static void stamp(struct event *event, int64_t *spent)
{
	int64_t now = clock_now_ns();
	*spent += now - event->entered_ns;
	event->entered_ns = now;
	event->times.stages[event->at].exit_ns = now;
}

/* Of the thread; 0 where it is not measured. */
static int64_t begin_cpu(const struct event *event)
{
	return event->pipeline->measures_cpu ? clock_thread_ns() : 0;
}

/* The same for processor time: one reading ends a stage and begins the next. Returns it. */
static int64_t stamp_cpu(struct event *event, int64_t from_ns)
{
	if (!event->pipeline->measures_cpu)
		return 0;
	int64_t now_ns = clock_thread_ns();
	struct stage_times *stage = &event->times.stages[event->at];
	stage->cpu_ns += now_ns - from_ns;
	stage->has_cpu = true;
	return now_ns;
}

static enum sluice_verdict broken_promise(struct instance *instance, struct event *event, enum sluice_verdict verdict)
{
	log_event(SLUICE_LOG_ERROR, instance->label, "stage_broke_contract", sluice_int("verdict", (int)verdict),
	          sluice_text("expected", "a verdict allowed for this stage"));
	return sluice_fail(&event->pub, "the %s stage returned an invalid verdict",
	                   kind_names[instance->stage.ops->kind]);
}

/* Other methods are there for verification handshakes, which the auth stage answers itself. */
static enum sluice_verdict refuse_method(struct event *event)
{
	(void)sluice_set_header(&event->pub, "Allow", "POST");
	return sluice_reject(&event->pub, 405, "use POST");
}

/* Lets through what a stage of this kind may say, and DONE with a response of its own; a DONE out of place would be a 2xx
 * for an event that nobody stored. */
static enum sluice_verdict check_verdict(struct instance *instance, struct event *event, enum sluice_verdict verdict)
{
	enum sluice_kind kind = instance->stage.ops->kind;
	int status = event->response.status;
	if (kind == SLUICE_KIND_AUTH && verdict == SLUICE_PASS && !methods_is_post(&event->pub))
		return refuse_method(event);
	bool responds = verdict == SLUICE_DONE && kind <= SLUICE_KIND_PARSE && status / 100 == 2;
	if (status != RESPONSE_INVALID && (verdict_fits(verdict, kind) || responds))
		return verdict;
	event->response.status = 0;
	return broken_promise(instance, event, verdict);
}

/* Nor may a parked event be resumed to wait. */
static enum sluice_verdict check_resumed(struct instance *instance, struct event *event, enum sluice_verdict verdict)
{
	return verdict == SLUICE_WAIT ? broken_promise(instance, event, verdict)
	                              : check_verdict(instance, event, verdict);
}

/* What a parse stage calls the event: lanes, lineage and stores keep names of up to SLUICE_NAME_MAX bytes, and everybody
 * takes them for text. A sender's event that broke its parser is not the sender's fault. */
static enum sluice_verdict check_names(struct instance *instance, struct event *event)
{
	const struct {
		const char *field;
		struct sluice_bytes name;
		size_t least;
	} names[] = {{"message_id", event->pub.message_id, 1},
	             {"event_type", event->pub.event_type, 0},
	             {"stream", event->pub.stream, 1}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct sluice_bytes *name = &names[i].name;
		if (!name->data || (name->size >= names[i].least && name->size <= SLUICE_NAME_MAX &&
		                    utf8_valid(name->data, name->size)))
			continue;
		log_event(SLUICE_LOG_ERROR, instance->label, "stage_broke_contract",
		          sluice_text("field", names[i].field), sluice_int("size", (int64_t)name->size),
		          sluice_text("expected", "up to 255 bytes of UTF-8"));
		event->pub.message_id = event->pub.event_type = event->pub.stream = (struct sluice_bytes){NULL, 0};
		return sluice_fail(&event->pub, "the parse stage set an invalid %s", names[i].field);
	}
	return SLUICE_PASS;
}

static void forget_explanation(struct event *event)
{
	event->status = 0;
	event->delay_ns = 0;
	event->conflicts = false;
	event->detail[0] = '\0';
}

/* A stage's own response goes out only with the verdict that sluice_respond() told it to return. */
static enum sluice_verdict check_response(struct event *event, enum sluice_verdict verdict)
{
	int status = event->response.status;
	int expected = verdict == SLUICE_DONE ? 2 : verdict == SLUICE_REJECT ? 4 : 0;
	if (!status || (status / 100 == expected && event->at <= SLUICE_KIND_PARSE))
		return verdict;
	event->response.status = 0;
	return verdict == SLUICE_DONE ? broken_promise(event->pipeline->instances[event->at], event, verdict) : verdict;
}

void flow_store(struct instance *persist, struct sluice_batch *batch)
{
	const char *reason = NULL, *refusal = NULL;
	for (size_t i = 0; i < batch->count; i++) {
		forget_explanation(event_of(batch->events[i]));
		batch->verdicts[i] = SLUICE_FAIL;
	}
	persist->stage.ops->of.persist->store(&persist->stage, batch);
	for (size_t i = 0; i < batch->count; i++) {
		struct event *event = event_of(batch->events[i]);
		batch->verdicts[i] = check_verdict(persist, event, batch->verdicts[i]);
		if (!reason && batch->verdicts[i] == SLUICE_RETRY)
			reason = event->detail;
		if (!refusal && batch->verdicts[i] == SLUICE_FAIL)
			refusal = event->detail;
	}
	store_health_note(persist->health, batch->verdicts, batch->count, reason ? reason : refusal);
}

/* One event through one stage. */
static enum sluice_verdict process(struct instance *instance, struct event *event)
{
	enum sluice_verdict verdict = SLUICE_FAIL;
	event->response.status = 0;
	event->times.stages[event->at].ran = true;
	process_fn process_one = event->pipeline->process[event->at];
	if (!process_one) {
		struct sluice_event *pub = &event->pub;
		struct sluice_batch batch = {.events = &pub, .verdicts = &verdict, .count = 1};
		flow_store(instance, &batch);
		return verdict;
	}
	forget_explanation(event);
	verdict = process_one(&instance->stage, &event->pub);
	return check_verdict(instance, event, verdict);
}

/* For an answer that goes out while others work on the event, its times are copied before they get it. */
static bool copy_times(struct event *event)
{
	event->times_at_put = event_alloc(event, sizeof(*event->times_at_put));
	if (!event->times_at_put)
		return false;
	*event->times_at_put = event->times;
	return true;
}

static void settle_store(struct event *event, enum sluice_verdict verdict)
{
	struct instance *store = event->store;
	if (store && store->stage.ops->settle)
		store->stage.ops->settle(&store->stage, &event->pub, verdict);
}

/* Behind a queue an event may be stored by the workers of a later generation than its own. */
static void settle(struct event *event, const struct event_times *times, unsigned from, enum sluice_verdict verdict)
{
	struct pipeline *pipeline = event->pipeline;
	unsigned kind = KIND_COUNT;
	if (pipeline->dispatcher) {
		kind = SLUICE_KIND_PERSIST;
		if (times->stages[kind].ran)
			settle_store(event, verdict);
	}
	while (kind-- > from)
		if (pipeline->settle[kind] && times->stages[kind].ran)
			pipeline->settle[kind](&pipeline->instances[kind]->stage, &event->pub, verdict);
}

static void let_go_of_store(struct event *event)
{
	if (event->holds_store)
		(void)atomic_fetch_sub(&event->store->held, 1);
	event->holds_store = false;
}

void flow_enter_store(struct event *event, struct instance *persist)
{
	if (event->store && event->store != persist)
		flow_leave_store(event);
	let_go_of_store(event);
	event->store = persist;
}

void flow_hold_store(struct event *event)
{
	(void)atomic_fetch_add(&event->store->held, 1);
	event->holds_store = true;
}

void flow_leave_store(struct event *event)
{
	settle_store(event, SLUICE_RETRY);
	let_go_of_store(event);
	event->store = NULL;
	event->pub.local[SLUICE_KIND_PERSIST] = NULL;
	memset(event->times.stages[SLUICE_KIND_PERSIST].spans_ns, 0,
	       sizeof(event->times.stages[SLUICE_KIND_PERSIST].spans_ns));
}

enum { LOGGED_TEXT = 128 };

static const char *copy_text(struct sluice_bytes bytes, char text[LOGGED_TEXT + 1])
{
	size_t size = bytes.size < LOGGED_TEXT ? bytes.size : LOGGED_TEXT;
	if (size)
		memcpy(text, bytes.data, size);
	text[size] = '\0';
	return text;
}

/* Says why events do not get through, at most once a second for each stage and verdict: a store that is away, or a sender
 * with a wrong secret, would otherwise fill the log. */
static void log_trouble(const struct event *event, enum sluice_verdict verdict, unsigned kind, int status)
{
	static struct log_limit limits[KIND_COUNT][SLUICE_FAIL + 1];
	int64_t suppressed;
	if (!log_limit_pass(&limits[kind][verdict], &suppressed))
		return;
	bool refused = verdict == SLUICE_REJECT;
	char id[LOGGED_TEXT + 1], client[LOGGED_TEXT + 1];
	const struct sluice_field fields[] = {
		sluice_text("request_id", copy_text(event->pub.request_id, id)),
		sluice_text("client", copy_text(event->pub.client_address, client)),
		sluice_text("stage", kind_names[kind]),
		sluice_text("verdict", refused                   ? "reject"
	                               : verdict == SLUICE_RETRY ? "retry"
	                                                         : "fail"),
		sluice_int("status", status),
		sluice_text("reason", event->detail),
		sluice_int("suppressed", suppressed),
		sluice_text("arm", event->bucket ? arm_names[event->arm] : ""),
	};
	const size_t count = sizeof(fields) / sizeof(fields[0]);
	log_fields(refused ? SLUICE_LOG_INFO : SLUICE_LOG_WARN, NULL, refused ? "event_refused" : "event_failed",
	           fields, event->bucket ? count : count - 1);
}

/* By the stages that have measured them. */
static void name_spans(const struct event *event, const struct event_times *times,
                       const char *const *spans_out[KIND_COUNT])
{
	const struct pipeline *pipeline = event->pipeline;
	for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
		if (!times->stages[kind].ran)
			continue;
		const struct instance *instance = kind == SLUICE_KIND_PERSIST && pipeline->dispatcher
		                                          ? event->store
		                                          : pipeline->instances[kind];
		spans_out[kind] = instance ? instance->spans : NULL;
	}
}

static void answer(struct event *event, const struct event_times *times, enum sluice_verdict verdict, unsigned kind)
{
	struct pipeline *pipeline = event->pipeline;
	const struct verdict *meaning = verdict_find(verdict);
	struct event_answer answer = {
		.outcome = meaning->outcome,
		.verdict = verdict,
		.status = meaning->status,
		.detail = "",
		.stage = kind_names[kind],
		.ack = pipeline->config->ack,
		.event = &event->pub,
		.times = times,
		.response = &event->response,
	};
	answer.arm = event->bucket ? arm_names[event->arm] : NULL;
	name_spans(event, times, answer.spans);
	if (!is_kept(verdict)) {
		/* A stage may explain one thing and return another; a refusal never goes out as a success. */
		if (event->status / 100 == answer.status / 100)
			answer.status = event->status;
		answer.delay_ns = event->delay_ns;
		answer.detail = event->detail;
	}
	if (verdict == SLUICE_REJECT && event->conflicts)
		answer.outcome = OUTCOME_CONFLICT;
	if (event->response.status) {
		answer.status = event->response.status;
		answer.outcome = verdict == SLUICE_DONE ? OUTCOME_ANSWERED : answer.outcome;
	}
	atomic_fetch_add_explicit(&pipeline->shared->outcomes[answer.outcome], 1, memory_order_relaxed);
	if (verdict == SLUICE_REJECT)
		atomic_fetch_add_explicit(&pipeline->shared->rejections[kind], 1, memory_order_relaxed);
	if (verdict == SLUICE_REJECT || verdict == SLUICE_RETRY || verdict == SLUICE_FAIL)
		log_trouble(event, verdict, kind, answer.status);
	if (event->bucket)
		split_note_response(pipeline->shared->split, event, answer.status, times->ack_ns - times->start_ns);
	if (event->answer)
		event->answer(event->answer_context, &answer);
}

/* The ack point of an event that the durable queue has, while others may already work on it. */
static void acknowledge(struct event *event)
{
	struct event_times *times = event->times_at_put;
	struct stage_times *queue = &times->stages[SLUICE_KIND_QUEUE];
	times->ack_ns = queue->exit_ns = clock_now_ns();
	queue->work_ns = times->ack_ns - event->put_ns;
	recorder_record_stages(event->pipeline->shared->recorder, times, 0, SLUICE_KIND_QUEUE - 1);
	settle(event, times, 0, SLUICE_PASS);
	answer(event, times, SLUICE_PASS, SLUICE_KIND_QUEUE);
}

static void leave_queue(struct event *event, enum sluice_verdict verdict)
{
	if (!event->in_queue)
		return;
	struct instance *queue = event->pipeline->instances[SLUICE_KIND_QUEUE];
	queue->stage.ops->of.queue->done(&queue->stage, &event->pub, verdict);
	dispatcher_forget(event->pipeline->dispatcher);
	event->in_queue = false;
}

void flow_finish(struct event *event, enum sluice_verdict verdict)
{
	struct pipeline *pipeline = event->pipeline;
	unsigned last = event->at < KIND_COUNT ? event->at : KIND_COUNT - 1;
	verdict = check_response(event, verdict);
	leave_queue(event, verdict);
	if (event->pub.acknowledged) {
		recorder_record_stages(pipeline->shared->recorder, &event->times, SLUICE_KIND_QUEUE, KIND_COUNT - 1);
		settle(event, &event->times, SLUICE_KIND_PERSIST, verdict);
	} else {
		event->times.ack_ns = event->entered_ns;
		recorder_record_stages(pipeline->shared->recorder, &event->times, 0, KIND_COUNT - 1);
		settle(event, &event->times, 0, verdict);
		answer(event, &event->times, verdict, last);
	}
	let_go_of_store(event);
	parts_decide(event, verdict);
	if (event->bucket)
		split_leave(pipeline->shared->split, event, verdict);
	event_release(event);
}

/* Behind the stage that tells who the sender is. */
static enum sluice_verdict check_rate(struct event *event)
{
	const struct listen_config *listen = &event->pipeline->config->listen;
	const bool is_stream = event->at == SLUICE_KIND_PARSE;
	if (listen->rate_requests == 0 || (!is_stream && event->at != SLUICE_KIND_AUTH))
		return SLUICE_PASS;
	int64_t wait_ns = generations_limit(event->pipeline->shared, listen,
	                                    is_stream ? RATE_BY_STREAM : RATE_BY_CREDENTIAL,
	                                    is_stream ? event->pub.stream : event->pub.credential);
	if (wait_ns == 0)
		return SLUICE_PASS;
	(void)sluice_reject(&event->pub, STATUS_TOO_MANY, "too many requests from this %s: try again later",
	                    is_stream ? "stream" : "sender");
	event->delay_ns = wait_ns;
	return SLUICE_REJECT;
}

enum sluice_verdict flow_parse(struct event *part)
{
	struct instance *parse = part->pipeline->instances[SLUICE_KIND_PARSE];
	stamp(part, &part->times.stages[SLUICE_KIND_PARSE].wait_ns); /* for those before it */
	enum sluice_verdict verdict = process(parse, part);
	stamp(part, &part->times.stages[SLUICE_KIND_PARSE].work_ns);
	if (verdict == SLUICE_WAIT || part->response.status)
		return broken_promise(parse, part, verdict);
	verdict = verdict == SLUICE_PASS ? check_names(parse, part) : verdict;
	return verdict == SLUICE_PASS ? check_rate(part) : verdict;
}

void flow_await_part(struct event *part)
{
	stamp(part, &part->times.stages[SLUICE_KIND_PARSE].parked_ns);
}

void flow_finish_carrier(struct event *carrier, struct event_answer *summary)
{
	const struct pipeline *pipeline = carrier->pipeline;
	recorder_record_stages(pipeline->shared->recorder, &carrier->times, 0, SLUICE_KIND_PARSE);
	for (unsigned kind = SLUICE_KIND_PARSE + 1; kind-- > 0;) {
		if (!carrier->times.stages[kind].ran)
			continue;
		summary->spans[kind] = pipeline->instances[kind]->spans;
		if (pipeline->settle[kind])
			pipeline->settle[kind](&pipeline->instances[kind]->stage, &carrier->pub, summary->verdict);
	}
	if (carrier->answer)
		carrier->answer(carrier->answer_context, summary);
}

/* After PASS the event may be in other hands already: what is touched then is written by nobody else any more. The
 * reference that enqueue() took keeps it there. */
static void after_put(struct event *event, enum sluice_verdict verdict)
{
	struct pipeline *pipeline = event->pipeline;
	if (verdict == SLUICE_PASS) {
		recorder_record(pipeline->shared->recorder, series_of(SLUICE_KIND_QUEUE, PART_WORK),
		                clock_now_ns() - event->put_ns);
		dispatcher_wake(pipeline->dispatcher);
		if (event->times_at_put)
			acknowledge(event);
		parts_decide(event, SLUICE_PASS);
		event_release(event);
		return;
	}
	dispatcher_expect(pipeline->dispatcher, -1);
	event_release(event);
	event->in_queue = false;
	event->pub.acknowledged = false;
	stamp(event, &event->times.stages[SLUICE_KIND_QUEUE].work_ns);
	flow_finish(event, verdict);
}

static void enqueue(struct instance *instance, struct event *event)
{
	struct pipeline *pipeline = event->pipeline;
	bool acknowledges = pipeline->config->ack == ACK_QUEUED;
	forget_explanation(event);
	event->response.status = 0; /* others may have the event when it is acknowledged */
	event->times.stages[SLUICE_KIND_QUEUE].ran = true;
	if (acknowledges && !copy_times(event)) {
		flow_finish(event, sluice_retry(&event->pub, 0, "the bound on bytes in flight is reached"));
		return;
	}
	if (acknowledges)
		(void)sluice_digest(&event->pub); /* settle() and the worker will both read it */
	event->pub.acknowledged = acknowledges;
	event->put_ns = event->entered_ns;
	event->in_queue = true;
	event->was_put = true;
	event_reference(event);
	resume_expect(event);
	dispatcher_expect(pipeline->dispatcher, 1);
	enum sluice_verdict verdict = instance->stage.ops->of.queue->put(&instance->stage, &event->pub);
	if (verdict == SLUICE_WAIT) {
		if (resume_park(event))
			return;
		verdict = event->resumed_with;
	}
	after_put(event, check_verdict(instance, event, verdict));
}

/* What comes of the verdict of a stage before the queue; false: the event is in other hands. */
static bool goes_on(struct event *event, enum sluice_verdict verdict)
{
	bool is_split = parts_is_carrier(event);
	if (verdict == SLUICE_PASS && !is_split)
		return true;
	if (verdict == SLUICE_PASS) {
		parts_send(event);
		return false;
	}
	if (is_split)
		parts_abandon(event);
	flow_finish(event, verdict);
	return false;
}

static bool is_to_be_inflated(const struct event *event)
{
	return event->coding != CODING_IDENTITY && (event->at > SLUICE_KIND_AUTH || event->inflates_first);
}

/* Behind the parse stage. False: it waits for its arm. */
static bool choose_arm(struct event *event)
{
	struct split *split = event->pipeline->shared->split;
	return event->bucket || !split_is_on(split) || split_enter(split, event);
}

void flow_advance(struct event *event)
{
	int64_t cpu_ns = begin_cpu(event);
	for (; event->at < KIND_COUNT; event->at++) {
		if (event->at == SLUICE_KIND_IDEMPOTENCY && !choose_arm(event))
			return;
		struct instance *instance = event->pipeline->instances[event->at];
		if (!instance)
			continue;
		if (atomic_load_explicit(&event->pipeline->closing, memory_order_relaxed)) {
			flow_finish(event, sluice_retry(&event->pub, 0, "shutting down"));
			return;
		}
		enum sluice_verdict inflated = is_to_be_inflated(event) ? inflate_body(event) : SLUICE_PASS;
		if (inflated != SLUICE_PASS) {
			flow_finish(event, inflated);
			return;
		}
		if (event->at == SLUICE_KIND_QUEUE) {
			enqueue(instance, event);
			return;
		}
		resume_expect(event);
		enum sluice_verdict verdict = process(instance, event);
		stamp(event, &event->times.stages[event->at].work_ns);
		cpu_ns = stamp_cpu(event, cpu_ns);
		if (verdict == SLUICE_WAIT) {
			if (resume_park(event))
				return;
			verdict = check_resumed(instance, event, event->resumed_with);
		}
		if (verdict == SLUICE_PASS && event->at == SLUICE_KIND_PARSE)
			verdict = check_names(instance, event);
		if (verdict == SLUICE_PASS && !parts_is_carrier(event))
			verdict = check_rate(event);
		if (!goes_on(event, verdict))
			return;
	}
	flow_finish(event, SLUICE_PASS);
}

void flow_begin(struct event *event)
{
	unsigned first = 0;
	while (first < KIND_COUNT - 1 && !event->pipeline->instances[first])
		first++;
	int64_t now_ns = clock_now_ns();
	event->times.stages[first].wait_ns += now_ns - event->entered_ns;
	event->entered_ns = now_ns;
	flow_advance(event);
}

static void go_on_in_arm(struct event *event)
{
	struct split *split = event->pipeline->shared->split;
	struct split_bucket *bucket = event->bucket;
	int64_t now_ns = clock_now_ns();
	event->times.stages[event->at].wait_ns += now_ns - event->entered_ns;
	event->entered_ns = now_ns;
	split_resume(event);
	flow_advance(event);
	split_resumed(split, bucket);
}

void flow_carry_on(struct event *event)
{
	if (event->awaits_bucket) {
		go_on_in_arm(event);
		return;
	}
	/* Others may have an event that was put already, so that `at` says nothing about where it was parked. */
	unsigned parked_at = event->was_put ? SLUICE_KIND_QUEUE : event->at;
	enum sluice_verdict verdict = check_resumed(event->pipeline->instances[parked_at], event, event->resumed_with);
	if (parked_at == SLUICE_KIND_QUEUE) {
		after_put(event, verdict);
		return;
	}
	stamp(event, &event->times.stages[event->at].parked_ns);
	if (verdict == SLUICE_PASS && !parts_is_carrier(event))
		verdict = check_rate(event);
	if (!goes_on(event, verdict))
		return;
	event->at++;
	flow_advance(event);
}

static struct sluice_bytes copy(struct event *event, struct sluice_bytes bytes)
{
	return bytes.data ? sluice_copy(&event->pub, bytes.data, bytes.size) : bytes;
}

/* An event that a store or a journal has kept, with a place in the pool; NULL when that is full. The pipeline is there as
 * long as this runs, and then as long as the event. */
static struct event *event_of_record(struct pipeline *pipeline, const struct sluice_record *record,
                                     bool (*admit)(struct event_pool *pool, struct event *event))
{
	struct event *event = event_pool_get(pipeline->shared->pool, pipeline);
	struct sluice_event *pub = &event->pub;
	bool fits = admit(pipeline->shared->pool, event);
	if (fits) {
		pub->request_id = copy(event, record->request_id);
		pub->message_id = copy(event, record->message_id);
		pub->event_type = copy(event, record->event_type);
		pub->stream = copy(event, record->stream);
		pub->payload = sluice_copy(pub, record->payload.data, record->payload.size);
		fits = !pub->request_id.data == !record->request_id.data &&
		       !pub->message_id.data == !record->message_id.data &&
		       !pub->event_type.data == !record->event_type.data && !pub->stream.data == !record->stream.data &&
		       pub->payload.data;
	}
	if (!fits) {
		event_release(event);
		return NULL;
	}
	flow_pin(pipeline);
	event->pins = pipeline->pins;
	pub->body = pub->payload;
	pub->sequence = record->sequence;
	pub->has_sequence = record->has_sequence;
	pub->received_at_ns = record->received_at_ns;
	memcpy(event->digest, record->digest, SLUICE_DIGEST_SIZE);
	event->digest_known = true;
	event->entered_ns = event->times.start_ns = clock_now_ns();
	event->times.wall_ns = clock_wall_ns();
	return event;
}

struct event *flow_restore(struct pipeline *pipeline, const struct sluice_record *record)
{
	struct event *event = event_of_record(pipeline, record, event_pool_admit);
	if (!event)
		event = event_of_record(pipeline, record, event_pool_admit_beyond);
	if (!event) {
		dispatcher_starve(pipeline->dispatcher);
		return NULL;
	}
	event->pub.acknowledged = true;
	event->at = SLUICE_KIND_QUEUE;
	event->in_queue = true;
	event->times.stages[SLUICE_KIND_QUEUE].ran = true;
	dispatcher_expect(pipeline->dispatcher, 1);
	return event;
}

/* A stage that keeps nothing until an event is settled has nothing to learn. */
void flow_tell_acknowledged(struct pipeline *pipeline, const struct sluice_record *record)
{
	if (!pipeline->settle[SLUICE_KIND_IDEMPOTENCY] || !record->message_id.data)
		return;
	struct event *event = event_of_record(pipeline, record, event_pool_admit);
	if (!event)
		return;
	event->pub.acknowledged = true;
	event->at = SLUICE_KIND_IDEMPOTENCY;
	struct instance *idempotency = pipeline->instances[SLUICE_KIND_IDEMPOTENCY];
	enum sluice_verdict verdict = process(idempotency, event);
	if (verdict != SLUICE_WAIT)
		settle(event, &event->times, SLUICE_KIND_IDEMPOTENCY, verdict);
	event_release(event);
}

bool flow_store_record(struct pipeline *pipeline, const struct sluice_record *record, event_answer_fn on_answer,
                       void *context)
{
	struct event *event = event_of_record(pipeline, record, event_pool_admit);
	if (!event)
		return false;
	event->answer = on_answer;
	event->answer_context = context;
	event->at = SLUICE_KIND_PERSIST;
	flow_advance(event);
	return true;
}
