/*
 * Whether the keys of an object are all different, as the characters they stand for: "\u0061" is "a".
 *
 * Up to KEYS_INLINE keys need no memory; more take about 16 bytes each from the event's. The hash is the host's, so no
 * sender can choose keys that collide.
 */
#ifndef MAPPING_KEYS_H
#define MAPPING_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/event.h>

enum { KEYS_INLINE = 64, KEYS_CHUNKS = 24 };

struct keys {
	struct sluice_event *event; /* in whose memory they are compared */
	struct sluice_bytes text;   /* keys are parts of it */
	size_t count;
	struct key {
		uint32_t hash;
		uint32_t start;                   /* of the key in the text, at its quote */
	} first[KEYS_INLINE], *more[KEYS_CHUNKS]; /* each of the further chunks doubles the room */
};

/* `key` has its quotes and is known to be valid. False: the event may have no more memory. */
bool keys_add(struct keys *keys, struct sluice_bytes key);

enum keys_verdict { KEYS_UNIQUE, KEYS_REPEATED, KEYS_NO_MEMORY };
enum keys_verdict keys_judge(const struct keys *keys);

#endif
