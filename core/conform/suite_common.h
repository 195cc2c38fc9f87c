/* The checks of every stage that are not in suite_common.c; the table there says what each is to find. */
#ifndef CONFORM_SUITE_COMMON_H
#define CONFORM_SUITE_COMMON_H

#include "conform/check.h"

/* suite_common_life.c */
void common_has_a_sound_table(struct check *check);
void common_proves_itself(struct check *check);
void common_destroys_what_it_creates(struct check *check);
void common_fails_without_trace(struct check *check);
void common_takes_its_bounds(struct check *check);
void common_keeps_its_secrets(struct check *check);
void common_names_its_secrets(struct check *check);

/* suite_common_statics.c */
void common_has_no_event_in_static_memory(struct check *check);

/* Whether the text is lower case letters, digits, and any of "_.-", a letter first. */
bool common_is_name(const char *text);

/* An observer that is particular: it ends the check where what it is shown will not do. */
struct watcher {
	struct sluice_observer pub; /* must be first */
	struct check *check;
	size_t gauges; /* it was shown so far */
};

/* For observe(), and for stats(), which may also show texts. */
struct watcher common_watch_observe(struct check *check);
struct watcher common_watch_stats(struct check *check);

#endif
