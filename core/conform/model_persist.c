/*
 * The model of persist: of each id what is stored under it. Batches have ids twice, duplicates and conflicts; a call to the
 * disk fails, the process is killed, the power is cut.
 */
#include <stdio.h>
#include <unistd.h>

#include "conform/delivery.h"
#include "conform/disk.h"
#include "conform/model.h"

enum { IDS = 10, NOT_STORED = 0 };

static const char *const contents[] = {"{\"a\": 1}", "{\"a\": 2}"};

struct kept {
	int stored[IDS]; /* the content and 1, or NOT_STORED */
};

static struct kept *kept_of(const struct model *model)
{
	return model->kept;
}

static void add(const struct model *model, struct delivery *delivery, unsigned id, int content)
{
	static const char *const streams[] = {"a", "b", NULL};
	char name[64];
	(void)snprintf(name, sizeof(name), "model-%lu-%u", model->number, id);
	(void)delivery_add(delivery, name, streams[id % 3], contents[content]);
}

/* All that is stored is there once, as it was. */
static void look(struct model *model, const uint8_t *arguments)
{
	struct kept *kept = kept_of(model);
	struct store_image image = store_read(model->check, model->bench);
	(void)arguments;
	for (unsigned id = 0; id < IDS; id++) {
		struct delivery delivery = {.check = model->check, .bench = model->bench};
		add(model, &delivery, id, kept->stored[id] ? kept->stored[id] - 1 : 0);
		size_t count = store_count(&image, delivery.events[0]), expected = kept->stored[id] != NOT_STORED;
		check_that(model->check, count == expected, "id %u: expected it in the store %s, found it %zu times",
		           id, expected ? "once" : "not at all", count);
		if (expected)
			store_expect(&image, &delivery);
		bench_free(delivery.events[0]);
	}
	store_image_finish(&image);
}

static void begin(struct model *model)
{
	model->bench = check_open(model->check);
	look(model, NULL);
}

static void judge(struct model *model, const struct delivery *delivery, const unsigned *ids, const int *of,
                  bool has_failed)
{
	struct kept *kept = kept_of(model);
	for (size_t i = 0; i < delivery->count; i++) {
		int *stored = &kept->stored[ids[i]];
		enum sluice_verdict verdict = delivery->verdicts[i];
		enum sluice_verdict expected = *stored == NOT_STORED  ? SLUICE_PASS
		                               : *stored == of[i] + 1 ? SLUICE_DONE
		                                                      : SLUICE_REJECT;
		bool is_found = has_failed && expected == SLUICE_PASS && verdict == SLUICE_DONE;
		check_that(model->check,
		           (verdict == expected || is_found) &&
		                   (verdict != SLUICE_REJECT || bench_conflicts(delivery->events[i])),
		           "event %zu of a batch of %zu, %s: expected %s, got %s: %s", i, delivery->count,
		           expected == SLUICE_PASS   ? "whose id is new"
		           : expected == SLUICE_DONE ? "which is stored so"
		                                     : "whose id is stored with other content",
		           verdict_name(expected), verdict_name(verdict), bench_detail(delivery->events[i]));
		if (expected == SLUICE_PASS)
			*stored = of[i] + 1;
	}
}

/* Ids that come round, every third the other way. */
static void send_batch(struct model *model, const uint8_t *arguments, enum disk_fault fault, size_t at)
{
	struct delivery delivery = {.check = model->check, .bench = model->bench};
	unsigned ids[8] = {0};
	int of[8] = {0};
	size_t count = arguments[0] % 5 + 1;
	for (size_t i = 0; i < count; i++) {
		ids[i] = (unsigned)(arguments[0] / 5 + i * (arguments[1] % 3)) % IDS;
		of[i] = (arguments[1] / 3 + (i % 3 == 2)) % 2;
		add(model, &delivery, ids[i], of[i]);
	}
	if (at)
		disk_break(fault, at);
	delivery_send(&delivery);
	bool has_failed = at && disk_mend();
	if (has_failed)
		delivery_send_until_settled(&delivery);
	judge(model, &delivery, ids, of, has_failed);
	delivery_end(&delivery);
}

static void batch(struct model *model, const uint8_t *arguments)
{
	send_batch(model, arguments, 0, 0);
}

static void fail_eio(struct model *model, const uint8_t *arguments)
{
	send_batch(model, arguments, DISK_EIO, 1 + arguments[1]);
}

static void fail_enospc(struct model *model, const uint8_t *arguments)
{
	send_batch(model, arguments, DISK_ENOSPC, 1 + arguments[1]);
}

static void fail_short(struct model *model, const uint8_t *arguments)
{
	send_batch(model, arguments, DISK_SHORT, 1 + arguments[1]);
}

static void restart(struct model *model, const uint8_t *arguments)
{
	(void)arguments;
	bench_close(model->bench);
	begin(model);
}

static void kill_it(struct model *model, const uint8_t *arguments)
{
	(void)model, (void)arguments;
	model_crash(false);
}

static void cut(struct model *model, const uint8_t *arguments)
{
	(void)model, (void)arguments;
	model_crash(true);
}

static void end(struct model *model)
{
	look(model, NULL);
	bench_close(model->bench);
	store_expect_audited(model->check);
}

#define BATCH                                                                                                          \
	{                                                                                                              \
		5 * IDS, 6                                                                                             \
	}

static const struct model_step steps[] = {
	{"batch", "nn", BATCH, 100, batch},
	{"eio", "nn", BATCH, 1, fail_eio},
	{"enospc", "nn", BATCH, 1, fail_enospc},
	{"short", "nn", BATCH, 1, fail_short},
	{"look", "", {0}, 2, look},
	{"restart", "", {0}, 1, restart},
	{"kill", "", {0}, 1, kill_it},
	{"cut", "", {0}, 1, cut},
	{NULL, NULL, {0}, 0, NULL},
};

const struct model_kind model_of_persist = {
	.steps = steps, .kept_size = sizeof(struct kept), .begin = begin, .end = end};
