/* What the checks of idempotency stages share, and those of one that asks a store; the table at the foot of
 * suite_idempotency.c says what each is to find. */
#ifndef CONFORM_SUITE_IDEMPOTENCY_H
#define CONFORM_SUITE_IDEMPOTENCY_H

#include "conform/check.h"

#define CONTENT "{\"total\":1}"
#define OTHER_CONTENT "{\"total\":2}"

/* An id of this check's own, which no store has seen. */
struct sluice_event *idempotency_event(struct check *check, struct bench *bench, const char *id, const char *content);

/* Settles and frees it. An event that ends as stored is put into the store, if the stage asks one. */
void idempotency_end(struct check *check, struct bench *bench, struct sluice_event *event, enum sluice_verdict verdict);

/* Sends one through; what it gets, if it passes, at its end is `last`. Returns what process() said. */
enum sluice_verdict idempotency_send(struct check *check, struct bench *bench, const char *id, const char *content,
                                     enum sluice_verdict last);

/* The verdict that it is resumed with. */
enum sluice_verdict idempotency_wait(struct check *check, struct sluice_event *event, const char *what);

void idempotency_expect(struct check *check, enum sluice_verdict seen, enum sluice_verdict expected, const char *what);
void idempotency_expect_conflict(struct check *check, const struct sluice_event *event, enum sluice_verdict verdict,
                                 const char *difference);

/* Whether it has a place of its own, or asks a store. */
bool idempotency_has_place(struct check *check);

/* suite_idempotency_life.c */
void idempotency_heir_has_its_own_content(struct check *check);
void idempotency_remembers(struct check *check);
void idempotency_cannot_read(struct check *check);
void idempotency_ignores_the_clocks(struct check *check);
void idempotency_starts_from_an_older_copy(struct check *check);

/* suite_idempotency_store.c */
void idempotency_stored_before(struct check *check);
void idempotency_stored_unheard(struct check *check);
void idempotency_stored_elsewhere(struct check *check);
void idempotency_store_lacks(struct check *check);

#endif
