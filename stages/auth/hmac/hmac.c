/*
 * Lets through what was signed with a shared secret. The raw body is verified, before anything looks into it; the
 * sender is never told which part of a signature failed.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sluice/stage.h>

#include "sign/scheme.h"
#include "verify.h"

enum { SECRET_FILE_MAX = 65536 };

struct config {
	int scheme;
	struct sluice_strings secrets, secret_files;
	struct sluice_duration tolerance;
	struct custom {
		const char *signature_header, *timestamp_header, *id_header;
		const char *signed_text, *prefix, *separator, *timestamp_prefix;
		int digest, encoding, key_encoding, unit;
	} custom;
};

static const struct sluice_option options[] = {
	SLUICE_OPTION_CHOICE(struct config, scheme, .name = "scheme", .choices = scheme_names,
                             .fallback = "standard-webhooks", .help = "the signature scheme"),
	SLUICE_OPTION_STRINGS(struct config, secrets, .name = "secrets", .flags = SLUICE_OPTION_SECRET,
                              .help = "the shared secrets; a signature by any of them is accepted"),
	SLUICE_OPTION_STRINGS(struct config, secret_files, .name = "secret_files",
                              .help = "files with one more secret each; line ends behind it do not count"),
	SLUICE_OPTION_DURATION(struct config, tolerance, .name = "tolerance",
                               .help = "how old a timestamp may be, or how far ahead; 0s: as the scheme says"),
	SLUICE_OPTION_STRING(struct config, custom.signature_header, .name = "template.signature_header",
                             .help = "the header with the signature"),
	SLUICE_OPTION_STRING(struct config, custom.timestamp_header, .name = "template.timestamp_header",
                             .help = "the header with the timestamp"),
	SLUICE_OPTION_STRING(struct config, custom.id_header, .name = "template.id_header",
                             .help = "the header with the message id"),
	SLUICE_OPTION_STRING(struct config, custom.signed_text, .name = "template.signed", .fallback = "{body}",
                             .help = "the signed text, made of {id}, {timestamp}, {body} and text between them"),
	SLUICE_OPTION_STRING(struct config, custom.prefix, .name = "template.prefix", .fallback = "",
                             .help = "the text before a signature"),
	SLUICE_OPTION_STRING(struct config, custom.separator, .name = "template.separator", .fallback = "",
                             .help = "the separator of entries in the signature header; empty: it has one entry"),
	SLUICE_OPTION_STRING(struct config, custom.timestamp_prefix, .name = "template.timestamp_prefix",
                             .help = "the text before the timestamp, if it is in the signature header"),
	SLUICE_OPTION_CHOICE(struct config, custom.digest, .name = "template.digest", .choices = scheme_digest_names,
                             .fallback = "sha256", .help = "the hash of the HMAC"),
	SLUICE_OPTION_CHOICE(struct config, custom.encoding, .name = "template.encoding", .choices = encoding_names,
                             .fallback = "hex", .help = "the encoding of the signature"),
	SLUICE_OPTION_CHOICE(struct config, custom.key_encoding, .name = "template.key_encoding",
                             .choices = key_encoding_names, .fallback = "text", .help = "the encoding of the secrets"),
	SLUICE_OPTION_CHOICE(struct config, custom.unit, .name = "template.timestamp_unit",
                             .choices = scheme_unit_names, .fallback = "s",
                             .help = "the unit of the timestamp, since 1970"),
	SLUICE_OPTION_END,
};

struct state {
	struct scheme scheme;
	struct verifier *verifier;
};

static const char *unless_empty(const char *text)
{
	return text && *text ? text : NULL;
}

static bool is_signed(const struct custom *custom, const char *placeholder)
{
	return strstr(custom->signed_text, placeholder) != NULL;
}

/* RFC 9110, 5.6.2: a token. Another name would wait for a header that no sender can send. */
static bool check_header_names(const struct custom *custom, struct sluice_error *error)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const struct {
		const char *option, *name;
	} headers[] = {{"signature_header", custom->signature_header},
	               {"timestamp_header", custom->timestamp_header},
	               {"id_header", custom->id_header}};
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		const char *name = unless_empty(headers[i].name);
		if (name && name[strspn(name, allowed)])
			return sluice_error_set(error, "template.%s: expected the name of a header, got \"%s\"",
			                        headers[i].option, name);
	}
	return true;
}

static bool check_template(const struct custom *custom, struct sluice_error *error)
{
	struct part parts[PARTS_MAX];
	struct sluice_error cause = {0};
	if (!unless_empty(custom->signature_header))
		return sluice_error_set(error, "template.signature_header: expected the header with the signature");
	if (!check_header_names(custom, error))
		return false;
	if (!scheme_split(custom->signed_text, parts, &cause))
		return sluice_error_set(error, "template.signed: %s", cause.text);
	bool sent = unless_empty(custom->timestamp_header) || unless_empty(custom->timestamp_prefix);
	if (sent != is_signed(custom, "{timestamp}"))
		return sluice_error_set(
			error, sent ? "template.signed: expected {timestamp} in it: an unsigned one proves nothing"
				    : "template.timestamp_header: expected the header with the {timestamp}");
	sent = unless_empty(custom->id_header);
	if (sent != is_signed(custom, "{id}"))
		return sluice_error_set(error,
		                        sent ? "template.signed: expected {id} in it: an unsigned one proves nothing"
		                             : "template.id_header: expected the header with the {id}");
	return true;
}

static bool make_scheme(const struct config *config, struct scheme *scheme_out, struct sluice_error *error)
{
	const struct custom *custom = &config->custom;
	if (config->scheme != SCHEME_TEMPLATE) {
		if (unless_empty(custom->signature_header))
			return sluice_error_set(error,
			                        "template: scheme %s has its own; set scheme: template to use it",
			                        scheme_names[config->scheme]);
		*scheme_out = schemes[config->scheme];
	} else {
		if (!check_template(custom, error))
			return false;
		*scheme_out = (struct scheme){
			.headers = {{custom->signature_header, unless_empty(custom->timestamp_header),
		                     unless_empty(custom->id_header)}},
			.signed_text = custom->signed_text,
			.separator = unless_empty(custom->separator),
			.prefix = custom->prefix,
			.timestamp_prefix = unless_empty(custom->timestamp_prefix),
			.digest = scheme_digest_names[custom->digest],
			.encoding = (enum encoding)custom->encoding,
			.key_encoding = (enum key_encoding)custom->key_encoding,
			.unit_ns = scheme_units_ns[custom->unit],
			.tolerance_ns = SCHEME_TOLERANCE_NS,
		};
	}
	if (config->tolerance.ns == 0)
		return true;
	if (!strstr(scheme_out->signed_text, "{timestamp}"))
		return sluice_error_set(error, "tolerance: the scheme signs no timestamp; remove it");
	if (config->tolerance.ns < scheme_out->unit_ns)
		return sluice_error_set(error, "tolerance: expected at least one unit of the timestamp, got less");
	scheme_out->tolerance_ns = config->tolerance.ns;
	return true;
}

static void state_finish(struct state *state)
{
	verifier_destroy(state->verifier);
}

static bool add_file(struct verifier *verifier, const char *path, struct sluice_error *error)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return sluice_error_set(error, "secret_files: %s: %s", path, strerror(errno));
	setvbuf(file, NULL, _IONBF, 0); /* no second copy of the secret */
	char text[SECRET_FILE_MAX];
	errno = 0;
	size_t size = fread(text, 1, sizeof(text), file);
	struct sluice_error cause = {0};
	bool added = false;
	if (ferror(file))
		sluice_error_set(&cause, "%s", strerror(errno));
	else if (size == sizeof(text))
		sluice_error_set(&cause, "expected a file of less than %d bytes", SECRET_FILE_MAX);
	else
		added = verifier_add_secret(verifier, (struct sluice_bytes){text, size}, &cause);
	(void)fclose(file);
	OPENSSL_cleanse(text, sizeof(text));
	return added || sluice_error_set(error, "secret_files: %s: %s", path, cause.text);
}

static bool add_secrets(struct verifier *verifier, const struct config *config, struct sluice_error *error)
{
	for (size_t i = 0; i < config->secrets.count; i++) {
		const char *text = config->secrets.items[i];
		struct sluice_error cause = {0};
		if (!verifier_add_secret(verifier, (struct sluice_bytes){text, strlen(text)}, &cause))
			return sluice_error_set(error, "secrets: item %zu: %s", i + 1, cause.text);
	}
	for (size_t i = 0; i < config->secret_files.count; i++) {
		if (!add_file(verifier, config->secret_files.items[i], error))
			return false;
	}
	return true;
}

static bool state_init(struct state *state, const struct config *config, struct sluice_error *error)
{
	if (!make_scheme(config, &state->scheme, error))
		return false;
	state->verifier = verifier_create(&state->scheme, error);
	if (state->verifier && add_secrets(state->verifier, config, error))
		return true;
	state_finish(state);
	return false;
}

static bool check(const void *config_, struct sluice_error *error)
{
	const struct config *config = config_;
	if (config->secrets.count + config->secret_files.count == 0)
		return sluice_error_set(error, "secrets: expected at least one, here or in secret_files");
	struct state state;
	if (!state_init(&state, config, error))
		return false;
	state_finish(&state);
	return true;
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct state *state = malloc(sizeof(*state));
	if (!state)
		return sluice_error_set(error, "no memory");
	if (!state_init(state, config, error)) {
		free(state);
		return false;
	}
	stage->state = state;
	return true;
}

static void destroy(struct sluice_stage *stage)
{
	state_finish(stage->state);
	free(stage->state);
}

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

/* Takes the first set of headers whose signature was sent. What another set says, or a second line, must be the same:
 * whoever reads a header after us could read another one than we did. */
static const char *read_request(const struct scheme *scheme, const struct sluice_event *event,
                                struct signed_request *request_out)
{
	struct signed_request request = {.body = event->body, .received_at_ns = event->received_at_ns};
	for (size_t i = 0; i < SCHEME_HEADER_SETS && !request.signature.data; i++) {
		const struct scheme_headers *set = &scheme->headers[i];
		request.signature = header(event, set->signature);
		request.timestamp = header(event, set->timestamp);
		request.id = header(event, set->id);
	}
	*request_out = request;
	for (size_t i = 0; i < SCHEME_HEADER_SETS; i++) {
		const struct scheme_headers *set = &scheme->headers[i];
		if (!says_only(event, set->signature, request.signature) ||
		    !says_only(event, set->timestamp, request.timestamp) || !says_only(event, set->id, request.id))
			return "headers of the signature that contradict each other";
	}
	return NULL;
}

/* The keys are those of `secrets` and then those of `secret_files`. A file goes by its name without the folder. */
static struct sluice_bytes copy_label(struct sluice_event *event, const struct config *config, size_t key)
{
	char text[32];
	const char *label = text;
	if (key < config->secrets.count) {
		(void)snprintf(text, sizeof(text), "secret-%zu", key + 1);
	} else {
		const char *path = config->secret_files.items[key - config->secrets.count];
		const char *slash = strrchr(path, '/');
		label = slash ? slash + 1 : path;
	}
	return sluice_copy(event, label, strlen(label));
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct state *state = stage->state;
	struct signed_request request;
	size_t key;
	const char *flaw = read_request(&state->scheme, event, &request);
	if (!flaw)
		flaw = verifier_find_flaw(state->verifier, &request, &key);
	if (!flaw) {
		event->authenticated_id = request.id;
		event->credential = copy_label(event, stage->config, key);
		return event->credential.data ? SLUICE_PASS
		                              : sluice_retry(event, 0, "the bound on bytes in flight is reached");
	}
	sluice_log(stage, SLUICE_LOG_DEBUG, "signature_refused", sluice_text("why", flaw));
	return sluice_unauthorized(event, "Signature", "the signature is missing, wrong, too old or too far ahead");
}

static struct sluice_bytes bytes_of(const char *text)
{
	return (struct sluice_bytes){text, text ? strlen(text) : 0};
}

static bool example_holds(const struct scheme *scheme, struct sluice_error *error)
{
	const struct scheme_example *example = &scheme->published;
	struct verifier *verifier = verifier_create(scheme, error);
	if (!verifier)
		return false;
	struct signed_request request = {
		.signature = bytes_of(example->signature),
		.timestamp = bytes_of(example->timestamp),
		.id = bytes_of(example->id),
		.body = bytes_of(example->body),
		.received_at_ns = example->timestamp ? atoll(example->timestamp) * scheme->unit_ns : 0,
	};
	const char *flaw = NULL;
	size_t key;
	if (verifier_add_secret(verifier, bytes_of(example->secret), error))
		flaw = verifier_find_flaw(verifier, &request, &key);
	verifier_destroy(verifier);
	if (flaw)
		sluice_error_set(error, "the published signature of scheme %s is refused: %s", scheme->name, flaw);
	return !flaw;
}

static bool self_test(struct sluice_error *error)
{
	for (size_t i = 0; i < SCHEME_COUNT; i++) {
		if (schemes[i].published.secret && !example_holds(&schemes[i], error))
			return false;
	}
	return true;
}

static bool covers(const void *config, const char *name)
{
	struct scheme scheme = {0};
	struct sluice_error ignored = {0};
	if (!make_scheme(config, &scheme, &ignored))
		return false;
	for (size_t i = 0; i < SCHEME_HEADER_SETS; i++) {
		const char *const names[] = {scheme.headers[i].timestamp, scheme.headers[i].id};
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			if (names[j] && strcasecmp(names[j], name) == 0)
				return true;
		}
	}
	return false;
}

static bool covers_id(const void *config)
{
	struct scheme scheme = {0};
	struct sluice_error ignored = {0};
	return make_scheme(config, &scheme, &ignored) && scheme.signed_text && strstr(scheme.signed_text, "{id}");
}

static const struct sluice_signed_headers signed_headers = {.covers = covers, .covers_id = covers_id};
static const struct sluice_extension extensions[] = {{SLUICE_SIGNED_HEADERS, &signed_headers}, SLUICE_EXTENSION_END};

static const struct sluice_auth_ops ops = {.process = process};

SLUICE_STAGE(auth, ops, .name = "hmac", .version = SLUICE_VERSION,
             .summary = "accepts requests signed with a shared secret", .options = options,
             .config_size = sizeof(struct config), .check = check, .create = create, .destroy = destroy,
             .self_test = self_test, .extensions = extensions);
