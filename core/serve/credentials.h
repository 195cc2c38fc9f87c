/*
 * Credentials: how many requests each secret, key or user has authenticated, by the label that the auth stage gives it.
 * One that has fallen out of use shows in that its count stands still.
 *
 * Labels become series of a metric, so their number is bounded: what comes after that counts as "other".
 */
#ifndef SERVE_CREDENTIALS_H
#define SERVE_CREDENTIALS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/event.h>

enum {
	CREDENTIALS_MAX = 64,      /* labels, without "other" */
	CREDENTIAL_LABEL_MAX = 64, /* bytes; a longer one is cut */
};

struct credentials {
	pthread_mutex_t lock; /* for adding one */
	atomic_size_t count;
	struct credential {
		char label[CREDENTIAL_LABEL_MAX + 1];
		_Atomic uint64_t requests;
	} items[CREDENTIALS_MAX], other;
};

void credentials_init(struct credentials *credentials);
void credentials_finish(struct credentials *credentials);

/* A label as text, cut where a character ends; "other" if it is empty, no UTF-8 or has control characters. */
void credential_label(struct sluice_bytes given, char label[CREDENTIAL_LABEL_MAX + 1]);

/* From any thread. */
void credentials_add(struct credentials *credentials, struct sluice_bytes given);

#endif
