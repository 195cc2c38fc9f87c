/*
 * Lets through what proves a shared secret: what was signed with it, or carries it. The raw body is verified, before anything
 * looks into it; the sender is never told which part of a signature failed. Senders' verification handshakes are answered
 * here, too.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/stage.h>

#include "signed/config.h"
#include "signed/request.h"

enum { SECRET_FILE_MAX = 65536 };

struct config {
	int scheme;
	struct sluice_strings secrets, secret_files;
	struct signed_config signing;
};

static const struct sluice_option options[] = {
	SLUICE_OPTION_CHOICE(struct config, scheme, .name = "scheme", .choices = scheme_names,
                             .fallback = "standard-webhooks",
                             .help = "the signature scheme, where no provider is named"),
	SLUICE_OPTION_STRINGS(struct config, secrets, .name = "secrets", .flags = SLUICE_OPTION_SECRET,
                              .help = "the shared secrets; a signature by any of them is accepted"),
	SLUICE_OPTION_STRINGS(struct config, secret_files, .name = "secret_files",
                              .help = "files with one more secret each; line ends behind it do not count"),
	SIGNED_OPTIONS(struct config, signing),
	SLUICE_OPTION_CHOICE(struct config, signing.form.digest, .name = "template.digest",
                             .choices = scheme_digest_names, .fallback = "sha256", .help = "the hash of the HMAC"),
	SLUICE_OPTION_CHOICE(struct config, signing.form.key_encoding, .name = "template.key_encoding",
                             .choices = key_encoding_names, .fallback = "text", .help = "the encoding of the secrets"),
	SLUICE_OPTION_END,
};

struct state {
	struct scheme scheme;
	struct verifier *verifier;
	struct handshakes handshakes;
	struct networks *networks;
};

static bool make_scheme(const struct config *config, struct scheme *scheme_out, struct sluice_error *error)
{
	const struct provider *provider = signed_config_provider(&config->signing);
	if (provider && strcmp(provider_stage(provider), "hmac") != 0)
		return sluice_error_set(error, "provider: %s shares no secret: use auth: %s", provider->name,
		                        provider_stage(provider));
	return signed_config_scheme(&config->signing,
	                            config->scheme == SCHEME_TEMPLATE ? NULL : &schemes[config->scheme], ALGORITHM_HMAC,
	                            scheme_out, error);
}

/* Of the provider, or of the sender that the scheme is called after. */
static const char *usual_handshakes(const struct config *config)
{
	const struct provider *provider = signed_config_provider(&config->signing);
	if (!provider)
		provider = provider_find(scheme_names[config->scheme]);
	return provider ? provider->handshake : NULL;
}

static void state_finish(struct state *state)
{
	verifier_destroy(state->verifier);
	networks_destroy(state->networks);
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
	*state = (struct state){.networks = NULL};
	if (!make_scheme(config, &state->scheme, error) ||
	    !handshakes_init(&state->handshakes, &config->signing.handshake, usual_handshakes(config), true, error))
		return false;
	state->networks = origin_networks(&config->signing.networks, error);
	state->verifier = verifier_create(&state->scheme, error);
	if (state->networks && state->verifier && add_secrets(state->verifier, config, error))
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

/* NULL: the request is proven, and *request says by which key. */
static const char *find_flaw(const struct state *state, struct handshake_request *request, bool *memory_short_out)
{
	struct sluice_event *event = request->event;
	struct signed_request read;
	const char *flaw = signed_request_read(state->verifier, &state->scheme, event, &read, memory_short_out);
	if (!flaw && !*memory_short_out)
		flaw = verifier_find_flaw(state->verifier, &read, &request->key);
	if (!flaw && verifier_signs(state->verifier, PART_ID))
		event->authenticated_id = read.values.of[PART_ID];
	return flaw;
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct state *state = stage->state;
	struct handshake_request request = {.stage = stage, .event = event, .verifier = state->verifier};
	enum sluice_verdict verdict;
	bool memory_short;
	if (!origin_fits(state->networks, event, &verdict) || handshakes_answer(&state->handshakes, &request, &verdict))
		return verdict;
	const char *flaw = find_flaw(state, &request, &memory_short);
	if (!flaw && !memory_short)
		event->credential = copy_label(event, stage->config, request.key);
	if (memory_short || (!flaw && !event->credential.data))
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	if (flaw) {
		sluice_log(stage, SLUICE_LOG_DEBUG, "signature_refused", sluice_text("why", flaw));
		return sluice_unauthorized(event, "Signature",
		                           "the signature is missing, wrong, too old or too far ahead");
	}
	request.is_verified = true;
	return handshakes_answer(&state->handshakes, &request, &verdict) ? verdict : SLUICE_PASS;
}

static bool self_test(struct sluice_error *error)
{
	for (size_t i = 0; i < SCHEME_COUNT; i++)
		if (!verifier_proves_example(&schemes[i], error))
			return false;
	for (size_t i = 0; i < PROVIDER_COUNT; i++)
		if (algorithm_is_shared(providers[i].scheme.algorithm) &&
		    !verifier_proves_example(&providers[i].scheme, error))
			return false;
	return true;
}

static bool covers(const void *config, const char *name)
{
	struct scheme scheme = {0};
	struct sluice_error ignored = {0};
	return make_scheme(config, &scheme, &ignored) && signed_scheme_covers(&scheme, name);
}

static bool covers_id(const void *config)
{
	struct scheme scheme = {0};
	struct sluice_error ignored = {0};
	return make_scheme(config, &scheme, &ignored) && signed_scheme_covers_id(&scheme);
}

static bool takes_method(const void *config_, const char *method)
{
	const struct config *config = config_;
	struct handshakes handshakes;
	struct sluice_error ignored = {0};
	return handshakes_init(&handshakes, &config->signing.handshake, usual_handshakes(config), true, &ignored) &&
	       handshakes_use(&handshakes, method);
}

static const struct sluice_signed_headers signed_headers = {.covers = covers, .covers_id = covers_id};
static const struct sluice_request_methods methods = {.takes = takes_method};
static const struct sluice_extension extensions[] = {
	{SLUICE_SIGNED_HEADERS, &signed_headers}, {SLUICE_REQUEST_METHODS, &methods}, SLUICE_EXTENSION_END};

static const struct sluice_auth_ops ops = {.process = process};

SLUICE_STAGE(auth, ops, .name = "hmac", .version = SLUICE_VERSION,
             .summary = "accepts requests signed with a shared secret", .options = options,
             .config_size = sizeof(struct config), .check = check, .create = create, .destroy = destroy,
             .self_test = self_test, .extensions = extensions);
