/*
 * What a persist stage promises of its dead letters, where it lists them.
 */
#include <string.h>

#include "conform/bench.h"
#include "conform/delivery.h"
#include "conform/suite_persist.h"
#include "runtime/abi.h"

enum { LETTERS = 3 };

static const char reason[] = "a reason of the check's own";

/* A look through the list: which of the check's events are expected, and which were seen. */
struct look {
	struct check *check;
	const struct delivery *delivery;
	const bool *expected;
	bool seen[LETTERS];
	int64_t ids[LETTERS], last_id;
};

static bool take_letter(void *context, const struct sluice_letter *letter)
{
	struct look *look = context;
	check_that(look->check, letter->record.id > look->last_id, "its dead letters do not come by ascending ids");
	look->last_id = letter->record.id;
	for (size_t i = 0; i < LETTERS; i++) {
		const struct sluice_event *event = look->delivery->events[i];
		if (!bench_same_bytes(letter->record.message_id, event->message_id))
			continue;
		check_that(look->check, !look->seen[i], "a dead letter is listed twice");
		check_that(look->check, look->expected[i], "a dead letter that was dropped is listed");
		persist_expect_record(look->check, "dead letter", event, &letter->record);
		check_that(look->check, bench_same_bytes(letter->record.payload, event->payload),
		           "a dead letter is listed with another payload");
		check_that(look->check, bench_same_bytes(letter->reason, (struct sluice_bytes){reason, strlen(reason)}),
		           "a dead letter is listed with another reason");
		check_that(look->check, letter->refused_at_ns > 0, "a dead letter is listed without the time");
		look->seen[i] = true;
		look->ids[i] = letter->record.id;
	}
	return true;
}

static struct look look_through(const struct delivery *delivery, struct bench *bench, const bool expected[LETTERS])
{
	struct look look = {.check = delivery->check, .delivery = delivery, .expected = expected, .last_id = INT64_MIN};
	struct sluice_error error = {0};
	check_that(look.check, abi_dead_letters(bench->ops)->scan(&bench->stage, INT64_MIN, take_letter, &look, &error),
	           "its dead letters could not be listed: %s", error.text);
	for (size_t i = 0; i < LETTERS; i++)
		check_that(look.check, look.seen[i] || !expected[i], "dead letter %zu is not listed", i);
	return look;
}

static void keep(struct delivery *delivery, size_t i)
{
	static const char payload[] = "a\0b\xff";
	struct bench *bench = delivery->bench;
	struct sluice_error error = {0};
	struct sluice_event *event = delivery_add_numbered(delivery, "letter", 0, i, i ? "s" : NULL, "{}");
	event->payload = sluice_copy(event, payload, sizeof(payload) - 1);
	event->acknowledged = true;
	event->has_sequence = i > 0;
	event->sequence = (int64_t)i;
	check_that(delivery->check, bench->ops->of.persist->dead_letter(&bench->stage, event, reason, &error),
	           "dead_letter() failed: %s", error.text);
}

void persist_lists_its_dead_letters(struct check *check)
{
	const struct sluice_dead_letters *letters = abi_dead_letters(check_ops(check));
	if (!letters || !check_ops(check)->of.persist->dead_letter)
		check_skip(check, "it does not list its dead letters (" SLUICE_DEAD_LETTERS ")");
	struct bench *bench = check_open(check);
	struct delivery delivery = {.check = check, .bench = bench};
	struct sluice_error error = {0};
	bool expected[LETTERS] = {true, true, true};
	for (size_t i = 0; i < LETTERS; i++)
		keep(&delivery, i);
	struct look look = look_through(&delivery, bench, expected);
	check_that(check, letters->drop(&bench->stage, look.ids[1], &error), "a dead letter cannot be dropped: %s",
	           error.text);
	check_that(check, letters->drop(&bench->stage, look.ids[1], &error),
	           "drop() of a dead letter that does not exist failed: %s", error.text);
	expected[1] = false;
	(void)look_through(&delivery, bench, expected);
	bench_close(bench);
	bench = check_open_read_only(check);
	(void)look_through(&delivery, bench, expected);
	bench_close(bench);
	for (size_t i = 0; i < delivery.count; i++)
		bench_free(delivery.events[i]);
}
