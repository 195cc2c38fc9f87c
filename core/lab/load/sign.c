/*
 * Signing by the table of schemes, or by a scheme that the user describes; see sign.h.
 */
#include "lab/load/sign.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "sign/key.h"

struct signer {
	struct arena arena;
	struct scheme scheme;
	struct part parts[PARTS_MAX];
	size_t part_count;
	struct signing_key *right, *wrong;
};

const char signer_help[] = "sign each; SCHEME is "
#define SCHEME(name, ...) name ", "
#include "sign/schemes.inc"
#undef SCHEME
			   "or template";

static void choose_digest(struct scheme *scheme, size_t which)
{
	scheme->digest = scheme_digest_names[which];
}

static void choose_encoding(struct scheme *scheme, size_t which)
{
	scheme->encoding = (enum encoding)which;
}

static void choose_key_encoding(struct scheme *scheme, size_t which)
{
	scheme->key_encoding = (enum key_encoding)which;
}

static void choose_unit(struct scheme *scheme, size_t which)
{
	scheme->unit_ns = scheme_units_ns[which];
}

/* What a template may say, as the options of auth/hmac's. */
static const struct field {
	const char *name;
	size_t offset;              /* of a text in struct scheme */
	const char *const *choices; /* NULL: any text */
	void (*choose)(struct scheme *scheme, size_t which);
} fields[] = {
	{"signature_header", offsetof(struct scheme, headers[0].signature), NULL, NULL},
	{"timestamp_header", offsetof(struct scheme, headers[0].timestamp), NULL, NULL},
	{"id_header", offsetof(struct scheme, headers[0].id), NULL, NULL},
	{"signed", offsetof(struct scheme, signed_text), NULL, NULL},
	{"prefix", offsetof(struct scheme, prefix), NULL, NULL},
	{"separator", offsetof(struct scheme, separator), NULL, NULL},
	{"timestamp_prefix", offsetof(struct scheme, timestamp_prefix), NULL, NULL},
	{"digest", 0, scheme_digest_names, choose_digest},
	{"encoding", 0, encoding_names, choose_encoding},
	{"key_encoding", 0, key_encoding_names, choose_key_encoding},
	{"timestamp_unit", 0, scheme_unit_names, choose_unit},
};

/* The length of the name at `text` that an option begins with; 0: none begins here. */
static size_t option_name(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
	return text[length] == '=' ? length : 0;
}

static size_t value_length(const char *text)
{
	size_t length = 0;
	while (text[length] && (text[length] != ',' || option_name(text + length + 1) == 0))
		length++;
	return length;
}

static bool take_value(struct scheme *scheme, const struct field *field, const char *value, struct sluice_error *error)
{
	if (!field->choices) {
		memcpy((char *)scheme + field->offset, &value, sizeof(value));
		return true;
	}
	size_t which = 0;
	while (field->choices[which] && strcmp(field->choices[which], value) != 0)
		which++;
	if (!field->choices[which])
		return sluice_error_set(error, "the form: %s: there is no \"%s\"", field->name, value);
	field->choose(scheme, which);
	return true;
}

static bool set_field(struct scheme *scheme, const char *name, size_t length, const char *value,
                      struct sluice_error *error)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strlen(fields[i].name) == length && strncmp(fields[i].name, name, length) == 0)
			return take_value(scheme, &fields[i], value, error);
	}
	return sluice_error_set(error, "the form: auth/hmac's template has no option %.*s", (int)length, name);
}

static bool read_form(struct signer *signer, const char *text, struct sluice_error *error)
{
	while (*text) {
		size_t name = option_name(text);
		if (name == 0)
			return sluice_error_set(error, "the form: expected NAME=VALUE,NAME=VALUE…, got \"%s\"", text);
		const char *value = text + name + 1;
		size_t length = value_length(value);
		if (!set_field(&signer->scheme, text, name, arena_strndup(&signer->arena, value, length), error))
			return false;
		text = value + length + (value[length] == ',');
	}
	return true;
}

static bool is_given(const char *text)
{
	return text && *text;
}

static bool check_template(const struct scheme *scheme, struct sluice_error *error)
{
	struct part parts[PARTS_MAX];
	struct sluice_error cause = {0};
	if (!is_given(scheme->headers[0].signature))
		return sluice_error_set(error, "the form: signature_header: expected the header for the signature");
	size_t count = scheme_split(scheme->signed_text, parts, &cause);
	if (!count)
		return sluice_error_set(error, "the form: signed: %s", cause.text);
	for (size_t i = 0; i < count; i++)
		if (parts[i].kind > PART_BODY)
			return sluice_error_set(error,
			                        "the form: signed: expected {id}, {timestamp} and {body} in it, got %s",
			                        scheme->signed_text);
	bool sends_time = is_given(scheme->headers[0].timestamp) || is_given(scheme->timestamp_prefix);
	if (sends_time != (strstr(scheme->signed_text, "{timestamp}") != NULL))
		return sluice_error_set(
			error,
			"the form: expected a {timestamp} in `signed` and a timestamp_header or timestamp_prefix, or neither");
	if (is_given(scheme->headers[0].id) != (strstr(scheme->signed_text, "{id}") != NULL))
		return sluice_error_set(error, "the form: expected an {id} in `signed` and an id_header, or neither");
	return true;
}

/* The key does not outlive this but in the two that sign. */
static bool take_key(struct signer *signer, uint8_t *key, size_t size, struct sluice_error *error)
{
	const char *digest = signer->scheme.digest;
	signer->right = signing_key_create(digest, key, size);
	key[0] ^= 1;
	signer->wrong = signing_key_create(digest, key, size);
	return (signer->right && signer->wrong) ||
	       sluice_error_set(error, "the crypto library has no HMAC with %s", digest);
}

static bool take_secret(struct signer *signer, const char *secret, struct sluice_error *error)
{
	const struct scheme *scheme = &signer->scheme;
	struct sluice_bytes text = scheme_key_text(scheme, (struct sluice_bytes){secret, strlen(secret)});
	uint8_t *key = must_alloc(text.size + 1);
	size_t size = 0;
	bool good =
		encoding_read_key(scheme->key_encoding, text, key, &size) && size > 0
			? take_key(signer, key, size, error)
			: sluice_error_set(
				  error,
				  "expected a secret as %s%s%s after the colon; what it got is secret and not shown",
				  key_encoding_names[scheme->key_encoding],
				  scheme->key_prefix ? ", with or without " : "",
				  scheme->key_prefix ? scheme->key_prefix : "");
	OPENSSL_cleanse(key, text.size + 1);
	free(key);
	return good;
}

static bool expected_spec(struct sluice_error *error)
{
	struct sluice_error names = {0};
	size_t size = 0;
	for (const char *const *name = scheme_names; *name; name++)
		size += (size_t)snprintf(names.text + size, sizeof(names.text) - size, "%s%s",
		                         name == scheme_names ? ""
		                         : name[1]            ? ", "
		                                              : " and ",
		                         *name);
	return sluice_error_set(error, "expected SCHEME:SECRET, the scheme one of %s", names.text);
}

static bool choose_scheme(struct signer *signer, const char *name, size_t length, const char *form,
                          struct sluice_error *error)
{
	int which = 0;
	while (scheme_names[which] &&
	       (strlen(scheme_names[which]) != length || strncmp(scheme_names[which], name, length) != 0))
		which++;
	if (!scheme_names[which])
		return expected_spec(error);
	if (which != SCHEME_TEMPLATE) {
		signer->scheme = schemes[which];
		return !form || sluice_error_set(error, "%s has its own form: expected template:SECRET with one",
		                                 scheme_names[which]);
	}
	signer->scheme = (struct scheme){.name = scheme_names[which],
	                                 .signed_text = "{body}",
	                                 .prefix = "",
	                                 .digest = scheme_digest_names[0],
	                                 .unit_ns = scheme_units_ns[0]};
	return (!form || read_form(signer, form, error)) && check_template(&signer->scheme, error);
}

static bool init(struct signer *signer, const char *spec, const char *form, struct sluice_error *error)
{
	const char *colon = strchr(spec, ':');
	if (!colon)
		return expected_spec(error);
	if (!choose_scheme(signer, spec, (size_t)(colon - spec), form, error))
		return false;
	signer->part_count = scheme_split(signer->scheme.signed_text, signer->parts, error);
	return take_secret(signer, colon + 1, error);
}

struct signer *signer_create(const char *spec, const char *form, struct sluice_error *error)
{
	struct signer *signer = must_calloc(1, sizeof(*signer));
	arena_init(&signer->arena, 1024, NULL);
	if (init(signer, spec, form, error))
		return signer;
	signer_free(signer);
	return NULL;
}

void signer_free(struct signer *signer)
{
	if (!signer)
		return;
	signing_key_free(signer->right);
	signing_key_free(signer->wrong);
	arena_finish(&signer->arena);
	free(signer);
}

const char *signer_scheme(const struct signer *signer)
{
	return signer->scheme.name;
}

bool signer_signs_time(const struct signer *signer)
{
	return strstr(signer->scheme.signed_text, "{timestamp}") != NULL;
}

static bool can_be_value(struct sluice_bytes text)
{
	for (size_t i = 0; i < text.size; i++) {
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == '\x7f')
			return false;
	}
	return text.size > 0 && text.data[0] != ' ' && text.data[text.size - 1] != ' ';
}

static void write_line(const char *name, struct sluice_bytes value, struct buffer *out)
{
	buffer_add_text(out, name);
	buffer_add_text(out, ": ");
	buffer_add(out, value.data, value.size);
	buffer_add_text(out, "\r\n");
}

_Noreturn static void crypto_failed(void)
{
	(void)fputs("sluice: HMAC has failed in libcrypto\n", stderr);
	abort();
}

void signer_write(const struct signer *signer, struct sluice_bytes id, struct sluice_bytes body, int64_t wall_ns,
                  bool spoil, struct buffer *out)
{
	const struct scheme *scheme = &signer->scheme;
	const struct scheme_headers *headers = &scheme->headers[0];
	char time[SCHEME_TIME_SIZE] = "", text[ENCODED_MAX];
	if (signer_signs_time(signer))
		scheme_write_time(scheme, wall_ns, time);
	struct signed_values values = {{[PART_ID] = can_be_value(id) ? id : (struct sluice_bytes){"none", 4},
	                                [PART_TIMESTAMP] = {time, strlen(time)},
	                                [PART_BODY] = body}};
	size_t size = signing_key_sign(spoil ? signer->wrong : signer->right, signer->parts, signer->part_count,
	                               &values, scheme->encoding, text);
	if (size == 0)
		crypto_failed();
	if (is_given(headers->id))
		write_line(headers->id, values.of[PART_ID], out);
	if (is_given(headers->timestamp))
		write_line(headers->timestamp, values.of[PART_TIMESTAMP], out);
	buffer_printf(out, "%s: ", headers->signature);
	if (is_given(scheme->timestamp_prefix))
		buffer_printf(out, "%s%s%s", scheme->timestamp_prefix, time,
		              scheme->separator ? scheme->separator : "");
	buffer_add_text(out, scheme->prefix);
	buffer_add(out, text, size);
	buffer_add_text(out, "\r\n");
}
