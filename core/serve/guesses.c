/*
 * Guesses; see guesses.h. Each guess moves the moment of forgetting on by its share of a second.
 */
#include "serve/guesses.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define GUESS_NS (NS_PER_S / GUESSES_A_SECOND)

static const struct guesser *find(const struct guesses *guesses, const struct ip_address *network)
{
	for (size_t i = 0; i < GUESSERS_MAX; i++)
		if (guesses->items[i].free_ns && memcmp(&guesses->items[i].network, network, sizeof(*network)) == 0)
			return &guesses->items[i];
	return NULL;
}

bool guesses_may(const struct guesses *guesses, const struct ip_address *address, int64_t now_ns)
{
	const struct ip_address network = ip_address_network(address);
	const struct guesser *guesser = find(guesses, &network);
	return !guesser || guesser->free_ns - now_ns <= (GUESSES_AT_ONCE - 1) * GUESS_NS;
}

/* Its own place, or that of the network that is forgotten first. */
static struct guesser *place_of(struct guesses *guesses, const struct ip_address *network)
{
	const struct guesser *own = find(guesses, network);
	struct guesser *first = guesses->items;
	if (own)
		return &guesses->items[own - guesses->items];
	for (size_t i = 1; i < GUESSERS_MAX; i++)
		if (guesses->items[i].free_ns < first->free_ns)
			first = &guesses->items[i];
	*first = (struct guesser){.network = *network};
	return first;
}

void guesses_add(struct guesses *guesses, const struct ip_address *address, int64_t now_ns)
{
	const struct ip_address network = ip_address_network(address);
	struct guesser *guesser = place_of(guesses, &network);
	char text[IP_ADDRESS_TEXT_SIZE];
	guesser->free_ns = (guesser->free_ns > now_ns ? guesser->free_ns : now_ns) + GUESS_NS;
	guesses->unlogged++;
	if (guesses->logged_ns && now_ns - guesses->logged_ns < NS_PER_S)
		return;
	ip_address_format(address, text);
	log_event(SLUICE_LOG_WARN, NULL, "admin_token_refused", sluice_text("client", text),
	          sluice_int("count", (int64_t)guesses->unlogged));
	guesses->unlogged = 0;
	guesses->logged_ns = now_ns;
}
