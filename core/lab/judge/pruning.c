/*
 * Removed events; see pruning.h.
 */
#include "lab/judge/pruning.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/digest.h"

enum { TAG_SIZE = 8, LISTED = 24 /* bytes before the hash */, HEAD_SIZE = LISTED + SLUICE_DIGEST_SIZE, STEP_BITS = 63 };

static uint64_t number_at(const uint8_t *bytes)
{
	uint64_t number = 0;
	for (int i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

bool pruning_is(const struct sluice_audit_row *row)
{
	return row->covers.size >= TAG_SIZE && memcmp(row->covers.data, SLUICE_PRUNED, TAG_SIZE) == 0;
}

struct pruning *pruning_keep(const struct sluice_audit_row *row, struct pruning *next)
{
	struct pruning *pruning = must_calloc(1, sizeof(*pruning) + row->covers.size);
	pruning->next = next;
	pruning->position = row->position;
	pruning->size = row->covers.size;
	memcpy(pruning->covers, row->covers.data, row->covers.size);
	if (pruning->size >= HEAD_SIZE)
		pruning->before_ns = (int64_t)number_at(pruning->covers + TAG_SIZE);
	return pruning;
}

void pruning_free(struct pruning *first)
{
	while (first) {
		struct pruning *pruning = first;
		first = pruning->next;
		free(pruning);
	}
}

/* LEB128. False: it does not end, or is too large. */
static bool read_step(struct pruning_walk *walk, uint64_t *step_out)
{
	*step_out = 0;
	for (unsigned shift = 0; shift < STEP_BITS && walk->at < walk->pruning->size; shift += 7) {
		uint8_t byte = walk->pruning->covers[walk->at++];
		*step_out |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

bool pruning_next(struct pruning_walk *walk)
{
	uint64_t step;
	if (walk->pruning->size < HEAD_SIZE)
		return false;
	if (walk->count == 0)
		walk->at = HEAD_SIZE;
	if (walk->at == walk->pruning->size) {
		walk->is_whole = walk->count > 0 && walk->count == number_at(walk->pruning->covers + 16);
		return false;
	}
	if (!read_step(walk, &step) || step == 0 || step > (uint64_t)(INT64_MAX - walk->id))
		return false;
	walk->id += (int64_t)step;
	walk->count++;
	return true;
}

void pruning_add_cover(struct buffer *list, int64_t id, const uint8_t digest[SLUICE_DIGEST_SIZE])
{
	char bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (char)((uint64_t)id >> (56 - 8 * i));
	buffer_add(list, bytes, sizeof(bytes));
	buffer_add(list, (const char *)digest, SLUICE_DIGEST_SIZE);
}

bool pruning_fits(const struct pruning *pruning, const struct buffer *list)
{
	const struct sluice_audit_row row = {
		.writer = {(const char *)pruning->covers, LISTED},
		.covers = {list->data, list->size},
	};
	uint8_t hash[SLUICE_DIGEST_SIZE];
	digest_audit_row(&row, hash);
	return memcmp(hash, pruning->covers + LISTED, SLUICE_DIGEST_SIZE) == 0;
}
