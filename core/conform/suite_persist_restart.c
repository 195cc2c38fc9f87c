/*
 * What a persist stage promises when it starts again in other circumstances: the clocks have been set, or the store was replaced
 * by an older copy of it.
 */
#include "conform/suite_persist.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conform/world.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)

enum { LIVES = 4, OLD = 3 /* batches */, ALL = 6 };

void persist_ignores_the_clocks(struct check *check)
{
	static const int64_t jumps_ns[LIVES] = {2 * DAY_NS, -4 * DAY_NS, DAY_NS / 24, 400 * DAY_NS};
	static const char when[] = "the wall clock was set, and the machine started again";
	struct delivery all = {.check = check};
	world_enter(check, &(struct world){.number = 0});
	bench_set_clock(clock_wall_ns());
	for (size_t life = 0; life < LIVES; life++) {
		struct bench *bench = check_open(check);
		persist_expect_batches(check, bench, 0, 2 * life, when);
		persist_store_batch(check, bench, 0, 2 * life);
		bench_jump_clock(jumps_ns[life]);
		persist_store_batch(check, bench, 0, 2 * life + 1);
		if (check_ops(check)->tick)
			(void)check_ops(check)->tick(&bench->stage);
		persist_expect_batches(check, bench, 0, 2 * life + 2, "the wall clock was set");
		bench_close(bench);
		bench_restart_clock();
	}
	all.bench = check_open(check);
	persist_expect_batches(check, all.bench, 0, 2 * LIVES, when);
	for (size_t round = 0; round < 2 * LIVES; round++)
		persist_add_batch(&all, 0, round);
	store_expect_in(&all);
	bench_close(all.bench);
	store_expect_audited(check);
}

/* What it has said of the store: the first thing or the last, but for doubt; NULL: nothing. The caller frees it. */
static char *take_identity(bool is_last)
{
	char *lines = bench_take_announcements(), *rest = lines, *found = NULL;
	for (char *line; (line = strsep(&rest, "\n"));) {
		bool counts = *line && strcmp(line, "in doubt") != 0;
		if (counts && (is_last || !found)) {
			free(found);
			found = strdup(line);
		}
	}
	free(lines);
	return found;
}

static void store_life(struct check *check, size_t from, size_t to)
{
	struct bench *bench = check_open(check);
	for (size_t round = from; round < to; round++)
		persist_store_batch(check, bench, 0, round);
	bench_close(bench);
}

void persist_starts_from_an_older_copy(struct check *check)
{
	static const char when[] = "its files were replaced by an older copy";
	world_enter(check, &(struct world){.number = 0});
	store_life(check, 0, OLD);
	if (!world_keep_copy(check))
		check_skip(check, "it keeps no files in its folder");
	store_life(check, OLD, ALL);
	char *before = take_identity(true);
	world_go_back(check);
	struct bench *bench = check_open(check);
	persist_expect_batches(check, bench, 0, OLD, when);
	char *after = take_identity(false);
	check_that(
		check, !before || !after || strcmp(before, after) != 0,
		"%s, and it announced the same store (%s): what was acknowledged since is believed to be there, so give "
		"each start another name",
		when, after);
	for (size_t round = OLD; round < ALL; round++) /* the copy has not got them */
		persist_store_batch(check, bench, 0, round);
	bench_close(bench);
	bench = check_open(check);
	persist_expect_batches(check, bench, 0, ALL, when);
	bench_close(bench);
	store_expect_audited(check);
	free(before);
	free(after);
}
