/*
 * Signed requests; see request.h.
 */
#include "signed/request.h"

#include <openssl/sha.h>
#include <string.h>
#include <strings.h>

#include <sluice/host.h>

#include "sign/encoding.h"
#include "signed/form.h"

static struct sluice_bytes header(const struct sluice_event *event, const char *name)
{
	return name ? sluice_get_header(event, name) : (struct sluice_bytes){NULL, 0};
}

/* Whether a header of the signature, if it was sent at all, was sent once and has that value. */
static bool says_only(const struct sluice_event *event, const char *name, struct sluice_bytes value)
{
	size_t at = 0;
	struct sluice_bytes sent = name ? sluice_next_header(event, name, &at) : (struct sluice_bytes){NULL, 0};
	return !sent.data || (sluice_bytes_equal(sent, value) && !sluice_next_header(event, name, &at).data);
}

static const char *read_headers(const struct scheme *scheme, const struct sluice_event *event,
                                struct signed_request *request)
{
	struct sluice_bytes *values = request->values.of;
	for (size_t i = 0; i < SCHEME_HEADER_SETS && !request->signature.data; i++) {
		const struct scheme_headers *set = &scheme->headers[i];
		request->signature = header(event, set->signature);
		values[PART_TIMESTAMP] = header(event, set->timestamp);
		values[PART_ID] = header(event, set->id);
	}
	for (size_t i = 0; i < SCHEME_HEADER_SETS; i++) {
		const struct scheme_headers *set = &scheme->headers[i];
		if (!says_only(event, set->signature, request->signature) ||
		    !says_only(event, set->timestamp, values[PART_TIMESTAMP]) ||
		    !says_only(event, set->id, values[PART_ID]))
			return "headers of the signature that contradict each other";
	}
	return NULL;
}

static char *append(char *at, struct sluice_bytes text)
{
	if (text.size)
		memcpy(at, text.data, text.size);
	return at + text.size;
}

/* Whether listen.public_url says more than where the server is. */
static bool has_path(struct sluice_bytes url)
{
	const char *slashes = url.data ? memmem(url.data, url.size, "://", 3) : NULL;
	size_t before = slashes ? (size_t)(slashes - url.data) + 3 : url.size;
	const char *path = memchr(url.data + before, '/', url.size - before);
	return path && path + 1 < url.data + url.size;
}

struct sluice_bytes signed_request_url(struct sluice_event *event)
{
	const bool is_whole = event->public_url.data && has_path(event->public_url);
	const struct sluice_bytes none = {NULL, 0}, slashes = {"://", 3}, question = {"?", 1};
	const struct sluice_bytes pieces[] = {
		is_whole ? event->public_url : event->scheme, is_whole ? none : slashes,
		is_whole ? none : event->authority,           is_whole ? none : event->path,
		event->query.data ? question : none,          event->query,
	};
	size_t size = 0;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		size += pieces[i].size;
	char *text = sluice_alloc(event, size + 1), *at = text;
	if (!text)
		return none;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		at = append(at, pieces[i]);
	return (struct sluice_bytes){text, size};
}

static bool is_form(const struct sluice_event *event)
{
	static const char type[] = "application/x-www-form-urlencoded";
	struct sluice_bytes sent = sluice_get_header(event, "Content-Type");
	return sent.size >= sizeof(type) - 1 && strncasecmp(sent.data, type, sizeof(type) - 1) == 0;
}

/* The address carries the SHA-256 of a body that is no form: twilio.com, "Validating Signatures from Twilio". */
static const char *body_flaw(const struct sluice_event *event, struct sluice_bytes digest)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	char text[ENCODED_MAX];
	(void)SHA256((const unsigned char *)event->body.data, event->body.size, hash);
	struct sluice_bytes expected = {text, encoding_write(ENCODING_HEX, hash, sizeof(hash), text)};
	return sluice_bytes_equal(digest, expected) ? NULL : "the body is not that of bodySHA256";
}

static const char *read_form(struct sluice_event *event, struct sluice_bytes *form_out, bool *memory_short_out)
{
	struct sluice_bytes digest = form_find(event->query, "bodySHA256");
	*form_out = (struct sluice_bytes){"", 0};
	if (digest.data) {
		const char *flaw = body_flaw(event, digest);
		if (flaw || !is_form(event))
			return flaw;
	}
	if (!is_form(event))
		return event->body.size == 0 ? NULL : "the body is no form, and the address has no bodySHA256";
	void *room = sluice_alloc(event, form_room(event->body));
	*memory_short_out = !room;
	return room && form_join(event->body, room, form_out) ? NULL : "the body is no form";
}

const char *signed_request_read(const struct verifier *verifier, const struct scheme *scheme,
                                struct sluice_event *event, struct signed_request *request_out, bool *memory_short_out)
{
	struct signed_request request = {.received_at_ns = event->received_at_ns};
	struct sluice_bytes *values = request.values.of;
	const char *flaw = read_headers(scheme, event, &request);
	*memory_short_out = false;
	values[PART_BODY] = event->body;
	values[PART_METHOD] = event->method;
	if (!flaw && verifier_signs(verifier, PART_URL)) {
		values[PART_URL] = signed_request_url(event);
		*memory_short_out = !values[PART_URL].data;
	}
	if (!flaw && verifier_signs(verifier, PART_FORM))
		flaw = read_form(event, &values[PART_FORM], memory_short_out);
	*request_out = request;
	return flaw;
}
