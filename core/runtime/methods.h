/*
 * Methods of requests besides POST: only an auth stage may want them, for verification handshakes.
 */
#ifndef RUNTIME_METHODS_H
#define RUNTIME_METHODS_H

#include <stdbool.h>

#include <sluice/event.h>

struct stage_config;

enum {
	METHOD_GET = 1u << 0,
	METHOD_HEAD = 1u << 1,
	METHOD_OPTIONS = 1u << 2,
	METHODS_BESIDES = 1u << 3, /* how many sets of these there are */
	METHOD_POST = 1u << 3,     /* some of its POSTs have no body, and may come without a length */
};

/* Those that the stage answers. */
unsigned methods_of(const struct stage_config *auth);

bool methods_have(unsigned methods, const char *method);

/* Whether the event came with POST, or otherwise than over HTTP. */
bool methods_is_post(const struct sluice_event *event);

#endif
