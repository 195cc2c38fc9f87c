/*
 * What a persist stage promises those who compare: that its places are apart, and that tend(), measure() and erase() do
 * what they are for and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/delivery.h"
#include "conform/suite_common.h"
#include "conform/suite_persist.h"

enum { SETTING_SIZE = 512, EVENTS = 20 };

/* The option that names its place, or NULL. */
static const struct sluice_option *find_place(struct check *check)
{
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		if (option->flags & SLUICE_OPTION_PLACE)
			return option;
	}
	return NULL;
}

/* A setting that leads to a place made for this check. */
static void name_place(struct check *check, const char *name, char setting_out[SETTING_SIZE])
{
	const struct sluice_option *place = find_place(check);
	if (place->flags & SLUICE_OPTION_FILE)
		(void)snprintf(setting_out, SETTING_SIZE, "%s=%s/" SLUICE_LAB_PREFIX "%s", place->name,
		               check_folder(check), name);
	else
		(void)snprintf(setting_out, SETTING_SIZE, "%s=" SLUICE_LAB_PREFIX "%016llx_%s", place->name,
		               check_unique(check), name);
}

static struct bench *open_place(struct check *check, const char *setting)
{
	return check_open_with(check, (const char *[]){setting, NULL});
}

static void erase(struct check *check, struct bench *bench)
{
	struct sluice_error error = {0};
	check_that(check, bench->ops->erase(&bench->stage, &error), "erase() of a place made for it failed: %s",
	           error.text);
}

/* Sends the same events to whichever bench, and expects that they are new to it and then there. */
static struct delivery deliver(struct check *check, struct bench *bench)
{
	struct delivery delivery = {.check = check, .bench = bench};
	delivery_add_batch(&delivery, "place", 0, EVENTS);
	delivery_send(&delivery);
	delivery_expect_all(&delivery, SLUICE_PASS);
	store_expect_in(&delivery);
	return delivery;
}

void persist_keeps_places_apart(struct check *check)
{
	if (!find_place(check))
		check_skip(check, "none of its options names a place");
	if (!check_ops(check)->erase && !(find_place(check)->flags & SLUICE_OPTION_FILE))
		check_skip(check, "it has no erase(), so what this made would stay");
	static const char *const names[] = {"a", "b"};
	struct bench *benches[2];
	struct delivery deliveries[2];
	for (int i = 0; i < 2; i++) {
		char setting[SETTING_SIZE];
		name_place(check, names[i], setting);
		benches[i] = open_place(check, setting);
		deliveries[i] = deliver(check, benches[i]);
	}
	for (int i = 0; i < 2; i++) {
		delivery_end(&deliveries[i]);
		if (check_ops(check)->erase)
			erase(check, benches[i]);
		bench_close(benches[i]);
	}
}

static void expect_same(struct check *check, const struct store_image *before, struct bench *bench, const char *what)
{
	struct store_image after = store_read(check, bench);
	check_that(check, after.count == before->count, "%zu events were stored, and after %s it is %zu", before->count,
	           what, after.count);
	for (size_t i = 0; i < before->count; i++) {
		const struct sluice_record *old = &before->records[i], *now = &after.records[i];
		check_that(check,
		           old->id == now->id && bench_same_bytes(old->payload, now->payload) &&
		                   bench_same_bytes(old->message_id, now->message_id) &&
		                   memcmp(old->digest, now->digest, SLUICE_DIGEST_SIZE) == 0,
		           "after %s the event with id %lld is another", what, (long long)old->id);
	}
	store_image_finish(&after);
}

static void tend(struct check *check, struct bench *bench, const struct store_image *before, const char *what)
{
	struct sluice_error error = {0};
	check_that(check, bench->ops->tend(&bench->stage, &error), "%s failed: %s", what, error.text);
	expect_same(check, before, bench, what);
}

void persist_comes_to_rest(struct check *check)
{
	if (!check_ops(check)->tend)
		check_skip(check, "it has no tend()");
	struct bench *bench = check_open(check);
	struct delivery delivery = deliver(check, bench);
	struct store_image image = store_read(check, bench);
	tend(check, bench, &image, "tend()");
	struct bench *reader = check_open_read_only(check);
	tend(check, reader, &image, "tend() of another stage that is read_only");
	bench_close(reader);
	delivery_end(&delivery);
	bench_close(bench);
	reader = check_open_read_only(check);
	tend(check, reader, &image, "tend() of a stage that is read_only");
	bench_close(reader);
	store_image_finish(&image);
	store_expect_audited(check);
}

static void measure(struct check *check, struct bench *bench)
{
	struct watcher watcher = common_watch_measure(check);
	struct sluice_error error = {0};
	check_that(check, bench->ops->measure(&bench->stage, &watcher.pub, &error), "measure() failed: %s", error.text);
	check_that(check, watcher.gauges > 0, "measure() was expected to show at least one gauge, and showed none");
}

void persist_measures(struct check *check)
{
	if (!check_ops(check)->measure)
		check_skip(check, "it has no measure()");
	struct bench *bench = check_open(check);
	struct delivery delivery = deliver(check, bench);
	struct store_image image = store_read(check, bench);
	measure(check, bench);
	expect_same(check, &image, bench, "measure()");
	delivery_end(&delivery);
	bench_close(bench);
	char *before = persist_look_into_folder(check);
	bench = check_open_read_only(check);
	measure(check, bench);
	bench_close(bench);
	persist_expect_folder(check, before, "opened, measured and closed");
	free(before);
	store_image_finish(&image);
	store_expect_audited(check);
}

void persist_erases_its_place(struct check *check)
{
	if (!check_ops(check)->erase)
		check_skip(check, "it has no erase()");
	struct bench *neighbour = check_open(check);
	struct delivery delivery = deliver(check, neighbour);
	char setting[SETTING_SIZE];
	name_place(check, "erased", setting);
	for (int life = 0; life < 2; life++) { /* in the second all events are new again */
		struct bench *bench = open_place(check, setting);
		struct delivery own = deliver(check, bench);
		delivery_end(&own);
		erase(check, bench);
		bench_close(bench);
	}
	store_expect_in(&delivery);
	delivery_end(&delivery);
	bench_close(neighbour);
}

void persist_refuses_to_erase(struct check *check)
{
	if (!check_ops(check)->erase)
		check_skip(check, "it has no erase()");
	const char *given = check_option(check, find_place(check)->name);
	if (given && sluice_is_lab_place(given))
		check_skip(check, "the place given is one that may be erased");
	struct bench *bench = check_open(check);
	struct delivery delivery = deliver(check, bench);
	struct sluice_error error = {0};
	check_that(check, !bench->ops->erase(&bench->stage, &error),
	           "erase() of a place whose name does not begin with " SLUICE_LAB_PREFIX " succeeded");
	check_that(check, error.text[0], "erase() refused without a sentence");
	store_expect_in(&delivery);
	delivery_end(&delivery);
	bench_close(bench);
	store_expect_audited(check);
}
