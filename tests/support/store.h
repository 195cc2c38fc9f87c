/*
 * What a persist stage on the bench holds, copied out to be looked at, and its audit trail verified.
 */
#ifndef TESTS_STORE_H
#define TESTS_STORE_H

#include <stddef.h>

#include <sluice/stage.h>

#include "lab/judge/audit.h"
#include "support/harness.h"

/* Every stored event, by id. */
struct store_image {
	struct sluice_record *records;
	size_t count;
};

struct store_image stored_read(struct harness *harness);
void stored_free(struct store_image *image);

/* The record of that message id, or NULL. */
const struct sluice_record *stored_find(const struct store_image *image, const char *message_id);

/* How many events are stored. */
size_t stored_count(struct harness *harness);

/* Fails the running test unless the audit trail agrees with itself and with the events. Returns its number of rows. */
size_t store_audit_rows(struct harness *harness);

/* The result of the audit, for those who expect violations; to be finished by the caller. */
struct audit_result store_audit(struct harness *harness);

/* What observe() says: the value of a gauge (-1: there is none), and the reason why the stage is unhealthy, "" if it is
 * not. */
double store_gauge(struct harness *harness, const char *name, const char *label_value);
const char *store_unhealthy(struct harness *harness);

/* An event as a parse stage leaves it. */
struct sluice_event *store_event(struct harness *harness, const char *message_id, const char *stream,
                                 const char *payload);

#endif
