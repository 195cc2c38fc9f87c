/*
 * Lineages of a run: single requests in full, from the moment they were to be sent until their answer was there. The
 * same tree as a server's own (docs: the contract's "Lineage, as text"), with the sender's parts in it.
 */
#ifndef LAB_REPORT_LINEAGE_H
#define LAB_REPORT_LINEAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "lab/run/run.h"

/* Appends one request's tree. */
void lineage_append(const struct run *run, const struct trace_record *record, struct buffer *out);

/* Appends `count` of them, drawn at random over the whole run, in the order of their times. The seed is taken from the
 * records themselves: who draws again draws the same, and nobody can choose. */
void lineage_append_random(const struct run *run, size_t count, struct buffer *out);

#endif
