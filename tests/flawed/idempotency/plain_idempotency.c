/*
 * The baseline idempotency/memory, and what can be wrong with it. Each stage of this folder is it with one of the
 * flaws of plain_idempotency.h; without a flaw it is the baseline.
 */
#include <ctype.h>
#include <pthread.h>

#include <sluice/stage.h>

#include "../meet.h"
#include "plain_idempotency.h"

static _Thread_local const struct sluice_event *last_heir;

static inline void resume_with_flaw(struct sluice_event *event, enum sluice_verdict verdict)
{
	if (verdict == SLUICE_PASS)
		last_heir = event;
	if (flaw == DROPS_THE_HEIR && verdict == SLUICE_PASS)
		return;
	if (flaw == RESUMES_TWICE)
		sluice_resume(event, verdict);
	sluice_resume(event, verdict);
	if (flaw == LOOKS_BACK)
		*(volatile uint32_t *)&event->attempt;
}

/* Of the thread that is in settle(), where that has no lock. */
static _Thread_local bool is_unlocked;

static int lock_with_flaw(pthread_mutex_t *lock)
{
	return is_unlocked ? 0 : pthread_mutex_lock(lock);
}

static int unlock_with_flaw(pthread_mutex_t *lock)
{
	return is_unlocked ? 0 : pthread_mutex_unlock(lock);
}

#pragma push_macro("SLUICE_STAGE")
#undef SLUICE_STAGE
#define SLUICE_STAGE(kind_, table, ...) static const struct sluice_stage_ops memory_stage = {__VA_ARGS__}
#define sluice_resume(event, verdict) resume_with_flaw(event, verdict)
#define pthread_mutex_lock(lock) lock_with_flaw(lock)
#define pthread_mutex_unlock(lock) unlock_with_flaw(lock)
#define sluice_store_epoch(stage) (flaw == IGNORES_EPOCHS ? 0 : sluice_store_epoch(stage))
#include "../../../stages/idempotency/memory/memory.c"
#include "claims/claims.c"
#undef sluice_resume
#undef pthread_mutex_lock
#undef pthread_mutex_unlock
#undef sluice_store_epoch
#pragma pop_macro("SLUICE_STAGE")

static void count_by_the_wall_clock(struct sluice_stage *stage)
{
	static struct sluice_host host;
	host = *stage->host;
	host.now_ns = host.wall_ns;
	stage->host = &host;
}

static bool create_with_flaw(struct sluice_stage *stage, struct sluice_error *error)
{
	struct config *config = (struct config *)(uintptr_t)stage->config;
	if (flaw == NEVER_FORGETS)
		config->ttl.ns = INT64_MAX / 2;
	if (flaw == EXPIRES_BY_THE_CLOCK)
		count_by_the_wall_clock(stage);
	if (flaw == REMEMBERS_ONE)
		config->capacity = 1;
	return memory_stage.create(stage, error);
}

static void lower_id(struct sluice_event *event)
{
	struct sluice_bytes copy = sluice_copy(event, event->message_id.data, event->message_id.size);
	for (size_t i = 0; i < copy.size; i++)
		((char *)(uintptr_t)copy.data)[i] = (char)tolower((unsigned char)copy.data[i]);
	event->message_id = copy;
}

/* What is kept is known; what is in flight is claimed after a look and a pause. */
static enum sluice_verdict check_then_insert(struct sluice_stage *stage, struct sluice_event *event)
{
	struct claims *claims = stage->state;
	uint64_t hash = stage->host->hash(event->message_id.data, event->message_id.size);
	(void)pthread_mutex_lock(&claims->lock);
	const struct entry *entry = find(claims, hash, event->message_id);
	(void)pthread_mutex_unlock(&claims->lock);
	meet();
	if (entry)
		return ops.process(stage, event);
	(void)pthread_mutex_lock(&claims->lock);
	*sluice_local(stage, event) = claim(claims, hash, event->message_id);
	(void)pthread_mutex_unlock(&claims->lock);
	return SLUICE_PASS;
}

static enum sluice_verdict process_with_flaw(struct sluice_stage *stage, struct sluice_event *event)
{
	if (flaw == IGNORES_CASE)
		lower_id(event);
	if (flaw == TAKES_NONE_FOR_AN_ID && !event->message_id.data)
		event->message_id = (struct sluice_bytes){"", 0};
	enum sluice_verdict verdict = flaw == CHECKS_THEN_INSERTS ? check_then_insert(stage, event)
	                                                          : ops.process(stage, event);
	if (flaw == IGNORES_CONTENT && verdict == SLUICE_REJECT)
		return SLUICE_DONE;
	if (flaw == REJECTS_A_CONFLICT && verdict == SLUICE_REJECT)
		return sluice_reject(event, 422, "an event with this message id is already stored");
	return flaw == LETS_TWINS_GO && verdict == SLUICE_WAIT ? SLUICE_PASS : verdict;
}

/* What is kept of the heir is what is known of the event that failed: its payload is all that differs in a test. */
static void hand_content_down(struct sluice_stage *stage, struct sluice_event *event)
{
	struct claims *claims = stage->state;
	const struct entry *entry = *sluice_local(stage, event);
	(void)pthread_mutex_lock(&claims->lock);
	if (entry && entry->first_waiter)
		entry->first_waiter->event->payload = sluice_copy(entry->first_waiter->event, event->payload.data,
		                                                  event->payload.size);
	(void)pthread_mutex_unlock(&claims->lock);
}

static void settle_with_flaw(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	bool kept = verdict == SLUICE_PASS || verdict == SLUICE_DONE;
	if (flaw == FORGETS_HEIRS && event == last_heir)
		verdict = SLUICE_FAIL;
	if (flaw == FORGETS_TO_RELEASE && !kept)
		return;
	if (flaw == GIVES_ITS_HEIR_ITS_CONTENT && !kept)
		hand_content_down(stage, event);
	is_unlocked = flaw == SETTLES_UNLOCKED;
	memory_stage.settle(stage, event, flaw == FORGETS_WHAT_IS_KEPT ? SLUICE_FAIL : verdict);
	is_unlocked = false;
}

/* A gauge of which there is one more than it says. */
static void observe_with_flaw(struct sluice_stage *stage, struct sluice_observer *observer)
{
	struct claims *claims = stage->state;
	size_t added = flaw == COUNTS_ONE_MORE;
	(void)pthread_mutex_lock(&claims->lock);
	claims->claimed += added;
	(void)pthread_mutex_unlock(&claims->lock);
	observe(stage, observer);
	(void)pthread_mutex_lock(&claims->lock);
	claims->claimed -= added;
	(void)pthread_mutex_unlock(&claims->lock);
}

static const struct sluice_idempotency_ops flawed_ops = {.process = process_with_flaw};

SLUICE_STAGE(idempotency, flawed_ops, .name = "plain_idempotency", .version = "1.0.0",
             .summary = "remembers message ids", .options = options, .config_size = sizeof(struct config),
             .create = create_with_flaw, .settle = settle_with_flaw, .tick = tick, .observe = observe_with_flaw,
             .destroy = destroy);
