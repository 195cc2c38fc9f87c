/*
 * Forwarding fields: who is believed to have sent a request, and to which address.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/prng.h"
#include "serve/forwarded.h"
#include "support/unit.h"

enum { FIELDS_MAX = 8 };

/* 10.0.0.0/8 and fd00::/8. */
static struct network networks[2];
static const struct network_list proxies = {networks, 2};

static void trust(void)
{
	struct sluice_error error = {0};
	ck_assert(network_parse("10.0.0.0/8", &networks[0], &error));
	ck_assert(network_parse("fd00::/8", &networks[1], &error));
}

/* Fields as "Name: value" lines. */
static size_t split(const char *text, struct sluice_header headers[FIELDS_MAX])
{
	size_t count = 0;
	for (const char *line = text; *line; count++) {
		ck_assert_uint_lt(count, FIELDS_MAX);
		size_t name = strcspn(line, ":"), size = strcspn(line, "\n");
		headers[count].name = (struct sluice_bytes){line, name};
		const char *value = line + name + 1;
		value += strspn(value, " ");
		headers[count].value = (struct sluice_bytes){value, size - (size_t)(value - line)};
		line += size + (line[size] == '\n');
	}
	return count;
}

static struct forwarded read_from(const char *peer, const char *fields)
{
	struct sluice_header headers[FIELDS_MAX];
	struct ip_address address;
	size_t count = split(fields, headers);
	ck_assert(ip_address_parse(peer, &address));
	return forwarded_read(headers, count, &address, &proxies);
}

struct client_case {
	const char *peer, *fields, *client; /* NULL: not known */
};

static void assert_client(const struct client_case *each)
{
	char text[IP_ADDRESS_TEXT_SIZE] = "not known";
	struct forwarded got = read_from(each->peer, each->fields);
	if (got.has_client)
		ip_address_format(&got.client, text);
	ck_assert_msg(strcmp(text, each->client ? each->client : "not known") == 0, "%s\n%s\nexpected %s, got %s",
	              each->peer, each->fields, each->client ? each->client : "none", text);
}

#define ASSERT_CLIENTS(cases)                                                                                          \
	do {                                                                                                           \
		for (size_t i_ = 0; i_ < sizeof(cases) / sizeof((cases)[0]); i_++)                                     \
			assert_client(&(cases)[i_]);                                                                   \
	} while (0)

START_TEST(test_untrusted_peer_is_the_client_whatever_it_says)
{
	static const struct client_case cases[] = {
		{"203.0.113.7", "", "203.0.113.7"},
		{"203.0.113.7", "X-Forwarded-For: 192.0.2.1", "203.0.113.7"},
		{"203.0.113.7", "Forwarded: for=192.0.2.1;proto=https;host=evil.example", "203.0.113.7"},
		{"2001:db8::7", "X-Forwarded-For: 10.0.0.1", "2001:db8::7"},
	};
	ASSERT_CLIENTS(cases);
	struct forwarded got = read_from("203.0.113.7", "Forwarded: for=192.0.2.1;proto=https;host=evil.example\n"
	                                                "X-Forwarded-Proto: https\nX-Forwarded-Host: evil.example");
	ck_assert_ptr_null(got.scheme);
	ck_assert_ptr_null(got.authority.data);
}
END_TEST

START_TEST(test_rightmost_address_that_is_not_trusted_is_the_client)
{
	static const struct client_case cases[] = {
		{"10.0.0.1", "", "10.0.0.1"},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1", "192.0.2.1"},
		{"10.0.0.1", "x-forwarded-for: 192.0.2.1", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: 198.51.100.9, 192.0.2.1", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1, 10.0.0.3, 10.0.0.2", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: 198.51.100.9,192.0.2.1 ,\t10.0.0.2", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"fd00::1", "X-Forwarded-For: 2001:DB8:0::1, fd00::2", "2001:db8::1"},
		{"::ffff:10.0.0.1", "X-Forwarded-For: ::ffff:192.0.2.1", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1:4711", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: [2001:db8::1]", "2001:db8::1"},
		{"10.0.0.1", "X-Forwarded-For: [2001:db8::1]:4711", "2001:db8::1"},
		{"10.0.0.1", "X-Forwarded-For: , 192.0.2.1,, ,", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For:", "10.0.0.1"},
		{"10.0.0.1", "X-Forwarded-For: ,", "10.0.0.1"},
		{"10.0.0.1", "Forwarded: for=192.0.2.1", "192.0.2.1"},
		{"10.0.0.1", "Forwarded: For=\"192.0.2.1:80\"", "192.0.2.1"},
		{"10.0.0.1", "Forwarded: for=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"},
		{"10.0.0.1", "Forwarded: for=\"[2001:db8:cafe::17]\";by=10.0.0.1", "2001:db8:cafe::17"},
		{"10.0.0.1", "Forwarded: by=10.0.0.1 ; for=192.0.2.1 ;; proto=http", "192.0.2.1"},
		{"10.0.0.1", "Forwarded: for=\"192.0.2.1:_port\"", "192.0.2.1"},
		{"10.0.0.1", "Forwarded: for=\"\\[2001:db8::1\\]\"", "2001:db8::1"},
		{"10.0.0.1", "Forwarded: for=198.51.100.9, for=192.0.2.1, for=10.0.0.2", "192.0.2.1"},
		{"10.0.0.1", "Forwarded: for=192.0.2.1;secret=\"a, for=198.51.100.9\"", "192.0.2.1"},
		{"10.0.0.1", "Forwarded: for=192.0.2.1;secret=\"a\\\", for=198.51.100.9\"", "192.0.2.1"},
	};
	ASSERT_CLIENTS(cases);
}
END_TEST

START_TEST(test_several_field_lines_are_one_list_in_their_order)
{
	static const struct client_case cases[] = {
		{"10.0.0.1", "X-Forwarded-For: 198.51.100.9\nX-Forwarded-For: 192.0.2.1", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1\nHost: x\nx-forwarded-for: 10.0.0.3, 10.0.0.2", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1\nX-Forwarded-For:\nX-Forwarded-For: 10.0.0.2", "192.0.2.1"},
		{"10.0.0.1", "Forwarded: for=192.0.2.1\nForwarded: for=10.0.0.2", "192.0.2.1"},
		{"10.0.0.1", "Forwarded: for=198.51.100.9;x=\"\nForwarded: for=192.0.2.1", "192.0.2.1"},
	};
	ASSERT_CLIENTS(cases);
}
END_TEST

START_TEST(test_behind_an_entry_that_cannot_be_read_no_client_is_known)
{
	static const char *const unreadable[] = {
		"unknown",
		"_hidden",
		"192.0.2.256",
		"192.0.2",
		"192.0.2.1:",
		"192.0.2.1:80:80",
		"192.0.2.1 80",
		"[192.0.2.1]",
		"[2001:db8::1",
		"2001:db8",
		"fe80::1%eth0",
		"[2001:db8::1]80",
		"[]",
		"[2001:db8::1]:",
		"[2001:db8::1]: ",
		"\"",
		"\\",
		"192.0.2.1;x",
		"0x7f.1",
		"host.example.com",
		"192.0.2.1\\",
		"=",
		"127.1",
		"[[2001:db8::1]]",
		"192.0.2.1/32",
		"١٩٢.0.2.1",
		"-",
		"192.0.2.01",
		":",
		"::ffff:192.0.2.1.1",
	};
	for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
		char fields[200];
		(void)snprintf(fields, sizeof(fields), "X-Forwarded-For: 198.51.100.9, %s, 10.0.0.2", unreadable[i]);
		assert_client(&(struct client_case){"10.0.0.1", fields, NULL});
		(void)snprintf(fields, sizeof(fields), "X-Forwarded-For: 198.51.100.9, %s", unreadable[i]);
		assert_client(&(struct client_case){"10.0.0.1", fields, NULL});
		(void)snprintf(fields, sizeof(fields), "Forwarded: for=198.51.100.9, for=%s, for=10.0.0.2",
		               unreadable[i]);
		assert_client(&(struct client_case){"10.0.0.1", fields, NULL});
	}
}
END_TEST

START_TEST(test_behind_an_element_out_of_form_no_client_is_known)
{
	static const char *const elements[] = {
		"192.0.2.1",
		"for",
		"for=192.0.2.1;for=192.0.2.2",
		"for=192.0.2.1;proto",
		"proto=https",
		"for=\"192.0.2.1\"x",
		"for=x\"192.0.2.1\"",
		"for=\"192.0.2.1",
		"for=\"192.0.2.1\\\"",
		"for=\"192.0.2.1\"\"\"",
		"for=",
		"for=\"\"",
		"for =192.0.2.1",
		";",
	};
	for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
		char fields[200];
		(void)snprintf(fields, sizeof(fields), "Forwarded: %s\nForwarded: for=10.0.0.2", elements[i]);
		assert_client(&(struct client_case){"10.0.0.1", fields, NULL});
	}
}
END_TEST

/* What a client sends, and behind it what its proxy adds to the same line. */
START_TEST(test_client_cannot_hide_what_its_proxy_adds)
{
	static const char *const sent[] = {
		"for=198.51.100.9",
		"for=\"",
		"for=198.51.100.9;x=\"",
		"for=198.51.100.9;x=\"\\",
		"\"\\\"",
		"\\",
		"\"\"\"",
		",,,,",
		";;;",
		"for=\"a\\\\",
		"for=10.0.0.9;x=\"",
		"for=198.51.100.9,",
		"\",\"",
		"for=198.51.100.9;for=\"",
		"=\"=",
	};
	static const char *const added[] = {
		"for=192.0.2.1",
		"for=\"192.0.2.1:99\"",
		"for=192.0.2.1;host=\"a.example:80\";proto=https",
		"for=192.0.2.1;x=\"a\\\"b\"",
		"proto=https;for=\"192.0.2.1\";by=\"_proxy\"",
	};
	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		for (size_t j = 0; j < sizeof(added) / sizeof(added[0]); j++) {
			char fields[200];
			(void)snprintf(fields, sizeof(fields), "Forwarded: %s, %s", sent[i], added[j]);
			assert_client(&(struct client_case){"10.0.0.1", fields, "192.0.2.1"});
			(void)snprintf(fields, sizeof(fields), "X-Forwarded-For: %s, 192.0.2.1", sent[i]);
			assert_client(&(struct client_case){"10.0.0.1", fields, "192.0.2.1"});
		}
	}
}
END_TEST

/* A proxy that writes one kind hands the other on as the client sent it. */
START_TEST(test_two_kinds_of_fields_count_only_if_they_agree)
{
	static const struct client_case cases[] = {
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1\nForwarded: for=192.0.2.1", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1\nForwarded: for=\"192.0.2.1:80\"", "192.0.2.1"},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1\nForwarded: for=198.51.100.9", NULL},
		{"10.0.0.1", "Forwarded: for=198.51.100.9\nX-Forwarded-For: 192.0.2.1", NULL},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1\nForwarded: for=unknown", NULL},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1\nForwarded: for=\"", NULL},
		{"10.0.0.1", "X-Forwarded-For: 192.0.2.1\nForwarded: for=10.0.0.9", NULL},
		{"10.0.0.1", "X-Forwarded-Proto: https\nForwarded: for=192.0.2.1", "192.0.2.1"},
	};
	ASSERT_CLIENTS(cases);
}
END_TEST

START_TEST(test_scheme_and_authority_are_those_of_the_proxy_farthest_out)
{
	static const struct {
		const char *fields, *scheme, *authority;
	} cases[] = {
		{"", NULL, NULL},
		{"X-Forwarded-Proto: https\nX-Forwarded-Host: hooks.example.com:8443", "https",
	         "hooks.example.com:8443"},
		{"X-Forwarded-Proto: HTTPS", "https", NULL},
		{"X-Forwarded-Proto: https, http\nX-Forwarded-Host: evil.example, hooks.example.com", "http",
	         "hooks.example.com"},
		{"X-Forwarded-Host: evil.example\nX-Forwarded-Host: hooks.example.com", NULL, "hooks.example.com"},
		{"X-Forwarded-Proto: ftp\nX-Forwarded-Host: a b", NULL, NULL},
		{"X-Forwarded-Host: a/b", NULL, NULL},
		{"X-Forwarded-Host: user@a", NULL, NULL},
		{"Forwarded: for=192.0.2.1;proto=https;host=hooks.example.com", "https", "hooks.example.com"},
		{"Forwarded: for=192.0.2.1;proto=HTTP;host=\"[2001:db8::1]:80\"", "http", "[2001:db8::1]:80"},
		{"Forwarded: for=192.0.2.1;host=\"a b\"", NULL, NULL},
		{"Forwarded: for=192.0.2.1;host=a\\b", NULL, NULL},
		{"Forwarded: for=198.51.100.9;host=evil.example, for=192.0.2.1;proto=https;host=hooks.example.com, for=10.0.0.2;proto=http;host=inner.example",
	         "https", "hooks.example.com"},
		{"Forwarded: for=192.0.2.1;proto=https, for=10.0.0.2;host=inner.example", "https", "inner.example"},
		{"Forwarded: proto=https;host=hooks.example.com", "https", "hooks.example.com"},
		{"Forwarded: for=_hidden;proto=https", "https", NULL},
		{"Forwarded: for=192.0.2.1;proto=https\nX-Forwarded-Proto: https", "https", NULL},
		{"Forwarded: for=192.0.2.1;proto=https\nX-Forwarded-Proto: http", NULL, NULL},
		{"X-Forwarded-For: 192.0.2.1\nForwarded: for=192.0.2.1;proto=https;host=evil.example", NULL, NULL},
		{"X-Forwarded-Host: a.example\nForwarded: for=192.0.2.1;host=A.example", NULL, "A.example"},
		{"X-Forwarded-Host: a.example\nForwarded: for=192.0.2.1;host=evil.example", NULL, NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct forwarded got = read_from("10.0.0.1", cases[i].fields);
		ck_assert_pstr_eq(got.scheme, cases[i].scheme);
		ck_assert_msg(!got.authority.data == !cases[i].authority, "%s", cases[i].fields);
		if (cases[i].authority) {
			ck_assert_uint_eq(got.authority.size, strlen(cases[i].authority));
			ck_assert_mem_eq(got.authority.data, cases[i].authority, got.authority.size);
		}
	}
}
END_TEST

/* Bytes at random, most of them those that mean something here; the address that follows must always be found. */
START_TEST(test_garbage_neither_crashes_nor_forges)
{
	static const char alphabet[] = "\",;=\\[]:. \t_for10\x80z";
	struct prng random;
	prng_init(&random, 4711);
	for (int round = 0; round < 20000; round++) {
		char fields[200];
		int size = snprintf(fields, sizeof(fields), "%s: ", round % 2 ? "Forwarded" : "X-Forwarded-For");
		for (uint64_t i = prng_below(&random, 60); i > 0; i--)
			fields[size++] = alphabet[prng_below(&random, sizeof(alphabet) - 1)];
		fields[size] = '\0';
		(void)read_from("10.0.0.1", fields);
		(void)snprintf(fields + size, sizeof(fields) - (size_t)size, ", %s192.0.2.1", round % 2 ? "for=" : "");
		assert_client(&(struct client_case){"10.0.0.1", fields, "192.0.2.1"});
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("forwarded");
	TCase *fields = tcase_create("fields");
	tcase_add_checked_fixture(fields, trust, NULL);
	tcase_add_test(fields, test_untrusted_peer_is_the_client_whatever_it_says);
	tcase_add_test(fields, test_rightmost_address_that_is_not_trusted_is_the_client);
	tcase_add_test(fields, test_several_field_lines_are_one_list_in_their_order);
	tcase_add_test(fields, test_behind_an_entry_that_cannot_be_read_no_client_is_known);
	tcase_add_test(fields, test_behind_an_element_out_of_form_no_client_is_known);
	tcase_add_test(fields, test_client_cannot_hide_what_its_proxy_adds);
	tcase_add_test(fields, test_two_kinds_of_fields_count_only_if_they_agree);
	tcase_add_test(fields, test_scheme_and_authority_are_those_of_the_proxy_farthest_out);
	tcase_add_test(fields, test_garbage_neither_crashes_nor_forges);
	suite_add_tcase(suite, fields);
	return suite;
}

UNIT_SUITE(test_forwarded, make_suite)
