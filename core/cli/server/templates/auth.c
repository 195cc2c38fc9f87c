/*
 * auth/@NAME@: accepts requests that carry a fixed token in a header.
 */
#include <sluice/stage.h>

struct config {
	const char *header, *token;
};

static bool check(const void *config_, struct sluice_error *error)
{
	const struct config *config = config_;
	return config->token[0] || sluice_error_set(error, "token: expected a token, got an empty text");
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
	struct sluice_bytes given = sluice_get_header(event, config->header);
	if (!same(given, config->token))
		return sluice_unauthorized(event, "Token", "the token is missing or wrong");
	return SLUICE_PASS;
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct config, header, .name = "header", .fallback = "X-Token",
                             .help = "the header with the token"),
	SLUICE_OPTION_STRING(struct config, token, .name = "token", .help = "the token to accept",
                             .flags = SLUICE_OPTION_REQUIRED | SLUICE_OPTION_SECRET),
	SLUICE_OPTION_END,
};

static const struct sluice_auth_ops ops = {.process = process};

SLUICE_STAGE(auth, ops, .name = "@NAME@", .version = "0.1.0",
             .summary = "accepts requests that carry a fixed token in a header", .options = options,
             .config_size = sizeof(struct config), .check = check);
