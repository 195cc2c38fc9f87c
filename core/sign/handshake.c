/*
 * The table of handshakes; see handshake.h.
 */
#include "sign/handshake.h"

#include <string.h>

const struct handshake handshake_rows[HANDSHAKE_COUNT] = {
#define HANDSHAKE(title, ...) {.name = title, __VA_ARGS__},
#include "sign/handshakes.inc"
#undef HANDSHAKE
};

const struct handshake *handshake_find(const char *name)
{
	for (size_t i = 0; i < HANDSHAKE_COUNT; i++)
		if (strcmp(handshake_rows[i].name, name) == 0)
			return &handshake_rows[i];
	return NULL;
}

bool handshake_uses_secret(const struct handshake *handshake)
{
	return handshake->reply && (strstr(handshake->reply, "{hex}") || strstr(handshake->reply, "{base64}"));
}
