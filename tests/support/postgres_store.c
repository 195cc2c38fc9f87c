/* persist/postgres on the bench. */
#include "support/postgres_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *stage_name = "postgres";
struct postgres server;
char url_option[OPTION_SIZE];

void start_server(void)
{
	postgres_start(&server, "max_connections=40");
	(void)snprintf(url_option, sizeof(url_option), "url=%s", server.url);
}

void stop_server(void)
{
	postgres_stop(&server);
}

PGconn *connect_to(const char *url)
{
	PGconn *pg = PQconnectdb(url);
	ck_assert_msg(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
	return pg;
}

PGconn *connect_by_hand(void)
{
	return connect_to(server.url);
}

void run_on(PGconn *pg, const char *sql)
{
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);
	ck_assert_msg(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(pg));
	PQclear(result);
}

void run_by_hand(const char *sql)
{
	PGconn *pg = connect_by_hand();
	run_on(pg, sql);
	PQfinish(pg);
}

int ask_at(const char *url, const char *sql)
{
	PGconn *pg = connect_to(url);
	PGresult *result = PQexec(pg, sql);
	ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(pg));
	int answer = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
	PQfinish(pg);
	return answer;
}

bool shows(const char *url, const char *sql, int answer)
{
	PGconn *pg = connect_to(url);
	PGresult *result = PQexec(pg, sql);
	bool same = PQresultStatus(result) == PGRES_TUPLES_OK && atoi(PQgetvalue(result, 0, 0)) == answer;
	PQclear(result);
	PQfinish(pg);
	return same;
}

int ask_by_hand(const char *sql)
{
	return ask_at(server.url, sql);
}

/* Settings may come from a test that failed before it had undone them. */
void empty_database(void)
{
	static const char *const statements[] = {
		"ALTER SYSTEM RESET ALL",
		"ALTER DATABASE sluice RESET ALL",
		"ALTER ROLE sluice RESET ALL",
		"SELECT pg_reload_conf()",
		"SET client_min_messages = error; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public",
	};
	PGconn *pg = connect_by_hand();
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		run_on(pg, statements[i]);
	PQfinish(pg);
}

struct harness *open_at(const char *const *options)
{
	return harness_open(SLUICE_KIND_PERSIST, stage_name, options);
}

struct harness *open_with(const char *option, const char *other)
{
	return open_at((const char *[]){url_option, option, option ? other : NULL, NULL});
}

struct harness *open_store(void)
{
	return open_with(NULL, NULL);
}

void option_through(char option[OPTION_SIZE], int port)
{
	(void)snprintf(option, OPTION_SIZE, "url=postgresql://sluice:%s@127.0.0.1:%d/sluice", server.password, port);
}

void expect_refused(const char *option, const char *words)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(
		harness_try(SLUICE_KIND_PERSIST, stage_name, (const char *[]){url_option, option, NULL}, &error));
	ck_assert_msg(strstr(error.text, words) != NULL, "said \"%s\"", error.text);
}

enum sluice_verdict store_one(struct harness *h, const char *id, const char *stream, const char *payload)
{
	struct sluice_event *event = store_event(h, id, stream, payload);
	enum sluice_verdict verdict = harness_process(h, event);
	harness_settle(h, event, verdict);
	return verdict;
}

static void *process_one(void *context)
{
	struct waiter *waiter = context;
	waiter->verdict = harness_process(waiter->h, waiter->event);
	return NULL;
}

enum sluice_verdict store_until_through(struct harness *h, struct sluice_event *event)
{
	int64_t until_ns = clock_now_ns() + 60 * NS_PER_S;
	enum sluice_verdict verdict;
	event->deadline_ns = 0;
	while ((verdict = harness_process(h, event)) == SLUICE_RETRY && clock_now_ns() < until_ns)
		event->attempt++;
	ck_assert_msg(verdict != SLUICE_RETRY, "still \"%s\"", harness_detail(event));
	harness_settle(h, event, verdict);
	return verdict;
}

void waiter_start(struct waiter *waiter, struct sluice_event *event, struct harness *h)
{
	*waiter = (struct waiter){.h = h, .event = event};
	ck_assert_int_eq(pthread_create(&waiter->thread, NULL, process_one, waiter), 0);
}

enum sluice_verdict waiter_finish(struct waiter *waiter)
{
	(void)pthread_join(waiter->thread, NULL);
	harness_settle(waiter->h, waiter->event, waiter->verdict);
	return waiter->verdict;
}

static void *hammer(void *context)
{
	struct hammer *own = context;
	for (int i = 0; i < own->count && !(own->stop && atomic_load(own->stop)); i++) {
		char id[24];
		(void)snprintf(id, sizeof(id), "%d-%d", own->own_ids ? own->number : 0, i);
		struct sluice_event *event = store_event(own->h, id, "s", "x");
		enum sluice_verdict verdict;
		while ((verdict = harness_process(own->h, event)) == SLUICE_RETRY &&
		       !(own->stop && atomic_load(own->stop)))
			event->attempt++;
		if (verdict == SLUICE_PASS && own->ids)
			memcpy(own->ids[own->passed], id, sizeof(id));
		own->passed += verdict == SLUICE_PASS;
		own->failed += verdict == SLUICE_FAIL || verdict == SLUICE_REJECT;
		harness_settle(own->h, event, verdict);
	}
	return NULL;
}

void hammer_start(struct hammer *own)
{
	ck_assert_int_eq(pthread_create(&own->thread, NULL, hammer, own), 0);
}

void hammer_join(struct hammer *own)
{
	(void)pthread_join(own->thread, NULL);
	ck_assert_uint_eq(own->failed, 0);
}

TCase *add_group(Suite *suite, const char *name)
{
	TCase *group = tcase_create(name);
	tcase_add_unchecked_fixture(group, start_server, stop_server);
	tcase_add_checked_fixture(group, empty_database, NULL);
	tcase_set_timeout(group, 60);
	suite_add_tcase(suite, group);
	return group;
}
