/*
 * A body that carries several events: the elements of an array.
 */
#ifndef MAPPING_BATCH_H
#define MAPPING_BATCH_H

#include "recipe.h"

/* Makes an event of each element of the array, which the scanner has found valid: see SLUICE_PARTS. An empty one is answered.
 * Returns what process() returns. */
enum sluice_verdict batch_split(const struct reading *reading, struct sluice_bytes array, size_t max);

#endif
