/*
 * First the requests are put together by message, then the rows go by once. A stream is in order if no row has been
 * answered before the latest sending among the rows ahead of it; so one moment a stream is all that is kept.
 */
#include "lab/judge/verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/digest.h"
#include "lab/judge/names.h"
#include "lab/judge/pruned.h"

enum { HTTP_ACCEPTED = 202, BLOCK_SIZE = 4096 };

const char *const verify_violation_names[VERIFY_VIOLATIONS] = {
	[VERIFY_LOST] = "lost",
	[VERIFY_DOUBLED] = "doubled",
	[VERIFY_ALTERED] = "altered",
	[VERIFY_REORDERED] = "reordered",
};

/* A request that was sent. */
struct send {
	const struct input_event *event;
	int64_t began_ns, answered_ns;
	int status;
	bool is_dead; /* what it sent is a dead letter */
	size_t next;  /* of the same message; NAMES_NONE: the last */
};

struct message {
	size_t first_send;
	size_t stream;                 /* NAMES_NONE: it has none */
	size_t successes, acceptances; /* requests with a 2xx, with 202 */
	int64_t began_ns, answered_ns; /* it was accepted between these */
	uint64_t rows;
};

struct stream {
	int64_t latest_began_ns; /* of the rows so far */
	size_t latest;           /* message */
};

struct verifier {
	const struct verify_plan *plan;
	struct verify_result *result;
	struct send *sends;
	size_t send_count;
	struct names ids, stream_names;
	struct message *messages; /* by number of ids */
	struct stream *streams;   /* by number of stream_names */
	struct buffer scratch;
};

static bool is_success(const struct send *send)
{
	return send->status >= 200 && send->status < 300;
}

/* When the request, or the first of its tries, may have reached the server. */
static int64_t began_ns(const struct trace_record *record)
{
	return record->tries > 1 ? record->intended_ns : record->sent_ns;
}

static void add_send(struct verifier *verifier, const struct input_event *event, const struct trace_record *record)
{
	size_t known = verifier->ids.count, number = names_add(&verifier->ids, event->message_id);
	struct message *message = &verifier->messages[number];
	if (number == known)
		*message = (struct message){.first_send = NAMES_NONE, .stream = NAMES_NONE};
	if (event->stream.data && message->stream == NAMES_NONE)
		message->stream = names_add(&verifier->stream_names, event->stream);
	struct send *send = &verifier->sends[verifier->send_count];
	*send = (struct send){.event = event,
	                      .began_ns = began_ns(record),
	                      .answered_ns = record->answered_ns,
	                      .status = record->status,
	                      .next = message->first_send};
	message->first_send = verifier->send_count++;
	message->successes += is_success(send);
	message->acceptances += send->status == HTTP_ACCEPTED;
}

/* Whether the request is one of those that can have made the row: with 202, else with any 2xx, else any. */
static bool can_have_made(const struct message *message, const struct send *send)
{
	if (message->acceptances > 0)
		return send->status == HTTP_ACCEPTED;
	return message->successes == 0 || is_success(send);
}

/* A success that is no 202 says only that the message was accepted by then, with whichever of its requests. */
static void set_interval(const struct verifier *verifier, struct message *message)
{
	message->began_ns = INT64_MAX;
	message->answered_ns = INT64_MAX;
	for (size_t i = message->first_send; i != NAMES_NONE; i = verifier->sends[i].next) {
		const struct send *send = &verifier->sends[i];
		if (message->acceptances > 0 && send->status != HTTP_ACCEPTED)
			continue;
		if (send->began_ns < message->began_ns)
			message->began_ns = send->began_ns;
		if (is_success(send) && send->answered_ns < message->answered_ns)
			message->answered_ns = send->answered_ns;
	}
}

static bool take_records(struct verifier *verifier, struct sluice_error *error)
{
	const struct verify_plan *plan = verifier->plan;
	for (size_t i = 0; i < plan->count; i++) {
		const struct trace_record *record = &plan->records[i];
		if (record->arm != plan->arm)
			continue;
		if (record->input >= plan->input->count)
			return sluice_error_set(error, "request %zu sent line %" PRIu32 " of an input that has %zu", i,
			                        record->input, plan->input->count);
		const struct input_event *event = &plan->input->events[record->input];
		if (event->message_id.data)
			add_send(verifier, event, record);
	}
	for (size_t i = 0; i < verifier->ids.count; i++) {
		struct message *message = &verifier->messages[i];
		set_interval(verifier, message);
		verifier->result->answered += message->successes > 0;
		verifier->result->accepted_twice += message->acceptances > 1;
	}
	return true;
}

/* The text with the prefix before it. */
static struct sluice_bytes keep(struct arena *arena, const char *prefix, struct sluice_bytes text)
{
	struct buffer joined = {0};
	buffer_add_text(&joined, prefix);
	buffer_add(&joined, text.data, text.size);
	struct sluice_bytes kept = {arena_strndup(arena, joined.data, joined.size), joined.size};
	buffer_finish(&joined);
	return kept;
}

/* `detail` is in the result's arena, or static. */
static void report(struct verifier *verifier, enum verify_violation violation, const struct message *message,
                   const char *detail)
{
	struct verify_result *result = verifier->result;
	result->violations[violation]++;
	result->violation_count++;
	if (result->example_count == VERIFY_EXAMPLES_MAX)
		return;
	size_t number = (size_t)(message - verifier->messages);
	struct verify_example *example = &result->examples[result->example_count++];
	*example = (struct verify_example){
		.violation = violation,
		.message_id = keep(&result->arena, verifier->plan->id_prefix, verifier->ids.list[number]),
		.detail = detail};
	if (message->stream != NAMES_NONE)
		example->stream = keep(&result->arena, "", verifier->stream_names.list[message->stream]);
}

/* The payload as it was sent: an id inside of it had the prefix. */
static struct sluice_bytes sent_payload(struct verifier *verifier, const struct input_event *event)
{
	const char *prefix = verifier->plan->id_prefix;
	size_t start = event->payload_at, size = event->payload_size;
	if (event->id_at == SIZE_MAX || event->id_at < start || event->id_at >= start + size || !*prefix)
		return (struct sluice_bytes){event->body.data + start, size};
	size_t at;
	buffer_empty(&verifier->scratch);
	input_write_body(event, prefix, &verifier->scratch, &at);
	return (struct sluice_bytes){verifier->scratch.data + at, size + strlen(prefix)};
}

static void digest_sent(struct verifier *verifier, const struct input_event *event, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	digest_content(event->event_type, event->stream, event->has_sequence, event->sequence,
	               sent_payload(verifier, event), digest);
}

static bool is_same_digest(struct verifier *verifier, const struct input_event *event,
                           const uint8_t digest[SLUICE_DIGEST_SIZE])
{
	uint8_t sent[SLUICE_DIGEST_SIZE];
	digest_sent(verifier, event, sent);
	return memcmp(sent, digest, SLUICE_DIGEST_SIZE) == 0;
}

static bool is_same(struct sluice_bytes a, struct sluice_bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* "payload and stream are not as sent" */
static const char *describe_difference(struct verifier *verifier, const struct message *message,
                                       const struct sluice_record *record)
{
	size_t number = message->first_send;
	while (!can_have_made(message, &verifier->sends[number]))
		number = verifier->sends[number].next;
	const struct input_event *event = verifier->sends[number].event;
	bool other_payload = record->payload_rewritten || !is_same(record->payload, sent_payload(verifier, event));
	const struct {
		const char *name;
		bool differs;
	} parts[] = {
		{"event type", !is_same(record->event_type, event->event_type)},
		{"stream", !is_same(record->stream, event->stream) || !record->stream.data != !event->stream.data},
		{"sequence", record->has_sequence != event->has_sequence ||
	                             (event->has_sequence && record->sequence != event->sequence)},
		{"payload", other_payload},
	};
	struct buffer text = {0};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].differs)
			buffer_printf(&text, "%s%s", text.size ? ", " : "not as sent: ", parts[i].name);
	}
	const char *kept = arena_strndup(&verifier->result->arena, text.data ? text.data : "", text.size);
	buffer_finish(&text);
	return kept;
}

/* By the pipeline's own word. */
static bool counts_as_same(struct verifier *verifier, const struct input_event *event,
                           const struct sluice_record *stored)
{
	const struct verify_plan *plan = verifier->plan;
	const struct sluice_record sent = {.event_type = event->event_type,
	                                   .stream = event->stream,
	                                   .sequence = event->sequence,
	                                   .has_sequence = event->has_sequence,
	                                   .payload = sent_payload(verifier, event)};
	return plan->is_same && plan->is_same(plan->same_context, stored, &sent);
}

/* Of a message that is stored as one of its requests sent it, the others may not have had a success with something
 * else. */
static void check_others(struct verifier *verifier, const struct message *message, const struct sluice_record *record,
                         const uint8_t digest[SLUICE_DIGEST_SIZE])
{
	for (size_t i = message->first_send; i != NAMES_NONE; i = verifier->sends[i].next) {
		const struct send *send = &verifier->sends[i];
		if (is_success(send) && !send->is_dead && !is_same_digest(verifier, send->event, digest) &&
		    !counts_as_same(verifier, send->event, record))
			report(verifier, VERIFY_LOST, message,
			       arena_printf(&verifier->result->arena,
			                    "answered %d, and stored under its id is what another request sent",
			                    send->status));
	}
}

static void check_content(struct verifier *verifier, const struct message *message, const struct sluice_record *record)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	if (record->payload_rewritten)
		memcpy(digest, record->digest, sizeof(digest));
	else
		digest_record(record, digest);
	bool fits = false;
	for (size_t i = message->first_send; i != NAMES_NONE && !fits; i = verifier->sends[i].next) {
		const struct send *send = &verifier->sends[i];
		fits = can_have_made(message, send) && is_same_digest(verifier, send->event, digest);
	}
	if (fits)
		check_others(verifier, message, record, digest);
	else
		report(verifier, VERIFY_ALTERED, message, describe_difference(verifier, message, record));
}

static void check_order(struct verifier *verifier, const struct message *message)
{
	if (message->stream == NAMES_NONE)
		return;
	struct stream *stream = &verifier->streams[message->stream];
	if (message->answered_ns < stream->latest_began_ns) {
		struct sluice_bytes other = verifier->ids.list[stream->latest];
		report(verifier, VERIFY_REORDERED, message,
		       arena_printf(&verifier->result->arena,
		                    "behind %s%.*s, which was sent %.3f ms after this one was answered",
		                    verifier->plan->id_prefix, (int)other.size, other.data,
		                    (double)(stream->latest_began_ns - message->answered_ns) / 1e6));
	}
	if (message->began_ns > stream->latest_began_ns) {
		stream->latest_began_ns = message->began_ns;
		stream->latest = (size_t)(message - verifier->messages);
	}
}

/* The message of a row; NULL: it is none of this arm's. */
static struct message *message_of(const struct verifier *verifier, struct sluice_bytes id)
{
	const char *prefix = verifier->plan->id_prefix;
	size_t length = strlen(prefix);
	if (!id.data || id.size < length || memcmp(id.data, prefix, length) != 0)
		return NULL;
	size_t number = names_find(&verifier->ids, (struct sluice_bytes){id.data + length, id.size - length});
	return number == NAMES_NONE ? NULL : &verifier->messages[number];
}

static bool take_row(void *context, const struct sluice_record *record)
{
	struct verifier *verifier = context;
	struct message *message = message_of(verifier, record->message_id);
	if (!message) {
		verifier->result->foreign++;
		return true;
	}
	if (++message->rows == 2)
		report(verifier, VERIFY_DOUBLED, message, "two rows or more hold it");
	if (message->rows > 1)
		return true;
	verifier->result->stored++;
	verifier->result->unanswered += message->successes == 0;
	check_content(verifier, message, record);
	check_order(verifier, message);
	return true;
}

static bool take_letter(void *context, const struct sluice_letter *letter)
{
	struct verifier *verifier = context;
	const struct message *message = message_of(verifier, letter->record.message_id);
	bool counts = false;
	for (size_t i = message ? message->first_send : NAMES_NONE; i != NAMES_NONE; i = verifier->sends[i].next) {
		struct send *send = &verifier->sends[i];
		send->is_dead |= is_success(send) && is_same_digest(verifier, send->event, letter->record.digest);
		counts |= send->is_dead;
	}
	verifier->result->dead += counts;
	return true;
}

static bool is_dead(const struct verifier *verifier, const struct message *message)
{
	for (size_t i = message->first_send; i != NAMES_NONE; i = verifier->sends[i].next) {
		if (verifier->sends[i].is_dead)
			return true;
	}
	return false;
}

static bool is_missing(const struct verifier *verifier, const struct message *message)
{
	return message->successes > 0 && message->rows == 0 && !is_dead(verifier, message);
}

static bool was_pruned(struct verifier *verifier, const struct message *message, struct pruned *pruned)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	for (size_t i = message->first_send; i != NAMES_NONE; i = verifier->sends[i].next) {
		digest_sent(verifier, verifier->sends[i].event, digest);
		if (is_success(&verifier->sends[i]) && pruned_take(pruned, digest))
			return true;
	}
	return false;
}

/* The trail is read only where something is missing. */
static bool read_pruned(const struct verifier *verifier, const struct audit_source *source, struct pruned *pruned,
                        struct sluice_error *error)
{
	bool missing = false;
	for (size_t i = 0; i < verifier->ids.count && !missing; i++)
		missing = is_missing(verifier, &verifier->messages[i]);
	return !missing || !source->audit_scan || pruned_read(source, pruned, error);
}

static void report_lost(struct verifier *verifier, struct pruned *pruned)
{
	for (size_t i = 0; i < verifier->ids.count; i++) {
		const struct message *message = &verifier->messages[i];
		if (!is_missing(verifier, message))
			continue;
		if (was_pruned(verifier, message, pruned))
			verifier->result->pruned++;
		else
			report(verifier, VERIFY_LOST, message,
			       message->acceptances > 0 ? "answered 202, and not stored"
			                                : "answered as a duplicate of what is stored, and not stored");
	}
}

static void init(struct verifier *verifier, const struct verify_plan *plan, struct verify_result *result)
{
	*result = (struct verify_result){.arm = plan->arm};
	arena_init(&result->arena, BLOCK_SIZE, NULL);
	result->examples = must_calloc(VERIFY_EXAMPLES_MAX, sizeof(*result->examples));
	*verifier = (struct verifier){.plan = plan,
	                              .result = result,
	                              .sends = must_calloc(plan->count + 1, sizeof(*verifier->sends)),
	                              .messages = must_calloc(plan->count + 1, sizeof(*verifier->messages))};
}

static void finish(struct verifier *verifier)
{
	names_finish(&verifier->ids);
	names_finish(&verifier->stream_names);
	buffer_finish(&verifier->scratch);
	free(verifier->streams);
	free(verifier->messages);
	free(verifier->sends);
}

static void init_streams(struct verifier *verifier)
{
	size_t count = verifier->stream_names.count;
	verifier->streams = must_calloc(count + 1, sizeof(*verifier->streams));
	for (size_t i = 0; i < count; i++)
		verifier->streams[i].latest_began_ns = INT64_MIN;
}

bool verify_store(const struct verify_plan *plan, const struct audit_source *source, struct verify_result *result_out,
                  struct sluice_error *error)
{
	struct verifier verifier;
	init(&verifier, plan, result_out);
	bool good = take_records(&verifier, error);
	if (good) {
		init_streams(&verifier);
		good = !source->letter_scan ||
		       source->letter_scan(source->store, INT64_MIN, take_letter, &verifier, error);
	}
	if (good) {
		good = source->scan(source->store, INT64_MIN, take_row, &verifier, error);
	}
	struct pruned pruned = {0};
	good = good && read_pruned(&verifier, source, &pruned, error);
	if (good)
		report_lost(&verifier, &pruned);
	pruned_finish(&pruned);
	finish(&verifier);
	return good;
}

void verify_result_finish(struct verify_result *result)
{
	free(result->examples);
	arena_finish(&result->arena);
	*result = (struct verify_result){0};
}
