/*
 * The identity of a store; see store_identity.h.
 */
#include "runtime/store_identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

void store_identity_init(struct store_identity *identity)
{
	(void)pthread_mutex_init(&identity->lock, NULL);
	identity->text = NULL;
	atomic_init(&identity->epoch, 0);
}

void store_identity_finish(struct store_identity *identity)
{
	free(identity->text);
	(void)pthread_mutex_destroy(&identity->lock);
}

void store_identity_announce(struct store_identity *identity, const char *text)
{
	(void)pthread_mutex_lock(&identity->lock);
	if (!text || !identity->text || strcmp(text, identity->text) != 0) {
		free(identity->text);
		identity->text = text ? must_strdup(text) : NULL;
		(void)atomic_fetch_add_explicit(&identity->epoch, 1, memory_order_release);
	}
	(void)pthread_mutex_unlock(&identity->lock);
}
