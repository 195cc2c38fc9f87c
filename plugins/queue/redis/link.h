/*
 * The connection to Redis: commands go out together, and their replies are read in order. One thread uses it.
 */
#ifndef REDIS_LINK_H
#define REDIS_LINK_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>

enum { ENTRY_ID_SIZE = 48 }; /* of a stream's entry, "1700000000000-0" */

struct link_address {
	const char *host;
	int port;
	const char *password, *key; /* "": none; the stream's name */
	int timeout_ms;             /* of connecting, and of each reply */
};

struct redisContext;

struct link {
	const struct link_address *address;
	struct redisContext *redis; /* NULL: not connected */
};

/* Connects, if it is not connected. */
bool link_open(struct link *link, struct sluice_error *error);
void link_close(struct link *link);

/* Removes the stream. */
bool link_clear(struct link *link, struct sluice_error *error);

/* An entry with the fields `id` and `body`. Sent with others by the first read. */
bool link_add(struct link *link, const void *id, size_t id_size, const void *body, size_t body_size);
bool link_read_added(struct link *link, char entry_id[ENTRY_ID_SIZE], struct sluice_error *error);

bool link_delete(struct link *link, const char *entry_id);
bool link_read_deleted(struct link *link, struct sluice_error *error);

#endif
