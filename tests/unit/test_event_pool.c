/*
 * The event pool: whose memory is kept, and what is counted of it.
 */
#include <check.h>

#include "runtime/event.h"
#include "support/unit.h"

enum { ARENA = 4096, COUNT = 3, MANY = 8 };

static struct event_pool *create(int64_t count, bool preallocate)
{
	const struct events_config config = {
		.max = 100, .max_bytes = 1 << 20, .arena = ARENA, .pool_count = count, .preallocate = preallocate};
	return event_pool_create(&config, ARENA);
}

/* So many events at the same time, each of which takes so many bytes. */
static void use(struct event_pool *pool, size_t count, size_t size)
{
	struct event *events[MANY];
	for (size_t i = 0; i < count; i++) {
		events[i] = event_pool_get(pool, NULL);
		ck_assert_ptr_nonnull(event_alloc(events[i], size));
	}
	for (size_t i = 0; i < count; i++)
		event_release(events[i]);
}

static void assert_counts(const struct event_pool *pool, uint64_t hits, uint64_t misses, uint64_t growths)
{
	struct event_pool_counts counts = event_pool_counts(pool);
	ck_assert_uint_eq(counts.hits, hits);
	ck_assert_uint_eq(counts.misses, misses);
	ck_assert_uint_eq(counts.growths, growths);
}

START_TEST(test_memory_is_kept_for_as_many_as_the_count_says)
{
	struct event_pool *pool = create(COUNT, false);
	use(pool, MANY, 1);
	assert_counts(pool, 0, MANY, 0);
	use(pool, MANY, 1);
	assert_counts(pool, COUNT, 2 * MANY - COUNT, 0);
	event_pool_destroy(pool);
}
END_TEST

START_TEST(test_preallocated_memory_is_there_for_the_first_event)
{
	struct event_pool *pool = create(COUNT, true);
	use(pool, COUNT, ARENA);
	assert_counts(pool, COUNT, 0, 0);
	ck_assert_uint_eq(event_pool_bytes(pool), 0); /* what nobody uses is not charged */
	use(pool, COUNT + 1, ARENA);
	assert_counts(pool, 2 * COUNT, 1, 0);
	event_pool_destroy(pool);
}
END_TEST

START_TEST(test_without_a_pool_memory_comes_from_the_heap)
{
	struct event_pool *pool = create(0, true);
	use(pool, 1, 1);
	use(pool, 1, 1);
	assert_counts(pool, 0, 2, 0);
	event_pool_destroy(pool);
}
END_TEST

/* What has outgrown its memory does not keep it, or a burst of large bodies would be held for good. */
/* Memory is rounded up for alignment: that is no other size. */
START_TEST(test_arena_of_any_size_is_kept)
{
	const struct events_config config = {
		.max = 100, .max_bytes = 1 << 20, .arena = ARENA + 1, .pool_count = COUNT, .preallocate = true};
	struct event_pool *pool = event_pool_create(&config, ARENA);
	use(pool, 1, 1);
	use(pool, 1, 1);
	assert_counts(pool, 2, 0, 0);
	event_pool_destroy(pool);
}
END_TEST

START_TEST(test_growth_is_counted_and_not_kept)
{
	struct event_pool *pool = create(COUNT, false);
	use(pool, 1, ARENA + 1);
	assert_counts(pool, 0, 1, 1);
	use(pool, 1, 1);
	assert_counts(pool, 0, 2, 1);
	struct event *event = event_pool_get(pool, NULL);
	ck_assert(event_alloc(event, ARENA) && event_alloc(event, ARENA));
	event_release(event);
	assert_counts(pool, 1, 2, 2);
	use(pool, 1, 1);
	assert_counts(pool, 2, 2, 2); /* its first block was as large as any */
	event_pool_destroy(pool);
}
END_TEST

START_TEST(test_a_resized_pool_has_its_new_bounds_and_sizes)
{
	struct event_pool *pool = create(COUNT, true);
	struct event *event = event_pool_get(pool, NULL);
	const struct events_config larger = {.max = 1, .max_bytes = 1 << 20, .arena = 2 * ARENA, .pool_count = 1};
	event_pool_resize(pool, &larger, ARENA);
	ck_assert(event_pool_admit(pool, event));
	struct event *next = event_pool_get(pool, NULL);
	ck_assert_uint_eq(next->arena.block_size, 2 * ARENA);
	ck_assert(!event_pool_admit(pool, next));
	event_release(event); /* of the old size: it finds no place among the new ones, or leaves it at its next use */
	event_release(next);
	for (int i = 0; i < COUNT; i++) {
		next = event_pool_get(pool, NULL);
		ck_assert_uint_eq(next->arena.block_size, 2 * ARENA);
		event_release(next);
	}
	event_pool_destroy(pool);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("event pool");
	TCase *cases = tcase_create("memory");
	tcase_add_test(cases, test_memory_is_kept_for_as_many_as_the_count_says);
	tcase_add_test(cases, test_preallocated_memory_is_there_for_the_first_event);
	tcase_add_test(cases, test_without_a_pool_memory_comes_from_the_heap);
	tcase_add_test(cases, test_arena_of_any_size_is_kept);
	tcase_add_test(cases, test_growth_is_counted_and_not_kept);
	tcase_add_test(cases, test_a_resized_pool_has_its_new_bounds_and_sizes);
	suite_add_tcase(suite, cases);
	return suite;
}

UNIT_SUITE(test_event_pool, suite)
