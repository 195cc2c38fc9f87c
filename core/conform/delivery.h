/*
 * For the checks of a persist stage: events on their way into a store, and what the store then holds.
 *
 * Message ids and request ids begin with a number of the check's own, so that a store may hold other events as well.
 * All functions end the check where something does not hold.
 */
#ifndef CONFORM_DELIVERY_H
#define CONFORM_DELIVERY_H

#include "base/arena.h"
#include "conform/check.h"
#include "lab/judge/audit.h"

enum { DELIVERY_MAX = 256 };

/* Events that go to the stage as one batch. Starts as {.check = …, .bench = …}. */
struct delivery {
	struct check *check;
	struct bench *bench;
	struct sluice_worker *worker; /* may be NULL */
	struct sluice_event *events[DELIVERY_MAX];
	enum sluice_verdict verdicts[DELIVERY_MAX];
	size_t count;
};

/* An event of type "conform.event". Its message id is made from `name`: the same name, the same id. `stream` may be
 * NULL. Before delivery_send() its fields may be changed. */
struct sluice_event *delivery_add(struct delivery *delivery, const char *name, const char *stream, const char *payload);

/* Likewise, with a name made from three parts; and `count` of them, of three streams and of none. */
struct sluice_event *delivery_add_numbered(struct delivery *delivery, const char *name, size_t round, size_t i,
                                           const char *stream, const char *payload);
void delivery_add_batch(struct delivery *delivery, const char *name, size_t round, size_t count);

/* Hands the batch over once. Each verdict must be one that a persist stage may give, with the words that belong to it;
 * and behind an event that is to be retried none of its stream may have been stored. */
void delivery_send(struct delivery *delivery);

/* Hands it over, and again those that are to be retried, until there are none left: within 10 s. */
void delivery_send_until_settled(struct delivery *delivery);

void delivery_expect(const struct delivery *delivery, size_t i, enum sluice_verdict verdict);
void delivery_expect_all(const struct delivery *delivery, enum sluice_verdict verdict);

/* Settles and frees the events. */
void delivery_end(struct delivery *delivery);

/* What is in the store of this check's events, by id. */
struct store_image {
	struct arena arena;
	struct sluice_record *records;
	size_t count, room;
};

struct store_image store_read(struct check *check, struct bench *bench);
void store_image_finish(struct store_image *image);

/* The records with the event's message id, or, if it has none, with its request id. */
size_t store_count(const struct store_image *image, const struct sluice_event *event);
const struct sluice_record *store_find(const struct store_image *image, const struct sluice_event *event);

/* All events of the delivery are there once with the content they had, those of a stream in their order. */
void store_expect(const struct store_image *image, const struct delivery *delivery);

/* Likewise, in a store that is looked at through the bench of the delivery. */
void store_expect_in(const struct delivery *delivery);

/* What an audit reads of the stage, which has both ways to scan. */
struct audit_source store_audit_source(struct bench *bench);

/* The audit trail agrees with itself and with the events. Opens the store read-only. */
void store_expect_audited(struct check *check);

#endif
