/*
 * Parts: the events that a parse stage has made of one request, and what becomes of it by them.
 *
 * The request's own event, the carrier, ends at the parse stage; it lives as long as they do, for its memory. The sender has one
 * answer, when all of them have theirs: a success when all are stored, else what makes it send the whole again, and then those
 * that are stored are duplicates.
 *
 * Parts of one stream stay in order. One goes behind the parse stage when the one before it is decided: the queue has accepted
 * it, or it is through. If that one must be tried again by its sender, so must this. And the dispatcher rejects none while
 * another of its request is undecided, since that could not be rejected with it: see parts_may_reject().
 */
#ifndef RUNTIME_PARTS_H
#define RUNTIME_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/event.h"

/* What split() of <sluice/extension.h> does. */
enum sluice_verdict parts_split(struct sluice_event *event, const struct sluice_bytes *elements, size_t count);

/* Whether the event has been split. */
static inline bool parts_is_carrier(const struct event *event)
{
	return event->parts && !event->carrier;
}

/* The parse stage has passed a carrier: its parts go down. */
void parts_send(struct event *carrier);

/* It has not: they are given up. */
void parts_abandon(struct event *carrier);

/* The event is with the queue, or through; `verdict` RETRY: its sender has to send it again. Of others than parts, nothing. */
void parts_decide(struct event *event, enum sluice_verdict verdict);

/* Whether those behind the event in its stream can be rejected with it. */
bool parts_may_reject(const struct event *event);

#endif
