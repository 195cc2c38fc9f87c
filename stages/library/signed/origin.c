/*
 * Where requests come from; see origin.h.
 */
#include "signed/origin.h"

struct networks *origin_networks(const struct sluice_strings *texts, struct sluice_error *error)
{
	struct sluice_error cause = {0};
	struct networks *networks = networks_create(texts, &cause);
	if (!networks)
		sluice_error_set(error, "networks: %s", cause.text);
	return networks;
}

bool origin_fits(const struct networks *networks, struct sluice_event *event, enum sluice_verdict *verdict_out)
{
	if (networks_have(networks, event->client_address))
		return true;
	*verdict_out = sluice_reject(event, 403, "this address may not send here");
	return false;
}
