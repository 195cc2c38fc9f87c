/*
 * Generations: the pipelines that a server runs one after another. A change waits until the one before it is alone; only the
 * way back does not, so that at most three live at the same time.
 *
 * A pipeline is immutable. A change builds the next one beside the one that serves, with what both have in common taken
 * over as it is (stages of the same code and options, with all they know), and publishes it with one store. Each event belongs
 * to the generation that admitted it; what is being received belongs to none yet. The old generation is retired after its last
 * event.
 *
 * Order per stream holds across the change. Where both have the same queue they have the same dispatcher, whose leases are
 * kept from one crew of workers to the next. Where the queue is another, the new one's workers begin when the old queue is
 * empty, its backlog included.
 *
 *     builder's thread:  pipeline_create_next() → generations_publish() → generations_hand_over()
 *                        → generations_take_retired() until it is there → pipeline_retire()
 *     HTTP threads:      generations_receive() → generations_admit()
 */
#ifndef RUNTIME_GENERATION_H
#define RUNTIME_GENERATION_H

#include <stdatomic.h>

#include "runtime/pipeline.h"

struct generations;

enum { GENERATIONS_MAX = 3 };

/* As pipeline_receive(), pipeline_admit(), pipeline_excess() of whichever generation serves then. From any thread. */
struct event *generations_receive(struct generations *generations);
bool generations_admit(struct generations *generations, struct event *event);
size_t generations_excess(const struct generations *generations);

/* Counts a request of a sender against listen.rate, where that is by `by`: 0: it may go on; otherwise how long the sender has to
 * wait, in ns. An absent key is a sender of its own. From any thread. */
int64_t generations_limit(struct generations *generations, const struct listen_config *listen, enum rate_by by,
                          struct sluice_bytes key);

/* From here on the pipeline serves. There was room for it. Quick; nobody looks at the recorder meanwhile. */
void generations_publish(struct generations *generations, struct pipeline *pipeline);

/* After it, and taking its time: ticks come from the new generation, and the old one hurries. */
void generations_hand_over(struct generations *generations);

/* A generation that does not serve any more and whose last event is through: for pipeline_retire(). NULL: there is none;
 * generations_left() tells how many events those that do not serve have. */
struct pipeline *generations_take_retired(struct generations *generations);
bool generations_have_retired(struct generations *generations); /* one will be taken */
size_t generations_left(const struct generations *generations);
size_t generations_live(const struct generations *generations);

/* Bad health where the workers of the one that serves have waited for a while for events of one before, and what that one's
 * store says. */
void generations_observe(const struct generations *generations, struct sluice_observer *observer);
bool generations_have_room(const struct generations *generations);

/*
 * A canary: a candidate takes a share of the traffic (runtime/split.h), made by pipeline_create_candidate().
 *
 *     generations_may_split() → generations_try() → generations_may_move() → split_set_share() …
 *     split_is_settled() → generations_promote(), as generations_publish(), or generations_dismiss(); then generations_hand_over()
 *     of the former → split_end() when only one generation is left, or at once after the latter
 */
struct split *generations_split(struct generations *generations);
struct pipeline *generations_candidate(const struct generations *generations); /* NULL: there is none */
bool generations_may_split(const struct generations *generations); /* the last split counts no event any more */
void generations_try(struct generations *generations, struct pipeline *candidate);
bool generations_may_move(const struct generations *generations); /* all events in flight are counted */
void generations_promote(struct generations *generations);
void generations_dismiss(struct generations *generations); /* retired like others when its last event is through */

/* For the pipeline alone. */
struct generations *generations_create(const struct config *config, struct sluice_error *error);
void generations_stop_threads(struct generations *generations);
void generations_destroy(struct generations *generations);
struct pipeline *generations_current(const struct generations *generations);
void generations_lend_slot(struct generations *generations, struct pipeline *pipeline); /* the one that it gets */
/* Whether another generation has the same stage of that kind, or the same workers. */
bool generations_share(const struct generations *generations, const struct pipeline *pipeline, unsigned kind);
bool generations_share_crew(const struct generations *generations, const struct pipeline *pipeline);

#endif
