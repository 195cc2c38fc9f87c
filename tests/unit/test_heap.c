/*
 * The priority queue of the sending loop.
 */
#include <check.h>
#include <stdlib.h>

#include "base/prng.h"
#include "lab/load/heap.h"
#include "support/unit.h"

static struct heap heap;

static void tear_down(void)
{
	heap_finish(&heap);
}

START_TEST(test_smallest_key_comes_first)
{
	static const int64_t keys[] = {5, -3, 9, 0, 7, -8, 2};
	static const uint32_t order[] = {5, 1, 3, 6, 0, 4, 2};
	for (uint32_t i = 0; i < 7; i++)
		heap_put(&heap, keys[i], i);
	for (size_t i = 0; i < 7; i++) {
		ck_assert_int_eq(heap_get_first(&heap)->key, keys[order[i]]);
		ck_assert_uint_eq(heap_get_first(&heap)->value, order[i]);
		ck_assert_uint_eq(heap_take_first(&heap), order[i]);
	}
	ck_assert_ptr_null(heap_get_first(&heap));
}
END_TEST

START_TEST(test_equal_keys_come_in_the_order_of_the_numbers)
{
	enum { COUNT = 1000 };
	for (uint32_t i = 0; i < COUNT; i++)
		heap_put(&heap, 7, i * 387 % COUNT); /* 387 and 1000 have no factor in common: each number once */
	for (uint32_t i = 0; i < COUNT; i++)
		ck_assert_uint_eq(heap_take_first(&heap), i);
}
END_TEST

/* Against a plain array that is searched for its smallest. */
START_TEST(test_puts_and_takes_in_any_turn_stay_in_order)
{
	enum { COUNT = 2000, KEYS = 50 };
	static int64_t keys[COUNT];
	static bool is_in[COUNT];
	struct prng random;
	uint32_t put = 0;
	prng_init(&random, 11);
	for (uint32_t taken = 0; taken < COUNT;) {
		if (put < COUNT && (put == taken || prng_below(&random, 5) < 3)) {
			keys[put] = (int64_t)prng_below(&random, KEYS);
			is_in[put] = true;
			heap_put(&heap, keys[put], put);
			put++;
			continue;
		}
		uint32_t smallest = COUNT;
		for (uint32_t i = 0; i < put; i++)
			if (is_in[i] && (smallest == COUNT || keys[i] < keys[smallest]))
				smallest = i;
		ck_assert_uint_eq(heap_take_first(&heap), smallest);
		is_in[smallest] = false;
		taken++;
	}
	ck_assert_uint_eq(heap.count, 0);
}
END_TEST

START_TEST(test_heaps_are_compared_by_their_firsts)
{
	struct heap other = {0};
	heap_put(&heap, 3, 1);
	heap_put(&other, 3, 2);
	ck_assert(heap_comes_before(&heap, &other));
	ck_assert(!heap_comes_before(&other, &heap));
	heap_put(&other, 2, 9);
	ck_assert(heap_comes_before(&other, &heap));
	heap_finish(&other);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("heap");
	TCase *tc = tcase_create("core");
	tcase_add_checked_fixture(tc, NULL, tear_down);
	tcase_add_test(tc, test_smallest_key_comes_first);
	tcase_add_test(tc, test_equal_keys_come_in_the_order_of_the_numbers);
	tcase_add_test(tc, test_puts_and_takes_in_any_turn_stay_in_order);
	tcase_add_test(tc, test_heaps_are_compared_by_their_firsts);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_SUITE(test_heap, suite)
