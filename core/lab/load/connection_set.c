/*
 * Connection sets; see connection_set.h.
 */
#include "lab/load/connection_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

bool connection_set_open(struct connection_set *set, const struct replay_target *target, uint8_t number, size_t count,
                         int epoll, struct sluice_error *error)
{
	set->target = target;
	const struct addrinfo *address = replay_target_find(target, &set->addresses, error);
	if (!address)
		return false;
	set->clients = must_calloc(count, sizeof(*set->clients));
	set->count = count;
	for (size_t i = 0; i < count; i++) {
		http_client_init(&set->clients[i], epoll, address);
		set->clients[i].target = number;
	}
	for (size_t i = 0; i < count; i++)
		(void)http_client_open(&set->clients[i]);
	return true;
}

void connection_set_finish(struct connection_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		http_client_finish(&set->clients[i]);
	free(set->clients);
	heap_finish(&set->ready);
	if (set->addresses)
		freeaddrinfo(set->addresses);
	*set = (struct connection_set){0};
}

bool connection_set_is_connecting(const struct connection_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		if (set->clients[i].state == HTTP_CLIENT_CONNECTING)
			return true;
	return false;
}

static void append(struct client_list *list, struct http_client *client)
{
	client->next = NULL;
	client->previous = list->last;
	*(list->last ? &list->last->next : &list->first) = client;
	list->last = client;
}

static void take_out(struct client_list *list, struct http_client *client)
{
	*(client->previous ? &client->previous->next : &list->first) = client->next;
	*(client->next ? &client->next->previous : &list->last) = client->previous;
}

static const char *cause_of(const struct http_client *lost)
{
	if (lost->failure)
		return strerror(lost->failure);
	return lost->state == HTTP_CLIENT_CONNECTING ? strerror(ETIMEDOUT) : "the server has closed one at once";
}

bool connection_set_start(struct connection_set *set, int64_t now_ns, struct sluice_error *error)
{
	for (size_t i = 0; i < set->count; i++) {
		struct http_client *client = &set->clients[i];
		if (client->state != HTTP_CLIENT_IDLE)
			return sluice_error_set(error, "%s:%s: cannot open %zu connections: %s", set->target->host,
			                        set->target->port, set->count, cause_of(client));
		client->free_ns = now_ns;
		append(&set->free, client);
	}
	return true;
}

struct http_client *connection_set_take(struct connection_set *set)
{
	struct http_client *client = set->free.first;
	take_out(&set->free, client);
	append(&set->busy, client);
	return client;
}

void connection_set_give_back(struct connection_set *set, struct http_client *client)
{
	take_out(&set->busy, client);
	append(&set->free, client);
}
