/*
 * HTTP Message Signatures; see message.h.
 */
#include "message.h"

#include <openssl/ecdsa.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>

#include <sluice/host.h>

#include "fields.h"
#include "signed/request.h"

enum { SIGNATURES_MAX = 4, COMPONENTS_MAX = 32, P256_SIZE = 64, DER_MAX = 80 };

#define SECOND_NS INT64_C(1000000000)

static bool is(struct sluice_bytes text, const char *word)
{
	return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

/* Text that is measured first, with `out` NULL, and written then. */
struct writer {
	char *out;
	size_t size;
};

static void put(struct writer *writer, const char *data, size_t size)
{
	if (writer->out && size)
		memcpy(writer->out + writer->size, data, size);
	writer->size += size;
}

static void put_bytes(struct writer *writer, struct sluice_bytes text)
{
	put(writer, text.data, text.size);
}

static void put_lower(struct writer *writer, struct sluice_bytes text)
{
	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		c = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		put(writer, &c, 1);
	}
}

/* Section 2.2: each derived component by its name. */
static bool put_method(struct writer *writer, struct sluice_event *event)
{
	put_bytes(writer, event->method);
	return event->method.data;
}

static bool put_scheme(struct writer *writer, struct sluice_event *event)
{
	put_lower(writer, event->scheme);
	return event->scheme.data;
}

/* Without the port that the scheme has anyway. */
static bool put_authority(struct writer *writer, struct sluice_event *event)
{
	struct sluice_bytes authority = event->authority;
	const char *usual = is(event->scheme, "https") ? ":443" : ":80";
	size_t size = strlen(usual);
	if (authority.size > size && memcmp(authority.data + authority.size - size, usual, size) == 0)
		authority.size -= size;
	put_lower(writer, authority);
	return authority.data;
}

static bool put_path(struct writer *writer, struct sluice_event *event)
{
	put_bytes(writer, event->path);
	return event->path.data;
}

static bool put_query(struct writer *writer, struct sluice_event *event)
{
	put(writer, "?", 1);
	put_bytes(writer, event->query);
	return true;
}

static bool put_request_target(struct writer *writer, struct sluice_event *event)
{
	put_bytes(writer, event->path);
	if (event->query.data)
		(void)put_query(writer, event);
	return event->path.data;
}

static bool put_target_uri(struct writer *writer, struct sluice_event *event)
{
	struct sluice_bytes url = signed_request_url(event);
	put_bytes(writer, url);
	return url.data;
}

static const struct derived {
	const char *name;
	bool (*put)(struct writer *writer, struct sluice_event *event);
} derived[] = {
	{"@method", put_method},         {"@scheme", put_scheme},
	{"@authority", put_authority},   {"@path", put_path},
	{"@query", put_query},           {"@request-target", put_request_target},
	{"@target-uri", put_target_uri},
};

/* All lines of the field, joined. False: it was not sent. */
static bool put_header(struct writer *writer, const struct sluice_event *event, struct sluice_bytes name)
{
	bool found = false;
	for (size_t i = 0; i < event->header_count; i++) {
		const struct sluice_header *header = &event->headers[i];
		if (header->name.size != name.size || strncasecmp(header->name.data, name.data, name.size) != 0)
			continue;
		if (found)
			put(writer, ", ", 2);
		put_bytes(writer, header->value);
		found = true;
	}
	return found;
}

static bool put_value(struct writer *writer, struct sluice_event *event, struct sluice_bytes name)
{
	for (size_t i = 0; i < sizeof(derived) / sizeof(derived[0]); i++)
		if (is(name, derived[i].name))
			return derived[i].put(writer, event);
	return name.size && name.data[0] != '@' && put_header(writer, event, name);
}

/* A signature as its two fields tell it. */
struct claim {
	struct sluice_bytes label, input; /* "(\"@method\" …);created=…", as it was sent */
	struct sluice_bytes components[COMPONENTS_MAX];
	size_t component_count;
	struct sluice_bytes algorithm; /* absent: any */
	int64_t created, expires;      /* 0: not told */
};

static bool covers(const struct claim *claim, const char *name)
{
	for (size_t i = 0; i < claim->component_count; i++)
		if (claim->components[i].size == strlen(name) &&
		    strncasecmp(claim->components[i].data, name, claim->components[i].size) == 0)
			return true;
	return false;
}

static bool has(const struct claim *claim, struct sluice_bytes name)
{
	for (size_t i = 0; i < claim->component_count; i++)
		if (sluice_bytes_equal(claim->components[i], name))
			return true;
	return false;
}

/* A field's name is in lower case (section 2.1). */
static bool is_component(struct sluice_bytes name)
{
	for (size_t i = 0; i < name.size; i++)
		if (name.data[i] >= 'A' && name.data[i] <= 'Z')
			return false;
	return name.size > 0;
}

static bool read_components(struct claim *claim, struct sluice_bytes *rest)
{
	if (rest->size == 0 || rest->data[0] != '(')
		return false;
	rest->data++, rest->size--;
	while (rest->size && rest->data[0] != ')') {
		struct sluice_bytes name;
		if (rest->data[0] == ' ') {
			rest->data++, rest->size--;
			continue;
		}
		if (!fields_take_string(rest, &name) || !is_component(name) || has(claim, name) ||
		    claim->component_count == COMPONENTS_MAX || (rest->size && !strchr(" )", rest->data[0])))
			return false;
		claim->components[claim->component_count++] = name;
	}
	if (rest->size == 0)
		return false;
	rest->data++, rest->size--;
	return true;
}

static bool read_claim(struct claim *claim, const struct field_member *member)
{
	struct sluice_bytes rest = member->value;
	struct field_parameter parameter;
	*claim = (struct claim){.label = member->name, .input = member->value};
	if (!read_components(claim, &rest))
		return false;
	while (fields_take_parameter(&rest, &parameter)) {
		if (is(parameter.name, "created") && !fields_read_seconds(parameter.value, &claim->created))
			return false;
		if (is(parameter.name, "expires") && !fields_read_seconds(parameter.value, &claim->expires))
			return false;
		if (is(parameter.name, "alg"))
			claim->algorithm = parameter.value;
	}
	return rest.size == 0;
}

static const char *rules_flaw(const struct message_rules *rules, const struct claim *claim,
                              const struct sluice_event *event)
{
	int64_t now = event->received_at_ns / SECOND_NS, tolerance = rules->tolerance_ns / SECOND_NS;
	for (size_t i = 0; i < rules->covered->count; i++)
		if (!covers(claim, rules->covered->items[i]))
			return "a signature does not cover all that it must";
	if (event->body.size && !covers(claim, "content-digest"))
		return "a signature does not cover the digest of the body";
	if (rules->id_header && !covers(claim, rules->id_header))
		return "a signature does not cover the message id";
	if (!claim->created)
		return "a signature does not say when it was made";
	if (now - claim->created > tolerance || (claim->expires && claim->expires < now))
		return "the signature is too old";
	return claim->created - now > tolerance ? "the signature is too far ahead" : NULL;
}

/* Section 2.5. False: it covers what was not sent. */
static bool put_base(struct writer *writer, const struct claim *claim, struct sluice_event *event)
{
	for (size_t i = 0; i < claim->component_count; i++) {
		put(writer, "\"", 1);
		put_bytes(writer, claim->components[i]);
		put(writer, "\": ", 3);
		if (!put_value(writer, event, claim->components[i]))
			return false;
		put(writer, "\n", 1);
	}
	put(writer, "\"@signature-params\": ", 21);
	put_bytes(writer, claim->input);
	return true;
}

static const char *make_base(const struct claim *claim, struct sluice_event *event, struct sluice_bytes *base_out,
                             bool *memory_short_out)
{
	struct writer measure = {NULL, 0};
	if (!put_base(&measure, claim, event))
		return "a signature covers what was not sent, or cannot be covered here";
	struct writer writer = {sluice_alloc(event, measure.size + 1), 0};
	*memory_short_out = !writer.out;
	if (!writer.out || !put_base(&writer, claim, event))
		return "no memory";
	*base_out = (struct sluice_bytes){writer.out, writer.size};
	return NULL;
}

/* All lines of a field as one dictionary, in the event's memory; absent: it was not sent. */
static struct sluice_bytes get_field(struct sluice_event *event, const char *name, bool *memory_short_out)
{
	struct sluice_bytes field = {name, strlen(name)};
	struct writer measure = {NULL, 0};
	if (!put_header(&measure, event, field))
		return (struct sluice_bytes){NULL, 0};
	struct writer writer = {sluice_alloc(event, measure.size + 1), 0};
	*memory_short_out = *memory_short_out || !writer.out;
	if (!writer.out)
		return (struct sluice_bytes){NULL, 0};
	(void)put_header(&writer, event, field);
	return (struct sluice_bytes){writer.out, writer.size};
}

static bool find_member(struct sluice_bytes dictionary, struct sluice_bytes name, struct sluice_bytes *value_out)
{
	struct field_member member;
	bool found = false, bad;
	while (fields_next_member(&dictionary, &member, &bad)) {
		if (!sluice_bytes_equal(member.name, name))
			continue;
		if (found)
			return false;
		*value_out = member.value;
		found = true;
	}
	return found && !bad;
}

/* RFC 9530: every digest that is known here must be that of the body, and one at least is. */
static const char *digest_flaw(struct sluice_event *event, bool *memory_short_out)
{
	struct sluice_bytes dictionary = get_field(event, "content-digest", memory_short_out);
	struct field_member member;
	size_t known = 0;
	bool bad = false;
	while (dictionary.data && fields_next_member(&dictionary, &member, &bad)) {
		uint8_t hash[SHA512_DIGEST_LENGTH];
		char expected[ENCODED_MAX];
		struct sluice_bytes sent;
		size_t size = is(member.name, "sha-256")   ? SHA256_DIGEST_LENGTH
		              : is(member.name, "sha-512") ? SHA512_DIGEST_LENGTH
		                                           : 0;
		if (size == 0)
			continue;
		(void)(size == SHA256_DIGEST_LENGTH ? SHA256 : SHA512)((const unsigned char *)event->body.data,
		                                                       event->body.size, hash);
		size_t length = encoding_write(ENCODING_BASE64, hash, size, expected);
		if (!fields_read_bytes(member.value, &sent) || sent.size != length ||
		    memcmp(sent.data, expected, length) != 0)
			return "the digest is not that of the body";
		known++;
	}
	return known && !bad ? NULL : "no digest of the body that is known here";
}

/* RFC 9421 has the two numbers of ECDSA one behind the other, the library wants DER. */
static bool to_der(struct sluice_bytes *signature, char text[ENCODED_BYTES_MAX])
{
	uint8_t raw[ENCODED_BYTES_MAX], der[DER_MAX], *at = der;
	size_t size;
	if (!encoding_read(ENCODING_BASE64, *signature, raw, &size) || size != P256_SIZE)
		return false;
	ECDSA_SIG *numbers = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, P256_SIZE / 2, NULL), *s = BN_bin2bn(raw + P256_SIZE / 2, P256_SIZE / 2, NULL);
	bool good = numbers && r && s && ECDSA_SIG_set0(numbers, r, s) == 1;
	int written = good ? i2d_ECDSA_SIG(numbers, &at) : 0;
	if (!good) {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(numbers);
	if (written <= 0)
		return false;
	*signature = (struct sluice_bytes){text, (size_t)EVP_EncodeBlock((unsigned char *)text, der, written)};
	return true;
}

static const char *const algorithms[RING_KINDS] = {
	[RING_ED25519] = "ed25519",
	[RING_ECDSA] = "ecdsa-p256-sha256",
	[RING_RSA] = "rsa-v1_5-sha256",
	[RING_HMAC] = "hmac-sha256",
};

static bool verifies(const struct ring *ring, const struct claim *claim, struct sluice_bytes base,
                     struct sluice_bytes signature, struct proof *proof)
{
	for (int kind = 0; kind < RING_KINDS; kind++) {
		const struct verifier *verifier = ring_get(ring, (enum ring_kind)kind);
		char der[ENCODED_BYTES_MAX];
		struct signed_request request = {.signature = signature, .values = {{[PART_BODY] = base}}};
		if (!verifier || (claim->algorithm.data && !is(claim->algorithm, algorithms[kind])) ||
		    (kind == RING_ECDSA && !to_der(&request.signature, der)))
			continue;
		proof->kind = (enum ring_kind)kind;
		if (!verifier_find_flaw(verifier, &request, &proof->key))
			return true;
	}
	return false;
}

static const char *claim_flaw(const struct message_rules *rules, const struct ring *ring, struct sluice_event *event,
                              const struct claim *claim, struct sluice_bytes signatures, struct proof *proof,
                              bool *memory_short_out)
{
	struct sluice_bytes value, signature, base;
	const char *flaw = rules_flaw(rules, claim, event);
	if (flaw)
		return flaw;
	if (!find_member(signatures, claim->label, &value) || !fields_read_bytes(value, &signature))
		return "no signature of that label";
	flaw = make_base(claim, event, &base, memory_short_out);
	if (!flaw && covers(claim, "content-digest"))
		flaw = digest_flaw(event, memory_short_out);
	if (!flaw && !verifies(ring, claim, base, signature, proof))
		flaw = "no signature is that of a key";
	return flaw;
}

const char *message_find_flaw(const struct message_rules *rules, const struct ring *ring, struct sluice_event *event,
                              struct proof *proof_out, bool *memory_short_out)
{
	*memory_short_out = false;
	*proof_out = (struct proof){.key = 0};
	struct sluice_bytes inputs = get_field(event, "signature-input", memory_short_out);
	struct sluice_bytes signatures = get_field(event, "signature", memory_short_out);
	struct field_member member;
	const char *flaw = "no signature";
	bool bad;
	for (int i = 0; i < SIGNATURES_MAX && signatures.data && fields_next_member(&inputs, &member, &bad); i++) {
		struct claim claim;
		if (!read_claim(&claim, &member)) {
			flaw = "Signature-Input cannot be read";
			continue;
		}
		flaw = claim_flaw(rules, ring, event, &claim, signatures, proof_out, memory_short_out);
		if (!flaw)
			break;
	}
	size_t at = 0;
	if (!flaw && rules->id_header) {
		proof_out->id = sluice_next_header(event, rules->id_header, &at);
		if (proof_out->id.size == 0 || sluice_next_header(event, rules->id_header, &at).data)
			flaw = "the message id stands there twice, or is empty";
	}
	return flaw;
}
