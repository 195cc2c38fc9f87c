/*
 * A scheme is a form: which headers there are, what is signed and how the signature is written. The five that have a
 * name are forms that were filled in beforehand.
 */
#include "lab/load/sign.h"

#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/clock.h"

/* As the options of auth/hmac's template; "" where there is none. */
struct form {
	const char *signature_header, *timestamp_header, *id_header;
	const char *signed_text, *prefix, *separator, *timestamp_prefix;
	const char *digest, *encoding, *key_encoding, *timestamp_unit;
	const char *key_prefix; /* of the secret as text, not part of the key */
};

static const struct scheme {
	const char *name;
	struct form form;
} schemes[] = {
	/* standardwebhooks.com, specification 1.0 */
	{"standard-webhooks",
         {.id_header = "webhook-id",
          .timestamp_header = "webhook-timestamp",
          .signature_header = "webhook-signature",
          .signed_text = "{id}.{timestamp}.{body}",
          .prefix = "v1,",
          .encoding = "base64",
          .key_encoding = "base64",
          .key_prefix = "whsec_"}},
	/* docs.github.com, "Validating webhook deliveries" */
	{"github", {.signature_header = "X-Hub-Signature-256", .signed_text = "{body}", .prefix = "sha256="}},
	/* docs.stripe.com, "Verify webhook signatures manually" */
	{"stripe",
         {.signature_header = "Stripe-Signature",
          .signed_text = "{timestamp}.{body}",
          .separator = ",",
          .timestamp_prefix = "t=",
          .prefix = "v1="}},
	/* api.slack.com, "Verifying requests from Slack" */
	{"slack",
         {.timestamp_header = "X-Slack-Request-Timestamp",
          .signature_header = "X-Slack-Signature",
          .signed_text = "v0:{timestamp}:{body}",
          .prefix = "v0="}},
	/* shopify.dev, "Verify the origin of a webhook" */
	{"shopify", {.signature_header = "X-Shopify-Hmac-SHA256", .signed_text = "{body}", .encoding = "base64"}},
	{"template", {.signed_text = "{body}"}},
};

enum { SCHEME_COUNT = sizeof(schemes) / sizeof(schemes[0]) };

#define EXPECTED_SPEC                                                                                                  \
	"expected SCHEME:SECRET, the scheme one of standard-webhooks, github, stripe, slack, shopify and template"

struct signer {
	struct arena arena;
	const char *scheme;
	struct form form;
	EVP_MAC_CTX *right, *wrong; /* keyed, to be duplicated */
};

/* The options of a form by name; those with choices take one of them, and the first unless told. */
static const struct field {
	const char *name;
	size_t offset;
	const char *choices[5];
} fields[] = {
	{"signature_header", offsetof(struct form, signature_header), {NULL}},
	{"timestamp_header", offsetof(struct form, timestamp_header), {NULL}},
	{"id_header", offsetof(struct form, id_header), {NULL}},
	{"signed", offsetof(struct form, signed_text), {NULL}},
	{"prefix", offsetof(struct form, prefix), {NULL}},
	{"separator", offsetof(struct form, separator), {NULL}},
	{"timestamp_prefix", offsetof(struct form, timestamp_prefix), {NULL}},
	{"digest", offsetof(struct form, digest), {"sha256", "sha512", "sha1"}},
	{"encoding", offsetof(struct form, encoding), {"hex", "HEX", "base64", "base64url"}},
	{"key_encoding", offsetof(struct form, key_encoding), {"text", "hex", "base64"}},
	{"timestamp_unit", offsetof(struct form, timestamp_unit), {"s", "ms", "us"}},
};

enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

static const char **field_of(struct form *form, const struct field *field)
{
	return (const char **)(void *)((char *)form + field->offset);
}

static void fill_defaults(struct form *form)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const char **value = field_of(form, &fields[i]);
		if (!*value)
			*value = fields[i].choices[0] ? fields[i].choices[0] : "";
	}
	if (!form->key_prefix)
		form->key_prefix = "";
}

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

static bool fits_choices(const struct field *field, const char *value)
{
	for (size_t i = 0; field->choices[i]; i++) {
		if (strcmp(field->choices[i], value) == 0)
			return true;
	}
	return !field->choices[0];
}

static bool set_field(struct form *form, const char *name, size_t length, const char *value, struct sluice_error *error)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct field *field = &fields[i];
		if (strlen(field->name) != length || strncmp(field->name, name, length) != 0)
			continue;
		if (!fits_choices(field, value))
			return sluice_error_set(error, "the form: %s: there is no \"%s\"", field->name, value);
		*field_of(form, field) = value;
		return true;
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
		if (!set_field(&signer->form, text, name, arena_strndup(&signer->arena, value, length), error))
			return false;
		text = value + length + (value[length] == ',');
	}
	return true;
}

static bool mentions(const char *text, const char *placeholder)
{
	return strstr(text, placeholder) != NULL;
}

static bool check_form(const struct form *form, struct sluice_error *error)
{
	if (!*form->signature_header)
		return sluice_error_set(error, "the form: signature_header: expected the header for the signature");
	if (!mentions(form->signed_text, "{body}"))
		return sluice_error_set(error, "the form: signed: expected a {body} in it");
	if (mentions(form->signed_text, "{timestamp}") != (*form->timestamp_header || *form->timestamp_prefix))
		return sluice_error_set(
			error,
			"the form: expected a {timestamp} in `signed` and a timestamp_header or timestamp_prefix, or neither");
	if (mentions(form->signed_text, "{id}") != (*form->id_header != '\0'))
		return sluice_error_set(error, "the form: expected an {id} in `signed` and an id_header, or neither");
	return true;
}

static EVP_MAC_CTX *keyed(const char *digest, const void *key, size_t size)
{
	char name[16];
	(void)snprintf(name, sizeof(name), "%s", digest);
	const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
	                                 OSSL_PARAM_construct_end()};
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac); /* the context holds it */
	if (context && EVP_MAC_init(context, key, size, parameters) == 1)
		return context;
	EVP_MAC_CTX_free(context);
	return NULL;
}

static void read_hex(const char *text, struct buffer *out)
{
	long size = 0;
	unsigned char *bytes = OPENSSL_hexstr2buf(text, &size);
	if (bytes)
		buffer_add(out, bytes, (size_t)size);
	OPENSSL_clear_free(bytes, (size_t)size);
}

/* Secrets in base64 come with their padding or without it. */
static void read_base64(const char *text, struct buffer *out)
{
	struct buffer padded = {0};
	buffer_add_text(&padded, text);
	while (padded.size % 4 != 0)
		buffer_add(&padded, "=", 1);
	(void)base64_read(padded.data, padded.size, out);
	OPENSSL_cleanse(padded.data, padded.size);
	buffer_finish(&padded);
}

/* Adds nothing if the secret is not written as the form says. */
static void read_key(const struct form *form, const char *secret, struct buffer *key)
{
	size_t prefix = strlen(form->key_prefix);
	if (strncmp(secret, form->key_prefix, prefix) == 0)
		secret += prefix;
	if (strcmp(form->key_encoding, "hex") == 0)
		read_hex(secret, key);
	else if (strcmp(form->key_encoding, "base64") == 0)
		read_base64(secret, key);
	else
		buffer_add_text(key, secret);
}

/* The key does not outlive this but in the two contexts. */
static bool take_key(struct signer *signer, struct buffer *key, struct sluice_error *error)
{
	const struct form *form = &signer->form;
	if (!key->data || key->size == 0)
		return sluice_error_set(
			error, "expected a secret as %s%s%s after the colon; what it got is secret and not shown",
			form->key_encoding, *form->key_prefix ? ", with or without " : "", form->key_prefix);
	signer->right = keyed(form->digest, key->data, key->size);
	key->data[0] ^= 1;
	signer->wrong = keyed(form->digest, key->data, key->size);
	OPENSSL_cleanse(key->data, key->size);
	return (signer->right && signer->wrong) ||
	       sluice_error_set(error, "the crypto library has no HMAC with %s", form->digest);
}

static bool take_secret(struct signer *signer, const char *secret, struct sluice_error *error)
{
	struct buffer key = {0};
	read_key(&signer->form, secret, &key);
	bool good = take_key(signer, &key, error);
	buffer_finish(&key);
	return good;
}

static const struct scheme *find_scheme(const char *spec, size_t length)
{
	for (size_t i = 0; i < SCHEME_COUNT; i++) {
		if (strlen(schemes[i].name) == length && strncmp(schemes[i].name, spec, length) == 0)
			return &schemes[i];
	}
	return NULL;
}

static bool init(struct signer *signer, const char *spec, const char *form, struct sluice_error *error)
{
	const char *colon = strchr(spec, ':');
	const struct scheme *scheme = colon ? find_scheme(spec, (size_t)(colon - spec)) : NULL;
	if (!scheme)
		return sluice_error_set(error, EXPECTED_SPEC);
	signer->scheme = scheme->name;
	signer->form = scheme->form;
	if (form && scheme->form.signature_header)
		return sluice_error_set(error, "%s has its own form: expected template:SECRET with one", scheme->name);
	if (form && !read_form(signer, form, error))
		return false;
	fill_defaults(&signer->form);
	return check_form(&signer->form, error) && take_secret(signer, colon + 1, error);
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
	EVP_MAC_CTX_free(signer->right);
	EVP_MAC_CTX_free(signer->wrong);
	arena_finish(&signer->arena);
	free(signer);
}

const char *signer_scheme(const struct signer *signer)
{
	return signer->scheme;
}

/* What stands for the placeholders of the signed text. */
struct values {
	struct sluice_bytes id, timestamp, body;
};

static struct sluice_bytes bytes_of(const char *text)
{
	return (struct sluice_bytes){text, strlen(text)};
}

/* The value of the placeholder at `text`, which is then passed; false: it is a brace like any other byte. */
static bool take_placeholder(const char **text, const struct values *values, struct sluice_bytes *value_out)
{
	const struct {
		const char *name;
		struct sluice_bytes value;
	} placeholders[] = {{"{id}", values->id}, {"{timestamp}", values->timestamp}, {"{body}", values->body}};
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
		size_t length = strlen(placeholders[i].name);
		if (strncmp(*text, placeholders[i].name, length) == 0) {
			*value_out = placeholders[i].value;
			*text += length;
			return true;
		}
	}
	return false;
}

_Noreturn static void crypto_failed(void)
{
	(void)fputs("sluice: HMAC has failed in libcrypto\n", stderr);
	abort();
}

static size_t sign(const EVP_MAC_CTX *key, const char *signed_text, const struct values *values,
                   unsigned char mac[EVP_MAX_MD_SIZE])
{
	EVP_MAC_CTX *context = EVP_MAC_CTX_dup(key);
	bool good = context != NULL;
	while (good && *signed_text) {
		struct sluice_bytes bytes;
		if (!take_placeholder(&signed_text, values, &bytes)) {
			bytes = (struct sluice_bytes){signed_text, 1 + strcspn(signed_text + 1, "{")};
			signed_text += bytes.size;
		}
		good = bytes.size == 0 || EVP_MAC_update(context, (const unsigned char *)bytes.data, bytes.size) == 1;
	}
	size_t size = 0;
	if (!good || EVP_MAC_final(context, mac, &size, EVP_MAX_MD_SIZE) != 1)
		crypto_failed();
	EVP_MAC_CTX_free(context);
	return size;
}

/* RFC 4648, section 5, without padding. */
static void write_base64url(const unsigned char *bytes, size_t size, struct buffer *out)
{
	size_t start = out->size;
	base64_write(bytes, size, out);
	while (out->size > start && out->data[out->size - 1] == '=')
		out->data[--out->size] = '\0';
	for (size_t i = start; i < out->size; i++) {
		char c = out->data[i];
		out->data[i] = c == '+' ? '-' : c == '/' ? '_' : c;
	}
}

static void write_mac(const char *encoding, const unsigned char *mac, size_t size, struct buffer *out)
{
	if (strcmp(encoding, "base64") == 0) {
		base64_write(mac, size, out);
	} else if (strcmp(encoding, "base64url") == 0) {
		write_base64url(mac, size, out);
	} else {
		const char *digits = strcmp(encoding, "HEX") == 0 ? "0123456789ABCDEF" : "0123456789abcdef";
		for (size_t i = 0; i < size; i++)
			buffer_add(out, (char[]){digits[mac[i] >> 4], digits[mac[i] & 15]}, 2);
	}
}

static bool can_be_value(struct sluice_bytes text)
{
	for (size_t i = 0; i < text.size; i++) {
		if ((unsigned char)text.data[i] < ' ' || text.data[i] == '\x7f')
			return false;
	}
	return text.size > 0 && text.data[0] != ' ' && text.data[text.size - 1] != ' ';
}

static int64_t unit_ns(const struct form *form)
{
	return form->timestamp_unit[0] == 's' ? NS_PER_S : form->timestamp_unit[0] == 'm' ? NS_PER_MS : NS_PER_US;
}

static void write_line(const char *name, struct sluice_bytes value, struct buffer *out)
{
	buffer_add_text(out, name);
	buffer_add_text(out, ": ");
	buffer_add(out, value.data, value.size);
	buffer_add_text(out, "\r\n");
}

void signer_write(const struct signer *signer, struct sluice_bytes id, struct sluice_bytes body, int64_t wall_ns,
                  bool spoil, struct buffer *out)
{
	const struct form *form = &signer->form;
	char time[24];
	unsigned char mac[EVP_MAX_MD_SIZE];
	(void)snprintf(time, sizeof(time), "%" PRId64, wall_ns / unit_ns(form));
	struct values values = {
		.id = can_be_value(id) ? id : bytes_of("none"), .timestamp = bytes_of(time), .body = body};
	size_t size = sign(spoil ? signer->wrong : signer->right, form->signed_text, &values, mac);
	if (*form->id_header)
		write_line(form->id_header, values.id, out);
	if (*form->timestamp_header)
		write_line(form->timestamp_header, values.timestamp, out);
	buffer_printf(out, "%s: ", form->signature_header);
	if (*form->timestamp_prefix)
		buffer_printf(out, "%s%s%s", form->timestamp_prefix, time, form->separator);
	buffer_add_text(out, form->prefix);
	write_mac(form->encoding, mac, size, out);
	buffer_add_text(out, "\r\n");
}
