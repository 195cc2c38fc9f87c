/* The checks of a persist stage that are not in suite_persist.c; the table there says what each is to find. */
#ifndef CONFORM_SUITE_PERSIST_H
#define CONFORM_SUITE_PERSIST_H

#include "conform/delivery.h"

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

/* suite_persist_restart.c */
void persist_ignores_the_clocks(struct check *check);
void persist_starts_from_an_older_copy(struct check *check);

/* suite_persist_letters.c */
void persist_lists_its_dead_letters(struct check *check);

/* suite_persist_locations.c */
void persist_keeps_locations_apart(struct check *check);
void persist_maintains(struct check *check);
void persist_shows_stats(struct check *check);
void persist_drops_its_location(struct check *check);
void persist_refuses_to_drop(struct check *check);

/* Batches of 1, 2, 3 … 8, 1 … events, whose names tell the world. store_batch(): each gets PASS. expect_batches(): the first
 * `count` are in the store, and known; `when` is for the sentence. */
void persist_add_batch(struct delivery *delivery, size_t world, size_t round);
void persist_store_batch(struct check *check, struct bench *bench, size_t world, size_t round);
void persist_expect_batches(struct check *check, struct bench *bench, size_t world, size_t count, const char *when);

/* The names in the check's folder, with what the files hold: the caller frees it. Ends the check unless they are still
 * the same, after `what` was done. */
char *persist_look_into_folder(struct check *check);
void persist_expect_folder(struct check *check, const char *before, const char *what);

#endif
