/*
 * Where a replay sends: URLs, taken apart or refused.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lab/load/replay_target.h"
#include "support/unit.h"
#include "support/wire.h"

static struct replay_target target;
static struct sluice_error failure;

static const struct {
	const char *url, *host, *port, *path;
} goods[] = {
	{"http://127.0.0.1:5000/webhooks", "127.0.0.1", "5000", "/webhooks"},
	{"http://127.0.0.1:5000", "127.0.0.1", "5000", "/webhooks"},
	{"http://127.0.0.1:5000/", "127.0.0.1", "5000", "/webhooks"},
	{"http://hooks.example/in?from=x", "hooks.example", "80", "/in?from=x"},
	{"http://[::1]:8080/a/b", "::1", "8080", "/a/b"},
	{"http://[::1]", "::1", "80", "/webhooks"},
	{"HTTP://x/", "x", "80", "/webhooks"},
};

START_TEST(test_url_is_taken_apart)
{
	ck_assert_msg(replay_target_from_url(goods[_i].url, &target, &failure), "%s", failure.text);
	ck_assert_str_eq(target.host, goods[_i].host);
	ck_assert_str_eq(target.port, goods[_i].port);
	ck_assert_str_eq(target.path, goods[_i].path);
	ck_assert_str_eq(target.id_prefix, "");
}
END_TEST

static const char *const bads[] = {
	"",
	"127.0.0.1:5000",
	"https://127.0.0.1:5000/",
	"http://",
	"http://:5000/",
	"http:///webhooks",
	"http://host:/webhooks",
	"http://host:http/",
	"http://host:123456789/",
	"http://host:5000?x=1",
	"http://[::1",
	"http://[::1:5000/",
	"http://[]:5000/",
	"http://host/a b",
	"http://host/a#b",
	"http://host/a\r\nX-Header: b",
};

START_TEST(test_what_is_no_such_url_is_quoted_beside_one_that_is)
{
	ck_assert(!replay_target_from_url(bads[_i], &target, &failure));
	ck_assert_ptr_nonnull(strstr(failure.text, "http://127.0.0.1:5000/webhooks"));
	ck_assert_ptr_nonnull(strstr(failure.text, bads[_i]));
}
END_TEST

START_TEST(test_part_that_is_too_long_is_refused)
{
	char url[1024] = "http://host/";
	memset(url + strlen(url), 'x', 500);
	ck_assert(!replay_target_from_url(url, &target, &failure));
}
END_TEST

static int listen_on_loopback(char port[8])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	(void)snprintf(port, 8, "%d", ntohs(address.sin_port));
	return fd;
}

START_TEST(test_name_with_two_addresses_is_found_at_the_one_that_accepts)
{
	struct addrinfo *addresses;
	(void)strcpy(target.host, "localhost");
	int fd = listen_on_loopback(target.port);
	const struct addrinfo *address = replay_target_find(&target, &addresses, &failure);
	ck_assert_msg(address != NULL, "%s", failure.text);
	ck_assert_int_eq(address->ai_family, AF_INET);
	freeaddrinfo(addresses);
	(void)close(fd);
}
END_TEST

START_TEST(test_name_that_nobody_has_is_named)
{
	struct addrinfo *addresses;
	ck_assert(replay_target_from_url("http://no-such-host.invalid:5000", &target, &failure));
	ck_assert_ptr_null(replay_target_find(&target, &addresses, &failure));
	ck_assert_ptr_eq(strstr(failure.text, "no-such-host.invalid:5000: "), failure.text);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("replay_target");
	TCase *tc = tcase_create("core");
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, test_url_is_taken_apart, 0, sizeof(goods) / sizeof(goods[0]));
	tcase_add_loop_test(tc, test_what_is_no_such_url_is_quoted_beside_one_that_is, 0,
	                    sizeof(bads) / sizeof(bads[0]));
	tcase_add_test(tc, test_part_that_is_too_long_is_refused);
	tcase_add_test(tc, test_name_with_two_addresses_is_found_at_the_one_that_accepts);
	tcase_add_test(tc, test_name_that_nobody_has_is_named);
	suite_add_tcase(s, tc);
	return s;
}

UNIT_SUITE(test_replay_target, suite)
