/*
 * Admission: who gets a place when there are too many connections, and what gives way when unfinished bodies hold too much.
 */
#include "serve/connection.h"
#include "serve/senders.h"
#include "support/puppet.h"
#include "support/unit.h"

#define HEAD "POST /webhooks HTTP/1.1\r\nHost: x\r\n"

/* From another loopback address than the other connections of this machine. */
static int connect_from(const char *source)
{
	struct sockaddr_in from = {.sin_family = AF_INET},
			   to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	ck_assert_int_eq(inet_pton(AF_INET, source, &from.sin_addr), 1);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* The response comes a moment before the connection is idle, and its lineage is there after that. */
static void post_accepted(int fd)
{
	char id[256];
	struct lineage_entry entry;
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	(void)wire_header(&answer, "X-Request-Id", id);
	for (int64_t until_ns = clock_now_ns() + WIRE_PATIENCE_MS * NS_PER_MS;;) {
		if (lineage_find(service.lineage, id, strlen(id), &entry))
			return;
		ck_assert_int_lt(clock_now_ns(), until_ns);
		pause_briefly();
	}
}

static void expect_dismissed(int fd)
{
	char value[256];
	wire_read(fd, &answer);
	expect_problem(503);
	ck_assert_str_ne(wire_header(&answer, "Retry-After", value), "");
	ck_assert(wire_is_closed(fd));
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
}

/* Until the server has moved all of them from one phase to the next. */
static void wait_a_sweep(void)
{
	for (int64_t until_ns = clock_now_ns() + 2 * SWEEP_EVERY_MS * NS_PER_MS; clock_now_ns() < until_ns;)
		pause_briefly();
}

START_TEST(test_newcomer_is_told_503_where_all_others_are_being_served)
{
	char value[256];
	puppet.config.listen.max_connections = 2;
	puppet.config.listen.retry_after.ns = 7 * NS_PER_S;
	atomic_store(&puppet.fate, KEPT);
	start_listening();
	int served[] = {wire_connect(port), wire_connect(port)};
	for (size_t i = 0; i < 2; i++)
		wire_post(served[i], "/webhooks", "", "{}", 2);
	wait_for(&puppet.submitted, 2);
	int third = wire_connect(port);
	wire_read(third, &answer);
	expect_problem(503);
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "7");
	ck_assert(wire_is_closed(third));
	(void)close(third);
	release();
	for (size_t i = 0; i < 2; i++) {
		wire_read(served[i], &answer);
		ck_assert_int_eq(answer.status, 202);
	}
	third = wire_connect(port);
	post_accepted(third);
	ck_assert_uint_ge(atomic_load(&service.evicted), 1);
	close_all(served, 2);
	(void)close(third);
}
END_TEST

START_TEST(test_connection_that_is_idle_for_longest_gives_way)
{
	puppet.config.listen.max_connections = 2;
	start_listening();
	int first = wire_connect(port), second = wire_connect(port);
	post_accepted(first);
	wait_a_sweep();
	post_accepted(second);
	int third = wire_connect(port);
	post_accepted(third);
	ck_assert(wire_is_closed(first)); /* without a word: nothing was asked */
	post_accepted(second);
	ck_assert_uint_eq(atomic_load(&service.evicted), 1);
	(void)close(first);
	(void)close(second);
	(void)close(third);
}
END_TEST

START_TEST(test_slow_and_silent_senders_give_way_before_one_that_had_a_webhook_accepted)
{
	enum { LIMIT = 4 };
	puppet.config.listen.max_connections = LIMIT;
	start_listening();
	int known = wire_connect(port), others[LIMIT - 1];
	post_accepted(known);
	wait_a_sweep();
	for (size_t i = 0; i < LIMIT - 1; i++)
		others[i] = wire_connect(port);
	wire_say(others[0], HEAD "X-Slow: ");
	wire_say(others[1], HEAD "Content-Length: 100\r\n\r\n{");
	wait_for(&puppet.receiving, 1);
	wait_a_sweep();
	int newcomers[2 * LIMIT];
	for (size_t i = 0; i < 2 * LIMIT; i++) {
		newcomers[i] = wire_connect(port);
		wire_say(newcomers[i], HEAD);
	}
	expect_dismissed(others[0]);
	expect_dismissed(others[1]);
	ck_assert(wire_is_closed(others[2]));
	post_accepted(known);
	close_all(newcomers, 2 * LIMIT);
	close_all(others, LIMIT - 1);
	(void)close(known);
}
END_TEST

START_TEST(test_a_share_of_the_places_is_kept_for_known_senders)
{
	enum { LIMIT = 16, KNOWN = LIMIT / 8, UNKNOWN = LIMIT - KNOWN };
	puppet.config.listen.max_connections = LIMIT;
	atomic_store(&puppet.fate, AT_ONCE);
	start_listening();
	int known = wire_connect(port), unknown[UNKNOWN];
	post_accepted(known);
	(void)close(known);
	/* Strangers whose requests are being served are never evicted, and yet leave room. */
	atomic_store(&puppet.fate, KEPT);
	for (size_t i = 0; i < UNKNOWN; i++) {
		unknown[i] = connect_from("127.0.0.2");
		wire_post(unknown[i], "/webhooks", "", "{}", 2);
	}
	wait_for(&puppet.submitted, 1 + UNKNOWN);
	int stranger = connect_from("127.0.0.3");
	expect_dismissed(stranger);
	known = wire_connect(port);
	wire_post(known, "/webhooks", "", "{}", 2);
	wait_for(&puppet.submitted, 2 + UNKNOWN);
	release();
	wire_read(known, &answer);
	ck_assert_int_eq(answer.status, 202);
	(void)close(stranger);
	(void)close(known);
	close_all(unknown, UNKNOWN);
}
END_TEST

START_TEST(test_body_that_holds_most_for_longest_gives_way_when_bodies_hold_too_much)
{
	start_listening();
	int large = wire_connect(port), small = wire_connect(port), newer = wire_connect(port);
	char *body = make_body(200 * 1024);
	wire_say(large, HEAD "Content-Length: 204800\r\n\r\n");
	wire_send(large, body, 200 * 1024 - 1);
	wire_say(small, HEAD "Content-Length: 3\r\n\r\n{ ");
	wait_for(&puppet.receiving, 2);
	wait_a_sweep();
	wire_say(newer, HEAD "Content-Length: 204800\r\n\r\n");
	wire_send(newer, body, 150 * 1024);
	wait_for(&puppet.receiving, 3);
	atomic_store(&puppet.excess, 100 * 1024); /* noticed with the next body, or the next sweep */
	expect_dismissed(large);
	atomic_store(&puppet.excess, 0);
	wire_say(small, "}");
	wire_read(small, &answer);
	ck_assert_int_eq(answer.status, 202);
	wire_send(newer, body, 50 * 1024);
	wire_read(newer, &answer);
	ck_assert_int_eq(answer.status, 202);
	(void)close(large);
	(void)close(small);
	(void)close(newer);
	free(body);
}
END_TEST

static struct ip_address address_of(const char *text)
{
	struct ip_address address;
	ck_assert(ip_address_parse(text, &address));
	return address;
}

START_TEST(test_senders_are_known_for_a_while_and_by_their_network)
{
	static struct senders senders;
	const int64_t now_ns = clock_now_ns(), later_ns = now_ns + (SENDERS_RECENT_S - 1) * NS_PER_S;
	const struct ip_address four = address_of("192.0.2.1"), next = address_of("192.0.2.2");
	const struct ip_address six = address_of("2001:db8::1"), same = address_of("2001:db8::2");
	const struct ip_address other = address_of("2001:db8:0:1::1");
	senders_init(&senders);
	senders_add(&senders, &four, now_ns);
	senders_add(&senders, &six, now_ns);
	ck_assert(senders_know(&senders, &four, later_ns));
	ck_assert(!senders_know(&senders, &next, later_ns));
	ck_assert(senders_know(&senders, &six, later_ns));
	ck_assert(senders_know(&senders, &same, later_ns));
	ck_assert(!senders_know(&senders, &other, later_ns));
	ck_assert(!senders_know(&senders, &four, later_ns + 2 * NS_PER_S));
	senders_add(&senders, &four, later_ns);
	ck_assert(senders_know(&senders, &four, later_ns + 2 * NS_PER_S));
	senders_finish(&senders);
}
END_TEST

START_TEST(test_many_senders_push_out_the_oldest_and_never_the_newest)
{
	static struct senders senders;
	senders_init(&senders);
	for (uint32_t i = 0; i < 10 * SENDERS_MAX; i++) {
		struct ip_address address = address_of("10.0.0.0");
		memcpy(address.bytes + 12, &i, sizeof(i));
		senders_add(&senders, &address, clock_now_ns());
		ck_assert(senders_know(&senders, &address, clock_now_ns()));
	}
	senders_finish(&senders);
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
		test_newcomer_is_told_503_where_all_others_are_being_served,
		test_connection_that_is_idle_for_longest_gives_way,
		test_slow_and_silent_senders_give_way_before_one_that_had_a_webhook_accepted,
		test_a_share_of_the_places_is_kept_for_known_senders,
		test_body_that_holds_most_for_longest_gives_way_when_bodies_hold_too_much,
		test_senders_are_known_for_a_while_and_by_their_network,
		test_many_senders_push_out_the_oldest_and_never_the_newest,
	};
	return puppet_suite("admission", tests, sizeof(tests) / sizeof(tests[0]));
}

UNIT_SUITE(test_admission, suite)
