/*
 * For the checks of a queue stage: what the dispatcher does with it, and the checks of a durable one. Events tell their
 * place by their sequence number. All functions end the check where something does not hold.
 */
#ifndef CONFORM_SUITE_QUEUE_H
#define CONFORM_SUITE_QUEUE_H

#include "conform/check.h"

/* Created and recovered, so that it is ready for the first take(). open_empty(): and it holds nothing. */
struct bench *queue_start(struct check *check, struct bench *bench);
struct bench *queue_open_empty(struct check *check);

struct sluice_event *queue_make(struct bench *bench, const char *stream, int64_t number);

/* put(), and where the stage parks the event, what it was resumed with: PASS or RETRY. must_put(): PASS. */
enum sluice_verdict queue_put(struct check *check, struct bench *bench, struct sluice_event *event);
void queue_must_put(struct check *check, struct bench *bench, struct sluice_event *event);

size_t queue_take(struct bench *bench, struct sluice_event **events, size_t max);

/* Takes `count` events, which are expected to be the numbers from `first` on. */
void queue_take_numbers(struct check *check, struct bench *bench, struct sluice_event **events, size_t count,
                        int64_t first);

void queue_finish(struct bench *bench, struct sluice_event *event, enum sluice_verdict verdict);
void queue_finish_and_free(struct bench *bench, struct sluice_event **events, size_t count);

void queue_survives_kill(struct check *check);
void queue_forgets_what_is_done(struct check *check);
void queue_keeps_what_is_retried(struct check *check);
void queue_restores_all_fields(struct check *check);
void queue_yields_old_before_new(struct check *check);
void queue_waits_for_the_pool(struct check *check);
void queue_counts_its_backlog(struct check *check);
void queue_tells_of_its_backlog(struct check *check);

/* suite_queue_disk.c */
void queue_survives_a_power_cut(struct check *check);
void queue_survives_a_failing_disk(struct check *check);
void queue_survives_a_torn_write(struct check *check);
void queue_cannot_read(struct check *check);

/* suite_queue_restart.c */
void queue_ignores_the_clocks(struct check *check);
void queue_starts_from_an_older_copy(struct check *check);

#endif
