/* The checks of a persist stage that are not in suite_persist.c; the table there says what each is to find. */
#ifndef CONFORM_SUITE_PERSIST_H
#define CONFORM_SUITE_PERSIST_H

#include "conform/check.h"

/* suite_persist_content.c */
void persist_keeps_exact_bytes(struct check *check);
void persist_keeps_all_fields(struct check *check);
void persist_stores_the_digest(struct check *check);

/* The record has all fields of the event but the payload. `name` says in the sentence which one it is. */
void persist_expect_record(struct check *check, const char *name, const struct sluice_event *event,
                           const struct sluice_record *record);

/* suite_persist_concurrency.c */
void persist_isolates_poison(struct check *check);
void persist_stores_from_many_threads(struct check *check);
void persist_stores_one_id_once(struct check *check);

/* suite_persist_trouble.c */
void persist_is_readable_at_once(struct check *check);
void persist_survives_kill(struct check *check);
void persist_survives_a_full_disk(struct check *check);
void persist_survives_lost_connections(struct check *check);
void persist_stays_in_order_when_retried(struct check *check);
void persist_refuses_an_unreachable_store(struct check *check);

/* suite_persist_disk.c */
void persist_survives_a_power_cut(struct check *check);
void persist_survives_a_failing_disk(struct check *check);
void persist_cannot_read(struct check *check);
void persist_survives_a_torn_write(struct check *check);
void persist_remembers_in_all_its_files(struct check *check);
void persist_shares_its_place(struct check *check);

/* suite_persist_letters.c */
void persist_lists_its_dead_letters(struct check *check);

/* suite_persist_locations.c */
void persist_keeps_locations_apart(struct check *check);
void persist_maintains(struct check *check);
void persist_shows_stats(struct check *check);
void persist_drops_its_location(struct check *check);
void persist_refuses_to_drop(struct check *check);

/* The names in the check's folder, with what the files hold: the caller frees it. Ends the check unless they are still
 * the same, after `what` was done. */
char *persist_look_into_folder(struct check *check);
void persist_expect_folder(struct check *check, const char *before, const char *what);

#endif
