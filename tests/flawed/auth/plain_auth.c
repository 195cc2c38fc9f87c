/*
 * Verifies what is signed as Stripe does, and what can be wrong with that. Each stage of this folder is it with one
 * of the flaws of plain_auth.h; without a flaw it keeps every promise of its kind.
 */
#include <fcntl.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sluice/stage.h>

#include "../meet.h"
#include "plain_auth.h"

enum { HEX_SIZE = 2 * SLUICE_DIGEST_SIZE + 1, TOLERANCE_S = 300 };

struct config {
	int scheme;
	struct sluice_strings secrets;
	const char *key_file;
	struct sluice_duration patience;
};

static const char *const schemes[] = {"stripe", NULL};

static struct sluice_option options[] = {
	SLUICE_OPTION_CHOICE(struct config, scheme, .name = "scheme", .choices = schemes, .fallback = "stripe",
                             .help = "the signature scheme"),
	SLUICE_OPTION_STRINGS(struct config, secrets, .name = "secrets", .min = 1, .max = 1,
                              .flags = SLUICE_OPTION_REQUIRED | SLUICE_OPTION_SECRET, .help = "the shared secret"),
	SLUICE_OPTION_STRING(struct config, key_file, .name = "key_file", .help = "a file that has to be there"),
	SLUICE_OPTION_DURATION(struct config, patience, .name = "patience", .fallback = "1s", .min = 1000000,
                               .max = INT64_C(3600000000000), .help = "nothing but an example of a bound"),
	SLUICE_OPTION_END,
};

__attribute__((constructor)) static void spoil_options(void)
{
	if (flaw == SHOWS_ITS_KEYS)
		options[1].flags &= ~(uint32_t)SLUICE_OPTION_SECRET;
}

struct state {
	atomic_bool closed;
	atomic_uint inside;
	atomic_bool been_here;
	const char *_Atomic last; /* signature seen */
};

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	if (flaw == FAILS_AT_ITS_BOUND && config->patience.ns == 3600000000000)
		return sluice_error_set(error, "that is too much");
	if (!config->secrets.items[0][0] && flaw != ADMITS_AN_EMPTY_KEY)
		return sluice_error_set(error, "secrets: expected a secret, got an empty text");
	if (config->key_file) {
		int other = flaw == LEAKS_A_DESCRIPTOR ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
		int file = open(config->key_file, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			return sluice_error_set(error, "key_file: cannot be opened");
		(void)close(file);
		if (other >= 0)
			(void)close(other);
	}
	stage->state = calloc(1, sizeof(struct state));
	return stage->state || sluice_error_set(error, "no memory");
}

static void destroy(struct sluice_stage *stage)
{
	if (flaw != LEAKS_ITS_STATE)
		free(stage->state);
}

static void drain(struct sluice_stage *stage)
{
	struct state *state = stage->state;
	if (flaw == CLOSES_AT_DRAIN)
		state->closed = true;
}

static void observe(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct state *state = stage->state;
	if (flaw == OBSERVES_SLOWLY)
		(void)nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
	const char *name = flaw == OBSERVES_NOTHING_USEFUL ? "Requests Inside" : "plain_auth_inside";
	observer->gauge(observer, name, NULL, NULL, atomic_load(&state->inside), "Requests that are being verified.");
}

/* What is signed: the time, a dot, the body. */
static void sign(const struct config *config, struct sluice_bytes time, struct sluice_bytes body, char hex[HEX_SIZE])
{
	const char *secret = config->secrets.items[0];
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_size = 0;
	size_t size = 0;
	char *text = malloc(time.size + 1 + body.size + 1);
	memcpy(text, time.data, time.size);
	text[time.size] = '.';
	size = time.size + 1;
	for (size_t i = 0; i < body.size; i++) {
		bool is_space = strchr(" \n", body.data[i]) && body.data[i];
		if (flaw != RESERIALISES || !is_space)
			text[size++] = body.data[i];
	}
	(void)HMAC(EVP_sha256(), secret, (int)strlen(secret), (unsigned char *)text, size, digest, &digest_size);
	free(text);
	for (size_t i = 0; i < SLUICE_DIGEST_SIZE; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	if (flaw == SHARES_A_BUFFER)
		meet();
}

static bool same(struct sluice_bytes given, const char *hex)
{
	if (flaw == COMPARES_WHAT_IS_THERE)
		return memcmp(given.data, hex, given.size < HEX_SIZE - 1 ? given.size : HEX_SIZE - 1) == 0;
	if (given.size != HEX_SIZE - 1)
		return false;
	unsigned difference = 0;
	for (size_t i = 0; i < (flaw == COMPARES_THE_START ? 16 : given.size); i++)
		difference |= (unsigned char)(given.data[i] ^ hex[i]);
	return difference == 0;
}

static struct sluice_bytes find_header(const struct sluice_event *event)
{
	if (flaw != WANTS_ITS_CASE)
		return sluice_get_header(event, "Stripe-Signature");
	for (size_t i = 0; i < event->header_count; i++) {
		if (strcmp(event->headers[i].name.data, "Stripe-Signature") == 0)
			return event->headers[i].value;
	}
	return (struct sluice_bytes){NULL, 0};
}

static bool has_two(const struct sluice_event *event)
{
	size_t at = 0;
	(void)sluice_next_header(event, "Stripe-Signature", &at);
	return sluice_next_header(event, "Stripe-Signature", &at).data != NULL;
}

/* "t=TIME,v1=HEX" */
static bool take_apart(struct sluice_bytes header, struct sluice_bytes *time_out, struct sluice_bytes *signature_out)
{
	const char *comma = header.size ? memchr(header.data, ',', header.size) : NULL;
	if (!comma || comma - header.data < 2 || memcmp(header.data, "t=", 2) != 0)
		return false;
	size_t left = header.size - (size_t)(comma + 1 - header.data);
	if (left < 3 || memcmp(comma + 1, "v1=", 3) != 0)
		return false;
	*time_out = (struct sluice_bytes){header.data + 2, (size_t)(comma - header.data) - 2};
	*signature_out = (struct sluice_bytes){comma + 4, left - 3};
	return true;
}

static bool is_recent(struct sluice_bytes time, int64_t now_ns)
{
	int64_t age = now_ns / 1000000000 - strtoll(time.data, NULL, 10);
	return flaw == IGNORES_TIME || (age <= TOLERANCE_S && age >= -TOLERANCE_S);
}

static enum sluice_verdict refuse(struct sluice_event *event, const char *why)
{
	if (flaw == REJECTS_WITHOUT_A_WORD)
		return SLUICE_REJECT;
	why = flaw == TELLS_WHAT_IS_WRONG ? why : "the signature is missing, wrong or not of now";
	return flaw == CHALLENGES_NOBODY ? sluice_reject(event, 401, "%s", why)
	                                 : sluice_unauthorized(event, "Signature", "%s", why);
}

static enum sluice_verdict verify(struct sluice_stage *stage, struct sluice_event *event)
{
	static char shared[HEX_SIZE];
	char own[HEX_SIZE];
	char *hex = flaw == SHARES_A_BUFFER ? shared : own;
	struct sluice_bytes header = find_header(event), time, signature;
	if (has_two(event) && flaw != TAKES_THE_FIRST_OF_TWO)
		return refuse(event, "two signatures");
	if (!header.data && flaw == LETS_IN_UNSIGNED)
		return SLUICE_PASS;
	if (!take_apart(header, &time, &signature))
		return refuse(event, "the signature is missing");
	sign(stage->config, time, event->body, hex);
	if (!same(signature, hex))
		return refuse(event, "the signature is wrong");
	if (!is_recent(time, flaw == GOES_BY_THE_CLOCK ? stage->host->wall_ns() : event->received_at_ns))
		return refuse(event, "the time is wrong");
	const struct config *config = stage->config;
	const char *label = flaw == LABELS_WITH_ITS_SECRET ? config->secrets.items[0] : "secret-1";
	event->credential = (struct sluice_bytes){label, strlen(label)};
	return SLUICE_PASS;
}

static void misbehave(struct sluice_stage *stage, struct sluice_event *event)
{
	struct state *state = stage->state;
	const struct config *config = stage->config;
	struct sluice_bytes header = sluice_get_header(event, "Stripe-Signature");
	switch (flaw) {
	case LEAKS_PER_EVENT:
		*sluice_local(stage, event) = malloc(64);
		break;
	case LOGS_ITS_SECRET:
		sluice_log(stage, SLUICE_LOG_DEBUG, "verifying", sluice_text("with", config->secrets.items[0]));
		break;
	case PRINTS_ITS_SECRET:
		(void)printf("secret: %s\n", config->secrets.items[0]);
		break;
	case COUNTS_ON_MEMORY:
		memset(sluice_alloc(event, 16), 0, 16);
		break;
	case KEEPS_A_POINTER:
		if (header.data && state->last && *state->last == *header.data)
			(void)sched_yield();
		if (header.data)
			state->last = header.data;
		break;
	case RESPONDS_AND_PASSES:
		(void)sluice_respond(event, 200, "text/plain", "hello", 5);
		break;
	case SETS_THE_LENGTH:
		(void)sluice_set_header(event, "Content-Length", "5");
		break;
	case HANGS:
		for (;;)
			(void)pause();
	case EXITS:
		exit(0);
	default:
		break;
	}
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	struct state *state = stage->state;
	misbehave(stage, event);
	if (state->closed)
		return sluice_retry(event, 0, "closed");
	unsigned others = atomic_fetch_add(&state->inside, 1);
	if (flaw == SERVES_ONE_AT_A_TIME)
		meet();
	enum sluice_verdict verdict = flaw == RESPONDS_AND_PASSES ? SLUICE_PASS : verify(stage, event);
	atomic_fetch_sub(&state->inside, 1);
	if (flaw == CHANGES_THE_BODY && event->body.size)
		((char *)(uintptr_t)event->body.data)[event->body.size - 1] = '\n';
	if (flaw == SERVES_ONE_AT_A_TIME && others)
		return sluice_retry(event, 0, "somebody else is here");
	if (flaw == LETS_IN_ONCE && verdict == SLUICE_PASS && atomic_exchange(&state->been_here, true))
		return refuse(event, "seen before");
	return flaw == SAYS_DONE && verdict == SLUICE_REJECT ? SLUICE_DONE : verdict;
}

__attribute__((weak)) const char summary[] = "verifies signatures";

/* Nothing is to be done; a flaw is to do it wrong. */
static int64_t tick(struct sluice_stage *stage)
{
	struct state *state = stage->state;
	if (flaw == TICKS_BACKWARDS)
		return -1;
	if (flaw == CLOSES_TO_TICK) {
		state->closed = true;
		(void)usleep(100);
		state->closed = false;
	}
	return 1000000000;
}

static bool self_test(struct sluice_error *error)
{
	return flaw != FAILS_ITS_SELF_TEST || sluice_error_set(error, "vector 1: expected another signature");
}

static const struct sluice_auth_ops ops = {.process = process};

SLUICE_STAGE(auth, ops, .name = "plain_auth", .version = "1.0.0", .summary = summary, .options = options,
             .config_size = sizeof(struct config), .create = create, .tick = tick, .observe = observe, .drain = drain,
             .destroy = destroy, .self_test = self_test);
