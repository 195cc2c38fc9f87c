/*
 * Connections whose time is over, and who waits for whom meanwhile.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/connection.h"
#include "support/unit.h"

enum { PAIRS = 4 };

static struct connection_table table;
static int sockets[PAIRS][2];
static struct connection *connections[PAIRS];
static int told, expired;
static const struct ip_address nobody;

static bool expire(void *context, struct connection *connection)
{
	(void)context, (void)connection;
	expired++;
	return expired == 1;
}

static void dismiss(void *context, struct connection *connection, bool begun, enum dismissal why)
{
	(void)context, (void)connection, (void)begun, (void)why;
	told++;
}

static void open_all(void)
{
	table = (struct connection_table){.expire = expire, .dismiss = dismiss, .grace_ns = NS_PER_S};
	told = expired = 0;
	connection_table_init(&table);
	for (int i = 0; i < PAIRS; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets[i]), 0);
		connections[i] = connection_open(&table, sockets[i][0], &nobody, NS_PER_S);
	}
}

static void close_all(void)
{
	for (int i = 0; i < PAIRS; i++) {
		if (connections[i])
			connection_close(connections[i]);
		(void)close(sockets[i][0]);
		(void)close(sockets[i][1]);
	}
	ck_assert_uint_eq(connection_table_count(&table), 0);
	connection_table_finish(&table);
}

static bool is_shut(int i)
{
	char byte;
	return recv(sockets[i][1], &byte, 1, MSG_DONTWAIT) == 0;
}

static int64_t later(int64_t seconds)
{
	return clock_now_ns() + seconds * NS_PER_S;
}

START_TEST(test_sweep_ends_what_is_overdue_and_nothing_else)
{
	ck_assert(connection_enter(connections[0], CONNECTION_HEADERS, 10 * NS_PER_S));
	connections[1]->served = true;
	ck_assert(connection_enter(connections[2], CONNECTION_BODY, NS_PER_S));
	connection_table_sweep(&table, clock_now_ns());
	for (int i = 0; i < PAIRS; i++)
		ck_assert(!is_shut(i));
	connection_table_sweep(&table, later(5));
	ck_assert(!is_shut(0));
	for (int i = 1; i < PAIRS; i++)
		ck_assert(is_shut(i));
	ck_assert_int_eq(told, 2); /* the one that had been served before is idle: nobody waits for a word */
	ck_assert(!connection_enter(connections[2], CONNECTION_BUSY, NS_PER_S));
	ck_assert(connection_enter(connections[0], CONNECTION_BODY, NS_PER_S));
}
END_TEST

START_TEST(test_what_came_in_time_and_was_not_read_is_not_late)
{
	char byte;
	int64_t now_ns = later(5);
	ck_assert(connection_enter(connections[0], CONNECTION_HEADERS, NS_PER_S));
	ck_assert(connection_enter(connections[1], CONNECTION_BODY, NS_PER_S));
	connections[3]->served = true;
	for (int i = 0; i < PAIRS; i++)
		ck_assert_int_eq(send(sockets[i][1], "x", 1, 0), 1);
	connection_table_sweep(&table, now_ns);
	for (int i = 0; i < PAIRS; i++)
		ck_assert(!is_shut(i));
	ck_assert_int_eq(recv(sockets[0][0], &byte, 1, 0), 1);
	connection_table_sweep(&table, now_ns);
	ck_assert(is_shut(0));
	ck_assert(!is_shut(1));
	connection_table_sweep(&table, now_ns + UNREAD_GRACE_S * NS_PER_S);
	for (int i = 1; i < PAIRS; i++)
		ck_assert(is_shut(i));
	ck_assert_int_eq(told, 3);
}
END_TEST

START_TEST(test_late_answer_has_a_grace_to_be_sent)
{
	ck_assert(connection_enter(connections[0], CONNECTION_BUSY, NS_PER_S));
	for (int i = 1; i < PAIRS; i++)
		ck_assert(connection_enter(connections[i], CONNECTION_IDLE, 100 * NS_PER_S));
	int64_t now_ns = later(5);
	connection_table_sweep(&table, now_ns);
	ck_assert_int_eq(expired, 1);
	ck_assert(!is_shut(0));
	connection_table_sweep(&table, now_ns + NS_PER_S / 2);
	ck_assert_int_eq(expired, 1);
	connection_table_sweep(&table, now_ns + 2 * NS_PER_S);
	ck_assert_int_eq(expired, 2);
	ck_assert(is_shut(0));
}
END_TEST

START_TEST(test_dismissed_are_those_of_the_phases)
{
	ck_assert(connection_enter(connections[0], CONNECTION_HEADERS, NS_PER_S));
	ck_assert(connection_enter(connections[1], CONNECTION_BODY, NS_PER_S));
	ck_assert(connection_enter(connections[2], CONNECTION_BUSY, NS_PER_S));
	connection_table_close_idle(&table);
	for (int i = 0; i < PAIRS; i++)
		ck_assert_int_eq(is_shut(i), i == 3);
	connection_table_close_unfinished(&table);
	for (int i = 0; i < PAIRS; i++)
		ck_assert_int_eq(is_shut(i), i != 2);
	connection_table_expire_all(&table);
	ck_assert_int_eq(expired, 1);
	ck_assert_uint_eq(connection_table_count_in(&table, CONNECTION_BUSY), 1);
	ck_assert_int_eq(told, 0);
}
END_TEST

/* Opens and closes others while one is being told that its time is over. */
static void open_and_close(void *context, struct connection *connection, bool begun, enum dismissal why)
{
	(void)context, (void)begun, (void)why;
	told++;
	ck_assert_uint_eq(connection_table_count_in(&table, CONNECTION_HELD), 1);
	struct connection *other = connection_open(&table, -1, &nobody, NS_PER_S);
	connection_close(other);
	for (int i = 0; i < PAIRS; i++) {
		if (connections[i] == connection || told > 1)
			continue;
		connection_close(connections[i]);
		connections[i] = NULL;
	}
}

START_TEST(test_others_open_and_close_while_one_is_told)
{
	table.dismiss = open_and_close;
	connection_table_sweep(&table, later(5));
	ck_assert_int_eq(told, 1);
	ck_assert_uint_eq(connection_table_count(&table), 1);
}
END_TEST

static atomic_bool is_told, may_go_on;

static void pause_briefly(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
}

static void wait_for_leave(void *context, struct connection *connection, bool begun, enum dismissal why)
{
	(void)context, (void)connection, (void)begun, (void)why;
	atomic_store(&is_told, true);
	while (!atomic_load(&may_go_on))
		pause_briefly();
}

static void *sweep(void *context)
{
	(void)context;
	connection_table_sweep(&table, later(5));
	return NULL;
}

static atomic_bool is_closed;

static void *close_held(void *context)
{
	connection_close(context);
	atomic_store(&is_closed, true);
	return NULL;
}

START_TEST(test_connection_is_not_closed_while_it_is_held)
{
	pthread_t sweeper, closer;
	struct connection *held = connections[0];
	table.dismiss = wait_for_leave;
	for (int i = 1; i < PAIRS; i++)
		ck_assert(connection_enter(connections[i], CONNECTION_IDLE, 100 * NS_PER_S));
	ck_assert_int_eq(pthread_create(&sweeper, NULL, sweep, NULL), 0);
	while (!atomic_load(&is_told))
		pause_briefly();
	ck_assert_int_eq(pthread_create(&closer, NULL, close_held, held), 0);
	for (int i = 0; i < 20; i++)
		pause_briefly();
	ck_assert(!atomic_load(&is_closed));
	ck_assert_uint_eq(connection_table_count(&table), PAIRS);
	atomic_store(&may_go_on, true);
	(void)pthread_join(sweeper, NULL);
	(void)pthread_join(closer, NULL);
	connections[0] = NULL;
	ck_assert_uint_eq(connection_table_count(&table), PAIRS - 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("connection");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, open_all, close_all);
	tcase_add_test(all, test_sweep_ends_what_is_overdue_and_nothing_else);
	tcase_add_test(all, test_what_came_in_time_and_was_not_read_is_not_late);
	tcase_add_test(all, test_late_answer_has_a_grace_to_be_sent);
	tcase_add_test(all, test_dismissed_are_those_of_the_phases);
	tcase_add_test(all, test_others_open_and_close_while_one_is_told);
	tcase_add_test(all, test_connection_is_not_closed_while_it_is_held);
	suite_add_tcase(suite, all);
	return suite;
}

UNIT_SUITE(test_connection, make_suite)
