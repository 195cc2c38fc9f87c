/*
 * Verification handshakes; see handshakes.h. What comes is hostile until it was verified: bodies are parsed only where they
 * hold the mark of a handshake and are small, challenges are short text, and what the secret signs for a stranger can never be
 * the body of an event.
 */
#include "signed/handshakes.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sign/encoding.h"
#include "signed/form.h"

enum {
	BODY_MAX = 16 * 1024,
	CHALLENGE_MAX = 2048,
	HEADER_CHALLENGE_MAX = 512,
	SIGNED_CHALLENGE_MAX = 128,
	REPLY_MAX = 16 * 1024,
	NAME_MAX_SIZE = 64,
	DEPTH_MAX = 8,
};

#define LOG_EVERY_NS INT64_C(1000000000)

static bool add(struct handshakes *handshakes, const char *name, struct sluice_error *error)
{
	const struct handshake *row = handshake_find(name);
	if (!row)
		return sluice_error_set(
			error, "handshake: there is none called \"%s\"; `sluice providers --handshakes` lists them",
			name);
	if (handshakes->count == HANDSHAKES_MAX)
		return sluice_error_set(error, "handshake: expected at most %d", HANDSHAKES_MAX);
	handshakes->rows[handshakes->count++] = row;
	return true;
}

static bool add_usual(struct handshakes *handshakes, const char *usual, struct sluice_error *error)
{
	while (usual && *usual) {
		char name[NAME_MAX_SIZE];
		size_t size = strcspn(usual, ",");
		(void)snprintf(name, sizeof(name), "%.*s", (int)size, usual);
		if (!add(handshakes, name, error))
			return false;
		usual += size + (usual[size] == ',');
	}
	return true;
}

static bool check_row(const struct handshakes *handshakes, const struct handshake *row, bool has_secret,
                      struct sluice_error *error)
{
	if (row->token && !row->token_is_optional && !handshakes->token)
		return sluice_error_set(
			error,
			"verify_token: expected the token that handshake %s is proven with: the one you enter "
			"at the sender's side",
			row->name);
	if ((row->is_signed || handshake_uses_secret(row)) && !has_secret)
		return sluice_error_set(error, "handshake: %s is signed: it needs a stage that verifies signatures",
		                        row->name);
	return true;
}

bool handshakes_init(struct handshakes *handshakes, const struct handshake_config *config, const char *usual,
                     bool has_secret, struct sluice_error *error)
{
	*handshakes = (struct handshakes){.token = config->token && *config->token ? config->token : NULL};
	const struct sluice_strings *names = &config->names;
	bool is_none = names->count == 1 && strcmp(names->items[0], "none") == 0;
	if (names->count == 0 && !add_usual(handshakes, usual, error))
		return false;
	for (size_t i = 0; i < names->count && !is_none; i++)
		if (!add(handshakes, names->items[i], error))
			return false;
	bool uses_token = false;
	for (size_t i = 0; i < handshakes->count; i++) {
		uses_token = uses_token || handshakes->rows[i]->token;
		if (!check_row(handshakes, handshakes->rows[i], has_secret, error))
			return false;
	}
	return !handshakes->token || uses_token ||
	       sluice_error_set(error, "verify_token: no handshake here is proven with one; remove it");
}

bool handshakes_use(const struct handshakes *handshakes, const char *method)
{
	for (size_t i = 0; i < handshakes->count; i++)
		if (strcmp(handshakes->rows[i]->method, method) == 0)
			return true;
	return false;
}

/* A request as a handshake looks at it. */
struct view {
	struct sluice_event *event;
	const json_t *body;       /* NULL: not parsed */
	char room[CHALLENGE_MAX]; /* of a decoded text */
};

static bool starts_with(const char *text, const char *prefix, const char **rest_out)
{
	size_t size = strlen(prefix);
	*rest_out = text + size;
	return strncmp(text, prefix, size) == 0;
}

/* Follows a JSON Pointer whose tokens have no escapes. */
static const json_t *follow(const json_t *value, const char *pointer)
{
	while (value && *pointer == '/') {
		char token[NAME_MAX_SIZE];
		size_t size = strcspn(++pointer, "/");
		(void)snprintf(token, sizeof(token), "%.*s", (int)size, pointer);
		value = json_is_array(value) ? json_array_get(value, strtoul(token, NULL, 10))
		                             : json_object_get(value, token);
		pointer += size;
	}
	return value;
}

/* The text of a source, absent if the request has none. One of the query is in the view's room. */
static struct sluice_bytes read_text(struct view *view, const char *source)
{
	const char *name;
	if (starts_with(source, "header:", &name))
		return sluice_get_header(view->event, name);
	if (starts_with(source, "query:", &name)) {
		struct sluice_bytes text = form_find(view->event->query, name), decoded = {view->room, 0};
		if (text.data && text.size <= sizeof(view->room) && form_decode(text, view->room, &decoded.size))
			return decoded;
		return (struct sluice_bytes){NULL, 0};
	}
	const json_t *value = follow(view->body, source);
	return (struct sluice_bytes){json_string_value(value), json_string_length(value)};
}

static bool text_is(struct sluice_bytes text, const char *value)
{
	return text.data && text.size == strlen(value) && memcmp(text.data, value, text.size) == 0;
}

static bool holds_json(const struct view *view, const struct handshake_condition *condition)
{
	const json_t *value = follow(view->body, condition->source);
	char *json = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	bool same = json && strcmp(json, condition->json) == 0;
	free(json);
	return same;
}

static bool holds(struct view *view, const struct handshake_condition *condition)
{
	if (condition->json)
		return holds_json(view, condition);
	struct sluice_bytes text = read_text(view, condition->source);
	return condition->value ? text_is(text, condition->value) : text.data != NULL;
}

static bool applies(const struct handshake *row, struct view *view)
{
	for (size_t i = 0; i < HANDSHAKE_CONDITIONS_MAX && row->when[i].source; i++)
		if (!holds(view, &row->when[i]))
			return false;
	return !row->challenge || read_text(view, row->challenge).data;
}

/* Text that a browser or a terminal may be shown. */
static bool is_plain(struct sluice_bytes text)
{
	for (size_t i = 0; i < text.size; i++)
		if ((unsigned char)text.data[i] < ' ' || (unsigned char)text.data[i] >= 0x7f)
			return false;
	return text.size >= 1 && text.size <= CHALLENGE_MAX;
}

/* Whether the secret may sign it for anybody: never the body of an event. A body is JSON or a form, or signed behind a time
 * and a separator; this is neither, nor has it a byte of theirs. */
static bool is_safe_to_sign(struct sluice_bytes text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=";
	for (size_t i = 0; i < text.size; i++)
		if (!text.data[i] || !strchr(allowed, text.data[i]))
			return false;
	size_t bare = text.size;
	while (bare && text.data[bare - 1] == '=') /* padding of base64 */
		bare--;
	if (bare == 0 || text.size > SIGNED_CHALLENGE_MAX || memchr(text.data, '=', bare))
		return false;
	json_t *json = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
	json_decref(json);
	return !json;
}

/* A reply while it is written. */
struct reply {
	char text[REPLY_MAX];
	size_t size;
	bool overflows;
};

static void write_bytes(struct reply *reply, const char *data, size_t size)
{
	reply->overflows = reply->overflows || size > sizeof(reply->text) - 1 - reply->size;
	if (reply->overflows)
		return;
	if (size)
		memcpy(reply->text + reply->size, data, size);
	reply->size += size;
	reply->text[reply->size] = '\0';
}

static void write_json(struct reply *reply, struct sluice_bytes challenge)
{
	json_t *value = json_stringn(challenge.data, challenge.size);
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;
	reply->overflows = reply->overflows || !text;
	if (text)
		write_bytes(reply, text, strlen(text));
	free(text);
	json_decref(value);
}

static void write_mac(struct reply *reply, const struct handshake_request *request, enum encoding encoding,
                      struct sluice_bytes challenge)
{
	char text[ENCODED_MAX];
	size_t size = request->verifier ? verifier_mac(request->verifier, request->key, challenge, encoding, text) : 0;
	reply->overflows = reply->overflows || size == 0;
	write_bytes(reply, text, size);
}

static void write_template(struct reply *reply, const struct handshake_request *request, const char *text,
                           struct sluice_bytes challenge)
{
	for (const char *rest; *text; text = rest) {
		if (starts_with(text, "{challenge}", &rest)) {
			write_bytes(reply, challenge.data, challenge.size);
		} else if (starts_with(text, "{json}", &rest)) {
			write_json(reply, challenge);
		} else if (starts_with(text, "{hex}", &rest)) {
			write_mac(reply, request, ENCODING_HEX, challenge);
		} else if (starts_with(text, "{base64}", &rest)) {
			write_mac(reply, request, ENCODING_BASE64, challenge);
		} else {
			write_bytes(reply, text, 1);
			rest = text + 1;
		}
	}
}

static enum sluice_verdict refuse(struct sluice_event *event, const char *why)
{
	return sluice_reject(event, 403, "verification handshake: %s", why);
}

static bool knows_token(const struct handshakes *handshakes, const struct handshake *row, struct view *view)
{
	const char *token = handshakes->token;
	if (!row->token || !token)
		return !row->token || row->token_is_optional;
	struct sluice_bytes sent = read_text(view, row->token);
	return sent.data && signature_equals(sent, token, strlen(token));
}

/* An address of Amazon's own, for the operator to open: any other would be the sender's choice. */
static bool is_trusted(struct sluice_bytes url)
{
	static const char start[] = "https://sns.", dot[] = ".amazonaws.com/", china[] = ".amazonaws.com.cn/";
	if (!is_plain(url) || url.size < sizeof(start) || memcmp(url.data, start, sizeof(start) - 1) != 0)
		return false;
	const char *slash = memchr(url.data + sizeof("https://") - 1, '/', url.size - (sizeof("https://") - 1));
	size_t host = slash ? (size_t)(slash - url.data) + 1 : 0;
	const char *ends[] = {dot, china};
	for (size_t i = 0; i < 2; i++) {
		size_t size = strlen(ends[i]);
		size_t region = host > size + sizeof(start) - 1 ? host - size - (sizeof(start) - 1) : 0;
		if (region && memcmp(url.data + host - size, ends[i], size) == 0 &&
		    strspn(url.data + sizeof(start) - 1, "abcdefghijklmnopqrstuvwxyz0123456789-") == region)
			return true;
	}
	return false;
}

static bool log_confirmation(const struct handshake *row, const struct handshake_request *request, struct view *view)
{
	char text[CHALLENGE_MAX + 1];
	struct sluice_bytes url = read_text(view, row->confirm);
	if (!url.data || !is_trusted(url))
		return false;
	memcpy(text, url.data, url.size);
	text[url.size] = '\0';
	sluice_log(request->stage, SLUICE_LOG_WARN, "subscription_unconfirmed", sluice_text("handshake", row->name),
	           sluice_text("open_to_confirm", text));
	return true;
}

static bool set_headers(const struct handshake *row, const struct handshake_request *request,
                        struct sluice_bytes challenge)
{
	struct reply value;
	for (size_t i = 0; i < HANDSHAKE_HEADERS_MAX && row->headers[i].name; i++) {
		value.size = 0;
		value.overflows = false;
		write_template(&value, request, row->headers[i].value, challenge);
		if (value.overflows || !sluice_set_header(request->event, row->headers[i].name, value.text))
			return false;
	}
	return sluice_set_header(request->event, "X-Content-Type-Options", "nosniff");
}

/* Whether it can go out: in a header there is less room. */
static bool has_room(const struct handshake *row, struct sluice_bytes challenge)
{
	return challenge.size <= (row->headers[0].name ? HEADER_CHALLENGE_MAX : CHALLENGE_MAX);
}

/* At most once a second: anybody can ask for most of them. */
static void log_answer(const struct handshake *row, const struct handshake_request *request)
{
	static _Atomic int64_t last_ns;
	int64_t now = request->event->host->now_ns(), last = atomic_load(&last_ns);
	if ((!last || now - last >= LOG_EVERY_NS) && atomic_compare_exchange_strong(&last_ns, &last, now))
		sluice_log(request->stage, SLUICE_LOG_INFO, "handshake_answered", sluice_text("handshake", row->name));
}

static enum sluice_verdict answer(const struct handshakes *handshakes, const struct handshake *row,
                                  const struct handshake_request *request, struct view *view)
{
	struct sluice_event *event = request->event;
	if (!knows_token(handshakes, row, view))
		return refuse(event, "the token is wrong");
	struct sluice_bytes challenge = row->challenge ? read_text(view, row->challenge) : (struct sluice_bytes){"", 0};
	if (row->challenge && (!is_plain(challenge) || !has_room(row, challenge)))
		return refuse(event, "the challenge is empty, too long or not plain text");
	if (handshake_uses_secret(row) && !is_safe_to_sign(challenge))
		return refuse(event, "the challenge could be the body of an event");
	if (row->confirm && !log_confirmation(row, request, view))
		return refuse(event, "the address to confirm is not the sender's");
	struct reply reply = {.size = 0};
	if (row->reply)
		write_template(&reply, request, row->reply, challenge);
	if (reply.overflows)
		return refuse(event, "the challenge cannot be answered");
	if (!set_headers(row, request, challenge))
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	log_answer(row, request);
	return sluice_respond(event, row->status ? row->status : 200, row->type ? row->type : "text/plain", reply.text,
	                      reply.size);
}

static bool is_method(const struct sluice_event *event, const char *method)
{
	return text_is(event->method, method);
}

/* NULL: the body is none of this handshake. The caller frees it. */
static json_t *parse(const struct sluice_event *event, const struct handshake *row)
{
	const struct sluice_bytes *body = &event->body;
	if (!row->mark || body->size > BODY_MAX || !memmem(body->data, body->size, row->mark, strlen(row->mark)))
		return NULL;
	return json_loadb(body->data, body->size, JSON_REJECT_DUPLICATES, NULL);
}

static bool try(const struct handshakes *handshakes, const struct handshake *row,
                const struct handshake_request *request, enum sluice_verdict *verdict_out)
{
	json_t *body = parse(request->event, row);
	struct view view = {.event = request->event, .body = body};
	bool is_one = (body || !row->mark) && applies(row, &view);
	if (is_one)
		*verdict_out = answer(handshakes, row, request, &view);
	json_decref(body);
	return is_one;
}

bool handshakes_answer(const struct handshakes *handshakes, const struct handshake_request *request,
                       enum sluice_verdict *verdict_out)
{
	struct sluice_event *event = request->event;
	for (size_t i = 0; i < handshakes->count; i++) {
		const struct handshake *row = handshakes->rows[i];
		if (row->is_signed == request->is_verified && is_method(event, row->method) &&
		    try(handshakes, row, request, verdict_out))
			return true;
	}
	if (request->is_verified || !event->method.data || is_method(event, "POST"))
		return false;
	(void)sluice_set_header(event, "Allow", "POST");
	*verdict_out = sluice_reject(event, 405, "this is no verification handshake: use POST");
	return true;
}
