/*
 * The bench's events: all of one lies in its pages, the struct itself included.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/digest.h"
#include "conform/bench.h"
#include "conform/clocks.h"
#include "conform/concurrent.h"
#include "conform/host.h"
#include "conform/pages.h"
#include "runtime/response.h"

enum { RESPONSE_HEADERS_MAX = 8 };

struct own_event {
	struct sluice_event pub; /* must be first */
	struct pages pages;
	enum sluice_kind kind; /* of the stage that has it */
	bool starved;
	bool digest_known;
	uint8_t digest[SLUICE_DIGEST_SIZE];

	/* What the stage said. */
	int status;
	int64_t delay_ns;
	bool conflicts, responds;
	char detail[SLUICE_DETAIL_MAX];
	struct sluice_header response_headers[RESPONSE_HEADERS_MAX];
	size_t response_header_count;
	struct sluice_bytes response_body; /* of its own */
	int64_t spans_ns[SLUICE_SPANS_MAX];

	unsigned resumes;
	enum sluice_verdict resumed_with;

	struct sluice_event **parts; /* that the stage has made of it */
	size_t part_count;
};

/* One for all events: it outlives each of them, whoever lets go of one last. */
static pthread_mutex_t resume_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resumed = PTHREAD_COND_INITIALIZER;

static struct own_event *own_of(const struct sluice_event *event)
{
	return (struct own_event *)(void *)event;
}

static struct sluice_event *event_new(enum sluice_kind kind)
{
	struct pages pages = {0};
	struct own_event *own = pages_alloc(&pages, sizeof(*own));
	own->pages = pages;
	own->kind = kind;
	own->pub.host = &bench_host;
	own->pub.received_at_ns = bench_wall_ns();
	own->pub.deadline_ns = bench_now_ns() + 10 * NS_PER_S;
	own->pub.attempt = 1;
	own->pub.parts = 1;
	return &own->pub;
}

enum { POISON = 0xa5, BEHIND = '~' };

/* Whether what the contract does not promise is not so by chance, either. */
static bool is_strict;

void bench_be_strict(void)
{
	is_strict = true;
}

/* Of the event's memory whether it is starved or not. */
static struct sluice_bytes keep(struct sluice_event *event, const void *data, size_t size)
{
	char *copy = pages_alloc(&own_of(event)->pages, size + 1);
	if (size)
		memcpy(copy, data, size);
	copy[size] = is_strict ? BEHIND : '\0';
	return (struct sluice_bytes){copy, size};
}

/* Behind it nothing can be read. */
static struct sluice_bytes keep_at_the_edge(struct sluice_event *event, const void *data, size_t size)
{
	if (!is_strict || size == 0)
		return keep(event, data, size);
	char *copy = pages_alloc_end(&own_of(event)->pages, size);
	memcpy(copy, data, size);
	return (struct sluice_bytes){copy, size};
}

static struct sluice_bytes keep_text(struct sluice_event *event, const char *text)
{
	return text ? keep(event, text, strlen(text)) : (struct sluice_bytes){NULL, 0};
}

static struct sluice_bytes keep_bytes(struct sluice_event *event, struct sluice_bytes bytes)
{
	return bytes.data ? keep(event, bytes.data, bytes.size) : bytes;
}

struct sluice_event *bench_event(struct bench *bench)
{
	struct sluice_event *event = event_new(bench->stage.ops->kind);
	char id[UUID_TEXT_SIZE];
	digest_uuid7(event->received_at_ns, id);
	event->request_id = keep_text(event, id);
	event->method = keep_text(event, "POST");
	event->scheme = keep_text(event, "https");
	event->authority = keep_text(event, "hooks.example.com");
	event->path = keep_text(event, "/webhooks");
	event->client_address = keep_text(event, "203.0.113.7");
	bench_set_body(event, "", 0);
	return event;
}

void bench_set_target(struct sluice_event *event, const char *method, const char *target, const char *authority)
{
	const char *query = target ? strchr(target, '?') : NULL;
	if (method)
		event->method = keep_text(event, method);
	if (target)
		event->path = keep(event, target, query ? (size_t)(query - target) : strlen(target));
	if (target)
		event->query = keep_text(event, query ? query + 1 : NULL);
	if (authority)
		event->authority = keep_text(event, authority);
}

void bench_set_client(struct sluice_event *event, const char *address)
{
	event->client_address = keep_text(event, address);
}

void bench_add_header(struct sluice_event *event, const char *name, const char *value)
{
	struct sluice_header *headers = pages_alloc(&own_of(event)->pages,
	                                            (event->header_count + 1) * sizeof(*headers));
	if (event->header_count)
		memcpy(headers, event->headers, event->header_count * sizeof(*headers));
	headers[event->header_count++] = (struct sluice_header){.name = keep_text(event, name),
	                                                        .value = keep_at_the_edge(event, value, strlen(value))};
	event->headers = headers;
}

void bench_set_body(struct sluice_event *event, const void *data, size_t size)
{
	char *copy = pages_alloc_end(&own_of(event)->pages, size + 1);
	if (size)
		memcpy(copy, data, size);
	event->body = event->payload = (struct sluice_bytes){copy, size};
	own_of(event)->digest_known = false;
}

void bench_set_fields(struct sluice_event *event, const char *message_id, const char *event_type, const char *stream,
                      const char *payload)
{
	event->message_id = keep_text(event, message_id);
	event->event_type = keep_text(event, event_type);
	event->stream = keep_text(event, stream);
	event->payload = keep_text(event, payload);
	own_of(event)->digest_known = false;
}

void bench_starve(struct sluice_event *event)
{
	own_of(event)->starved = true;
}

bool bench_conflicts(const struct sluice_event *event)
{
	return own_of(event)->conflicts;
}

bool bench_responds(const struct sluice_event *event)
{
	return own_of(event)->responds;
}

struct sluice_bytes bench_response_body(const struct sluice_event *event)
{
	return own_of(event)->response_body;
}

size_t bench_response_headers(const struct sluice_event *event)
{
	return own_of(event)->response_header_count;
}

const char *bench_response_header(const struct sluice_event *event, const char *name)
{
	const struct own_event *own = own_of(event);
	for (size_t i = 0; i < own->response_header_count; i++)
		if (strcasecmp(own->response_headers[i].name.data, name) == 0)
			return own->response_headers[i].value.data;
	return NULL;
}

int bench_status(const struct sluice_event *event)
{
	return own_of(event)->status;
}

const char *bench_detail(const struct sluice_event *event)
{
	return own_of(event)->detail;
}

int64_t bench_delay_ns(const struct sluice_event *event)
{
	return own_of(event)->delay_ns;
}

int64_t bench_span_ns(const struct sluice_event *event, unsigned span)
{
	return own_of(event)->spans_ns[span];
}

bool bench_wait_resumed(struct sluice_event *event, int64_t timeout_ns, enum sluice_verdict *verdict_out)
{
	struct own_event *own = own_of(event);
	struct timespec until = clocks_true_wall();
	int64_t ns = until.tv_nsec + timeout_ns;
	until.tv_sec += (time_t)(ns / NS_PER_S);
	until.tv_nsec = (long)(ns % NS_PER_S);
	(void)pthread_mutex_lock(&resume_lock);
	while (!own->resumes && timeout_ns > 0 && pthread_cond_timedwait(&resumed, &resume_lock, &until) == 0)
		;
	bool is_resumed = own->resumes > 0;
	if (is_resumed && verdict_out)
		*verdict_out = own->resumed_with;
	(void)pthread_mutex_unlock(&resume_lock);
	return is_resumed;
}

unsigned bench_resumes(const struct sluice_event *event)
{
	(void)pthread_mutex_lock(&resume_lock);
	unsigned resumes = own_of(event)->resumes;
	(void)pthread_mutex_unlock(&resume_lock);
	return resumes;
}

void bench_free(struct sluice_event *event)
{
	pages_end(&own_of(event)->pages);
}

void *bench_event_alloc(struct sluice_event *event, size_t size)
{
	concurrent_give_way();
	struct own_event *own = own_of(event);
	if (own->starved)
		return NULL;
	void *memory = pages_alloc(&own->pages, size);
	if (is_strict)
		memset(memory, POISON, size);
	return memory;
}

const uint8_t *bench_event_digest(struct sluice_event *event)
{
	concurrent_give_way();
	struct own_event *own = own_of(event);
	if (!own->digest_known)
		digest_content(event->event_type, event->stream, event->has_sequence, event->sequence, event->payload,
		               own->digest);
	own->digest_known = true;
	return own->digest;
}

void bench_event_explain(struct sluice_event *event, int status, int64_t delay_ns, const char *text, size_t size)
{
	concurrent_give_way();
	struct own_event *own = own_of(event);
	own->status = status;
	own->delay_ns = delay_ns;
	own->conflicts = own->responds = false;
	(void)snprintf(own->detail, sizeof(own->detail), "%.*s", (int)size, text);
	bench_note_sentence(own->detail);
}

void bench_event_conflict(struct sluice_event *event, const char *text, size_t size)
{
	bench_event_explain(event, STATUS_CONFLICT, 0, text, size);
	own_of(event)->conflicts = true;
}

bool bench_event_set_header(struct sluice_event *event, const char *name, const char *value)
{
	struct own_event *own = own_of(event);
	if (own->kind > SLUICE_KIND_IDEMPOTENCY)
		bench_breach("a stage behind the queue set the response header %s", name);
	if (!response_takes_name(name))
		bench_breach("\"%s\" is not a response header that a stage may set: see sluice_set_header()", name);
	if (own->starved || !response_takes_header(name, value))
		return false;
	size_t i = 0;
	while (i < own->response_header_count && strcasecmp(own->response_headers[i].name.data, name) != 0)
		i++;
	if (i == RESPONSE_HEADERS_MAX)
		return false;
	bench_note_sentence(value);
	own->response_headers[i] = (struct sluice_header){keep(event, name, strlen(name) + 1),
	                                                  keep(event, value, strlen(value) + 1)}; /* texts */
	if (i == own->response_header_count)
		own->response_header_count++;
	return true;
}

bool bench_event_respond(struct sluice_event *event, int status, const char *type, const void *body, size_t size)
{
	struct own_event *own = own_of(event);
	if (own->kind > SLUICE_KIND_PARSE)
		bench_breach("only an auth or parse stage may respond itself: see sluice_respond()");
	if ((status < 200 || status > 299) && (status < 400 || status > 499))
		bench_breach("a response of the stage's own has status %d, expected 200–299 or 400–499", status);
	if (!type || !response_takes_header("X", type) || !strchr(type, '/'))
		bench_breach("a response of the stage's own has the type \"%s\", expected a media type",
		             type ? type : "");
	if (size && !body)
		bench_breach("a response of the stage's own has %zu bytes of body at NULL", size);
	if (own->starved)
		return false;
	own->status = status;
	own->responds = true;
	own->response_body = keep(event, body ? body : "", size);
	return true;
}

void bench_event_forget_words(struct sluice_event *event)
{
	struct own_event *own = own_of(event);
	own->status = 0;
	own->delay_ns = 0;
	own->conflicts = own->responds = false;
	own->response_header_count = 0;
	own->detail[0] = '\0';
}

static atomic_bool ends_resumed;
static atomic_uint ended;

unsigned bench_end_resumed(void)
{
	atomic_store(&ends_resumed, true);
	return atomic_exchange(&ended, 0);
}

void bench_event_resume(struct sluice_event *event, enum sluice_verdict verdict)
{
	if (atomic_load(&ends_resumed)) {
		atomic_fetch_add(&ended, 1);
		bench_free(event);
		return;
	}
	concurrent_give_way();
	struct own_event *own = own_of(event);
	if (verdict == SLUICE_WAIT)
		bench_breach("sluice_resume() with WAIT: expected another verdict");
	(void)pthread_mutex_lock(&resume_lock);
	if (own->resumes++ == 0)
		own->resumed_with = verdict;
	(void)pthread_cond_broadcast(&resumed);
	(void)pthread_mutex_unlock(&resume_lock);
}

void bench_event_span(struct sluice_stage *stage, struct sluice_event *const *events, size_t count, unsigned span,
                      int64_t ns)
{
	unsigned declared = 0;
	while (stage->ops->spans && stage->ops->spans[declared])
		declared++;
	if (span >= declared)
		bench_breach("sluice_span() of span %u: the stage declares %u spans", span, declared);
	for (size_t i = 0; i < count; i++)
		own_of(events[i])->spans_ns[span] += ns;
}

struct sluice_event *bench_event_restore(struct sluice_stage *stage, const struct sluice_record *record)
{
	struct sluice_event *event = event_new(stage->ops->kind);
	struct own_event *own = own_of(event);
	event->acknowledged = true;
	event->received_at_ns = record->received_at_ns;
	event->request_id = keep_bytes(event, record->request_id);
	event->message_id = keep_bytes(event, record->message_id);
	event->event_type = keep_bytes(event, record->event_type);
	event->stream = keep_bytes(event, record->stream);
	event->sequence = record->sequence;
	event->has_sequence = record->has_sequence;
	event->payload = event->body = keep_bytes(event, record->payload);
	memcpy(own->digest, record->digest, sizeof(own->digest));
	own->digest_known = true;
	return event;
}

static bool is_whole_body(const struct sluice_event *event, struct sluice_bytes element)
{
	return element.data == event->body.data && element.size == event->body.size;
}

static struct sluice_event *make_part(const struct sluice_event *event, uint32_t part, uint32_t parts,
                                      struct sluice_bytes element)
{
	struct sluice_event *made = event_new(own_of(event)->kind);
	*made = *event;
	made->part = part;
	made->parts = parts;
	made->payload = element;
	memset(made->local, 0, sizeof(made->local));
	return made;
}

enum sluice_verdict bench_event_split(struct sluice_event *event, const struct sluice_bytes *elements, size_t count)
{
	struct own_event *own = own_of(event);
	if (own->kind != SLUICE_KIND_PARSE)
		bench_breach("only a parse stage may split a request: see SLUICE_PARTS");
	if (own->part_count || event->parts > 1 || count == 0)
		bench_breach("a request is split once, into one event or more: see SLUICE_PARTS");
	if (own->starved)
		return sluice_retry(event, 0, "the bound on events in flight is reached");
	own->parts = pages_alloc(&own->pages, count * sizeof(*own->parts));
	for (size_t i = 0; i < count; i++) {
		if (!elements[i].data || is_whole_body(event, elements[i]))
			bench_breach("event %zu of a request: expected a part of its body", i + 1);
		own->parts[i] = make_part(event, (uint32_t)i, (uint32_t)count, elements[i]);
	}
	own->part_count = count;
	return SLUICE_PASS;
}

size_t bench_parts(const struct sluice_event *event)
{
	return own_of(event)->part_count;
}

struct sluice_event *bench_part(const struct sluice_event *event, size_t number)
{
	return own_of(event)->parts[number];
}
