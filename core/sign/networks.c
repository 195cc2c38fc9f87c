/*
 * Networks of senders; see networks.h.
 */
#include "sign/networks.h"

#include <stdlib.h>
#include <string.h>

#include "base/network.h"

struct networks {
	size_t count;
	struct network items[];
};

struct networks *networks_create(const struct sluice_strings *texts, struct sluice_error *error)
{
	struct networks *networks = malloc(sizeof(*networks) + texts->count * sizeof(networks->items[0]));
	if (!networks) {
		sluice_error_set(error, "no memory");
		return NULL;
	}
	networks->count = texts->count;
	for (size_t i = 0; i < texts->count; i++) {
		struct sluice_error cause = {0};
		if (network_parse(texts->items[i], &networks->items[i], &cause))
			continue;
		sluice_error_set(error, "item %zu: %s", i + 1, cause.text);
		free(networks);
		return NULL;
	}
	return networks;
}

void networks_destroy(struct networks *networks)
{
	free(networks);
}

bool networks_have(const struct networks *networks, struct sluice_bytes address)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	struct ip_address client;
	if (networks->count == 0)
		return true;
	if (address.size == 0 || address.size >= sizeof(text))
		return false;
	memcpy(text, address.data, address.size);
	text[address.size] = '\0';
	const struct network_list list = {networks->items, networks->count};
	return ip_address_parse(text, &client) && network_list_contains(&list, &client);
}
