/* The acceptor when it closes: nobody whom the kernel has let in is reset. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/acceptor.h"
#include "support/unit.h"

enum { CLIENTS = 20 };

static struct acceptor acceptor;
static struct sockaddr_in address;
static atomic_bool room, held;
static atomic_int admitted, rejected;

static void wait_while(const atomic_bool *flag)
{
	int64_t until_ns = clock_now_ns() + 30 * NS_PER_S;
	while (atomic_load(flag) && clock_now_ns() < until_ns)
		(void)usleep(1000);
}

static bool has_room(void *context)
{
	(void)context;
	return atomic_load(&room);
}

/* Clients look whether their connection lives, so it stays open. */
static void admit(void *context, int fd, const struct sockaddr *peer, socklen_t size)
{
	(void)context, (void)fd, (void)peer, (void)size;
	(void)atomic_fetch_add(&admitted, 1);
	wait_while(&held);
}

static void reject(void *context, int fd)
{
	(void)context, (void)fd;
	(void)atomic_fetch_add(&rejected, 1);
}

static void tick(void *context, int64_t now_ns)
{
	(void)context, (void)now_ns;
}

static void woken(void *context)
{
	(void)context;
}

static void start(void)
{
	struct sluice_error error = {0};
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	ck_assert_int_eq(listen(listener, 2 * CLIENTS), 0);
	acceptor = (struct acceptor){.listener = listener,
	                             .tick_ms = 1000,
	                             .has_room = has_room,
	                             .admit = admit,
	                             .reject = reject,
	                             .tick = tick,
	                             .woken = woken};
	ck_assert_msg(acceptor_start(&acceptor, &error), "%s", error.text);
}

static int try_to_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void connect_all(int clients[CLIENTS])
{
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_ge(clients[i] = try_to_connect(), 0);
}

static void expect_none_reset(const int clients[CLIENTS])
{
	char byte;
	for (int i = 0; i < CLIENTS; i++) {
		ck_assert_int_eq(recv(clients[i], &byte, 1, MSG_DONTWAIT), -1);
		ck_assert_int_eq(errno, EAGAIN);
		(void)close(clients[i]);
	}
}

static void *close_it(void *context)
{
	acceptor_close(context);
	return NULL;
}

START_TEST(test_who_waits_to_be_accepted_is_accepted_before_the_listener_closes)
{
	int clients[CLIENTS];
	pthread_t closer;
	atomic_store(&room, true);
	atomic_store(&held, true);
	start();
	connect_all(clients); /* the thread is held by the first */
	ck_assert_int_eq(pthread_create(&closer, NULL, close_it, &acceptor), 0);
	atomic_store(&held, false);
	(void)pthread_join(closer, NULL);
	ck_assert_int_eq(atomic_load(&admitted), CLIENTS);
	ck_assert_int_eq(try_to_connect(), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	expect_none_reset(clients);
	acceptor_stop(&acceptor);
}
END_TEST

START_TEST(test_whom_there_is_no_room_for_is_told_before_the_listener_closes)
{
	int clients[CLIENTS];
	start();
	connect_all(clients);
	acceptor_close(&acceptor);
	ck_assert_int_eq(atomic_load(&admitted), 0);
	ck_assert_int_eq(atomic_load(&rejected), CLIENTS);
	expect_none_reset(clients);
	acceptor_stop(&acceptor);
}
END_TEST

START_TEST(test_a_stop_without_a_close_ends_the_thread)
{
	atomic_store(&room, true);
	start();
	acceptor_stop(&acceptor);
	ck_assert_int_eq(try_to_connect(), -1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("acceptor");
	TCase *closing = tcase_create("closing");
	tcase_set_timeout(closing, 60);
	tcase_add_test(closing, test_who_waits_to_be_accepted_is_accepted_before_the_listener_closes);
	tcase_add_test(closing, test_whom_there_is_no_room_for_is_told_before_the_listener_closes);
	tcase_add_test(closing, test_a_stop_without_a_close_ends_the_thread);
	suite_add_tcase(s, closing);
	return s;
}

UNIT_SUITE(test_acceptor, suite)
