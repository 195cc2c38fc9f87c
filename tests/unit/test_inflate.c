/*
 * Inflating bodies: what comes out, how much may, and what is wrong with others.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "runtime/event.h"
#include "runtime/inflate.h"
#include "support/unit.h"

enum { GZIP_BITS = MAX_WBITS + 16, ZLIB_BITS = MAX_WBITS, RAW_BITS = -MAX_WBITS, SIZE = 100000, ROOM = 2 * SIZE };

static struct event_pool *pool;
static char plain[SIZE], packed[ROOM];

static void open_pool(void)
{
	const struct events_config config = {.max = 10, .max_bytes = 1 << 20, .arena = 16384, .pool_count = 2};
	pool = event_pool_create(&config, 1 << 20);
	for (size_t i = 0; i < SIZE; i++)
		plain[i] = "the quick brown fox "[(i + i * i / 7919) % 20];
}

static void close_pool(void)
{
	ck_assert_uint_eq(event_pool_bytes(pool), 0);
	event_pool_destroy(pool);
}

static size_t pack(const char *data, size_t size, int bits, char *out)
{
	z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)size};
	ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_out = (Bytef *)out;
	stream.avail_out = ROOM;
	ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	(void)deflateEnd(&stream);
	return stream.total_out;
}

static struct event *receive(const char *data, size_t size, enum content_coding coding, size_t max)
{
	struct event *event = event_pool_get(pool, NULL);
	ck_assert(event_pool_admit(pool, event));
	event->pub.body = event->pub.payload = sluice_copy(&event->pub, data, size);
	event->coding = coding;
	event->inflated_max = max;
	return event;
}

static void expect_refused(const char *data, size_t size, enum content_coding coding, size_t max, int status,
                           const char *sentence)
{
	struct event *event = receive(data, size, coding, max);
	ck_assert_int_eq(inflate_body(event), SLUICE_REJECT);
	ck_assert_int_eq(event->status, status);
	ck_assert_str_eq(event->detail, sentence);
	event_release(event);
}

START_TEST(test_each_coding_comes_out_as_it_was)
{
	static const struct {
		int bits;
		enum content_coding coding;
	} cases[] = {{GZIP_BITS, CODING_GZIP}, {ZLIB_BITS, CODING_DEFLATE}, {RAW_BITS, CODING_DEFLATE}};
	static const size_t sizes[] = {0, 1, 100, 4096, 4097, SIZE};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			size_t size = pack(plain, sizes[j], cases[i].bits, packed);
			struct event *event = receive(packed, size, cases[i].coding, sizes[j] ? sizes[j] : 1);
			ck_assert_msg(inflate_body(event) == SLUICE_PASS, "%zu: %s", sizes[j], event->detail);
			ck_assert_uint_eq(event->pub.body.size, sizes[j]);
			ck_assert_mem_eq(event->pub.body.data, plain, sizes[j]);
			ck_assert_int_eq(event->pub.body.data[sizes[j]], '\0');
			ck_assert_ptr_eq(event->pub.payload.data, event->pub.body.data);
			ck_assert_int_eq(event->coding, CODING_IDENTITY);
			event_release(event);
		}
	}
}
END_TEST

START_TEST(test_members_of_gzip_are_one_body)
{
	size_t first = pack(plain, 500, GZIP_BITS, packed);
	size_t size = first + pack(plain + 500, 700, GZIP_BITS, packed + first);
	struct event *event = receive(packed, size, CODING_GZIP, 1200);
	ck_assert_int_eq(inflate_body(event), SLUICE_PASS);
	ck_assert_uint_eq(event->pub.body.size, 1200);
	ck_assert_mem_eq(event->pub.body.data, plain, 1200);
	event_release(event);
}
END_TEST

START_TEST(test_a_bomb_ends_at_the_bound)
{
	static char zeros[SIZE];
	size_t size = pack(zeros, SIZE, GZIP_BITS, packed);
	ck_assert_uint_lt(size, 200);
	expect_refused(packed, size, CODING_GZIP, SIZE - 1, 413,
	               "the body: expected at most 99999 bytes when inflated (listen.max_body), got more");
	struct event *event = receive(packed, size, CODING_GZIP, SIZE);
	ck_assert_int_eq(inflate_body(event), SLUICE_PASS);
	event_release(event);
}
END_TEST

START_TEST(test_members_cannot_exceed_the_bound_together)
{
	size_t size = 0;
	for (int i = 0; i < 10; i++)
		size += pack(plain, 1000, GZIP_BITS, packed + size);
	expect_refused(packed, size, CODING_GZIP, 9999, 413,
	               "the body: expected at most 9999 bytes when inflated (listen.max_body), got more");
}
END_TEST

START_TEST(test_what_is_not_of_its_coding_is_refused)
{
	size_t size = pack(plain, 1000, GZIP_BITS, packed);
	expect_refused("{\"a\":1}", 7, CODING_GZIP, 1000, 400,
	               "the body: expected what Content-Encoding says, got other data");
	expect_refused("", 0, CODING_GZIP, 1000, 400,
	               "the body: expected what Content-Encoding says, got an early end");
	for (size_t cut = 1; cut < size; cut += 13)
		expect_refused(packed, cut, CODING_GZIP, 1000, 400,
		               "the body: expected what Content-Encoding says, got an early end");
	packed[size] = 'x';
	struct event *event = receive(packed, size + 1, CODING_GZIP, 1000);
	ck_assert_int_eq(inflate_body(event), SLUICE_REJECT);
	event_release(event);
	packed[size / 2] ^= 0x55;
	event = receive(packed, size, CODING_GZIP, 1000);
	ck_assert_int_eq(inflate_body(event), SLUICE_REJECT);
	ck_assert_int_eq(event->status, 400);
	event_release(event);
}
END_TEST

START_TEST(test_without_memory_it_is_to_be_sent_again)
{
	static char zeros[1 << 21];
	char *large = malloc(1 << 16);
	z_stream stream = {.next_in = (Bytef *)zeros, .avail_in = sizeof(zeros)};
	ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	stream.next_out = (Bytef *)large;
	stream.avail_out = 1 << 16;
	ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
	(void)deflateEnd(&stream);
	struct event *event = receive(large, stream.total_out, CODING_GZIP, sizeof(zeros));
	ck_assert_int_eq(inflate_body(event), SLUICE_RETRY);
	event_release(event);
	free(large);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("inflating");
	TCase *all = tcase_create("bodies");
	tcase_add_checked_fixture(all, open_pool, close_pool);
	tcase_add_test(all, test_each_coding_comes_out_as_it_was);
	tcase_add_test(all, test_members_of_gzip_are_one_body);
	tcase_add_test(all, test_a_bomb_ends_at_the_bound);
	tcase_add_test(all, test_members_cannot_exceed_the_bound_together);
	tcase_add_test(all, test_what_is_not_of_its_coding_is_refused);
	tcase_add_test(all, test_without_memory_it_is_to_be_sent_again);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_inflate, suite)
