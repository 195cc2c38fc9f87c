/*
 * Fleets; see fleet.h.
 */
#include "lab/load/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

bool fleet_open(struct fleet *fleet, const struct replay_target *target, uint8_t number, size_t count, int epoll,
                struct sluice_error *error)
{
	fleet->target = target;
	const struct addrinfo *address = replay_target_find(target, &fleet->addresses, error);
	if (!address)
		return false;
	fleet->senders = must_calloc(count, sizeof(*fleet->senders));
	fleet->count = count;
	for (size_t i = 0; i < count; i++) {
		sender_init(&fleet->senders[i], epoll, address);
		fleet->senders[i].target = number;
	}
	for (size_t i = 0; i < count; i++)
		(void)sender_open(&fleet->senders[i]);
	return true;
}

void fleet_finish(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		sender_finish(&fleet->senders[i]);
	free(fleet->senders);
	heap_finish(&fleet->ready);
	if (fleet->addresses)
		freeaddrinfo(fleet->addresses);
	*fleet = (struct fleet){0};
}

bool fleet_is_connecting(const struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		if (fleet->senders[i].state == SENDER_CONNECTING)
			return true;
	return false;
}

static void append(struct sender_list *list, struct sender *sender)
{
	sender->next = NULL;
	sender->previous = list->last;
	*(list->last ? &list->last->next : &list->first) = sender;
	list->last = sender;
}

static void take_out(struct sender_list *list, struct sender *sender)
{
	*(sender->previous ? &sender->previous->next : &list->first) = sender->next;
	*(sender->next ? &sender->next->previous : &list->last) = sender->previous;
}

static const char *cause_of(const struct sender *lost)
{
	if (lost->failure)
		return strerror(lost->failure);
	return lost->state == SENDER_CONNECTING ? strerror(ETIMEDOUT) : "the server has closed one at once";
}

bool fleet_start(struct fleet *fleet, int64_t now_ns, struct sluice_error *error)
{
	for (size_t i = 0; i < fleet->count; i++) {
		struct sender *sender = &fleet->senders[i];
		if (sender->state != SENDER_IDLE)
			return sluice_error_set(error, "%s:%s: cannot open %zu connections: %s", fleet->target->host,
			                        fleet->target->port, fleet->count, cause_of(sender));
		sender->free_ns = now_ns;
		append(&fleet->free, sender);
	}
	return true;
}

struct sender *fleet_take(struct fleet *fleet)
{
	struct sender *sender = fleet->free.first;
	take_out(&fleet->free, sender);
	append(&fleet->busy, sender);
	return sender;
}

void fleet_give_back(struct fleet *fleet, struct sender *sender)
{
	take_out(&fleet->busy, sender);
	append(&fleet->free, sender);
}
