/*
 * The sending loop where it does not go well: refusals, broken connections, answers too early, too late or never, and
 * interruptions.
 */
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/replay_bench.h"
#include "support/unit.h"

static bool refuse_at_first(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	if (request->number > 0)
		return scripted_accept(server, request, fd);
	scripted_say(fd, 503, server->context);
	return true;
}

static int64_t gap_of_tries(const char *fields)
{
	serve_by(refuse_at_first);
	servers[0].context = (void *)(uintptr_t)fields;
	add_many(1);
	plan.retries = 1;
	run();
	expect_statuses(202);
	ck_assert_uint_eq(servers[0].count, 2);
	ck_assert_uint_eq(result.records[0].tries, 2);
	ck_assert_uint_eq(result.retried, 1);
	return servers[0].requests[1].at_ns - servers[0].requests[0].at_ns;
}

START_TEST(test_retry_waits_as_long_as_the_server_asks)
{
	ck_assert_int_ge(gap_of_tries("Retry-After: 1\r\n"), NS_PER_S);
}
END_TEST

START_TEST(test_retry_without_advice_waits_for_50_ms)
{
	ck_assert_int_ge(gap_of_tries(""), 50 * NS_PER_MS);
}
END_TEST

START_TEST(test_retry_counts_from_the_first_sending)
{
	(void)gap_of_tries("");
	ck_assert_int_ge(run_raw_ns(&result.records[0]), 50 * NS_PER_MS);
	ck_assert_int_lt(result.records[0].sent_ns - result.records[0].intended_ns, run_raw_ns(&result.records[0]));
}
END_TEST

START_TEST(test_without_retries_503_is_the_answer)
{
	serve_by(refuse_at_first);
	servers[0].context = (void *)(uintptr_t) "";
	add_many(2);
	run();
	ck_assert_uint_eq(servers[0].count, 2);
	ck_assert_int_eq(result.records[0].status + result.records[1].status, 503 + 202);
	ck_assert_uint_eq(result.retried, 0);
}
END_TEST

START_TEST(test_event_that_is_tried_again_keeps_its_place_in_its_stream)
{
	static const size_t order[] = {0, 0, 1};
	serve_by(refuse_at_first);
	servers[0].context = (void *)(uintptr_t) "";
	(void)add(INPUT_NEW, "m-0", "s");
	(void)add(INPUT_NEW, "m-1", "s");
	plan.retries = 3;
	run();
	expect_statuses(202);
	ck_assert_uint_eq(servers[0].count, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(line_of(&servers[0].requests[i]), order[i]);
}
END_TEST

static bool close_after_each(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	(void)server;
	(void)request;
	scripted_say(fd, 202, "Connection: close\r\n");
	return false;
}

START_TEST(test_server_may_close_after_each_answer)
{
	enum { COUNT = 60 };
	serve_by(close_after_each);
	add_many(COUNT);
	run();
	expect_statuses(202);
	ck_assert_uint_eq(servers[0].count, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_uint_ne(servers[0].requests[i].connection, servers[0].requests[k].connection);
}
END_TEST

static atomic_bool says_both_at_once;

static bool close_without_a_word(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	(void)server, (void)request;
	if (!scripted_say_last(fd, 202))
		atomic_store(&says_both_at_once, false);
	return false;
}

static void begin_again(void)
{
	tear_down();
	memset(servers, 0, sizeof(servers));
	server_count = 0;
	result = (struct replay_result){0};
	set_up();
}

START_TEST(test_connection_that_ends_while_nobody_uses_it_is_opened_again)
{
	enum { COUNT = 8 };
	for (bool is_done = false; !is_done;) {
		begin_again();
		atomic_store(&says_both_at_once, true);
		serve_by(close_without_a_word);
		add_many(COUNT);
		plan.rate = 20;
		plan.connections = 2;
		run();
		is_done = atomic_load(&says_both_at_once);
	}
	expect_statuses(202);
	ck_assert_uint_eq(servers[0].count, COUNT);
}
END_TEST

static const char *const halves[] = {
	"",
	"HTTP/1.1 202 Acc",
	"HTTP/1.1 202 x\r\nContent-Length: 10\r\n\r\nhalf",
	"HTTP/1.1 202 x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	"SSH-2.0-something\r\n\r\n",
};

static bool hang_up_in_between(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	if (request->number > 0)
		return scripted_accept(server, request, fd);
	const char *half = server->context;
	(void)!write(fd, half, strlen(half));
	return false;
}

START_TEST(test_answer_that_is_cut_off_is_none)
{
	serve_by(hang_up_in_between);
	servers[0].context = (void *)(uintptr_t)halves[_i];
	add_many(5);
	plan.connections = 1;
	run();
	ck_assert_int_eq(result.records[0].status, 0);
	ck_assert_int_eq(result.records[0].answered_ns, -1);
	ck_assert_int_eq(run_corrected_ns(&result.records[0]), -1);
	for (size_t i = 1; i < result.count; i++)
		ck_assert_int_eq(result.records[i].status, 202);
	ck_assert_uint_eq(servers[0].count, 5);
}
END_TEST

START_TEST(test_answer_that_is_cut_off_is_tried_again_where_that_is_asked_for)
{
	serve_by(hang_up_in_between);
	servers[0].context = (void *)(uintptr_t) "HTTP/1.1 202 x\r\n";
	add_many(1);
	plan.retries = 1;
	run();
	expect_statuses(202);
	ck_assert_uint_eq(result.retried, 1);
}
END_TEST

static bool answer_early(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	(void)server;
	(void)request;
	scripted_say(fd, 413, "");
	return false;
}

START_TEST(test_answer_before_the_body_is_complete_counts)
{
	enum { SIZE = 32 << 20 };
	char *body = arena_must(&input.arena, SIZE);
	memset(body, 'x', SIZE);
	servers[0].answers_heads = true;
	serve_by(answer_early);
	add(INPUT_NEW, "m-0", NULL)->body = (struct sluice_bytes){body, SIZE};
	input.events[0].id_at = SIZE_MAX;
	(void)add(INPUT_NEW, "m-1", NULL);
	plan.connections = 1;
	run();
	expect_statuses(413);
}
END_TEST

enum { ROOM = 16384 }; /* what a sender reads at once */

/* An answer that fills the room for reading to the byte, and something behind it that nobody asked for. */
static bool answer_and_go_on(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	static char text[ROOM + 100];
	(void)server;
	if (request->number > 0)
		return scripted_accept(server, request, fd);
	int head = snprintf(text, sizeof(text), "HTTP/1.1 202 x\r\nContent-Length: 16343\r\n\r\n");
	memset(text + head, 'x', sizeof(text) - (size_t)head);
	(void)send(fd, text, sizeof(text), MSG_NOSIGNAL);
	return true;
}

START_TEST(test_bytes_behind_an_answer_do_not_undo_it)
{
	serve_by(answer_and_go_on);
	add_many(3);
	plan.connections = 1;
	run();
	expect_statuses(202);
	ck_assert_uint_ne(servers[0].requests[0].connection, servers[0].requests[1].connection);
}
END_TEST

static bool never_end_the_first_answer(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	const char *beginning = server->context;
	if (request->number > 0)
		return scripted_accept(server, request, fd);
	(void)send(fd, beginning, strlen(beginning), MSG_NOSIGNAL);
	return true;
}

static const char *const beginnings[] = {"", "HTTP/1.1 202 x\r\nContent-Length: 3\r\n\r\na"};

START_TEST(test_timeout_ends_when_it_says_and_the_server_is_charged_for_it)
{
	serve_by(never_end_the_first_answer);
	servers[0].context = (void *)(uintptr_t)beginnings[_i];
	add_many(2);
	plan.connections = 1;
	plan.timeout_ns = 300 * NS_PER_MS;
	run();
	ck_assert_int_eq(result.records[0].status, 0);
	ck_assert_int_eq(result.records[1].status, 202);
	int64_t held_ns = result.records[1].sent_ns - result.records[0].sent_ns;
	ck_assert_int_ge(held_ns, 300 * NS_PER_MS);
	ck_assert_int_lt(held_ns, 900 * NS_PER_MS); /* a second would be the pace of the reports */
	ck_assert_int_lt(replay_lag_ns(&result.records[1]), 200 * NS_PER_MS);
}
END_TEST

static volatile sig_atomic_t was_signalled;

static void note_signal(int number)
{
	(void)number;
	was_signalled = 1;
}

/* Without SA_RESTART, as the command does it. */
static void catch_signal(void)
{
	struct sigaction action = {.sa_handler = note_signal};
	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

static _Atomic bool was_asked;

static bool until_the_signal(void *context, const struct replay_progress *progress)
{
	(void)context;
	(void)progress;
	if (was_signalled)
		atomic_store(&was_asked, true);
	return !was_signalled;
}

enum { SIGNAL_AT = 20 };

static bool signal_in_between(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	if (request->number == SIGNAL_AT)
		(void)kill(getpid(), SIGUSR1);
	return scripted_accept(server, request, fd);
}

START_TEST(test_interruption_ends_with_what_was_sent)
{
	catch_signal();
	serve_by(signal_in_between);
	add_many(2000);
	plan.rate = 100;
	run_with(until_the_signal, NULL);
	ck_assert(result.interrupted);
	ck_assert_uint_gt(result.count, SIGNAL_AT);
	ck_assert_uint_lt(result.count, 150); /* a second's worth, and what the machine may add */
	ck_assert_uint_eq(servers[0].count, result.count);
	expect_statuses(202);
	for (size_t i = 0; i < result.count; i++)
		ck_assert_uint_eq(result.records[i].number, i);
}
END_TEST

/* m-0 is to be tried again, in a minute or as soon as the only connection is free, which m-1 does not let go before the
 * interruption. */
static bool refuse_hold_and_signal(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	if (line_of(request) == 0) {
		scripted_say(fd, 503, server->context);
		return true;
	}
	scripted_take_ms(100);
	(void)kill(getpid(), SIGUSR1);
	for (int tries = 0; tries < 5000 && !atomic_load(&was_asked); tries++)
		scripted_take_ms(1);
	return scripted_accept(server, request, fd);
}

static const char *const waits[] = {"", "Retry-After: 60\r\n"};

START_TEST(test_interruption_does_not_wait_for_further_tries)
{
	catch_signal();
	serve_by(refuse_hold_and_signal);
	servers[0].context = (void *)(uintptr_t)waits[_i];
	add_many(3);
	plan.connections = 1;
	plan.rate = 100000;
	plan.retries = 5;
	run_with(until_the_signal, NULL);
	ck_assert(result.interrupted);
	ck_assert_uint_eq(result.count, 2);
	const struct trace_record *refused = &result.records[0], *held = &result.records[1];
	ck_assert_int_eq(refused->status, 503);
	ck_assert_uint_eq(refused->tries, 1 + result.retried);
	ck_assert_int_le(refused->answered_ns, held->sent_ns); /* of the answer, not of the interruption */
	ck_assert_int_eq(held->status, 202);
}
END_TEST

static bool count_reports(void *context, const struct replay_progress *progress)
{
	struct replay_progress *reports = context;
	reports->answered++;
	reports->sent = progress->sent;
	ck_assert_uint_le(progress->answered, progress->sent);
	ck_assert_double_gt(progress->rate, 0);
	ck_assert_int_gt(progress->p95_ns, 0);
	return true;
}

START_TEST(test_progress_is_told_about_once_a_second)
{
	struct replay_progress reports = {0};
	serve_by(scripted_accept);
	add_many(1100);
	plan.rate = 500;
	run_with(count_reports, &reports);
	ck_assert_uint_ge(reports.answered, 2);
	ck_assert_uint_le(reports.answered, 3);
	ck_assert_uint_gt(reports.sent, 500);
}
END_TEST

START_TEST(test_server_that_is_not_there_is_named)
{
	add_many(1);
	plan.count = 1;
	serve_by(scripted_accept);
	scripted_stop(&servers[0]);
	ck_assert(!replay_run(&plan, NULL, NULL, &result, &failure));
	ck_assert_ptr_nonnull(strstr(failure.text, plan.targets[0].port));
	ck_assert_ptr_nonnull(strstr(failure.text, "is the server running?"));
	ck_assert_uint_eq(result.count, 0);
}
END_TEST

static Suite *suite(void)
{
	const struct replay_test tests[] = {
		{test_retry_waits_as_long_as_the_server_asks, 1},
		{test_retry_without_advice_waits_for_50_ms, 1},
		{test_retry_counts_from_the_first_sending, 1},
		{test_without_retries_503_is_the_answer, 1},
		{test_event_that_is_tried_again_keeps_its_place_in_its_stream, 1},
		{test_server_may_close_after_each_answer, 1},
		{test_connection_that_ends_while_nobody_uses_it_is_opened_again, 1},
		{test_answer_that_is_cut_off_is_none, sizeof(halves) / sizeof(halves[0])},
		{test_answer_that_is_cut_off_is_tried_again_where_that_is_asked_for, 1},
		{test_answer_before_the_body_is_complete_counts, 1},
		{test_bytes_behind_an_answer_do_not_undo_it, 1},
		{test_timeout_ends_when_it_says_and_the_server_is_charged_for_it,
	         sizeof(beginnings) / sizeof(beginnings[0])},
		{test_interruption_ends_with_what_was_sent, 1},
		{test_interruption_does_not_wait_for_further_tries, sizeof(waits) / sizeof(waits[0])},
		{test_progress_is_told_about_once_a_second, 1},
		{test_server_that_is_not_there_is_named, 1},
	};
	return replay_suite("replay_trouble", tests, sizeof(tests) / sizeof(tests[0]));
}

UNIT_SUITE(test_replay_trouble, suite)
