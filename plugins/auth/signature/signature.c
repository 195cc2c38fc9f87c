/*
 * Lets through what was signed with the sender's private key: Ed25519, ECDSA or RSA over a template as those of auth/hmac,
 * Amazon SNS, and HTTP Message Signatures, which may also be made with a shared secret. Keys come from the pipeline or from
 * files; files that change are read again. Senders' verification handshakes are answered here, too.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/stage.h>

#include "message.h"
#include "ring.h"
#include "signed/config.h"
#include "signed/request.h"
#include "sns.h"

enum { RELOAD_EVERY_MS = 1000 };

static const char *const algorithm_names[] = {"ed25519", "ecdsa-sha256", "rsa-sha256", "sns", "http-message-signatures",
                                              NULL};
static const enum algorithm algorithms[] = {ALGORITHM_ED25519, ALGORITHM_ECDSA_SHA256, ALGORITHM_RSA_SHA256,
                                            ALGORITHM_SNS, ALGORITHM_MESSAGE};

struct config {
	int algorithm;
	struct sluice_strings keys, key_files, secrets, covered;
	struct signed_config signing;
};

/* Public keys are no secret, but what somebody takes for one may be a private key: it is never printed. */
static const struct sluice_option options[] = {
	SLUICE_OPTION_CHOICE(struct config, algorithm, .name = "algorithm", .choices = algorithm_names,
                             .fallback = "ed25519", .help = "how signatures are made, where no provider is named"),
	SLUICE_OPTION_STRINGS(struct config, keys, .name = "keys", .flags = SLUICE_OPTION_SECRET,
                              .help = "the sender's public keys: PEM, a certificate, a JSON Web Key, base64 or hex; a "
                                      "signature by any of them is accepted"),
	SLUICE_OPTION_STRINGS(
		struct config, key_files, .name = "key_files",
		.help = "files with keys, certificates or JSON Web Key Sets, read again when they change"),
	SLUICE_OPTION_STRINGS(struct config, secrets, .name = "secrets", .flags = SLUICE_OPTION_SECRET,
                              .help = "shared secrets, of http-message-signatures with hmac-sha256 alone"),
	SLUICE_OPTION_STRINGS(
		struct config, covered, .name = "covered",
		.help = "components that an HTTP message signature must cover besides content-digest, such "
			"as @method"),
	SIGNED_OPTIONS(struct config, signing),
	SLUICE_OPTION_CHOICE(struct config, signing.form.key_encoding, .name = "template.key_encoding",
                             .choices = key_encoding_names, .fallback = "text", .help = "the encoding of the secrets"),
	SLUICE_OPTION_END,
};

struct state {
	struct scheme scheme;
	struct ring_sources sources;
	struct handshakes handshakes;
	struct networks *networks;
	struct message_rules rules;
	pthread_rwlock_t lock; /* of what follows */
	struct ring *ring;
	bool is_stale; /* said so already: the files cannot be read */
};

static bool is_template(const struct scheme *scheme)
{
	return scheme->algorithm != ALGORITHM_SNS && scheme->algorithm != ALGORITHM_MESSAGE;
}

/* A scheme for what has no template; the body stands for the text that is signed. */
static struct scheme bare_scheme(enum algorithm algorithm)
{
	return (struct scheme){.name = algorithm_names[algorithm == ALGORITHM_SNS ? 3 : 4],
	                       .algorithm = algorithm == ALGORITHM_SNS ? ALGORITHM_RSA_SHA256 : algorithm,
	                       .signed_text = "{body}",
	                       .prefix = "",
	                       .encoding = ENCODING_BASE64};
}

static enum algorithm algorithm_of(const struct config *config)
{
	const struct provider *provider = signed_config_provider(&config->signing);
	return provider ? provider->scheme.algorithm : algorithms[config->algorithm];
}

static bool make_scheme(const struct config *config, struct scheme *scheme_out, struct sluice_error *error)
{
	const struct provider *provider = signed_config_provider(&config->signing);
	enum algorithm algorithm = algorithm_of(config);
	if (provider && strcmp(provider_stage(provider), "signature") != 0)
		return sluice_error_set(error, "provider: %s has no public key: use auth: %s", provider->name,
		                        provider_stage(provider));
	if (algorithm == ALGORITHM_SNS || algorithm == ALGORITHM_MESSAGE) {
		*scheme_out = bare_scheme(algorithm);
		return true;
	}
	return signed_config_scheme(&config->signing, NULL, algorithm, scheme_out, error);
}

static bool check_keys(const struct config *config, struct sluice_error *error)
{
	bool may_share = algorithm_of(config) == ALGORITHM_MESSAGE;
	if (config->secrets.count && !may_share)
		return sluice_error_set(error,
		                        "secrets: only http-message-signatures can be made with one; remove them, or "
		                        "use auth: hmac");
	if (config->covered.count && !may_share)
		return sluice_error_set(error, "covered: only http-message-signatures say what they cover; remove it");
	if (config->keys.count + config->key_files.count + config->secrets.count == 0)
		return sluice_error_set(error, "keys: expected the sender's public key, here or in key_files");
	return true;
}

static const char *usual_handshakes(const struct config *config)
{
	const struct provider *provider = signed_config_provider(&config->signing);
	return provider ? provider->handshake : NULL;
}

static bool state_init(struct state *state, const struct config *config, struct sluice_error *error)
{
	const struct signed_config *signing = &config->signing;
	const char *id_header = signing->form.id_header;
	*state = (struct state){
		.sources = {&config->keys, &config->key_files, &config->secrets, NULL,
	                    (enum key_encoding)signing->form.key_encoding},
		.rules = {&config->covered, id_header && *id_header ? id_header : NULL,
	                  signing->tolerance.ns ? signing->tolerance.ns : SCHEME_TOLERANCE_NS},
	};
	if (!make_scheme(config, &state->scheme, error) || !check_keys(config, error) ||
	    !handshakes_init(&state->handshakes, &signing->handshake, usual_handshakes(config), true, error))
		return false;
	if (state->scheme.algorithm != ALGORITHM_MESSAGE)
		state->sources.scheme = &state->scheme;
	state->networks = origin_networks(&signing->networks, error);
	state->ring = state->networks ? ring_create(&state->sources, error) : NULL;
	if (!state->ring)
		networks_destroy(state->networks);
	return state->ring;
}

static void state_finish(struct state *state)
{
	ring_destroy(state->ring);
	networks_destroy(state->networks);
}

static bool check(const void *config, struct sluice_error *error)
{
	struct state *state = malloc(sizeof(*state));
	if (!state)
		return sluice_error_set(error, "no memory");
	bool good = state_init(state, config, error);
	if (good)
		state_finish(state);
	free(state);
	return good;
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct state *state = malloc(sizeof(*state));
	if (!state)
		return sluice_error_set(error, "no memory");
	if (!state_init(state, stage->config, error)) {
		free(state);
		return false;
	}
	(void)pthread_rwlock_init(&state->lock, NULL);
	stage->state = state;
	return true;
}

static void destroy(struct sluice_stage *stage)
{
	struct state *state = stage->state;
	state_finish(state);
	(void)pthread_rwlock_destroy(&state->lock);
	free(state);
}

/* What is proven of a request whose text is signed, or of a message of SNS. */
static const char *text_flaw(const struct state *state, const struct config *config, struct sluice_event *event,
                             struct proof *proof, bool *memory_short)
{
	struct signed_request request;
	proof->kind = ring_kind_of(state->scheme.algorithm);
	const struct verifier *verifier = ring_get(state->ring, proof->kind);
	bool is_sns = algorithm_of(config) == ALGORITHM_SNS;
	const char *flaw = is_sns ? sns_read(event, config->signing.tolerance.ns, &request, &proof->id, memory_short)
	                          : signed_request_read(verifier, &state->scheme, event, &request, memory_short);
	if (!flaw && !*memory_short)
		flaw = verifier_find_flaw(verifier, &request, &proof->key);
	if (!flaw && !is_sns && verifier_signs(verifier, PART_ID))
		proof->id = request.values.of[PART_ID];
	return flaw;
}

/* NULL: it is proven, and the event says by what. */
static const char *find_flaw(struct state *state, const struct config *config, struct sluice_event *event,
                             bool *memory_short)
{
	struct proof proof = {.key = 0};
	*memory_short = false;
	(void)pthread_rwlock_rdlock(&state->lock);
	const char *flaw = algorithm_of(config) == ALGORITHM_MESSAGE
	                           ? message_find_flaw(&state->rules, state->ring, event, &proof, memory_short)
	                           : text_flaw(state, config, event, &proof, memory_short);
	if (!flaw && !*memory_short) {
		const char *label = ring_label(state->ring, proof.kind, proof.key);
		event->authenticated_id = proof.id;
		event->credential = sluice_copy(event, label, strlen(label));
		*memory_short = !event->credential.data;
	}
	(void)pthread_rwlock_unlock(&state->lock);
	return flaw;
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	struct state *state = stage->state;
	struct handshake_request request = {.stage = stage, .event = event};
	enum sluice_verdict verdict;
	bool memory_short;
	if (!origin_fits(state->networks, event, &verdict) || handshakes_answer(&state->handshakes, &request, &verdict))
		return verdict;
	const char *flaw = find_flaw(state, stage->config, event, &memory_short);
	if (memory_short)
		return sluice_retry(event, 0, "the bound on bytes in flight is reached");
	if (flaw) {
		sluice_log(stage, SLUICE_LOG_DEBUG, "signature_refused", sluice_text("why", flaw));
		return sluice_unauthorized(event, "Signature",
		                           "the signature is missing, wrong, too old or too far ahead");
	}
	request.is_verified = true;
	return handshakes_answer(&state->handshakes, &request, &verdict) ? verdict : SLUICE_PASS;
}

/* The old keys go on while the new ones cannot be read: a file that is being written is read again in a second. */
static int64_t tick(struct sluice_stage *stage)
{
	struct state *state = stage->state;
	struct sluice_error error = {0};
	if (!ring_is_stale(state->ring)) {
		state->is_stale = false;
		return RELOAD_EVERY_MS * INT64_C(1000000);
	}
	struct ring *ring = ring_create(&state->sources, &error), *old = ring;
	if (ring) {
		(void)pthread_rwlock_wrlock(&state->lock);
		old = state->ring;
		state->ring = ring;
		(void)pthread_rwlock_unlock(&state->lock);
		sluice_log(stage, SLUICE_LOG_INFO, "keys_reloaded");
	} else if (!state->is_stale) {
		sluice_log(stage, SLUICE_LOG_WARN, "keys_not_reloaded", sluice_text("why", error.text));
	}
	state->is_stale = !ring;
	ring_destroy(old);
	return RELOAD_EVERY_MS * INT64_C(1000000);
}

static bool self_test(struct sluice_error *error)
{
	for (size_t i = 0; i < PROVIDER_COUNT; i++)
		if (strcmp(provider_stage(&providers[i]), "signature") == 0 && is_template(&providers[i].scheme) &&
		    !verifier_proves_example(&providers[i].scheme, error))
			return false;
	return true;
}

static bool covers(const void *config_, const char *name)
{
	const struct config *config = config_;
	struct scheme scheme = {0};
	struct sluice_error ignored = {0};
	for (size_t i = 0; i < config->covered.count; i++)
		if (strcasecmp(config->covered.items[i], name) == 0)
			return true;
	if (algorithm_of(config) == ALGORITHM_MESSAGE)
		return config->signing.form.id_header && strcasecmp(config->signing.form.id_header, name) == 0;
	return make_scheme(config, &scheme, &ignored) && signed_scheme_covers(&scheme, name);
}

static bool covers_id(const void *config_)
{
	const struct config *config = config_;
	struct scheme scheme = {0};
	struct sluice_error ignored = {0};
	if (algorithm_of(config) == ALGORITHM_MESSAGE)
		return config->signing.form.id_header && *config->signing.form.id_header;
	return algorithm_of(config) == ALGORITHM_SNS ||
	       (make_scheme(config, &scheme, &ignored) && signed_scheme_covers_id(&scheme));
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

SLUICE_STAGE(auth, ops, .name = "signature", .version = SLUICE_VERSION,
             .summary = "accepts requests signed with the sender's private key", .options = options,
             .config_size = sizeof(struct config), .check = check, .create = create, .destroy = destroy, .tick = tick,
             .self_test = self_test, .extensions = extensions);
