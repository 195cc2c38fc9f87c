/*
 * Accepts requests from known networks, and what can be wrong with that. Each stage of this folder is it with one of the
 * flaws of plain_address.h; without a flaw it keeps every promise of its kind. It shows that an auth stage needs neither
 * a secret nor a 401.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/stage.h>

#include "plain_address.h"

struct config {
	struct sluice_strings networks;
};

/* An address of either family in 16 bytes, IPv4 mapped. */
static bool read_address(const char *text, unsigned char address[16])
{
	memset(address, 0, 16);
	address[10] = address[11] = 0xff;
	return inet_pton(AF_INET, text, address + 12) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool is_in(const unsigned char address[16], const char *network)
{
	unsigned char base[16];
	char text[64];
	size_t size = strcspn(network, "/");
	(void)snprintf(text, sizeof(text), "%.*s", (int)size, network);
	if (!read_address(text, base))
		return false;
	unsigned most = strchr(text, ':') ? 128 : 32;
	unsigned bits = network[size] ? (unsigned)strtoul(network + size + 1, NULL, 10) : most;
	bits += 128 - most;
	for (unsigned bit = 0; bit < (flaw == IGNORES_BITS ? bits / 8 * 8 : bits); bit++) {
		if ((address[bit / 8] ^ base[bit / 8]) & (0x80 >> bit % 8))
			return false;
	}
	return true;
}

static struct sluice_bytes client_of(const struct sluice_event *event)
{
	struct sluice_bytes forwarded = sluice_get_header(event, "X-Forwarded-For");
	if (flaw != TAKES_THE_LEFTMOST || !forwarded.size)
		return event->client_address;
	const char *comma = memchr(forwarded.data, ',', forwarded.size);
	return (struct sluice_bytes){forwarded.data, comma ? (size_t)(comma - forwarded.data) : forwarded.size};
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	const struct config *config = stage->config;
	struct sluice_bytes client = client_of(event);
	static unsigned char shared[16];
	unsigned char own[16], *address = flaw == SHARES_A_BUFFER ? shared : own;
	char text[64];
	if (client.data && client.size < sizeof(text)) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)client.size, client.data);
		bool is_known = read_address(text, address);
		for (size_t i = 0; is_known && i < config->networks.count; i++) {
			if (is_in(address, config->networks.items[i]))
				return SLUICE_PASS;
		}
	}
	if (flaw == REFUSES_WITH_401)
		return sluice_unauthorized(event, "Network", "this address is not allowed");
	return sluice_reject(event, 403, "this address is not allowed");
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRINGS(struct config, networks, .name = "networks", .min = 1, .max = 64,
                              .flags = SLUICE_OPTION_REQUIRED, .help = "the networks to accept, such as 10.1.0.0/16"),
	SLUICE_OPTION_END,
};

static const struct sluice_auth_ops ops = {.process = process};

SLUICE_STAGE(auth, ops, .name = "plain_address", .version = "1.0.0", .summary = "accepts requests from known networks",
             .options = options, .config_size = sizeof(struct config));
