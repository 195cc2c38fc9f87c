/*
 * queue/memory: first in, first out, and bounded.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/harness.h"
#include "support/unit.h"

static struct harness *open_with(const char *capacity, const char *bytes)
{
	return harness_open(SLUICE_KIND_QUEUE, "memory", (const char *const[]){capacity, bytes, NULL});
}

static struct sluice_event *event(struct harness *h, size_t size)
{
	static char body[10000];
	struct sluice_event *e = harness_event(h);
	harness_body(e, body, size);
	return e;
}

START_TEST(test_what_goes_in_first_comes_out_first)
{
	struct harness *h = open_with("capacity=5", "capacity_bytes=1MiB");
	struct sluice_event *in[5], *out[5];
	for (int round = 0; round < 3; round++) { /* the ring wraps */
		for (int i = 0; i < 4; i++) {
			in[i] = event(h, 10);
			ck_assert_int_eq(h->ops->of.queue->put(&h->stage, in[i]), SLUICE_PASS);
		}
		ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, out, 3), 3);
		ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, out + 3, 3), 1);
		ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, out, 1), 0);
		for (int i = 0; i < 4; i++) {
			ck_assert_ptr_eq(out[i], in[i]);
			h->ops->of.queue->done(&h->stage, out[i], SLUICE_PASS);
			harness_free(out[i]);
		}
	}
	harness_close(h);
}
END_TEST

START_TEST(test_a_full_queue_says_retry_until_one_is_done)
{
	struct harness *h = open_with("capacity=2", "capacity_bytes=1MiB");
	struct sluice_event *a = event(h, 1), *b = event(h, 1), *c = event(h, 1), *out[2];
	ck_assert_int_eq(h->ops->of.queue->put(&h->stage, a), SLUICE_PASS);
	ck_assert_int_eq(h->ops->of.queue->put(&h->stage, b), SLUICE_PASS);
	ck_assert_int_eq(h->ops->of.queue->put(&h->stage, c), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(c), "full"));
	ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, out, 2), 2);
	ck_assert_int_eq(h->ops->of.queue->put(&h->stage, c), SLUICE_RETRY); /* taken is not done */
	h->ops->of.queue->done(&h->stage, a, SLUICE_PASS);
	ck_assert_int_eq(h->ops->of.queue->put(&h->stage, c), SLUICE_PASS);
	h->ops->of.queue->done(&h->stage, b, SLUICE_PASS);
	ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, out, 2), 1);
	h->ops->of.queue->done(&h->stage, c, SLUICE_PASS);
	harness_free(a);
	harness_free(b);
	harness_free(c);
	harness_close(h);
}
END_TEST

START_TEST(test_bytes_are_bounded_too)
{
	struct harness *h = open_with("capacity=100", "capacity_bytes=1024");
	struct sluice_event *large = event(h, 5000), *small = event(h, 600), *other = event(h, 600), *out[3];
	ck_assert_int_eq(h->ops->of.queue->put(&h->stage, large),
	                 SLUICE_PASS); /* alone, it may be larger than the bound */
	ck_assert_int_eq(h->ops->of.queue->put(&h->stage, small), SLUICE_RETRY);
	ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, out, 3), 1);
	h->ops->of.queue->done(&h->stage, large, SLUICE_FAIL);
	ck_assert_int_eq(h->ops->of.queue->put(&h->stage, small), SLUICE_PASS);
	ck_assert_int_eq(h->ops->of.queue->put(&h->stage, other), SLUICE_RETRY);
	ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, out, 3), 1);
	h->ops->of.queue->done(&h->stage, small, SLUICE_PASS);
	harness_free(large);
	harness_free(small);
	harness_free(other);
	harness_close(h);
}
END_TEST

static Suite *make_suite(void)
{
	TCase *all = tcase_create("queue/memory");
	tcase_add_test(all, test_what_goes_in_first_comes_out_first);
	tcase_add_test(all, test_a_full_queue_says_retry_until_one_is_done);
	tcase_add_test(all, test_bytes_are_bounded_too);
	Suite *suite = suite_create("queue/memory");
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_queue_memory, make_suite)
