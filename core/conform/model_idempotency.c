/*
 * The model of idempotency: of each id what is stored and when, who has the claim, and who waits for it.
 */
#include <stdio.h>

#include "base/clock.h"
#include "conform/model.h"
#include "conform/suite_idempotency.h"
#include "yaml/option.h"

enum { IDS = 3, WAITERS_MAX = 6, STEP_S = 25, TTL_S = 60 };

static const char *const contents[] = {CONTENT, OTHER_CONTENT};

struct kept {
	struct {
		bool is_stored;
		int content, epoch;
		int64_t at_s, seen_s; /* it may count from its last duplicate */
	} ids[IDS];
	int64_t now_s;
	bool was_doubted, was_restarted;
};

/* Of one process. */
static struct claim {
	struct sluice_event *holder, *waiters[WAITERS_MAX];
	int content, contents[WAITERS_MAX], epoch;
	size_t count;
} claims[IDS];
static int epoch;
static bool has_place, has_ttl;

static struct kept *kept_of(const struct model *model)
{
	return model->kept;
}

static void open_bench(struct model *model)
{
	const char *extra[] = {has_ttl ? "ttl=60s" : NULL, NULL};
	model->bench = check_open_with(model->check, extra);
}

static void begin(struct model *model)
{
	struct check *check = model->check;
	has_ttl = option_find(check_ops(check)->options, "ttl") != NULL;
	bench_set_clock(INT64_C(1700000000) * NS_PER_S);
	bench_advance_clock(kept_of(model)->now_s * NS_PER_S);
	open_bench(model);
	has_place = idempotency_has_place(check); /* known once its store is open */
}

/* What a new event of an id that nobody has in hand may get. */
static bool may_get(const struct model *model, unsigned id, int content, enum sluice_verdict verdict)
{
	const struct kept *kept = kept_of(model);
	bool in_store = check_store(model->check) != NULL;
	enum sluice_verdict known = kept->ids[id].content == content ? SLUICE_DONE : SLUICE_REJECT;
	if (!kept->ids[id].is_stored)
		return verdict == SLUICE_PASS;
	if (in_store)
		return verdict == known;
	if (has_ttl && kept->now_s - kept->ids[id].seen_s >= TTL_S)
		return verdict == SLUICE_PASS;
	if (has_ttl && kept->now_s - kept->ids[id].at_s >= TTL_S)
		return verdict == SLUICE_PASS || verdict == known;
	if (kept->was_doubted && kept->was_restarted) /* epochs begin anew */
		return verdict == SLUICE_PASS || verdict == known;
	return verdict == (kept->ids[id].epoch < epoch ? SLUICE_PASS : known);
}

static void store(struct model *model, unsigned id, int content, int of_epoch)
{
	struct kept *kept = kept_of(model);
	kept->ids[id].is_stored = true;
	kept->ids[id].content = content;
	kept->ids[id].epoch = of_epoch;
	kept->ids[id].at_s = kept->ids[id].seen_s = kept->now_s;
}

static void send(struct model *model, const uint8_t *arguments)
{
	struct check *check = model->check;
	unsigned id = arguments[0];
	int content = arguments[1];
	struct claim *claim = &claims[id];
	char name[64];
	if (claim->count == WAITERS_MAX)
		return;
	(void)snprintf(name, sizeof(name), "model-%lu-%u", model->number, id);
	struct sluice_event *event = idempotency_event(check, model->bench, name, contents[content]);
	enum sluice_verdict verdict = bench_process(model->bench, event);
	if (claim->holder && verdict == SLUICE_WAIT) {
		claim->contents[claim->count] = content;
		claim->waiters[claim->count++] = event;
		return;
	}
	check_that(check, verdict != SLUICE_REJECT || bench_conflicts(event),
	           "REJECT without a conflict: see sluice_conflict()");
	if (claim->holder)
		check_that(check, verdict == SLUICE_REJECT && content != claim->content,
		           "an event of id %u is in flight, and the next got %s: expected WAIT", id,
		           verdict_name(verdict));
	else
		check_that(check, may_get(model, id, content, verdict), "an event of id %u, %s: got %s", id,
		           !kept_of(model)->ids[id].is_stored           ? "which is new"
		           : kept_of(model)->ids[id].content == content ? "which is stored so"
		                                                        : "which is stored with other content",
		           verdict_name(verdict));
	if (verdict == SLUICE_PASS) {
		*claim = (struct claim){.holder = event, .content = content, .epoch = epoch};
		return;
	}
	if (verdict == SLUICE_DONE)
		kept_of(model)->ids[id].seen_s = kept_of(model)->now_s;
	idempotency_end(check, model->bench, event, verdict);
}

/* All who wait share the fate of what is stored now. */
static void end_waiters(struct model *model, unsigned id)
{
	struct claim *claim = &claims[id];
	for (size_t i = 0; i < claim->count; i++) {
		struct sluice_event *event = claim->waiters[i];
		enum sluice_verdict expected = claim->contents[i] == claim->content ? SLUICE_DONE : SLUICE_REJECT;
		enum sluice_verdict verdict = idempotency_wait(model->check, event,
		                                               "one that waits for an event now stored");
		check_that(
			model->check, verdict == expected && bench_resumes(event) == 1,
			"an event waited for one of id %u with %s content, which is stored now: expected one resume with "
			"%s, got %u, the first with %s",
			id, expected == SLUICE_DONE ? "the same" : "other", verdict_name(expected),
			bench_resumes(event), verdict_name(verdict));
		idempotency_end(model->check, model->bench, event, verdict);
	}
	*claim = (struct claim){.holder = NULL};
}

/* One of those who wait, and only one, takes the place of what failed. */
static void inherit(struct model *model, unsigned id)
{
	struct claim *claim = &claims[id];
	size_t heir = WAITERS_MAX;
	int64_t until_ns = clock_now_ns() + 5 * NS_PER_S;
	while (claim->count && heir == WAITERS_MAX && clock_now_ns() < until_ns) {
		for (size_t i = 0; i < claim->count && heir == WAITERS_MAX; i++) {
			enum sluice_verdict verdict = SLUICE_PASS;
			if (bench_wait_resumed(claim->waiters[i], i == 0 ? NS_PER_MS : 0, &verdict))
				heir = i;
			check_that(model->check, verdict == SLUICE_PASS,
			           "an event of id %u failed, and one that waits was resumed with %s: expected PASS",
			           id, verdict_name(verdict));
		}
	}
	check_that(model->check, !claim->count || heir < WAITERS_MAX,
	           "an event of id %u failed: expected one that waits to take its place, none did", id);
	claim->holder = claim->count ? claim->waiters[heir] : NULL;
	claim->epoch = epoch;
	if (!claim->count)
		return;
	claim->content = claim->contents[heir];
	claim->count--;
	for (size_t i = heir; i < claim->count; i++) {
		claim->waiters[i] = claim->waiters[i + 1];
		claim->contents[i] = claim->contents[i + 1];
	}
	for (size_t i = 0; i < claim->count; i++)
		check_that(model->check, bench_resumes(claim->waiters[i]) == 0,
		           "an event of id %u failed, and more than one that waits were resumed", id);
}

static void settle_as(struct model *model, unsigned id, enum sluice_verdict verdict)
{
	struct claim *claim = &claims[id];
	if (!claim->holder)
		return;
	bool is_kept = verdict == SLUICE_PASS || verdict == SLUICE_DONE;
	if (is_kept)
		store(model, id, claim->content, claim->epoch);
	idempotency_end(model->check, model->bench, claim->holder, verdict);
	if (is_kept)
		end_waiters(model, id);
	else
		inherit(model, id);
}

static void settle(struct model *model, const uint8_t *arguments)
{
	static const enum sluice_verdict verdicts[] = {SLUICE_PASS, SLUICE_FAIL, SLUICE_RETRY, SLUICE_DONE,
	                                               SLUICE_REJECT};
	settle_as(model, arguments[0], verdicts[arguments[1]]);
}

static void doubt(struct model *model, const uint8_t *arguments)
{
	(void)arguments;
	bench_doubt_store();
	epoch++;
	kept_of(model)->was_doubted = true;
}

static void advance(struct model *model, const uint8_t *arguments)
{
	int64_t by_s = STEP_S * (arguments[0] + 1);
	kept_of(model)->now_s += by_s;
	bench_advance_clock(by_s * NS_PER_S);
	if (check_ops(model->check)->tick)
		(void)check_ops(model->check)->tick(&model->bench->stage);
}

static void jump(struct model *model, const uint8_t *arguments)
{
	(void)model;
	bench_jump_clock((arguments[0] ? -3 : 2) * INT64_C(86400) * NS_PER_S);
}

static void forget(struct model *model)
{
	struct kept *kept = kept_of(model);
	kept->was_restarted = true;
	for (unsigned id = 0; id < IDS && !has_place; id++)
		kept->ids[id].is_stored = false;
}

static void end(struct model *model)
{
	for (unsigned id = 0; id < IDS; id++) {
		while (claims[id].holder)
			settle_as(model, id, SLUICE_RETRY);
	}
	bench_close(model->bench);
}

static void restart(struct model *model, const uint8_t *arguments)
{
	(void)arguments;
	end(model);
	forget(model);
	open_bench(model);
}

static void crash(struct model *model, const uint8_t *arguments)
{
	(void)arguments;
	forget(model);
	model_crash(false);
}

static const struct model_step steps[] = {
	{"send", "nc", {IDS, 2}, 24, send}, {"settle", "nv", {IDS, 5}, 14, settle},
	{"doubt", "", {0}, 1, doubt},       {"advance", "n", {3}, 1, advance},
	{"jump", "n", {2}, 1, jump},        {"restart", "", {0}, 1, restart},
	{"crash", "", {0}, 1, crash},       {NULL, NULL, {0}, 0, NULL},
};

const struct model_kind model_of_idempotency = {
	.steps = steps, .kept_size = sizeof(struct kept), .begin = begin, .end = end};
