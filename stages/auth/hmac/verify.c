/*
 * The order of the checks is: what can be read, then the time, then the signatures, so that the costly part comes last.
 */
#include "verify.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "sign/key.h"

enum {
	SIGNATURES_MAX = 16, /* in one header */
	TIMESTAMP_MAX = 18,  /* digits: fits 64 bits */
};

struct verifier {
	const struct scheme *scheme;
	struct part parts[PARTS_MAX];
	size_t part_count;
	bool signs_id, signs_timestamp;
	char id_end; /* the byte that follows the id in the signed text: an id that has it could be cut there; NUL: none
	              */
	struct signing_key **keys;
	size_t key_count;
};

struct verifier *verifier_create(const struct scheme *scheme, struct sluice_error *error)
{
	struct verifier *verifier = calloc(1, sizeof(*verifier));
	if (!verifier) {
		sluice_error_set(error, "no memory");
		return NULL;
	}
	verifier->scheme = scheme;
	verifier->part_count = scheme_split(scheme->signed_text, verifier->parts, error);
	for (size_t i = 0; i < verifier->part_count; i++) {
		const struct part *part = &verifier->parts[i];
		if (part->kind == PART_TIMESTAMP)
			verifier->signs_timestamp = true;
		if (part->kind == PART_ID) {
			verifier->signs_id = true;
			if (i + 1 < verifier->part_count && part[1].kind == PART_LITERAL)
				verifier->id_end = part[1].text[0];
		}
	}
	if (verifier->part_count)
		return verifier;
	free(verifier);
	return NULL;
}

void verifier_destroy(struct verifier *verifier)
{
	if (!verifier)
		return;
	for (size_t i = 0; i < verifier->key_count; i++)
		signing_key_free(verifier->keys[i]);
	free(verifier->keys);
	free(verifier);
}

static bool add_key(struct verifier *verifier, const uint8_t *key, size_t size, struct sluice_error *error)
{
	struct signing_key **keys = realloc(verifier->keys, (verifier->key_count + 1) * sizeof(struct signing_key *));
	if (!keys)
		return sluice_error_set(error, "no memory");
	verifier->keys = keys;
	keys[verifier->key_count] = signing_key_create(verifier->scheme->digest, key, size);
	if (!keys[verifier->key_count])
		return sluice_error_set(error, "the crypto library has no HMAC with %s", verifier->scheme->digest);
	verifier->key_count++;
	return true;
}

bool verifier_add_secret(struct verifier *verifier, struct sluice_bytes secret, struct sluice_error *error)
{
	const struct scheme *scheme = verifier->scheme;
	struct sluice_error cause = {0};
	if (!scheme_trim_secret(&secret, &cause))
		return sluice_error_set(error, "the secret %s", cause.text);
	struct sluice_bytes text = scheme_key_text(scheme, secret);
	if (text.size == 0)
		return sluice_error_set(error, "expected a secret, got an empty text");
	uint8_t *key = malloc(text.size);
	if (!key)
		return sluice_error_set(error, "no memory");
	size_t size = 0;
	bool added = encoding_read_key(scheme->key_encoding, text, key, &size)
	                     ? add_key(verifier, key, size, error)
	                     : sluice_error_set(error, "expected %s%s%s; the value is secret and not shown",
	                                        key_encoding_names[scheme->key_encoding],
	                                        scheme->key_prefix ? " after " : "",
	                                        scheme->key_prefix ? scheme->key_prefix : "");
	OPENSSL_cleanse(key, text.size);
	free(key);
	return added;
}

size_t verifier_secret_count(const struct verifier *verifier)
{
	return verifier->key_count;
}

static struct sluice_bytes trimmed(struct sluice_bytes text)
{
	while (text.size && text.data[0] == ' ') {
		text.data++;
		text.size--;
	}
	while (text.size && text.data[text.size - 1] == ' ')
		text.size--;
	return text;
}

/* Cuts the first entry off `list`. */
static struct sluice_bytes next_entry(struct sluice_bytes *list, const char *separator)
{
	struct sluice_bytes entry = *list;
	size_t size = separator ? strlen(separator) : 0;
	const char *end = size ? memmem(list->data, list->size, separator, size) : NULL;
	if (end) {
		entry.size = (size_t)(end - list->data);
		list->size -= entry.size + size;
		list->data = end + size;
	} else {
		*list = (struct sluice_bytes){NULL, 0};
	}
	return trimmed(entry);
}

/* Whether `entry` begins with `prefix`, which is then cut off. */
static bool cut_prefix(struct sluice_bytes *entry, const char *prefix)
{
	size_t size = strlen(prefix);
	if (entry->size < size || memcmp(entry->data, prefix, size) != 0)
		return false;
	entry->data += size;
	entry->size -= size;
	return true;
}

struct signatures {
	struct sluice_bytes items[SIGNATURES_MAX];
	size_t count;
	struct sluice_bytes timestamp;
};

/* Sorts out the signature header: its signatures of this scheme, and the time if it holds that. */
static const char *read_signatures(const struct scheme *scheme, struct sluice_bytes header, struct signatures *found)
{
	while (header.data) {
		struct sluice_bytes entry = next_entry(&header, scheme->separator);
		if (scheme->timestamp_prefix && cut_prefix(&entry, scheme->timestamp_prefix)) {
			if (found->timestamp.data)
				return "two timestamps";
			found->timestamp = entry;
		} else if (cut_prefix(&entry, scheme->prefix)) {
			if (found->count == SIGNATURES_MAX)
				return "too many signatures";
			found->items[found->count++] = entry;
		}
	}
	return found->count ? NULL : "no signature of this scheme";
}

static const char *timestamp_flaw(const struct scheme *scheme, struct sluice_bytes text, int64_t received_at_ns)
{
	if (text.size == 0 || text.size > TIMESTAMP_MAX)
		return "no timestamp";
	int64_t sent = 0;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return "the timestamp is not a number";
		sent = sent * 10 + (text.data[i] - '0');
	}
	int64_t age = received_at_ns / scheme->unit_ns - sent, tolerance = scheme->tolerance_ns / scheme->unit_ns;
	if (age > tolerance)
		return "the timestamp is too old";
	return age < -tolerance ? "the timestamp is too far ahead" : NULL;
}

static const char *id_flaw(const struct verifier *verifier, struct sluice_bytes id)
{
	if (id.size == 0)
		return "no id";
	if (verifier->id_end && memchr(id.data, verifier->id_end, id.size))
		return "the id has the byte that ends it in the signed text";
	return NULL;
}

/* base64url comes padded or not. */
static struct sluice_bytes unpadded(enum encoding encoding, struct sluice_bytes text)
{
	if (encoding == ENCODING_BASE64URL && text.size % 4 == 0) {
		for (int i = 0; i < 2 && text.size && text.data[text.size - 1] == '='; i++)
			text.size--;
	}
	return text;
}

const char *verifier_find_flaw(const struct verifier *verifier, const struct signed_request *request, size_t *key_out)
{
	const struct scheme *scheme = verifier->scheme;
	struct signatures found = {.count = 0};
	struct signed_request signed_request = *request;
	const char *flaw = read_signatures(scheme, request->signature, &found);
	if (!flaw && scheme->timestamp_prefix)
		signed_request.timestamp = found.timestamp;
	if (!flaw && verifier->signs_timestamp)
		flaw = timestamp_flaw(scheme, signed_request.timestamp, request->received_at_ns);
	if (!flaw && verifier->signs_id)
		flaw = id_flaw(verifier, request->id);
	if (flaw)
		return flaw;
	struct signed_values values = {
		{[PART_ID] = request->id, [PART_TIMESTAMP] = signed_request.timestamp, [PART_BODY] = request->body}};
	*key_out = verifier->key_count;
	for (size_t i = verifier->key_count; i-- > 0;) {
		char expected[ENCODED_MAX];
		size_t size = signing_key_sign(verifier->keys[i], verifier->parts, verifier->part_count, &values,
		                               scheme->encoding, expected);
		unsigned matches = 0;
		for (size_t j = 0; j < found.count; j++)
			matches |= signature_equals(unpadded(scheme->encoding, found.items[j]), expected, size);
		if (matches)
			*key_out = i;
	}
	return *key_out < verifier->key_count ? NULL : "no signature is that of a secret";
}
