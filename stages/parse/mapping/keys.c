/*
 * Keys of an object; see keys.h. They are collected first and compared when their number is known, so that the table fits.
 */
#include "keys.h"

#include <string.h>

#include <sluice/host.h>

#include "span.h"

enum { KEY_ROOM = 256, SLOTS_INLINE = 2 * KEYS_INLINE };

static struct key *chunk_of(struct keys *keys, size_t index, size_t *at_out)
{
	if (index < KEYS_INLINE) {
		*at_out = index;
		return keys->first;
	}
	unsigned chunk = 0;
	size_t start = KEYS_INLINE;
	for (; index >= 2 * start; start *= 2)
		chunk++;
	*at_out = index - start;
	if (!keys->more[chunk])
		keys->more[chunk] = sluice_alloc(keys->event, start * sizeof(struct key));
	return keys->more[chunk];
}

static const struct key *key_at(const struct keys *keys, size_t index)
{
	size_t start = KEYS_INLINE, chunk = 0;
	if (index < start)
		return &keys->first[index];
	for (; index >= 2 * start; start *= 2)
		chunk++;
	return &keys->more[chunk][index - start];
}

static bool hash_text(struct sluice_event *event, struct sluice_bytes inside, uint32_t *hash_out)
{
	char room[KEY_ROOM], *text = room;
	if (inside.size && memchr(inside.data, '\\', inside.size)) {
		if (inside.size > sizeof(room))
			text = sluice_alloc(event, inside.size);
		if (!text)
			return false;
		inside = (struct sluice_bytes){text, span_unescape(inside, text)};
	}
	*hash_out = (uint32_t)event->host->hash(inside.data, inside.size);
	return true;
}

bool keys_add(struct keys *keys, struct sluice_bytes key)
{
	size_t at;
	struct key *chunk = chunk_of(keys, keys->count, &at);
	if (!chunk || !hash_text(keys->event, span_inside(key), &chunk[at].hash))
		return false;
	chunk[at].start = (uint32_t)(key.data - keys->text.data);
	keys->count++;
	return true;
}

static bool same(const struct keys *keys, const struct key *a, const struct key *b)
{
	struct sluice_bytes text = keys->text;
	return a->hash == b->hash &&
	       span_same_string((struct sluice_bytes){text.data + a->start, text.size - a->start},
	                        (struct sluice_bytes){text.data + b->start, text.size - b->start});
}

/* `slots` are zeroed; each holds the number of a key, counted from 1. */
static bool insert(const struct keys *keys, uint32_t *slots, size_t slot_count, size_t index)
{
	const struct key *key = key_at(keys, index);
	size_t slot = key->hash & (slot_count - 1);
	for (; slots[slot]; slot = (slot + 1) & (slot_count - 1)) {
		if (same(keys, key_at(keys, slots[slot] - 1), key))
			return false;
	}
	slots[slot] = (uint32_t)index + 1;
	return true;
}

enum keys_verdict keys_judge(const struct keys *keys)
{
	uint32_t few[SLOTS_INLINE], *slots = few;
	size_t slot_count = 8;
	while (slot_count < keys->count + keys->count / 3)
		slot_count *= 2;
	if (slot_count > SLOTS_INLINE)
		slots = sluice_alloc(keys->event, slot_count * sizeof(*slots));
	if (!slots)
		return KEYS_NO_MEMORY;
	memset(slots, 0, slot_count * sizeof(*slots));
	for (size_t i = 0; i < keys->count; i++) {
		if (!insert(keys, slots, slot_count, i))
			return KEYS_REPEATED;
	}
	return KEYS_UNIQUE;
}
