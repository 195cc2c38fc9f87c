/*
 * The webhook listener and time: slow senders, idle ones, those that have left, and answers that come too late.
 */
#include "support/puppet.h"
#include "support/unit.h"

START_TEST(test_slow_headers_end_with_408)
{
	puppet.config.listen.header_timeout.ns = 200 * NS_PER_MS;
	start_listening();
	static const char *const beginnings[] = {"POST /web", "POST /webhooks HTTP/1.1\r\nHost: x\r\n"};
	for (size_t i = 0; i < 2; i++) {
		int64_t start_ns = clock_now_ns();
		int fd = wire_connect(port);
		wire_say(fd, beginnings[i]);
		while (wire_has_nothing(fd, 20))
			wire_say(fd, "x"); /* never idle, never done */
		wire_read(fd, &answer);
		expect_problem(408);
		ck_assert_int_ge(clock_now_ns() - start_ns, 200 * NS_PER_MS);
		ck_assert(wire_is_closed(fd));
		(void)close(fd);
	}
}
END_TEST

START_TEST(test_slow_body_ends_with_408)
{
	puppet.config.listen.body_timeout.ns = 200 * NS_PER_MS;
	start_listening();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
	while (wire_has_nothing(fd, 20))
		wire_say(fd, "x");
	wire_read(fd, &answer);
	expect_problem(408);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
	wait_for(&puppet.discarded, 1);
}
END_TEST

START_TEST(test_untouched_connection_is_closed_without_a_word)
{
	puppet.config.listen.header_timeout.ns = 100 * NS_PER_MS;
	start_listening();
	int fd = wire_connect(port);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
}
END_TEST

START_TEST(test_idle_connection_is_kept_for_keep_alive)
{
	puppet.config.listen.header_timeout.ns = 50 * NS_PER_MS;
	puppet.config.listen.keep_alive.ns = 300 * NS_PER_MS;
	start_listening();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	int64_t idle_ns = clock_now_ns();
	ck_assert(wire_is_closed(fd));
	ck_assert_int_ge(clock_now_ns() - idle_ns, 290 * NS_PER_MS);
	(void)close(fd);
}
END_TEST

START_TEST(test_keep_alive_of_zero_closes_after_each_answer)
{
	char value[256];
	puppet.config.listen.keep_alive.ns = 0;
	start_listening();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	ck_assert_str_eq(wire_header(&answer, "Connection", value), "close");
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
}
END_TEST

START_TEST(test_deadline_answers_503_while_the_event_goes_on)
{
	struct lineage_entry entry;
	char value[256];
	puppet.config.listen.deadline.ns = 150 * NS_PER_MS;
	atomic_store(&puppet.fate, KEPT);
	start_listening();
	int fd = wire_connect(port);
	int64_t start_ns = clock_now_ns();
	post(fd, "X-Request-Id: late\r\n", "{}");
	expect_problem(503);
	ck_assert_int_ge(clock_now_ns() - start_ns, 150 * NS_PER_MS);
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "1");
	ck_assert_uint_eq(atomic_load(&puppet.inside), 1);
	release();
	wait_for(&puppet.inside, 0);
	post(fd, "", "{}"); /* the connection lives on, and nobody answers it twice */
	ck_assert_int_eq(answer.status, 202);
	ck_assert(lineage_find(service.lineage, "late", 4, &entry));
	ck_assert(entry.timed_out);
	ck_assert(entry.times.stages[SLUICE_KIND_AUTH].ran); /* where the time went is known after all */
	(void)close(fd);
}
END_TEST

START_TEST(test_nothing_of_a_stage_is_in_the_503_of_a_deadline)
{
	char value[256];
	struct response_header header = {{"Retry-After", 11}, {"99", 2}, NULL};
	struct response response = {&header, 0, 200, {"text/plain", 10}, {"late", 4}};
	puppet.answer.response = &response;
	puppet.config.listen.deadline.ns = 100 * NS_PER_MS;
	atomic_store(&puppet.fate, KEPT);
	start_listening();
	int fd = wire_connect(port);
	post(fd, "", "{}");
	expect_problem(503);
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "1");
	release();
	wait_for(&puppet.inside, 0);
	puppet.answer.response = NULL;
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	ck_assert_str_eq(wire_header(&answer, "Retry-After", value), "");
	(void)close(fd);
}
END_TEST

START_TEST(test_sender_that_hung_up_changes_nothing)
{
	atomic_store(&puppet.fate, KEPT);
	start_listening();
	int fd = wire_connect(port);
	wire_post(fd, "/webhooks", "", "{}", 2);
	wait_for(&puppet.submitted, 1);
	struct linger reset = {.l_onoff = 1};
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)close(fd);
	release();
	wait_for(&puppet.inside, 0);
	fd = wire_connect(port);
	post(fd, "", "{}");
	ck_assert_int_eq(answer.status, 202);
	(void)close(fd);
}
END_TEST

START_TEST(test_sender_that_leaves_in_the_body_gives_its_event_back)
{
	start_listening();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
	wait_for(&puppet.receiving, 1);
	(void)close(fd);
	wait_for(&puppet.receiving, 0);
	ck_assert_uint_eq(atomic_load(&puppet.discarded), 1);
}
END_TEST

START_TEST(test_many_idle_and_slow_senders_do_not_stop_service)
{
	enum { IDLE = 400, SLOW = 100 };
	int idle[IDLE], slow[SLOW];
	start_listening();
	for (int i = 0; i < IDLE; i++)
		idle[i] = wire_connect(port);
	for (int i = 0; i < SLOW; i++) {
		slow[i] = wire_connect(port);
		wire_say(slow[i],
		         i % 2 ? "POST /w" : "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n");
	}
	int fd = wire_connect(port);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < SLOW; i++)
			wire_say(slow[i], "x");
		post(fd, "", "{}");
		ck_assert_int_eq(answer.status, 202);
	}
	for (int i = 0; i < IDLE; i++)
		(void)close(idle[i]);
	for (int i = 0; i < SLOW; i++)
		(void)close(slow[i]);
	(void)close(fd);
}
END_TEST

START_TEST(test_deadlines_and_answers_race_without_harm)
{
	enum { SENDERS = 8, REQUESTS = 60 };
	struct sender senders[SENDERS];
	puppet.config.listen.deadline.ns = 1;
	start_listening();
	memset(senders, 0, sizeof(senders));
	for (int i = 0; i < SENDERS; i++) {
		senders[i].requests = REQUESTS;
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
	}
	for (int i = 0; i < 40; i++) { /* each sweep meets answers that are just being given */
		atomic_store(&puppet.fate, KEPT);
		(void)nanosleep(&(struct timespec){.tv_nsec = 49 * NS_PER_MS}, NULL);
		release();
		(void)nanosleep(&(struct timespec){.tv_nsec = 3 * NS_PER_MS}, NULL);
	}
	for (int i = 0; i < SENDERS; i++) {
		(void)pthread_join(senders[i].thread, NULL);
		ck_assert_int_eq(senders[i].statuses[202] + senders[i].statuses[503], REQUESTS);
	}
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
		test_slow_headers_end_with_408,
		test_slow_body_ends_with_408,
		test_untouched_connection_is_closed_without_a_word,
		test_idle_connection_is_kept_for_keep_alive,
		test_keep_alive_of_zero_closes_after_each_answer,
		test_deadline_answers_503_while_the_event_goes_on,
		test_nothing_of_a_stage_is_in_the_503_of_a_deadline,
		test_sender_that_hung_up_changes_nothing,
		test_sender_that_leaves_in_the_body_gives_its_event_back,
		test_many_idle_and_slow_senders_do_not_stop_service,
		test_deadlines_and_answers_race_without_harm,
	};
	return puppet_suite("deadlines", tests, sizeof(tests) / sizeof(tests[0]));
}

UNIT_SUITE(test_deadlines, suite)
