/*
 * Credentials; see credentials.h.
 */
#include "serve/credentials.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

#define OTHER "other"

void credentials_init(struct credentials *credentials)
{
	memset(credentials, 0, sizeof(*credentials));
	(void)pthread_mutex_init(&credentials->lock, NULL);
	memcpy(credentials->other.label, OTHER, sizeof(OTHER));
}

void credentials_finish(struct credentials *credentials)
{
	(void)pthread_mutex_destroy(&credentials->lock);
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

void credential_label(struct sluice_bytes given, char label[CREDENTIAL_LABEL_MAX + 1])
{
	size_t size = 0;
	bool usable = given.size > 0;
	while (usable && size < given.size) {
		size_t step = utf8_character(given.data + size, given.size - size);
		usable = step > 0 && !is_control(given.data[size]);
		if (size + step > CREDENTIAL_LABEL_MAX)
			break;
		size += step;
	}
	if (!usable)
		given = (struct sluice_bytes){OTHER, size = sizeof(OTHER) - 1};
	memcpy(label, given.data, size);
	label[size] = '\0';
}

static bool find(struct credentials *credentials, const char *label, struct credential **found_out)
{
	size_t count = atomic_load_explicit(&credentials->count, memory_order_acquire);
	for (size_t i = 0; i < count; i++) {
		*found_out = &credentials->items[i];
		if (strcmp((*found_out)->label, label) == 0)
			return true;
	}
	*found_out = &credentials->other;
	return count == CREDENTIALS_MAX || strcmp(label, OTHER) == 0;
}

static struct credential *find_or_add(struct credentials *credentials, const char *label)
{
	struct credential *found;
	if (find(credentials, label, &found))
		return found;
	(void)pthread_mutex_lock(&credentials->lock);
	if (!find(credentials, label, &found)) {
		size_t count = atomic_load_explicit(&credentials->count, memory_order_relaxed);
		found = &credentials->items[count];
		memcpy(found->label, label, strlen(label) + 1);
		atomic_store_explicit(&credentials->count, count + 1, memory_order_release);
	}
	(void)pthread_mutex_unlock(&credentials->lock);
	return found;
}

void credentials_add(struct credentials *credentials, struct sluice_bytes given)
{
	char label[CREDENTIAL_LABEL_MAX + 1];
	credential_label(given, label);
	atomic_fetch_add_explicit(&find_or_add(credentials, label)->requests, 1, memory_order_relaxed);
}
