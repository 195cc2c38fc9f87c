/*
 * What a persist stage promises for comparisons: its locations are separate, and maintain(), stats() and drop() do what
 * they are for and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/delivery.h"
#include "conform/suite_common.h"
#include "conform/suite_persist.h"

enum { SETTING_SIZE = 512, EVENTS = 20 };

/* The option that names its location, or NULL. */
static const struct sluice_option *find_location(struct check *check)
{
	for (const struct sluice_option *option = check_ops(check)->options; option->type != SLUICE_TYPE_END;
	     option++) {
		if (option->flags & SLUICE_OPTION_LOCATION)
			return option;
	}
	return NULL;
}

/* A setting that leads to a location made for this check. */
static void name_location(struct check *check, const char *name, char setting_out[SETTING_SIZE])
{
	const struct sluice_option *location = find_location(check);
	if (location->flags & SLUICE_OPTION_FILE)
		(void)snprintf(setting_out, SETTING_SIZE, "%s=%s/" SLUICE_LAB_PREFIX "%s", location->name,
		               check_folder(check), name);
	else
		(void)snprintf(setting_out, SETTING_SIZE, "%s=" SLUICE_LAB_PREFIX "%016llx_%s", location->name,
		               check_unique(check), name);
}

static struct bench *open_location(struct check *check, const char *setting)
{
	return check_open_with(check, (const char *[]){setting, NULL});
}

static void drop(struct check *check, struct bench *bench)
{
	struct sluice_error error = {0};
	check_that(check, bench_maintenance(check_ops(check))->drop(&bench->stage, &error),
	           "drop() of a location made for a laboratory failed: %s", error.text);
}

/* Sends the same events to whichever bench, and expects that they are new to it and then there. */
static struct delivery deliver(struct check *check, struct bench *bench)
{
	struct delivery delivery = {.check = check, .bench = bench};
	delivery_add_batch(&delivery, "location", 0, EVENTS);
	delivery_send(&delivery);
	delivery_expect_all(&delivery, SLUICE_PASS);
	store_expect_in(&delivery);
	return delivery;
}

void persist_keeps_locations_apart(struct check *check)
{
	if (!find_location(check))
		check_skip(check, "it has no option with SLUICE_OPTION_LOCATION");
	if (!bench_maintenance(check_ops(check))->drop && !(find_location(check)->flags & SLUICE_OPTION_FILE))
		check_skip(check, "it has no drop(), so what the check stores would stay");
	static const char *const names[] = {"a", "b"};
	struct bench *benches[2];
	struct delivery deliveries[2];
	for (int i = 0; i < 2; i++) {
		char setting[SETTING_SIZE];
		name_location(check, names[i], setting);
		benches[i] = open_location(check, setting);
		deliveries[i] = deliver(check, benches[i]);
	}
	for (int i = 0; i < 2; i++) {
		delivery_end(&deliveries[i]);
		if (bench_maintenance(check_ops(check))->drop)
			drop(check, benches[i]);
		bench_close(benches[i]);
	}
}

static void expect_same(struct check *check, const struct store_image *before, struct bench *bench, const char *what)
{
	struct store_image after = store_read(check, bench);
	check_that(check, after.count == before->count, "%zu events were stored, and after %s there are %zu",
	           before->count, what, after.count);
	for (size_t i = 0; i < before->count; i++) {
		const struct sluice_record *old = &before->records[i], *now = &after.records[i];
		check_that(check,
		           old->id == now->id && bench_same_bytes(old->payload, now->payload) &&
		                   bench_same_bytes(old->message_id, now->message_id) &&
		                   memcmp(old->digest, now->digest, SLUICE_DIGEST_SIZE) == 0,
		           "after %s the event with id %lld has changed", what, (long long)old->id);
	}
	store_image_finish(&after);
}

static void maintain(struct check *check, struct bench *bench, const struct store_image *before, const char *what)
{
	struct sluice_error error = {0};
	check_that(check, bench_maintenance(check_ops(check))->maintain(&bench->stage, &error), "%s failed: %s", what,
	           error.text);
	expect_same(check, before, bench, what);
}

void persist_maintains(struct check *check)
{
	if (!bench_maintenance(check_ops(check))->maintain)
		check_skip(check, "it has no maintain()");
	struct bench *bench = check_open(check);
	struct delivery delivery = deliver(check, bench);
	struct store_image image = store_read(check, bench);
	maintain(check, bench, &image, "maintain()");
	struct bench *reader = check_open_read_only(check);
	maintain(check, reader, &image, "maintain() of a second, read_only stage");
	bench_close(reader);
	delivery_end(&delivery);
	bench_close(bench);
	reader = check_open_read_only(check);
	maintain(check, reader, &image, "maintain() of a read_only stage");
	bench_close(reader);
	store_image_finish(&image);
	store_expect_audited(check);
}

static void show_stats(struct check *check, struct bench *bench)
{
	struct watcher watcher = common_watch_stats(check);
	struct sluice_error error = {0};
	check_that(check, bench_maintenance(check_ops(check))->stats(&bench->stage, &watcher.pub, &error),
	           "stats() failed: %s", error.text);
	check_that(check, watcher.gauges > 0, "stats(): expected at least one gauge, got none");
}

void persist_shows_stats(struct check *check)
{
	if (!bench_maintenance(check_ops(check))->stats)
		check_skip(check, "it has no stats()");
	struct bench *bench = check_open(check);
	struct delivery delivery = deliver(check, bench);
	struct store_image image = store_read(check, bench);
	show_stats(check, bench);
	expect_same(check, &image, bench, "stats()");
	delivery_end(&delivery);
	bench_close(bench);
	char *before = persist_look_into_folder(check);
	bench = check_open_read_only(check);
	show_stats(check, bench);
	bench_close(bench);
	persist_expect_folder(check, before, "opened, with stats() called, and closed");
	free(before);
	store_image_finish(&image);
	store_expect_audited(check);
}

void persist_drops_its_location(struct check *check)
{
	if (!bench_maintenance(check_ops(check))->drop)
		check_skip(check, "it has no drop()");
	struct bench *neighbour = check_open(check);
	struct delivery delivery = deliver(check, neighbour);
	char setting[SETTING_SIZE];
	name_location(check, "dropped", setting);
	for (int life = 0; life < 2; life++) { /* in the second all events are new again */
		struct bench *bench = open_location(check, setting);
		struct delivery own = deliver(check, bench);
		delivery_end(&own);
		drop(check, bench);
		bench_close(bench);
	}
	store_expect_in(&delivery);
	delivery_end(&delivery);
	bench_close(neighbour);
}

void persist_refuses_to_drop(struct check *check)
{
	if (!bench_maintenance(check_ops(check))->drop)
		check_skip(check, "it has no drop()");
	const char *given = check_option(check, find_location(check)->name);
	if (given && sluice_is_lab_location(given))
		check_skip(check, "the location given with --set may be dropped");
	struct bench *bench = check_open(check);
	struct delivery delivery = deliver(check, bench);
	struct sluice_error error = {0};
	check_that(check, !bench_maintenance(check_ops(check))->drop(&bench->stage, &error),
	           "drop() of a location whose name does not begin with " SLUICE_LAB_PREFIX " succeeded");
	check_that(check, error.text[0], "drop() failed without an error text");
	store_expect_in(&delivery);
	delivery_end(&delivery);
	bench_close(bench);
	store_expect_audited(check);
}
