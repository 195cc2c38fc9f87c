/*
 * As many requests at once as libmicrohttpd takes from epoll in one call.
 */
#include "support/puppet.h"
#include "support/unit.h"

enum { ROOM = 128, SENDERS_MAX = 2 * ROOM };

/* Sends with all of them while the one HTTP thread is held up, so that it finds them ready together. */
static void send_together(const int *fds, size_t count)
{
	(void)pthread_mutex_lock(&puppet.lock);
	wire_post(fds[0], "/webhooks", "", "{}", 2);
	wait_for(&puppet.inside, 1);
	for (size_t i = 1; i <= count; i++)
		wire_post(fds[i], "/webhooks", "", "{}", 2);
	(void)pthread_mutex_unlock(&puppet.lock);
	for (size_t i = 0; i <= count; i++) {
		wire_read(fds[i], &answer);
		ck_assert_msg(answer.status == 202, "%zu together: request %zu got %d", count, i, answer.status);
	}
}

START_TEST(test_requests_that_come_together_are_served_whatever_their_number)
{
	static const size_t counts[] = {ROOM - 1, ROOM, ROOM + 1, 2 * ROOM};
	int fds[SENDERS_MAX + 1];
	puppet.config.listen.threads = 1;
	start_listening();
	for (size_t i = 0; i <= SENDERS_MAX; i++) {
		fds[i] = wire_connect(port);
		post(fds[i], "", "{}");
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		send_together(fds, counts[i]);
	for (size_t i = 0; i <= SENDERS_MAX; i++)
		(void)close(fds[i]);
}
END_TEST

static Suite *suite(void)
{
	const TTest *const tests[] = {test_requests_that_come_together_are_served_whatever_their_number};
	return puppet_suite("burst", tests, sizeof(tests) / sizeof(tests[0]));
}

UNIT_SUITE(test_burst, suite)
