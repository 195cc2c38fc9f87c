/*
 * What a persist stage promises under failure: the process is killed, the disk is full, connections are cut, the store
 * cannot be reached. The process fails itself (a limit on file sizes, shutdown() of its sockets), which needs no
 * knowledge of the store.
 */
#include "conform/suite_persist.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "conform/delivery.h"
#include "conform/files.h"

enum { ROUNDS = 30, BATCHES_MAX = 200, DESCRIPTORS_MAX = 1024 };

static void wait_a_moment(int64_t ns)
{
	struct timespec moment = {.tv_nsec = (long)ns};
	(void)nanosleep(&moment, NULL);
}

static uint64_t random_below(uint64_t limit)
{
	uint64_t number;
	digest_random(&number, sizeof(number));
	return number % limit;
}

static void wait_for_kill(void)
{
	for (;;)
		(void)pause();
}

/* Another process stores, tells, and lives on; this one looks. */
static int store_and_tell(struct check *check, int out, void *context)
{
	(void)context;
	struct delivery delivery = {.check = check, .bench = check_open(check)};
	delivery_add_batch(&delivery, "seen", 0, 5);
	delivery_send(&delivery);
	delivery_expect_all(&delivery, SLUICE_PASS);
	if (write(out, "+", 1) == 1)
		wait_for_kill();
	return 1;
}

static void look_from_outside(struct check *check, int in, void *context)
{
	size_t *count = context;
	char byte;
	if (read(in, &byte, 1) != 1)
		return;
	struct bench *bench = check_open_read_only(check);
	struct store_image image = store_read(check, bench);
	*count = image.count;
	store_image_finish(&image);
	bench_close(bench);
}

void persist_is_readable_at_once(struct check *check)
{
	size_t count = 0;
	int end = check_in_process(check, store_and_tell, &count, look_from_outside);
	check_that(check, end > 256, "the process that stores exited with %d before it was killed", end);
	check_that(check, count == 5, "5 events got PASS, and another process that opens the store sees %zu", count);
}

/* Batches of 1, 2, 3 … 8, 1 … */
static void add_kill_batch(struct delivery *delivery, size_t round)
{
	delivery_add_batch(delivery, "kill", round, round % 8 + 1);
}

/* Counts the batches that passed where the end of the process does not reach. */
static int store_until_killed(struct check *check, int out, void *context)
{
	atomic_size_t *passed = context;
	struct bench *bench = check_open(check);
	for (size_t round = 0; round < BATCHES_MAX; round++) {
		struct delivery delivery = {.check = check, .bench = bench};
		add_kill_batch(&delivery, round);
		delivery_send(&delivery);
		delivery_expect_all(&delivery, SLUICE_PASS);
		atomic_fetch_add(passed, 1);
		delivery_end(&delivery);
		if (round == ROUNDS && write(out, "+", 1) != 1)
			return 1;
	}
	wait_for_kill();
	return 1;
}

static void wait_for_word(struct check *check, int in, void *context)
{
	char byte;
	(void)check, (void)context;
	(void)!read(in, &byte, 1);
}

void persist_survives_kill(struct check *check)
{
	atomic_size_t *passed = mmap(NULL, sizeof(*passed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check_that(check, passed != MAP_FAILED, "no memory");
	int end = check_in_process(check, store_until_killed, passed, wait_for_word);
	check_that(check, end > 256, "the process that stores exited with %d before it was killed", end);
	struct bench *bench = check_open(check);
	struct store_image image = store_read(check, bench);
	for (size_t round = 0; round < atomic_load(passed); round++) {
		struct delivery delivery = {.check = check, .bench = bench};
		add_kill_batch(&delivery, round);
		store_expect(&image, &delivery);
		delivery_send_until_settled(&delivery);
		delivery_expect_all(&delivery, SLUICE_DONE);
		delivery_end(&delivery);
	}
	store_image_finish(&image);
	bench_close(bench);
	store_expect_audited(check);
}

/* Small, small, one of 12 kB, small … so that a little room is enough for some. */
static void add_uneven(struct delivery *delivery, const char *name, size_t round)
{
	static const char *const streams[] = {"a", "b", "a", "b"};
	char large[12000];
	memset(large, 'x', sizeof(large));
	large[0] = large[sizeof(large) - 2] = '"';
	large[sizeof(large) - 1] = '\0';
	for (size_t i = 0; i < 12; i++)
		(void)delivery_add_numbered(delivery, name, round, i, streams[i % 4],
		                            i % 6 == 2 ? large : "{\"a\": 1}");
	(void)delivery_add_numbered(delivery, name, round, 3, "b", "{\"a\": 1}"); /* a twin */
}

/* Batches onto a disk that has less and more room left. Returns whether any event was to be retried. */
static bool store_on_a_full_disk(struct check *check)
{
	static const rlim_t rooms[] = {0, 100, 1500, 5000, 16000, 40000};
	bool retried = false;
	struct bench *bench = check_open(check);
	(void)signal(SIGXFSZ, SIG_IGN);
	for (size_t round = 0; round < sizeof(rooms) / sizeof(rooms[0]); round++) {
		struct delivery delivery = {.check = check, .bench = bench};
		add_uneven(&delivery, "disk", round);
		files_limit(rooms[round] ? files_size_of_largest() + rooms[round] : 0);
		delivery_send(&delivery);
		files_limit(RLIM_INFINITY);
		for (size_t i = 0; i < delivery.count; i++) {
			check_that(check,
			           delivery.verdicts[i] == SLUICE_PASS || delivery.verdicts[i] == SLUICE_RETRY ||
			                   (i + 1 == delivery.count && delivery.verdicts[i] == SLUICE_DONE),
			           "the disk is full, and event %zu got %s: that is temporary, so RETRY", i,
			           verdict_name(delivery.verdicts[i]));
			retried = retried || delivery.verdicts[i] == SLUICE_RETRY;
		}
		struct store_image image = store_read(check, bench);
		for (size_t i = 0; i < delivery.count; i++)
			check_that(check,
			           store_count(&image, delivery.events[i]) >= (delivery.verdicts[i] != SLUICE_RETRY),
			           "the disk is full, and event %zu got %s and is not in the store", i,
			           verdict_name(delivery.verdicts[i]));
		store_image_finish(&image);
		delivery_send_until_settled(&delivery);
		store_expect_in(&delivery);
		delivery_end(&delivery);
	}
	bench_close(bench);
	store_expect_audited(check);
	return retried;
}

void persist_survives_a_full_disk(struct check *check)
{
	if (!store_on_a_full_disk(check))
		check_skip(check, "it stored everything: it writes no files from this process");
}

void persist_stays_in_order_when_retried(struct check *check)
{
	if (!store_on_a_full_disk(check))
		check_skip(check, "no event got RETRY: it writes no files from this process");
}

/* Whoever cuts the connections: all sockets that were not there before. */
struct cutter {
	bool is_foreign[DESCRIPTORS_MAX];
	atomic_size_t batches; /* how many have begun */
	atomic_size_t seen;    /* and how many of them have been cut */
	atomic_bool over;
	size_t cuts;
};

static bool is_connection(int descriptor)
{
	int type = 0;
	socklen_t size = sizeof(type);
	return descriptor < DESCRIPTORS_MAX && getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
	       type == SOCK_STREAM;
}

static void mark_foreign(int descriptor, void *context)
{
	if (is_connection(descriptor))
		((struct cutter *)context)->is_foreign[descriptor] = true;
}

static void cut(int descriptor, void *context)
{
	struct cutter *cutter = context;
	if (is_connection(descriptor) && !cutter->is_foreign[descriptor] && shutdown(descriptor, SHUT_RDWR) == 0)
		cutter->cuts++;
}

/* Once in each batch, or behind it, within some milliseconds; of every other within less. */
static void *cut_in_each_batch(void *context)
{
	struct cutter *cutter = context;
	while (!atomic_load(&cutter->over)) {
		size_t batches = atomic_load(&cutter->batches);
		if (batches != atomic_load(&cutter->seen)) {
			wait_a_moment((int64_t)random_below(batches % 2 ? 6 * NS_PER_MS : NS_PER_MS / 4));
			files_walk_descriptors(cut, cutter);
		}
		atomic_store(&cutter->seen, batches);
		wait_a_moment(50000);
	}
	return NULL;
}

void persist_survives_lost_connections(struct check *check)
{
	static struct cutter cutter;
	static struct delivery deliveries[ROUNDS];
	pthread_t thread;
	files_walk_descriptors(mark_foreign, &cutter);
	struct bench *bench = check_open(check);
	check_that(check, pthread_create(&thread, NULL, cut_in_each_batch, &cutter) == 0, "cannot start a thread");
	for (size_t round = 0; round < ROUNDS; round++) {
		deliveries[round] = (struct delivery){.check = check, .bench = bench};
		delivery_add_batch(&deliveries[round], "cut", round, 16);
		(void)delivery_add_numbered(&deliveries[round], "cut", round, 0, "a",
		                            "{\"a\": 1}"); /* the first's twin */
		atomic_fetch_add(&cutter.batches, 1);
		delivery_send(&deliveries[round]);
		while (atomic_load(&cutter.seen) != atomic_load(&cutter.batches))
			wait_a_moment(50000);
	}
	atomic_store(&cutter.over, true);
	(void)pthread_join(thread, NULL);
	struct store_image image = store_read(check, bench);
	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < deliveries[round].count; i++) {
			const struct sluice_event *event = deliveries[round].events[i];
			size_t count = store_count(&image, event);
			enum sluice_verdict verdict = deliveries[round].verdicts[i];
			/* DONE: it has sent the batch again itself, and found it there. */
			check_that(check, verdict == SLUICE_PASS || verdict == SLUICE_DONE || verdict == SLUICE_RETRY,
			           "connections were cut, and an event got %s: %s", verdict_name(verdict),
			           bench_detail(event));
			check_that(check, count <= 1 && count >= (verdict != SLUICE_RETRY),
			           "connections were cut, and an event that got %s is in the store %zu times",
			           verdict_name(verdict), count);
		}
	}
	store_image_finish(&image);
	for (size_t round = 0; round < ROUNDS; round++)
		delivery_send_until_settled(&deliveries[round]);
	image = store_read(check, bench);
	for (size_t round = 0; round < ROUNDS; round++) {
		store_expect(&image, &deliveries[round]);
		delivery_end(&deliveries[round]);
	}
	store_image_finish(&image);
	bench_close(bench);
	store_expect_audited(check);
	if (cutter.cuts == 0)
		check_skip(check, "it has no connection to cut");
}

/* An option that makes the stage look where nothing is, or false. */
static bool lead_astray(struct check *check, char *option, size_t room)
{
	const struct sluice_option *table = check_ops(check)->options;
	for (; table && table->type != SLUICE_TYPE_END; table++) {
		if (strcmp(table->name, "path") == 0)
			return snprintf(option, room, "path=absent/folder/store") > 0;
	}
	const char *url = check_option(check, "url");
	const char *host = url ? strstr(url, "://") : NULL;
	if (!host)
		return false;
	host += 3;
	(void)snprintf(option, room, "url=%.*s127.0.0.1:1%s", (int)(host - url), url, host + strcspn(host, "/?"));
	return true;
}

static void count_one(int descriptor, void *context)
{
	(void)descriptor;
	++*(size_t *)context;
}

static size_t count_threads(void)
{
	size_t count = 0;
	DIR *folder = opendir("/proc/self/task");
	for (struct dirent *entry; folder && (entry = readdir(folder));)
		count += entry->d_name[0] != '.';
	if (folder)
		(void)closedir(folder);
	return count;
}

static size_t count_descriptors(void)
{
	size_t count = 0;
	files_walk_descriptors(count_one, &count);
	return count;
}

static void expect_refusal(struct check *check, const char *option)
{
	struct sluice_error error = {0};
	struct bench *bench = check_try(check, (const char *[]){option, NULL}, &error);
	check_that(check, !bench, "create() succeeded with a store that does not exist");
	check_that(check, error.text[0] != '\0', "create() failed without an error text");
}

void persist_refuses_an_unreachable_store(struct check *check)
{
	char option[512];
	if (!lead_astray(check, option, sizeof(option)))
		check_skip(check, "it has no option `path`, and no `url` was given");
	expect_refusal(check, option); /* libraries keep what they open the first time */
	size_t threads = count_threads(), descriptors = count_descriptors();
	for (int i = 0; i < 3; i++)
		expect_refusal(check, option);
	/* A thread that was given up ends in its own time, and with it what it has open. */
	int64_t patience_ns = (check_option(check, "url") ? 10 : 2) * NS_PER_S;
	for (int64_t until_ns = clock_now_ns() + patience_ns;
	     (count_threads() > threads || count_descriptors() > descriptors) && clock_now_ns() < until_ns;)
		wait_a_moment(NS_PER_MS);
	check_that(check, count_threads() <= threads, "create() failed 3 times and left %zu threads running",
	           count_threads() - threads);
	check_that(check, count_descriptors() <= descriptors, "create() failed 3 times and left %zu descriptors open",
	           count_descriptors() - descriptors);
}
