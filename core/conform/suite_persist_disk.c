/*
 * What a persist stage that keeps files promises when the disk fails, the power is cut, or another process is at the
 * same place. Each world is a folder of its own in the folder of the check.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "conform/delivery.h"
#include "conform/disk.h"
#include "conform/files.h"
#include "conform/suite_persist.h"
#include "conform/world.h"

enum {
	BATCHES_MAX = 32, /* of a world */
	TOGETHER = 12,    /* batches */
	ROTATING = 12,
	ROTATING_EVENTS = 16,
	ROTATING_SIZE = 4000 /* bytes each */
};

void persist_add_batch(struct delivery *delivery, size_t world, size_t round)
{
	char name[32];
	(void)snprintf(name, sizeof(name), "world-%zu", world);
	delivery_add_batch(delivery, name, round, round % 8 + 1);
}

static struct delivery make_batch(struct check *check, struct bench *bench, size_t world, size_t round)
{
	struct delivery delivery = {.check = check, .bench = bench};
	persist_add_batch(&delivery, world, round);
	return delivery;
}

void persist_store_batch(struct check *check, struct bench *bench, size_t world, size_t round)
{
	struct delivery delivery = make_batch(check, bench, world, round);
	delivery_send(&delivery);
	delivery_expect_all(&delivery, SLUICE_PASS);
	delivery_end(&delivery);
}

static void expect_once(const struct store_image *image, const struct delivery *delivery, const char *when)
{
	for (size_t i = 0; i < delivery->count; i++) {
		size_t count = store_count(image, delivery->events[i]);
		check_that(delivery->check, count == 1,
		           "%s: expected every event that got PASS in the store once, found one %zu times", when,
		           count);
	}
	store_expect(image, delivery);
}

static void expect_once_now(const struct delivery *delivery, const char *when)
{
	struct store_image image = store_read(delivery->check, delivery->bench);
	expect_once(&image, delivery, when);
	store_image_finish(&image);
}

void persist_expect_batches(struct check *check, struct bench *bench, size_t world, size_t count, const char *when)
{
	static struct delivery deliveries[BATCHES_MAX];
	struct store_image image = store_read(check, bench);
	for (size_t round = 0; round < count; round++) {
		deliveries[round] = make_batch(check, bench, world, round);
		expect_once(&image, &deliveries[round], when);
	}
	store_image_finish(&image);
	for (size_t round = 0; round < count; round++) {
		struct delivery *delivery = &deliveries[round];
		delivery_send_until_settled(delivery);
		for (size_t i = 0; i < delivery->count; i++)
			check_that(check, delivery->verdicts[i] == SLUICE_DONE,
			           "%s: an event that is in the store was sent again: expected DONE, got %s", when,
			           verdict_name(delivery->verdicts[i]));
	}
	image = store_read(check, bench);
	for (size_t round = 0; round < count; round++) {
		expect_once(&image, &deliveries[round], when);
		delivery_end(&deliveries[round]);
	}
	store_image_finish(&image);
}

/* The next life takes new events, and the one after it knows all of them. */
static void expect_to_go_on(struct check *check, size_t world, size_t count, const char *when)
{
	struct bench *bench = check_open(check);
	persist_expect_batches(check, bench, world, count, when);
	persist_store_batch(check, bench, world, count);
	bench_close(bench);
	bench = check_open(check);
	persist_expect_batches(check, bench, world, count + 1, when);
	bench_close(bench);
	store_expect_audited(check);
}

static int store_until_the_power_is_cut(struct check *check, int out, void *context)
{
	const struct world *world = context;
	(void)out;
	disk_remember();
	struct bench *bench = check_open(check);
	for (size_t round = 0; round < world->before; round++)
		persist_store_batch(check, bench, world->number, round);
	disk_cut_power(disk_calls() || files_size_of_largest() ? 0 : NOTHING_TO_SEE);
}

void persist_survives_a_power_cut(struct check *check)
{
	static const size_t lives[] = {3, 1, 12, 0, 30};
	for (size_t i = 0; i < check_effort(check, 2, 4, 5); i++) {
		struct world world = {.number = i, .before = lives[i]};
		world_enter(check, &world);
		int end = check_in_process(check, store_until_the_power_is_cut, &world, NULL);
		if (!world_has_shown(check, end))
			check_skip(check, "it writes no files from this process");
		expect_to_go_on(check, i, world.before,
		                "after a power cut (what counts is what was synced: see fsync() of the file and of "
		                "its folder)");
	}
}

/* Events of which two have an id that came before in the batch, as a duplicate and as a conflict. */
static struct delivery make_twins(struct check *check, struct bench *bench, size_t world)
{
	static const struct {
		const char *name, *stream, *payload;
	} events[] = {{"one", "a", "{\"a\": 1}"},   {"two", "b", "{\"a\": 1}"},  {"three", NULL, "{\"a\": 1}"},
	              {"one", "a", "{\"a\": 1}"},   {"four", "c", "{\"a\": 1}"}, {"two", "b", "{\"a\": 2}"},
	              {"three", NULL, "{\"a\": 1}"}};
	struct delivery delivery = {.check = check, .bench = bench};
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		(void)delivery_add_numbered(&delivery, events[i].name, world, 0, events[i].stream, events[i].payload);
	return delivery;
}

/* Whatever became of the batch: what is said of it agrees with what is in the store. */
static void judge_twins(const struct world *world, const struct delivery *delivery)
{
	struct check *check = delivery->check;
	struct store_image image = store_read(check, delivery->bench);
	for (size_t i = 0; i < delivery->count; i++) {
		enum sluice_verdict verdict = delivery->verdicts[i];
		size_t count = store_count(&image, delivery->events[i]);
		bool is_kept = verdict == SLUICE_PASS || verdict == SLUICE_DONE;
		check_that(check, is_kept || verdict == SLUICE_RETRY || bench_conflicts(delivery->events[i]),
		           "%s, and event %zu of the batch got %s: that is temporary, so RETRY", world_describe(world),
		           i, verdict_name(verdict));
		check_that(check, count <= 1 && (count == 1 || verdict == SLUICE_RETRY),
		           "%s: event %zu of the batch got %s, and is in the store %zu times", world_describe(world), i,
		           verdict_name(verdict), count);
	}
	store_image_finish(&image);
}

static int store_on_a_failing_disk(struct check *check, int out, void *context)
{
	const struct world *world = context;
	(void)out;
	disk_remember();
	struct bench *bench = check_open(check);
	persist_store_batch(check, bench, world->number, 0);
	struct delivery delivery = make_twins(check, bench, world->number);
	disk_break(world->fault, world->at);
	delivery_send(&delivery);
	bool has_failed = disk_mend();
	judge_twins(world, &delivery);
	delivery_send_until_settled(&delivery);
	judge_twins(world, &delivery);
	disk_cut_power(has_failed ? 0 : NOTHING_TO_SEE);
}

/* The process has told of what it found; here is what it left behind. */
static void expect_after_failure(struct check *check, const struct world *world)
{
	char when[160];
	(void)snprintf(when, sizeof(when), "%s, the batch was sent again, and then the power was cut",
	               world_describe(world));
	struct bench *bench = check_open(check);
	persist_expect_batches(check, bench, world->number, 1, when);
	struct delivery delivery = make_twins(check, bench, world->number);
	delivery_send_until_settled(&delivery);
	for (size_t i = 0; i < delivery.count; i++)
		check_that(check, delivery.verdicts[i] == SLUICE_DONE || bench_conflicts(delivery.events[i]),
		           "%s: event %zu was acknowledged, and is %s now", when, i,
		           verdict_name(delivery.verdicts[i]));
	delivery_end(&delivery);
	bench_close(bench);
	store_expect_audited(check);
}

/* Every call of a batch to the disk fails in turn. */
void persist_survives_a_failing_disk(struct check *check)
{
	size_t worlds = 0, failures = 0, most = check_effort(check, 3, 40, 1000);
	for (enum disk_fault fault = 0; fault <= DISK_SHORT; fault++) {
		for (size_t at = 1; at <= most; at++, failures++) {
			struct world world = {.number = worlds++, .at = at, .fault = fault};
			world_enter(check, &world);
			if (!world_has_shown(check, check_in_process(check, store_on_a_failing_disk, &world, NULL)))
				break;
			expect_after_failure(check, &world);
		}
	}
	if (failures == 0)
		check_skip(check, "it writes no files from this process");
}

void persist_cannot_read(struct check *check)
{
	disk_remember();
	struct bench *bench = check_open(check);
	persist_store_batch(check, bench, 0, 7);
	bench_close(bench);
	bench = check_open(check);
	struct delivery delivery = make_batch(check, bench, 0, 7);
	disk_break(DISK_EIO_READ, 1);
	delivery_send(&delivery);
	if (!disk_mend())
		check_skip(check, "it reads no file from this process while it stores");
	for (size_t i = 0; i < delivery.count; i++)
		check_that(check, delivery.verdicts[i] == SLUICE_RETRY || delivery.verdicts[i] == SLUICE_DONE,
		           "it could not read its files (EIO), and an event that is stored got %s: expected RETRY",
		           verdict_name(delivery.verdicts[i]));
	delivery_send_until_settled(&delivery);
	delivery_expect_all(&delivery, SLUICE_DONE);
	expect_once_now(&delivery, "its files could not be read for a while");
	delivery_end(&delivery);
	bench_close(bench);
	store_expect_audited(check);
}

/* Room for a part of the next batch: the write behind it ends the process. */
static int store_until_a_write_is_torn(struct check *check, int out, void *context)
{
	const struct world *world = context;
	(void)out;
	struct bench *bench = check_open(check);
	for (size_t round = 0; round < world->before; round++)
		persist_store_batch(check, bench, world->number, round);
	rlim_t largest = files_size_of_largest();
	if (largest == 0)
		return NOTHING_TO_SEE;
	struct delivery delivery = make_twins(check, bench, world->number);
	(void)signal(SIGXFSZ, SIG_DFL);
	files_limit(largest + world->room);
	delivery_send(&delivery);
	_exit(0);
}

void persist_survives_a_torn_write(struct check *check)
{
	static const rlim_t rooms[] = {1, 100, 9, 250, 1, 40, 600, 2000};
	for (size_t i = 0; i < check_effort(check, 4, 8, 8); i++) {
		struct world world = {.number = i, .before = i % 4, .room = rooms[i]};
		world_enter(check, &world);
		if (check_in_process(check, store_until_a_write_is_torn, &world, NULL) == NOTHING_TO_SEE &&
		    world.before)
			check_skip(check, "it writes no files from this process");
		expect_to_go_on(check, i, world.before, "after a crash in the middle of a write");
	}
}

static struct delivery make_large(struct check *check, struct bench *bench, size_t world, size_t round)
{
	struct delivery delivery = {.check = check, .bench = bench};
	char payload[ROTATING_SIZE];
	memset(payload, 'x', sizeof(payload));
	payload[0] = payload[sizeof(payload) - 2] = '"';
	payload[sizeof(payload) - 1] = '\0';
	for (size_t i = 0; i < ROTATING_EVENTS; i++)
		(void)delivery_add_numbered(&delivery, "large", world * 100 + round, i, NULL, payload);
	return delivery;
}

static void send_large(struct check *check, struct bench *bench, size_t world, enum sluice_verdict expected,
                       const char *setting)
{
	for (size_t round = 0; round < ROTATING; round++) {
		struct delivery delivery = make_large(check, bench, world, round);
		delivery_send_until_settled(&delivery);
		for (size_t i = 0; i < delivery.count; i++)
			check_that(check, delivery.verdicts[i] == expected,
			           "with %s, as its files grow, event %zu of batch %zu: expected %s, got %s",
			           setting[0] ? setting : "its defaults", i, round, verdict_name(expected),
			           verdict_name(delivery.verdicts[i]));
		delivery_end(&delivery);
		bench_advance_clock(3600 * NS_PER_S);
		if (check_ops(check)->tick)
			(void)check_ops(check)->tick(&bench->stage);
	}
}

static void rotate(struct check *check, size_t world, const char *setting)
{
	const char *extra[] = {setting[0] ? setting : NULL, NULL};
	struct sluice_error error = {0};
	world_enter(check, &(struct world){.number = world});
	for (int life = 0; life < 3; life++) {
		struct bench *bench = check_try(check, extra, &error);
		if (!bench && life == 0 && setting[0])
			return; /* another option is at odds with it */
		check_that(check, bench, "cannot create the stage with %s: %s", setting, error.text);
		send_large(check, bench, world, life == 0 ? SLUICE_PASS : SLUICE_DONE, setting);
		bench_close(bench);
	}
}

void persist_remembers_in_all_its_files(struct check *check)
{
	const struct sluice_option *option = check_ops(check)->options;
	size_t world = 0;
	bool has_files = false;
	for (; option->type != SLUICE_TYPE_END; option++)
		has_files |= (option->flags & SLUICE_OPTION_FILE) != 0;
	if (!has_files)
		check_skip(check, "it has no option with SLUICE_OPTION_FILE");
	bench_set_clock(INT64_C(1700000000) * NS_PER_S);
	rotate(check, world++, "");
	for (option = check_ops(check)->options; option->type != SLUICE_TYPE_END; option++) {
		struct buffer setting = {0};
		if (check_print_least_size(option, &setting))
			rotate(check, world++, setting.data);
		buffer_finish(&setting);
	}
}

/* Two processes at one place. */
struct company {
	atomic_size_t passed; /* batches of the other process */
	atomic_bool over;
};

/* Batches of its own, and one event that both send. */
static void store_in_company(struct check *check, struct bench *bench, size_t number, atomic_size_t *passed)
{
	for (size_t round = 0; round < TOGETHER; round++) {
		struct delivery delivery = make_batch(check, bench, number, round);
		(void)delivery_add_numbered(&delivery, "common", 0, round, NULL, "{}");
		delivery_send_until_settled(&delivery);
		for (size_t i = 0; i < delivery.count; i++)
			check_that(check,
			           delivery.verdicts[i] == SLUICE_PASS ||
			                   (i + 1 == delivery.count && delivery.verdicts[i] == SLUICE_DONE),
			           "two processes store in one place, and a new event got %s",
			           verdict_name(delivery.verdicts[i]));
		delivery_end(&delivery);
		atomic_fetch_add(passed, 1);
	}
}

static int store_beside(struct check *check, int out, void *context)
{
	struct company *company = context;
	struct bench *bench = check_open(check);
	if (write(out, "+", 1) != 1)
		return 1;
	store_in_company(check, bench, 1, &company->passed);
	bench_close(bench);
	atomic_store(&company->over, true);
	return write(out, ".", 1) == 1 ? 0 : 1;
}

static void store_too(struct check *check, int in, void *context)
{
	struct sluice_error error = {0};
	atomic_size_t passed = 0;
	char byte;
	(void)context;
	if (read(in, &byte, 1) != 1)
		return;
	struct bench *bench = check_try(check, NULL, &error); /* it may be refused */
	if (bench) {
		store_in_company(check, bench, 0, &passed);
		bench_close(bench);
	}
	(void)!read(in, &byte, 1);
	if (!bench)
		check_skip(check, "it refuses a second process at its place: %s", error.text);
}

void persist_shares_its_place(struct check *check)
{
	struct company *company = mmap(NULL, sizeof(*company), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	                               0);
	check_that(check, company != MAP_FAILED, "no memory");
	disk_slow_down(NS_PER_MS / 2);
	int end = check_in_process(check, store_beside, company, store_too);
	disk_slow_down(0);
	check_that(check, atomic_load(&company->over), "the process that stores ended with %d", end);
	struct bench *bench = check_open(check);
	persist_expect_batches(check, bench, 0, TOGETHER, "two processes stored in one place");
	persist_expect_batches(check, bench, 1, TOGETHER, "two processes stored in one place");
	struct delivery common = {.check = check, .bench = bench};
	for (size_t round = 0; round < TOGETHER; round++)
		(void)delivery_add_numbered(&common, "common", 0, round, NULL, "{}");
	expect_once_now(&common, "two processes sent the same events to one place");
	delivery_end(&common);
	bench_close(bench);
	store_expect_audited(check);
}
