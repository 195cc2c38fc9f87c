/*
 * Shutting the webhook listener: what is in flight is answered, or told 503 at the deadline, and nothing stays behind.
 */
#include "support/puppet.h"
#include "support/unit.h"

static void *release_on_thread(void *unused)
{
	(void)unused;
	release();
	return NULL;
}

static void *stop_on_thread(void *unused)
{
	(void)unused;
	(void)stop_within(5 * NS_PER_S);
	return NULL;
}

START_TEST(test_stop_answers_what_is_in_flight)
{
	enum { COUNT = 20 };
	int fds[COUNT];
	atomic_store(&puppet.fate, KEPT);
	start_listening();
	for (int i = 0; i < COUNT; i++) {
		fds[i] = wire_connect(port);
		wire_post(fds[i], "/webhooks", "", "{}", 2);
	}
	wait_for(&puppet.submitted, COUNT);
	pthread_t releaser;
	ck_assert_int_eq(pthread_create(&releaser, NULL, release_on_thread, NULL), 0);
	ck_assert_uint_eq(stop_within(5 * NS_PER_S), 0);
	(void)pthread_join(releaser, NULL);
	for (int i = 0; i < COUNT; i++) {
		wire_read(fds[i], &answer);
		ck_assert_int_eq(answer.status, 202);
		ck_assert(wire_is_closed(fds[i]));
		(void)close(fds[i]);
	}
}
END_TEST

START_TEST(test_stop_at_its_deadline_settles_with_503)
{
	enum { COUNT = 20 };
	int fds[COUNT];
	atomic_store(&puppet.fate, KEPT);
	start_listening();
	for (int i = 0; i < COUNT; i++) {
		fds[i] = wire_connect(port);
		wire_post(fds[i], "/webhooks", "", "{}", 2);
	}
	wait_for(&puppet.submitted, COUNT);
	ck_assert_uint_eq(stop_within(300 * NS_PER_MS), COUNT);
	for (int i = 0; i < COUNT; i++) {
		wire_read(fds[i], &answer);
		expect_problem(503);
		(void)close(fds[i]);
	}
}
END_TEST

START_TEST(test_stop_gives_up_half_a_body)
{
	start_listening();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
	wait_for(&puppet.receiving, 1);
	ck_assert_uint_eq(stop_within(400 * NS_PER_MS), 0);
	ck_assert(wire_is_closed(fd));
	(void)close(fd);
}
END_TEST

START_TEST(test_stop_lets_a_body_arrive)
{
	start_listening();
	int fd = wire_connect(port);
	wire_say(fd, "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{");
	wait_for(&puppet.receiving, 1);
	pthread_t stopper;
	ck_assert_int_eq(pthread_create(&stopper, NULL, stop_on_thread, NULL), 0);
	while (!atomic_load(&service.draining))
		pause_briefly();
	wire_say(fd, "}");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 202);
	ck_assert(wire_is_closed(fd));
	(void)pthread_join(stopper, NULL);
	(void)close(fd);
}
END_TEST

/* `fate`: of the events that come. */
static void stop_under_load(enum fate fate)
{
	enum { SENDERS = 8 };
	struct sender senders[SENDERS];
	atomic_store(&puppet.fate, fate);
	start_listening();
	memset(senders, 0, sizeof(senders));
	for (int i = 0; i < SENDERS; i++) {
		senders[i].requests = 1000000;
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
	}
	for (int i = 0; i < SENDERS; i++) {
		while (!atomic_load(&senders[i].connected) || atomic_load(&puppet.submitted) < 200)
			pause_briefly();
	}
	ck_assert_uint_eq(stop_within(5 * NS_PER_S), 0);
	int answered = 0;
	for (int i = 0; i < SENDERS; i++) {
		(void)pthread_join(senders[i].thread, NULL);
		answered += senders[i].statuses[202];
	}
	ck_assert_uint_le((size_t)answered, atomic_load(&puppet.submitted));
	ck_assert_int_ge(answered, 200 - SENDERS);
}

START_TEST(test_stop_under_load_answers_or_closes)
{
	stop_under_load(LATER);
}
END_TEST

START_TEST(test_stop_under_load_answers_or_closes_without_suspending)
{
	stop_under_load(AT_ONCE);
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {
		test_stop_answers_what_is_in_flight,    test_stop_at_its_deadline_settles_with_503,
		test_stop_gives_up_half_a_body,         test_stop_lets_a_body_arrive,
		test_stop_under_load_answers_or_closes, test_stop_under_load_answers_or_closes_without_suspending,
	};
	return puppet_suite("shutdown", tests, sizeof(tests) / sizeof(tests[0]));
}

UNIT_SUITE(test_shutdown, suite)
