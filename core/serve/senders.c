/*
 * Senders; see senders.h. An address has one of a few places, found by its hash; the one heard of longest ago gives way.
 */
#include "serve/senders.h"

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

enum { PLACES = 4 };

void senders_init(struct senders *senders)
{
	memset(senders, 0, sizeof(*senders));
	(void)pthread_mutex_init(&senders->lock, NULL);
}

void senders_finish(struct senders *senders)
{
	(void)pthread_mutex_destroy(&senders->lock);
}

static struct known_sender *places_of(struct senders *senders, const struct ip_address *network)
{
	uint64_t hash = digest_hash(network->bytes, sizeof(network->bytes));
	return &senders->items[hash % (SENDERS_MAX / PLACES) * PLACES];
}

void senders_add(struct senders *senders, const struct ip_address *address, int64_t now_ns)
{
	const struct ip_address network = ip_address_network(address);
	struct known_sender *places = places_of(senders, &network), *chosen = places;
	(void)pthread_mutex_lock(&senders->lock);
	for (int i = 0; i < PLACES; i++) {
		if (places[i].accepted_ns && memcmp(&places[i].address, &network, sizeof(network)) == 0) {
			chosen = &places[i];
			break;
		}
		if (places[i].accepted_ns < chosen->accepted_ns)
			chosen = &places[i];
	}
	*chosen = (struct known_sender){network, now_ns};
	(void)pthread_mutex_unlock(&senders->lock);
}

bool senders_know(struct senders *senders, const struct ip_address *address, int64_t now_ns)
{
	const struct ip_address network = ip_address_network(address);
	const struct known_sender *places = places_of(senders, &network);
	const int64_t since_ns = now_ns - SENDERS_RECENT_S * NS_PER_S;
	bool known = false;
	(void)pthread_mutex_lock(&senders->lock);
	for (int i = 0; i < PLACES && !known; i++)
		known = places[i].accepted_ns && places[i].accepted_ns > since_ns &&
		        memcmp(&places[i].address, &network, sizeof(network)) == 0;
	(void)pthread_mutex_unlock(&senders->lock);
	return known;
}
