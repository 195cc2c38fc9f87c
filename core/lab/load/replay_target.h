/*
 * Where a replay sends: a URL, taken apart, and the address behind it.
 */
#ifndef LAB_LOAD_REPLAY_TARGET_H
#define LAB_LOAD_REPLAY_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include <netdb.h>
#include <sluice/error.h>

struct replay_target {
	char host[128]; /* a name or an address, without brackets */
	char port[8];
	char path[256];
	uint8_t arm;           /* goes into the records */
	const char *id_prefix; /* put before each message id; "": as they are */
};

/* Reads "http://127.0.0.1:5000/webhooks"; a URL without a path means /webhooks. */
bool replay_target_from_url(const char *url, struct replay_target *target_out, struct sluice_error *error);

/* The address at which somebody accepts connections: "localhost" has two, and servers often listen on one. It is part
 * of *addresses_out, which the caller frees with freeaddrinfo(). NULL and a sentence if there is none; *addresses_out
 * may be there all the same. */
const struct addrinfo *replay_target_find(const struct replay_target *target, struct addrinfo **addresses_out,
                                          struct sluice_error *error);

#endif
