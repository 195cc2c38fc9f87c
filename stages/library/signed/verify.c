/*
 * The order of the checks is: what can be read, then the time, then the signatures, so that the costly part comes last.
 */
#include "signed/verify.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "signed/form.h"
#include "signed/public_key.h"

enum {
	SIGNATURES_MAX = 16,       /* in one header */
	PUBLIC_SIGNATURES_MAX = 4, /* each costs as much as hundreds of the others */
};

/* One of these, by the algorithm. */
struct proof_key {
	struct signing_key *mac;
	char *secret; /* as it is sent */
	EVP_PKEY *public;
};

struct verifier {
	const struct scheme *scheme;
	struct part parts[PARTS_MAX];
	size_t part_count;
	bool signs[PART_KINDS];
	char id_end; /* the byte that follows the id in the signed text: an id that has it could be cut there; NUL: none
	              */
	struct proof_key *keys;
	size_t key_count;
};

static bool read_parts(struct verifier *verifier, struct sluice_error *error)
{
	const struct scheme *scheme = verifier->scheme;
	if (scheme->algorithm == ALGORITHM_SECRET || scheme->algorithm == ALGORITHM_BASIC)
		return true;
	verifier->part_count = scheme_split(scheme->signed_text, verifier->parts, error);
	for (size_t i = 0; i < verifier->part_count; i++) {
		const struct part *part = &verifier->parts[i];
		verifier->signs[part->kind] = true;
		if (part->kind == PART_ID && i + 1 < verifier->part_count && part[1].kind == PART_LITERAL)
			verifier->id_end = part[1].text[0];
	}
	return verifier->part_count > 0;
}

struct verifier *verifier_create(const struct scheme *scheme, struct sluice_error *error)
{
	struct verifier *verifier = calloc(1, sizeof(*verifier));
	if (!verifier) {
		sluice_error_set(error, "no memory");
		return NULL;
	}
	verifier->scheme = scheme;
	if (read_parts(verifier, error))
		return verifier;
	free(verifier);
	return NULL;
}

static void key_finish(struct proof_key *key)
{
	signing_key_free(key->mac);
	EVP_PKEY_free(key->public);
	if (key->secret)
		OPENSSL_cleanse(key->secret, strlen(key->secret));
	free(key->secret);
}

void verifier_destroy(struct verifier *verifier)
{
	if (!verifier)
		return;
	for (size_t i = 0; i < verifier->key_count; i++)
		key_finish(&verifier->keys[i]);
	free(verifier->keys);
	free(verifier);
}

/* Takes the key over, also if it fails. */
static bool add_key(struct verifier *verifier, struct proof_key key, struct sluice_error *error)
{
	struct proof_key *keys = realloc(verifier->keys, (verifier->key_count + 1) * sizeof(*keys));
	if (!keys) {
		key_finish(&key);
		return sluice_error_set(error, "no memory");
	}
	verifier->keys = keys;
	keys[verifier->key_count++] = key;
	return true;
}

static bool add_mac(struct verifier *verifier, const uint8_t *bytes, size_t size, struct sluice_error *error)
{
	struct signing_key *mac = signing_key_create(verifier->scheme->digest, bytes, size);
	if (!mac)
		return sluice_error_set(error, "the crypto library has no HMAC with %s", verifier->scheme->digest);
	return add_key(verifier, (struct proof_key){.mac = mac}, error);
}

static bool add_text(struct verifier *verifier, const uint8_t *bytes, size_t size, struct sluice_error *error)
{
	bool encodes = verifier->scheme->algorithm == ALGORITHM_BASIC;
	if (memchr(bytes, '\0', size) || (encodes && !memchr(bytes, ':', size)))
		return sluice_error_set(error, encodes ? "expected NAME:PASSWORD" : "expected a text without NUL");
	char *text = calloc(1, encodes ? (size + 2) / 3 * 4 + 1 : size + 1);
	if (!text)
		return sluice_error_set(error, "no memory");
	if (encodes)
		(void)EVP_EncodeBlock((unsigned char *)text, bytes, (int)size);
	else
		memcpy(text, bytes, size);
	return add_key(verifier, (struct proof_key){.secret = text}, error);
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
	bool added = false;
	if (!encoding_read_key(scheme->key_encoding, text, key, &size))
		sluice_error_set(error, "expected %s%s%s; the value is secret and not shown",
		                 key_encoding_names[scheme->key_encoding], scheme->key_prefix ? " after " : "",
		                 scheme->key_prefix ? scheme->key_prefix : "");
	else
		added = scheme->algorithm == ALGORITHM_HMAC ? add_mac(verifier, key, size, error)
		                                            : add_text(verifier, key, size, error);
	OPENSSL_cleanse(key, text.size);
	free(key);
	return added;
}

bool verifier_take_public(struct verifier *verifier, EVP_PKEY *key, struct sluice_error *error)
{
	if (public_key_fits(key, verifier->scheme->algorithm, error))
		return add_key(verifier, (struct proof_key){.public = key}, error);
	EVP_PKEY_free(key);
	return false;
}

static bool add_public(void *context, EVP_PKEY *key, struct sluice_error *error)
{
	return verifier_take_public(context, key, error);
}

bool verifier_add_public(struct verifier *verifier, struct sluice_bytes text, struct sluice_error *error)
{
	return public_key_read(text, add_public, verifier, error);
}

size_t verifier_key_count(const struct verifier *verifier)
{
	return verifier->key_count;
}

bool verifier_signs(const struct verifier *verifier, enum part_kind kind)
{
	return verifier->signs[kind];
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

/* Whether the entry is the time, whose prefix is then cut off. */
static bool is_timestamp(const struct scheme *scheme, struct sluice_bytes *entry, const struct signatures *found)
{
	const char *prefix = scheme->timestamp_prefix;
	if (!prefix)
		return false;
	return *prefix ? cut_prefix(entry, prefix) : !found->timestamp.data;
}

/* Sorts out the signature header: its signatures of this scheme, and the time if it holds that. */
static const char *read_signatures(const struct scheme *scheme, struct sluice_bytes header, struct signatures *found)
{
	const size_t most = algorithm_is_public(scheme->algorithm) ? PUBLIC_SIGNATURES_MAX : SIGNATURES_MAX;
	while (header.data) {
		struct sluice_bytes entry = next_entry(&header, scheme->separator);
		if (is_timestamp(scheme, &entry, found)) {
			if (found->timestamp.data)
				return "two timestamps";
			found->timestamp = entry;
		} else if (cut_prefix(&entry, scheme->prefix)) {
			if (found->count == most)
				return "too many signatures";
			found->items[found->count++] = entry;
		}
	}
	return found->count ? NULL : "no signature of this scheme";
}

static const char *timestamp_flaw(const struct scheme *scheme, struct sluice_bytes text, int64_t received_at_ns)
{
	int64_t sent;
	if (text.size == 0)
		return "no timestamp";
	if (!scheme_read_time(scheme, text, &sent))
		return "the timestamp has another form";
	int64_t age = received_at_ns / scheme->unit_ns - sent / scheme->unit_ns;
	int64_t tolerance = scheme->tolerance_ns / scheme->unit_ns;
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

/* Whether one of the signatures is the text that the key makes. All are compared. */
static bool has_text(const struct verifier *verifier, const char *expected, size_t size, const struct signatures *found)
{
	unsigned matches = 0;
	for (size_t i = 0; i < found->count; i++)
		matches |= signature_equals(unpadded(verifier->scheme->encoding, found->items[i]), expected, size);
	return matches;
}

static bool mac_matches(const struct verifier *verifier, const struct proof_key *key,
                        const struct signed_values *values, const struct signatures *found)
{
	char expected[ENCODED_MAX];
	size_t size = signing_key_sign(key->mac, verifier->parts, verifier->part_count, values,
	                               verifier->scheme->encoding, expected);
	return has_text(verifier, expected, size, found);
}

static bool public_matches(const struct verifier *verifier, const struct proof_key *key, struct sluice_bytes text,
                           const struct signatures *found)
{
	bool matches = false;
	for (size_t i = 0; i < found->count && !matches; i++) {
		uint8_t bytes[ENCODED_BYTES_MAX];
		size_t size;
		matches = encoding_read(verifier->scheme->encoding, found->items[i], bytes, &size) &&
		          public_key_verify(key->public, verifier->scheme->algorithm, text,
		                            (struct sluice_bytes){(const char *)bytes, size});
	}
	return matches;
}

static struct sluice_bytes value_of(const struct part *part, const struct signed_values *values)
{
	return part->kind == PART_LITERAL ? (struct sluice_bytes){part->text, part->size} : values->of[part->kind];
}

/* The signed text in one piece, which *memory_out holds unless it is there already. */
static struct sluice_bytes join(const struct verifier *verifier, const struct signed_values *values, char **memory_out)
{
	struct sluice_bytes text = {"", 0};
	*memory_out = NULL;
	if (verifier->part_count == 1)
		return value_of(&verifier->parts[0], values);
	for (size_t i = 0; i < verifier->part_count; i++)
		text.size += value_of(&verifier->parts[i], values).size;
	char *at = malloc(text.size + 1);
	*memory_out = at;
	text.data = at;
	for (size_t i = 0; at && i < verifier->part_count; i++) {
		struct sluice_bytes value = value_of(&verifier->parts[i], values);
		if (value.size)
			memcpy(at, value.data, value.size);
		at += value.size;
	}
	return text;
}

/* The first key that one of the signatures is by. */
static size_t find_key(const struct verifier *verifier, const struct signed_values *values,
                       const struct signatures *found)
{
	const struct scheme *scheme = verifier->scheme;
	size_t matching = verifier->key_count;
	struct sluice_bytes text = {NULL, 0};
	char *memory = NULL;
	if (algorithm_is_public(scheme->algorithm))
		text = join(verifier, values, &memory);
	for (size_t i = verifier->key_count; i-- > 0;) {
		const struct proof_key *key = &verifier->keys[i];
		if (key->mac      ? mac_matches(verifier, key, values, found)
		    : key->secret ? has_text(verifier, key->secret, strlen(key->secret), found)
		                  : text.data && public_matches(verifier, key, text, found))
			matching = i;
	}
	free(memory);
	return matching;
}

const char *verifier_find_flaw(const struct verifier *verifier, const struct signed_request *request, size_t *key_out)
{
	const struct scheme *scheme = verifier->scheme;
	struct signatures found = {.count = 0};
	struct signed_values values = request->values;
	const char *flaw = read_signatures(scheme, request->signature, &found);
	if (!flaw && scheme->timestamp_prefix)
		values.of[PART_TIMESTAMP] = found.timestamp;
	if (!flaw && verifier->signs[PART_TIMESTAMP])
		flaw = timestamp_flaw(scheme, values.of[PART_TIMESTAMP], request->received_at_ns);
	if (!flaw && verifier->signs[PART_ID])
		flaw = id_flaw(verifier, values.of[PART_ID]);
	if (flaw)
		return flaw;
	*key_out = find_key(verifier, &values, &found);
	if (*key_out < verifier->key_count)
		return NULL;
	return algorithm_is_public(scheme->algorithm) ? "no signature is that of a key"
	                                              : "no signature is that of a secret";
}

size_t verifier_mac(const struct verifier *verifier, size_t key, struct sluice_bytes text, enum encoding encoding,
                    char out[ENCODED_MAX])
{
	static const struct part whole = {PART_BODY, "", 0};
	const struct signed_values values = {{[PART_BODY] = text}};
	if (key >= verifier->key_count || !verifier->keys[key].mac)
		return 0;
	return signing_key_sign(verifier->keys[key].mac, &whole, 1, &values, encoding, out);
}

static struct sluice_bytes bytes_of(const char *text)
{
	return (struct sluice_bytes){text, text ? strlen(text) : 0};
}

/* The time that the example was sent at: its own, wherever that stands. */
static int64_t time_of(const struct scheme *scheme)
{
	const struct scheme_example *example = &scheme->example;
	struct signatures found = {.count = 0};
	struct sluice_bytes text = bytes_of(example->timestamp);
	int64_t ns = 0;
	if (scheme->timestamp_prefix && !read_signatures(scheme, bytes_of(example->signature), &found))
		text = found.timestamp;
	return text.data && scheme_read_time(scheme, text, &ns) ? ns : 0;
}

bool verifier_proves_example(const struct scheme *scheme, struct sluice_error *error)
{
	const struct scheme_example *example = &scheme->example;
	if (!example->secret)
		return true;
	struct sluice_bytes body = bytes_of(example->body), form = {NULL, 0};
	struct verifier *verifier = verifier_create(scheme, error);
	void *room = malloc(form_room(body));
	if (!verifier || !room) {
		verifier_destroy(verifier);
		free(room);
		return sluice_error_set(error, "no memory");
	}
	(void)form_join(body, room, &form);
	struct signed_request request = {
		.signature = bytes_of(example->signature),
		.values = {{
			[PART_TIMESTAMP] = bytes_of(example->timestamp),
			[PART_ID] = bytes_of(example->id),
			[PART_BODY] = body,
			[PART_FORM] = form,
			[PART_METHOD] = bytes_of("POST"),
			[PART_URL] = bytes_of(example->url),
		}},
		.received_at_ns = time_of(scheme),
	};
	bool is_public = algorithm_is_public(scheme->algorithm);
	const char *flaw = NULL;
	size_t key;
	if ((is_public ? verifier_add_public : verifier_add_secret)(verifier, bytes_of(example->secret), error))
		flaw = verifier_find_flaw(verifier, &request, &key);
	verifier_destroy(verifier);
	free(room);
	if (flaw)
		return sluice_error_set(error, "the example of %s is refused: %s", scheme->name, flaw);
	return !error->text[0];
}
