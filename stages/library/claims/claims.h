/*
 * What is stored and what is in flight, by message id: what every idempotency stage does the same way.
 *
 * Two kinds of entries. A claim belongs to the event that came first and is in flight; duplicates of it wait for its fate:
 * stored, and they are answered from its digest; failed, and the first of them takes its place. An entry of a stored event
 * is only a cache of what the store has: it may expire or give way to newer ones, and in a new epoch of the store it is
 * not believed. The store's unique key is the truth.
 *
 * The functions may be called from any thread.
 */
#ifndef CLAIMS_H
#define CLAIMS_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/stage.h>

struct claims;

/* Remembers up to `capacity` stored ids (0: none, only what is in flight), each for `ttl_ns`. NULL: no memory. */
struct claims *claims_create(size_t capacity, int64_t ttl_ns);
void claims_destroy(struct claims *claims);

/* PASS: the event has the claim on its id until claims_settle(). WAIT: an event in flight has it. DONE or a conflict: the id
 * is remembered. Uses the stage's word in the event. */
enum sluice_verdict claims_process(struct claims *claims, struct sluice_stage *stage, struct sluice_event *event);

/* As a stage's settle(): ends the claim, if the event has one. */
void claims_settle(struct claims *claims, struct sluice_stage *stage, struct sluice_event *event,
                   enum sluice_verdict verdict);

/* DONE, or a conflict, of an event whose id is stored with that digest; PASS: the store has to decide. */
enum sluice_verdict claims_judge(struct sluice_event *event, const uint8_t digest[SLUICE_DIGEST_SIZE]);

/* As a stage's tick(), which frees the memory of what has expired, also while no event comes, and observe(). */
int64_t claims_tick(struct claims *claims, struct sluice_stage *stage);
void claims_observe(struct claims *claims, struct sluice_observer *observer);

#endif
