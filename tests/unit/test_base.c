/*
 * The nouns that know no pipeline.
 */
#include <arpa/inet.h>
#include <check.h>
#include <math.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base64.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/hash_table.h"
#include "base/hex.h"
#include "base/histogram.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/network.h"
#include "base/prng.h"
#include "base/url.h"
#include "base/utf8.h"
#include "support/unit.h"

START_TEST(test_arena_alloc_is_aligned_and_apart)
{
	struct arena arena;
	arena_init(&arena, 64, NULL);
	char *first = arena_alloc(&arena, 3), *second = arena_alloc(&arena, 200), *third = arena_alloc(&arena, 1);
	memset(first, 'a', 3);
	memset(second, 'b', 200);
	memset(third, 'c', 1);
	ck_assert_uint_eq((uintptr_t)second % _Alignof(max_align_t), 0);
	ck_assert_int_eq(first[2], 'a');
	ck_assert_int_eq(second[199], 'b');
	arena_finish(&arena);
}
END_TEST

START_TEST(test_arena_budget_bounds_all_arenas_together)
{
	struct arena_budget budget = {.limit = 4096};
	struct arena one, two;
	arena_init(&one, 1024, &budget);
	arena_init(&two, 1024, &budget);
	ck_assert_ptr_nonnull(arena_alloc(&one, 3000));
	ck_assert_ptr_null(arena_alloc(&two, 3000));
	arena_empty(&one);
	ck_assert_uint_eq(budget.used, 0);
	ck_assert_ptr_nonnull(arena_alloc(&two, 3000));
	arena_finish(&one);
	arena_finish(&two);
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(test_arena_emptied_uses_its_first_block_again)
{
	struct arena_budget budget = {0};
	struct arena arena;
	arena_init(&arena, 256, &budget);
	void *first = arena_alloc(&arena, 16);
	arena_empty(&arena);
	ck_assert_uint_eq(budget.used, 0);
	ck_assert_ptr_eq(arena_alloc(&arena, 16), first);
	ck_assert_uint_eq(budget.used, 256);
	arena_empty(&arena);
	ck_assert_ptr_nonnull(arena_alloc(&arena, 1000)); /* larger than the block that was kept */
	arena_finish(&arena);
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(test_arena_extends_the_newest_only)
{
	struct arena arena;
	arena_init(&arena, 256, NULL);
	char *first = arena_alloc(&arena, 10);
	ck_assert(arena_extend(&arena, first, 10, 100));
	char *second = arena_alloc(&arena, 10);
	ck_assert(!arena_extend(&arena, first, 100, 120));
	ck_assert(!arena_extend(&arena, second, 10, 5000));
	arena_finish(&arena);
}
END_TEST

START_TEST(test_arena_growing_leaves_nothing_behind)
{
	struct arena_budget budget = {.limit = 1 << 20};
	struct arena arena;
	arena_init(&arena, 256, &budget);
	memset(arena_alloc(&arena, 100), 'h', 100);
	size_t size = 64;
	char *body = arena_grow(&arena, NULL, 0, size);
	memset(body, 'b', size);
	for (; size < 700000; size = size * 2 < 700000 ? size * 2 : 700000) {
		size_t larger = size * 2 < 700000 ? size * 2 : 700000;
		body = arena_grow(&arena, body, size, larger);
		ck_assert_ptr_nonnull(body);
		ck_assert_int_eq(body[size - 1], 'b');
		memset(body + size, 'b', larger - size);
		ck_assert_uint_le(budget.used, larger + 1024);
	}
	ck_assert_ptr_null(arena_grow(&arena, body, size, 2 << 20));
	ck_assert_int_eq(body[0], 'b');
	arena_finish(&arena);
	ck_assert_uint_eq(budget.used, 0);
}
END_TEST

/* The promise is 1 % from 100 ns to 60 s. */
START_TEST(test_histogram_error_is_at_most_one_percent)
{
	for (double value = 100; value < 60e9; value *= 1.003) {
		struct histogram histogram = {0};
		histogram_record(&histogram, (int64_t)value);
		histogram_record(&histogram, (int64_t)61e9); /* so that the exact maximum does not hide the error */
		double seen = (double)histogram_quantile(&histogram, 0.5);
		ck_assert_msg(fabs(seen - value) <= 0.01 * value, "%f seen as %f", value, seen);
	}
}
END_TEST

START_TEST(test_histogram_quantiles_by_nearest_rank)
{
	struct histogram histogram = {0};
	for (int i = 1; i <= 100; i++)
		histogram_record(&histogram, i * NS_PER_MS);
	ck_assert_double_eq_tol((double)histogram_quantile(&histogram, 0.50), 50e6, 50e4);
	ck_assert_double_eq_tol((double)histogram_quantile(&histogram, 0.95), 95e6, 95e4);
	ck_assert_int_eq(histogram_quantile(&histogram, 1.0), 100 * NS_PER_MS);
	ck_assert_uint_eq(histogram_count_at_most(&histogram, 20 * NS_PER_MS + NS_PER_MS / 2), 20);
	ck_assert_uint_eq(histogram.count, 100);
}
END_TEST

START_TEST(test_histogram_takes_what_lies_outside)
{
	struct histogram histogram = {0};
	histogram_record(&histogram, -5);
	histogram_record(&histogram, INT64_MAX / 4);
	ck_assert_uint_eq(histogram.count, 2);
	ck_assert_int_eq(histogram_quantile(&histogram, 0.5), 64);
}
END_TEST

START_TEST(test_histogram_difference_of_two_moments)
{
	static struct histogram now, before, window;
	histogram_record(&now, 1000);
	histogram_add(&before, &now);
	histogram_record(&now, 9000);
	histogram_add(&window, &now);
	histogram_subtract(&window, &before);
	ck_assert_uint_eq(window.count, 1);
	ck_assert_uint_eq(window.sum_ns, 9000);
	ck_assert_double_eq_tol((double)histogram_quantile(&window, 0.5), 9000, 90);
}
END_TEST

START_TEST(test_sha256_of_the_standard)
{
	/* FIPS 180-4, "abc". */
	uint8_t digest[SLUICE_DIGEST_SIZE];
	char text[DIGEST_HEX_SIZE];
	digest_bytes("abc", 3, digest);
	digest_hex(digest, text);
	ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

static struct sluice_bytes bytes(const char *text)
{
	return (struct sluice_bytes){text, text ? strlen(text) : 0};
}

START_TEST(test_content_digest_tells_every_field_apart)
{
	const struct {
		const char *type, *stream;
		bool has_sequence;
		int64_t sequence;
		const char *payload;
	} events[] = {
		{"a", "b", true, 1, "{}"},  {"ab", "", true, 1, "{}"},  {"a", NULL, true, 1, "{}"},
		{"a", "", true, 1, "{}"},   {"a", "b", false, 0, "{}"}, {"a", "b", true, 0, "{}"},
		{"a", "b", true, 1, "{} "}, {"", "ab", true, 1, "{}"},
	};
	enum { COUNT = sizeof(events) / sizeof(*events) };
	uint8_t digests[COUNT][SLUICE_DIGEST_SIZE];
	for (size_t i = 0; i < COUNT; i++)
		digest_content(bytes(events[i].type), bytes(events[i].stream), events[i].has_sequence,
		               events[i].sequence, bytes(events[i].payload), digests[i]);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = i + 1; k < COUNT; k++)
			ck_assert_msg(memcmp(digests[i], digests[k], SLUICE_DIGEST_SIZE) != 0, "%zu and %zu", i, k);
}
END_TEST

START_TEST(test_audit_hash_covers_every_field)
{
	struct sluice_audit_row row = {
		.writer = bytes("w"), .position = 1, .written_at_ns = 1000, .covers = bytes("0123")};
	struct sluice_audit_row rows[6] = {row, row, row, row, row, row};
	rows[1].writer = bytes("x");
	rows[2].position = 2;
	rows[3].written_at_ns = 2000;
	rows[4].covers = bytes("0124");
	rows[5].previous[31] = 1;
	uint8_t hashes[6][SLUICE_DIGEST_SIZE];
	for (size_t i = 0; i < 6; i++)
		digest_audit_row(&rows[i], hashes[i]);
	for (size_t i = 1; i < 6; i++)
		ck_assert_msg(memcmp(hashes[0], hashes[i], SLUICE_DIGEST_SIZE) != 0, "%zu", i);
}
END_TEST

START_TEST(test_uuid7_grows_with_time_and_has_its_version)
{
	char early[UUID_TEXT_SIZE], late[UUID_TEXT_SIZE];
	digest_uuid7(INT64_C(1700000000000000000), early);
	digest_uuid7(INT64_C(1700000000001000000), late);
	ck_assert_int_lt(strcmp(early, late), 0);
	ck_assert_uint_eq(strlen(early), 36);
	ck_assert_int_eq(early[14], '7');
	ck_assert_ptr_nonnull(strchr("89ab", early[19]));
	ck_assert_mem_eq(early, "018bcfe5-6800", 13);
}
END_TEST

START_TEST(test_json_escapes_what_must_be)
{
	struct buffer out = {0};
	struct json_writer json = {.out = &out};
	jsonw_object(&json, NULL);
	jsonw_text(&json, "a\"b", "line\nend\\\x01");
	jsonw_bytes(&json, "bad", "\xff\xc3\xa9", 3);
	jsonw_array(&json, "list");
	jsonw_int(&json, NULL, -1);
	jsonw_real(&json, NULL, 1.5, 2);
	jsonw_real(&json, NULL, NAN, 2);
	jsonw_bool(&json, NULL, true);
	jsonw_end_array(&json);
	jsonw_object(&json, "empty");
	jsonw_end_object(&json);
	jsonw_end_object(&json);
	ck_assert_str_eq(
		out.data,
		"{\"a\\\"b\":\"line\\u000aend\\\\\\u0001\",\"bad\":\"\xef\xbf\xbd\xc3\xa9\",\"list\":[-1,1.50,null,true],\"empty\":{}}");
	buffer_finish(&out);
}
END_TEST

START_TEST(test_utf8_refuses_what_is_not)
{
	static const char *const bad[] = {
		"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
		"\xf5", "\xe2\x82", "a\xff"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!utf8_valid(bad[i], strlen(bad[i])), "%zu", i);
	ck_assert(utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10));
}
END_TEST

static char *logged(enum log_format format)
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	log_setup(SLUICE_LOG_INFO, format, ends[1]);
	log_event(SLUICE_LOG_DEBUG, NULL, "unseen", sluice_int("n", 1));
	log_event(SLUICE_LOG_WARN, "persist/x", "batch_failed", sluice_int("count", 2),
	          sluice_text("reason", "a \"b\"\nc"), sluice_real("ms", 1.25), sluice_text("none", NULL));
	close(ends[1]);
	char *text = calloc(1, 1024);
	ck_assert_int_gt(read(ends[0], text, 1023), 0);
	close(ends[0]);
	log_setup(SLUICE_LOG_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
	return text;
}

START_TEST(test_log_lines_hold_names_and_values)
{
	char *text = logged(LOG_FORMAT_TEXT);
	ck_assert_str_eq(
		strstr(text, " warn"),
		" warn  batch_failed stage=persist/x count=2 reason=\"a \\\"b\\\"\\u000ac\" ms=1.250 none=-\n");
	free(text);
	text = logged(LOG_FORMAT_JSON);
	ck_assert_str_eq(
		strstr(text, "\"level\""),
		"\"level\":\"warn\",\"event\":\"batch_failed\",\"stage\":\"persist/x\",\"count\":2,\"reason\":\"a \\\"b\\\"\\u000ac\",\"ms\":1.250,\"none\":null}\n");
	free(text);
}
END_TEST

START_TEST(test_time_is_written_in_utc)
{
	char text[CLOCK_TEXT_SIZE];
	clock_format_utc(INT64_C(1769889600123456789), text);
	ck_assert_str_eq(text, "2026-01-31T20:00:00.123456Z");
	clock_format_time(INT64_C(1769889600123456789), text);
	ck_assert_str_eq(text, "20:00:00.123456");
}
END_TEST

START_TEST(test_address_of_a_socket_is_written_as_it_is_read)
{
	static const struct {
		int family;
		const char *socket, *text;
	} cases[] = {
		{AF_INET, "203.0.113.7", "203.0.113.7"},
		{AF_INET6, "2001:DB8:0:0::1", "2001:db8::1"},
		{AF_INET6, "::ffff:203.0.113.7", "203.0.113.7"},
		{AF_INET6, "::1", "::1"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		union {
			struct sockaddr any;
			struct sockaddr_in in4;
			struct sockaddr_in6 in6;
		} name = {.any = {.sa_family = (sa_family_t)cases[i].family}};
		void *place = cases[i].family == AF_INET ? (void *)&name.in4.sin_addr : (void *)&name.in6.sin6_addr;
		ck_assert_int_eq(inet_pton(cases[i].family, cases[i].socket, place), 1);
		struct ip_address address, again;
		char text[IP_ADDRESS_TEXT_SIZE];
		ck_assert(ip_address_from_socket(&name.any, &address));
		ip_address_format(&address, text);
		ck_assert_str_eq(text, cases[i].text);
		ck_assert(ip_address_parse(text, &again));
		ck_assert_mem_eq(&again, &address, sizeof(address));
	}
	struct ip_address address;
	ck_assert(!ip_address_from_socket(&(struct sockaddr){.sa_family = AF_UNIX}, &address));
}
END_TEST

START_TEST(test_network_contains_its_addresses_and_no_others)
{
	static const struct {
		const char *network, *address;
		bool contains;
	} cases[] = {
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1/32", "192.0.2.0", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"::/0", "2001:db8::1", true},
		{"::/0", "10.0.0.1", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"::1", "::1", true},
		{"::1/128", "::2", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_error error = {0};
		struct network network;
		struct ip_address address;
		ck_assert_msg(network_parse(cases[i].network, &network, &error), "%s", error.text);
		ck_assert(ip_address_parse(cases[i].address, &address));
		ck_assert_msg(network_contains(&network, &address) == cases[i].contains, "%s in %s", cases[i].address,
		              cases[i].network);
		struct network list[] = {{.prefix = 128}, network};
		ck_assert(network_list_contains(&(struct network_list){list, 2}, &address) == cases[i].contains);
	}
}
END_TEST

START_TEST(test_network_refuses_what_is_none)
{
	static const struct {
		const char *text, *sentence;
	} cases[] = {
		{"", "expected an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32, got an empty text"},
		{"proxy", "expected an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32, got proxy"},
		{"10.0.0/8", "expected an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32, got 10.0.0/8"},
		{"[::1]", "expected an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32, got [::1]"},
		{"fe80::1%eth0",
	         "expected an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32, got fe80::1%eth0"},
		{"10.0.0.0/33", "expected a prefix of 0..32 after the slash, got 10.0.0.0/33"},
		{"10.0.0.0/", "expected a prefix of 0..32 after the slash, got 10.0.0.0/"},
		{"10.0.0.0/08", "expected a prefix of 0..32 after the slash, got 10.0.0.0/08"},
		{"10.0.0.0/-1", "expected a prefix of 0..32 after the slash, got 10.0.0.0/-1"},
		{"10.0.0.0/8/8", "expected a prefix of 0..32 after the slash, got 10.0.0.0/8/8"},
		{"::/129", "expected a prefix of 0..128 after the slash, got ::/129"},
		{"10.1.0.0/8", "10.1.0.0/8 has bits set after its prefix; did you mean 10.0.0.0/8?"},
		{"2001:db8::1/64", "2001:db8::1/64 has bits set after its prefix; did you mean 2001:db8::/64?"},
		{"::1/0", "::1/0 has bits set after its prefix; did you mean ::1?"},
		{"10.0.0.1/0", "10.0.0.1/0 has bits set after its prefix; did you mean 10.0.0.1?"},
		{"::ffff:10.0.0.0/8", "::ffff:10.0.0.0/8 has bits set after its prefix; did you mean 10.0.0.0/8?"},
		{"::ffff:10.1.0.0/104", "::ffff:10.1.0.0/104 has bits set after its prefix; did you mean 10.0.0.0/8?"},
		{"::ffff:10.1.0.0/96", "::ffff:10.1.0.0/96 has bits set after its prefix; did you mean 10.1.0.0?"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_error error = {0};
		struct network network;
		ck_assert_msg(!network_parse(cases[i].text, &network, &error), "%s", cases[i].text);
		ck_assert_str_eq(error.text, cases[i].sentence);
	}
}
END_TEST

START_TEST(test_loopback_is_known_in_both_families)
{
	static const struct {
		const char *text;
		bool loopback, ipv4;
	} cases[] = {{"127.0.0.1", true, true},        {"127.9.9.9", true, true}, {"128.0.0.1", false, true},
	             {"::ffff:127.0.0.1", true, true}, {"::1", true, false},      {"::", false, false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ip_address address;
		ck_assert(ip_address_parse(cases[i].text, &address));
		ck_assert_msg(ip_address_is_loopback(&address) == cases[i].loopback, "%s", cases[i].text);
		ck_assert_msg(ip_address_is_ipv4(&address) == cases[i].ipv4, "%s", cases[i].text);
	}
}
END_TEST

START_TEST(test_url_comes_apart)
{
	static const struct {
		const char *text;
		struct url parts;
	} cases[] = {
		{"https://hooks.example.com", {"https", "hooks.example.com", ""}},
		{"http://hooks.example.com:8080/", {"http", "hooks.example.com:8080", ""}},
		{"HTTPS://Hooks.example.com/in/a%20b/", {"https", "Hooks.example.com", "/in/a%20b"}},
		{"http://[2001:db8::1]:80/x", {"http", "[2001:db8::1]:80", "/x"}},
		{"http://192.0.2.1:65535", {"http", "192.0.2.1:65535", ""}},
		{"http://h/a@b:c", {"http", "h", "/a@b:c"}},
	};
	struct arena arena;
	arena_init(&arena, 1024, NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sluice_error error = {0};
		struct url url;
		ck_assert_msg(url_parse(cases[i].text, &arena, &url, &error), "%s", error.text);
		ck_assert_str_eq(url.scheme, cases[i].parts.scheme);
		ck_assert_str_eq(url.authority, cases[i].parts.authority);
		ck_assert_str_eq(url.path, cases[i].parts.path);
	}
	arena_finish(&arena);
}
END_TEST

START_TEST(test_url_that_names_no_server_is_refused)
{
	static const char *const texts[] = {
		"",
		"hooks.example.com",
		"//hooks.example.com",
		"/in",
		"ftp://hooks.example.com",
		"https:hooks.example.com",
		"https://",
		"https:///in",
		"https://:80",
		"https://h:",
		"https://h:0",
		"https://h:65536",
		"https://h:99999999999",
		"https://h:8a",
		"https://a b",
		"https://h/a b",
		"https://h/\xc3\xa4",
		"https://[::1",
		"https://[127.0.0.1]",
		"https://[::1]x",
		"https://h?q",
		"https://h/#f",
		"https://user@h",
		"https://user:secret@h/in",
	};
	struct arena arena;
	arena_init(&arena, 1024, NULL);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct sluice_error error = {0};
		struct url url;
		ck_assert_msg(!url_parse(texts[i], &arena, &url, &error), "%s", texts[i]);
		ck_assert_int_eq(strncmp(error.text, "expected a URL ", 15), 0);
		ck_assert_ptr_null(strstr(error.text, "secret"));
	}
	arena_finish(&arena);
}
END_TEST

START_TEST(test_hex_comes_back_in_either_case)
{
	static const uint8_t bytes[] = {0x00, 0x9a, 0xbf, 0xff};
	char text[9] = "";
	uint8_t back[4];
	hex_write(bytes, sizeof(bytes), text);
	ck_assert_str_eq(text, "009abfff");
	ck_assert(hex_read("009AbFFf", 8, back));
	ck_assert_mem_eq(back, bytes, sizeof(bytes));
	static const char *const others[] = {"0", "0g", "g0", "0 ", "0x", "`0", "@0", "/0", ":0", "G0"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(!hex_read(others[i], strlen(others[i]), back), "%s", others[i]);
}
END_TEST

/* The vectors of RFC 4648, section 10, and two bytes whose text differs by alphabet. */
START_TEST(test_base64_is_that_of_the_rfc)
{
	static const struct {
		const char *plain, *padded, *url;
	} rows[] = {{"", "", ""},
	            {"f", "Zg==", "Zg"},
	            {"fo", "Zm8=", "Zm8"},
	            {"foo", "Zm9v", "Zm9v"},
	            {"foob", "Zm9vYg==", "Zm9vYg"},
	            {"fooba", "Zm9vYmE=", "Zm9vYmE"},
	            {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
	            {"\xfb\xff", "+/8=", "-_8"}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct {
			enum base64_form form;
			const char *text;
		} forms[] = {{BASE64_STANDARD, rows[i].padded}, {BASE64_URL, rows[i].url}};
		for (size_t j = 0; j < 2; j++) {
			char text[BASE64_ROOM(8)];
			uint8_t back[8];
			size_t size = base64_write(forms[j].form, rows[i].plain, strlen(rows[i].plain), text);
			ck_assert_uint_eq(size, strlen(forms[j].text));
			ck_assert_mem_eq(text, forms[j].text, size);
			for (size_t k = 0; k < 2; k++) {
				enum base64_form form = k == 0 ? forms[j].form : BASE64_ANY;
				ck_assert(base64_read(form, text, size, back, &size));
				ck_assert_uint_eq(size, strlen(rows[i].plain));
				ck_assert_mem_eq(back, rows[i].plain, size);
				size = strlen(forms[j].text);
			}
		}
	}
}
END_TEST

START_TEST(test_what_is_not_base64_is_refused)
{
	static const struct {
		enum base64_form form;
		const char *text;
	} rows[] = {
		{BASE64_STANDARD, "Z"},     {BASE64_STANDARD, "Zg"},
		{BASE64_STANDARD, "Zg="},   {BASE64_STANDARD, "Zg==Zg=="},
		{BASE64_STANDARD, "Z==="},  {BASE64_STANDARD, "===="},
		{BASE64_STANDARD, "Zm9\n"}, {BASE64_STANDARD, "Zm9v Zm9"},
		{BASE64_STANDARD, "Zm-_"},  {BASE64_URL, "Zg=="},
		{BASE64_URL, "Zm+/"},       {BASE64_URL, "Z"},
		{BASE64_ANY, "Z"},          {BASE64_ANY, "Zg="},
		{BASE64_ANY, "Zm9 "},
	};
	uint8_t bytes[16];
	size_t size;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_msg(!base64_read(rows[i].form, rows[i].text, strlen(rows[i].text), bytes, &size), "%s",
		              rows[i].text);
}
END_TEST

static bool is_number(const void *key, uintptr_t value)
{
	return *(const uintptr_t *)key == value;
}

/* Few different hashes, so that there are long runs that wrap around; what a plain array says must be so. */
START_TEST(test_table_has_what_was_added_and_not_removed)
{
	enum { NUMBERS = 500, STEPS = 20000 };
	static bool has[NUMBERS + 1];
	struct hash_table table = {0};
	struct prng random;
	prng_init(&random, 7);
	size_t count = 0;
	for (size_t step = 0; step < STEPS; step++) {
		uintptr_t number = 1 + prng_below(&random, NUMBERS);
		uint64_t hash = 60 + number % 9;
		if (has[number])
			hash_table_remove(&table, hash, number);
		else
			hash_table_add(&table, hash, number);
		has[number] = !has[number];
		count += has[number] ? 1 : (size_t)-1;
		ck_assert_uint_eq(table.count, count);
		uintptr_t other = 1 + prng_below(&random, NUMBERS);
		ck_assert_uint_eq(hash_table_find(&table, 60 + other % 9, is_number, &other), has[other] ? other : 0);
	}
	for (uintptr_t number = 1; number <= NUMBERS; number++)
		ck_assert_uint_eq(hash_table_find(&table, 60 + number % 9, is_number, &number),
		                  has[number] ? number : 0);
	hash_table_finish(&table);
}
END_TEST

static Suite *make_suite(void)
{
	const TTest *const tests[] = {
		test_arena_alloc_is_aligned_and_apart,
		test_arena_budget_bounds_all_arenas_together,
		test_arena_emptied_uses_its_first_block_again,
		test_arena_extends_the_newest_only,
		test_arena_growing_leaves_nothing_behind,
		test_histogram_error_is_at_most_one_percent,
		test_histogram_quantiles_by_nearest_rank,
		test_histogram_takes_what_lies_outside,
		test_histogram_difference_of_two_moments,
		test_sha256_of_the_standard,
		test_content_digest_tells_every_field_apart,
		test_audit_hash_covers_every_field,
		test_uuid7_grows_with_time_and_has_its_version,
		test_json_escapes_what_must_be,
		test_utf8_refuses_what_is_not,
		test_log_lines_hold_names_and_values,
		test_time_is_written_in_utc,
		test_address_of_a_socket_is_written_as_it_is_read,
		test_network_contains_its_addresses_and_no_others,
		test_network_refuses_what_is_none,
		test_loopback_is_known_in_both_families,
		test_url_comes_apart,
		test_url_that_names_no_server_is_refused,
		test_hex_comes_back_in_either_case,
		test_base64_is_that_of_the_rfc,
		test_what_is_not_base64_is_refused,
		test_table_has_what_was_added_and_not_removed,
	};
	TCase *all = tcase_create("base");
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_test(all, tests[i]);
	Suite *suite = suite_create("base");
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_base, make_suite)
