/*
 * Lets every request through, or every one from some networks: for senders that are trusted by other means, and as the measure
 * of what a stage costs. It answers the verification handshakes of senders that sign nothing.
 */
#include <stdlib.h>

#include <sluice/stage.h>

#include "signed/handshakes.h"
#include "signed/origin.h"

struct config {
	struct handshake_config handshake;
	struct sluice_strings networks;
};

static const struct sluice_option options[] = {
	HANDSHAKE_OPTIONS(struct config, handshake),
	NETWORKS_OPTION(struct config, networks),
	SLUICE_OPTION_END,
};

struct state {
	struct handshakes handshakes;
	struct networks *networks;
};

static bool state_init(struct state *state, const struct config *config, struct sluice_error *error)
{
	if (!handshakes_init(&state->handshakes, &config->handshake, NULL, false, error))
		return false;
	state->networks = origin_networks(&config->networks, error);
	return state->networks;
}

static bool check(const void *config, struct sluice_error *error)
{
	struct state state;
	if (!state_init(&state, config, error))
		return false;
	networks_destroy(state.networks);
	return true;
}

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	struct state *state = malloc(sizeof(*state));
	if (!state)
		return sluice_error_set(error, "no memory");
	stage->state = state;
	if (state_init(state, stage->config, error))
		return true;
	free(state);
	return false;
}

static void destroy(struct sluice_stage *stage)
{
	struct state *state = stage->state;
	networks_destroy(state->networks);
	free(state);
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct state *state = stage->state;
	const struct handshake_request request = {.stage = stage, .event = event};
	enum sluice_verdict verdict;
	if (!origin_fits(state->networks, event, &verdict))
		return verdict;
	bool is_one = state->handshakes.count > 0 && handshakes_answer(&state->handshakes, &request, &verdict);
	return is_one ? verdict : SLUICE_PASS;
}

static bool takes_method(const void *config_, const char *method)
{
	const struct config *config = config_;
	struct handshakes handshakes;
	struct sluice_error ignored = {0};
	return handshakes_init(&handshakes, &config->handshake, NULL, false, &ignored) &&
	       handshakes_use(&handshakes, method);
}

static const struct sluice_request_methods methods = {.takes = takes_method};
static const struct sluice_extension extensions[] = {{SLUICE_REQUEST_METHODS, &methods}, SLUICE_EXTENSION_END};

static const struct sluice_auth_ops ops = {.process = process};

SLUICE_STAGE(auth, ops, .name = "none", .version = SLUICE_VERSION, .summary = "accepts every request",
             .options = options, .config_size = sizeof(struct config), .check = check, .create = create,
             .destroy = destroy, .extensions = extensions);
