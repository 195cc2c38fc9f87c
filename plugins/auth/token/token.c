/*
 * Lets requests through that carry one of a few fixed tokens, as a bearer token (RFC 6750) or alone in a header of the sender's
 * own: the smallest useful stage, and the example of docs/writing-a-stage.md.
 */
#include <sluice/stage.h>

struct config {
	struct sluice_strings tokens;
	const char *header;
};

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRINGS(struct config, tokens, .name = "tokens", .min = 1, .max = 64,
                              .flags = SLUICE_OPTION_REQUIRED | SLUICE_OPTION_SECRET, .help = "the tokens accepted"),
	SLUICE_OPTION_STRING(struct config, header, .name = "header", .fallback = "Authorization", .min = 1, .max = 255,
                             .help = "the header with the token, which in Authorization stands behind \"Bearer\""),
	SLUICE_OPTION_END,
};

static bool check(const void *config_, struct sluice_error *error)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const struct config *config = config_;
	for (size_t i = 0; i < config->tokens.count; i++) {
		if (!config->tokens.items[i][0])
			return sluice_error_set(error, "tokens: item %zu: expected a token, got an empty text", i + 1);
	}
	if (config->header[strspn(config->header, allowed)])
		return sluice_error_set(error, "header: expected the name of a header, got \"%s\"", config->header);
	return true;
}

static bool is_bearer(const struct config *config)
{
	return strcasecmp(config->header, "Authorization") == 0;
}

/* The token that was sent, empty if there is none. */
static struct sluice_bytes get_token(const struct config *config, const struct sluice_event *event)
{
	static const char scheme[] = "Bearer ";
	size_t scheme_size = sizeof(scheme) - 1;
	struct sluice_bytes given = sluice_get_header(event, config->header);
	if (!is_bearer(config))
		return given;
	if (given.size <= scheme_size || strncasecmp(given.data, scheme, scheme_size) != 0)
		return (struct sluice_bytes){NULL, 0};
	return (struct sluice_bytes){given.data + scheme_size, given.size - scheme_size};
}

/* Takes as long for a nearly right token as for a wrong one. */
static bool same(struct sluice_bytes given, const char *token)
{
	size_t size = strlen(token);
	unsigned difference = given.size != size;
	for (size_t i = 0; i < given.size; i++)
		difference |= (unsigned char)(given.data[i] ^ token[i % size]);
	return difference == 0;
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct config *config = stage->config;
	struct sluice_bytes given = get_token(config, event);
	size_t number = 0;
	for (size_t i = 0; i < config->tokens.count; i++)
		number = same(given, config->tokens.items[i]) ? i + 1 : number;
	if (number == 0)
		return sluice_unauthorized(event, is_bearer(config) ? "Bearer" : "Token",
		                           "the %stoken is missing or wrong", is_bearer(config) ? "bearer " : "");
	char label[32];
	event->credential = sluice_copy(event, label, (size_t)snprintf(label, sizeof(label), "token-%zu", number));
	return event->credential.data ? SLUICE_PASS : sluice_retry(event, 0, "the bound on bytes in flight is reached");
}

static const struct sluice_auth_ops ops = {.process = process};

SLUICE_STAGE(auth, ops, .name = "token", .version = "1.0.0", .summary = "accepts requests that carry a fixed token",
             .options = options, .config_size = sizeof(struct config), .check = check);
