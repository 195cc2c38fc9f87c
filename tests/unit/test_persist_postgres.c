/* persist/postgres: what it promises, on a private server. */
#include <check.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/harness.h"
#include "support/postgres.h"
#include "support/store.h"
#include "support/unit.h"

static struct postgres server;
static char url_option[300];

static void start_server(void)
{
	postgres_start(&server, "max_connections=30");
	(void)snprintf(url_option, sizeof(url_option), "url=%s", server.url);
}

static void stop_server(void)
{
	postgres_stop(&server);
}

static PGconn *connect_by_hand(void)
{
	PGconn *pg = PQconnectdb(server.url);
	ck_assert_msg(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
	return pg;
}

static void run_on(PGconn *pg, const char *sql)
{
	PGresult *result = PQexec(pg, sql);
	ExecStatusType status = PQresultStatus(result);
	ck_assert_msg(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(pg));
	PQclear(result);
}

static void run_by_hand(const char *sql)
{
	PGconn *pg = connect_by_hand();
	run_on(pg, sql);
	PQfinish(pg);
}

static int ask_by_hand(const char *sql)
{
	PGconn *pg = connect_by_hand();
	PGresult *result = PQexec(pg, sql);
	ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(pg));
	int answer = atoi(PQgetvalue(result, 0, 0));
	PQclear(result);
	PQfinish(pg);
	return answer;
}

static void empty_database(void)
{
	run_by_hand("SET client_min_messages = error; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

static struct harness *open_with(const char *option, const char *other)
{
	return harness_open(SLUICE_KIND_PERSIST, "postgres",
	                    (const char *[]){url_option, option, option ? other : NULL, NULL});
}

static struct harness *open_store(void)
{
	return open_with(NULL, NULL);
}

static enum sluice_verdict store_one(struct harness *h, const char *id, const char *stream, const char *payload)
{
	struct sluice_event *event = store_event(h, id, stream, payload);
	enum sluice_verdict verdict = harness_process(h, event);
	harness_settle(h, event, verdict);
	return verdict;
}

/* The condition must come true within ten seconds. */
#define WAIT_FOR(condition)                                                                                            \
	do {                                                                                                           \
		int64_t until_ns = clock_now_ns() + 10 * NS_PER_S;                                                     \
		while (!(condition) && clock_now_ns() < until_ns)                                                      \
			(void)usleep(2000);                                                                            \
		ck_assert(condition);                                                                                  \
	} while (0)

START_TEST(test_a_new_event_is_stored_as_it_is)
{
	static const char payload[] = "{\"a\":\0\xff 1}";
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "id-1", "orders", "");
	event->payload = sluice_copy(event, payload, sizeof(payload) - 1);
	event->sequence = INT64_MIN;
	event->has_sequence = true;
	event->received_at_ns = INT64_C(1700000000123456789);
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);

	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 1);
	const struct sluice_record *record = stored_find(&image, "id-1");
	ck_assert_ptr_nonnull(record);
	ck_assert_int_ge(record->id, 1);
	ck_assert(sluice_bytes_equal(record->payload, event->payload));
	ck_assert(sluice_bytes_equal(record->stream, event->stream));
	ck_assert(sluice_bytes_equal(record->event_type, event->event_type));
	ck_assert(sluice_bytes_equal(record->request_id, event->request_id));
	ck_assert(record->has_sequence);
	ck_assert_int_eq(record->sequence, INT64_MIN);
	ck_assert_int_eq(record->received_at_ns, INT64_C(1700000000123456000));
	ck_assert_mem_eq(record->digest, sluice_digest(event), SLUICE_DIGEST_SIZE);
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_settle(h, event, SLUICE_PASS);
	harness_close(h);
	ck_assert_int_eq(
		ask_by_hand("SELECT count(*) FROM webhook_events WHERE received_at = '2023-11-14 22:13:20.123456+00'"),
		1);
}
END_TEST

START_TEST(test_what_an_event_lacks_stays_absent)
{
	struct harness *h = open_store();
	struct sluice_event *event = harness_event(h);
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_int_eq(store_one(h, NULL, NULL, ""), SLUICE_PASS);

	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 2);
	ck_assert_ptr_null(image.records[0].message_id.data);
	ck_assert_ptr_null(image.records[0].event_type.data);
	ck_assert_ptr_null(image.records[0].stream.data);
	ck_assert(!image.records[0].has_sequence);
	ck_assert_uint_eq(image.records[0].payload.size, 0);
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_same_id_same_content_is_a_duplicate_and_other_content_a_conflict)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "id", "s", "one"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "id", "s", "one"), SLUICE_DONE);
	struct sluice_event *other = store_event(h, "id", "s", "two");
	ck_assert_int_eq(harness_process(h, other), SLUICE_REJECT);
	ck_assert_int_eq(harness_status(other), 422);
	ck_assert_ptr_null(strstr(harness_detail(other), "two"));
	harness_settle(h, other, SLUICE_REJECT);

	struct store_image image = stored_read(h);
	ck_assert_uint_eq(image.count, 1);
	ck_assert_str_eq(stored_find(&image, "id")->payload.data, "one");
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_a_retried_event_that_is_stored_already_was_accepted)
{
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "id", "s", "one");
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	event->attempt = 2;
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);

	struct sluice_event *other = store_event(h, "id", "s", "one"); /* has a request id of its own */
	other->attempt = 2;
	ck_assert_int_eq(harness_process(h, other), SLUICE_DONE);
	harness_settle(h, other, SLUICE_DONE);
	ck_assert_uint_eq(stored_count(h), 1);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_a_nul_in_an_id_is_refused_and_cuts_nothing_off)
{
	struct harness *h = open_store();
	struct sluice_event *event = store_event(h, "", NULL, "x");
	event->message_id = sluice_copy(event, "a\0b", 3);
	ck_assert_int_eq(harness_process(h, event), SLUICE_FAIL);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "SQLSTATE 22021"));
	harness_settle(h, event, SLUICE_FAIL);
	ck_assert_uint_eq(stored_count(h), 0);
	ck_assert_int_eq(store_one(h, "a", NULL, "x"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

#define ODD_JSON "{ \"b\":1.50,\n \"a\" : [ ] , \"b\":2}"

START_TEST(test_json_keeps_the_exact_bytes_and_jsonb_says_that_it_does_not)
{
	struct harness *h = open_with("payload_type=json", NULL);
	ck_assert_int_eq(store_one(h, "id", "s", ODD_JSON), SLUICE_PASS);
	struct store_image image = stored_read(h);
	ck_assert_str_eq(image.records[0].payload.data, ODD_JSON);
	ck_assert(!image.records[0].payload_rewritten);
	stored_free(&image);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);

	empty_database();
	h = open_with("payload_type=jsonb", NULL);
	ck_assert_int_eq(store_one(h, "id", "s", ODD_JSON), SLUICE_PASS);
	image = stored_read(h);
	ck_assert_str_eq(image.records[0].payload.data, "{\"a\": [], \"b\": 2}");
	ck_assert(image.records[0].payload_rewritten);
	stored_free(&image);
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.violation_count, 0);
	ck_assert_uint_eq(result.unproven, 1);
	audit_result_finish(&result);
	ck_assert_int_eq(store_one(h, "id", "s", ODD_JSON), SLUICE_DONE);
	harness_close(h);
}
END_TEST

/* What makes the database refuse the payload "[\"poison\\u0000\"]", and what must be said of it. */
static const struct {
	const char *option, *sql, *words;
} refusals[] = {
	{"payload_type=jsonb", "SELECT 1", "SQLSTATE 22P05"},
	{"payload_type=json", "ALTER TABLE webhook_events ADD CONSTRAINT too_long CHECK (length(payload::text) < 10)",
         "SQLSTATE 23514, constraint too_long"},
	{"payload_type=bytea",
         "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF length(NEW.payload) > "
         "10 THEN RAISE EXCEPTION 'refused: %', convert_from(NEW.payload, 'UTF8'); END IF; RETURN NEW; "
         "END $$;CREATE TRIGGER t BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION refuse()",
         "SQLSTATE P0001"},
	{"payload_type=bytea",
         "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF length(NEW.payload) > "
         "10 THEN RETURN NULL; END IF; RETURN NEW; END $$;CREATE TRIGGER t BEFORE INSERT ON "
         "webhook_events FOR EACH ROW EXECUTE FUNCTION refuse()",
         "dropped"},
	{"payload_type=bytea",
         "CREATE UNIQUE INDEX only_one_long ON webhook_events ((length(payload) > 10)) WHERE "
         "length(payload) > 10;INSERT INTO webhook_events (payload, digest, request_id, received_at) "
         "VALUES ('a long payload', decode(repeat('00', 32), 'hex'), 'r', now())",
         "SQLSTATE 23505, constraint only_one_long"},
	{"payload_type=bytea",
         "ALTER TABLE webhook_events ADD CONSTRAINT late UNIQUE (received_at) DEFERRABLE INITIALLY "
         "DEFERRED;CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF "
         "length(NEW.payload) > 10 THEN NEW.received_at = 'epoch'; END IF; RETURN NEW; END $$;CREATE "
         "TRIGGER t BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE FUNCTION refuse();INSERT INTO "
         "webhook_events (payload, digest, request_id, received_at) VALUES ('a long payload', "
         "decode(repeat('00', 32), 'hex'), 'r', now())",
         "SQLSTATE 23505, constraint late"},
};

START_TEST(test_a_row_that_the_database_refuses_fails_alone)
{
	struct harness *h = open_with(refusals[_i].option, NULL);
	run_by_hand(refusals[_i].sql);
	size_t before = stored_count(h);
	struct sluice_event *events[] = {store_event(h, "1", "s", "[1]"),
	                                 store_event(h, "2", "s", "[\"poison\\u0000\"]"),
	                                 store_event(h, "3", "s", "[3]")};
	enum sluice_verdict verdicts[3];
	harness_process_batch(h, events, verdicts, 3);
	ck_assert_int_eq(verdicts[0], SLUICE_PASS);
	ck_assert_int_eq(verdicts[1], SLUICE_FAIL);
	ck_assert_int_eq(verdicts[2], SLUICE_PASS);
	ck_assert_int_eq(harness_status(events[1]), 500);
	ck_assert_msg(strstr(harness_detail(events[1]), refusals[_i].words) != NULL, "said \"%s\"",
	              harness_detail(events[1]));
	ck_assert_ptr_null(strstr(harness_detail(events[1]), "poison"));
	for (int i = 0; i < 3; i++)
		harness_settle(h, events[i], verdicts[i]);
	ck_assert_uint_eq(stored_count(h), before + 2);
	ck_assert_str_eq(store_unhealthy(h), "");
	harness_close(h);
}
END_TEST

START_TEST(test_a_failed_transaction_is_tried_again)
{
	struct harness *h = open_store();
	run_by_hand("CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'x' USING "
	            "ERRCODE = '40P01'; END $$;CREATE TRIGGER t BEFORE INSERT ON webhook_events FOR EACH ROW EXECUTE "
	            "FUNCTION fail()");
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "40P01"));
	run_by_hand("DROP TRIGGER t ON webhook_events");
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_uint_eq(store_audit_rows(h), 1);
	harness_close(h);
}
END_TEST

START_TEST(test_a_statement_that_waits_too_long_is_tried_again)
{
	struct harness *h = open_with("statement_timeout=100ms", NULL);
	PGconn *pg = connect_by_hand();
	run_on(pg,
	       "BEGIN; INSERT INTO webhook_events (message_id, payload, digest, request_id, received_at) VALUES ('id', '', decode(repeat('00', 32), 'hex'), 'r', now())");
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "57014"));
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_connections_cut_while_idle_are_not_lent)
{
	struct harness *h = open_with("pool.min=3", NULL);
	WAIT_FOR(store_gauge(h, "db_pool_connections", "idle") == 3);
	run_by_hand("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'sluice'");
	for (int i = 0; i < 5; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "x"), SLUICE_PASS);
	}
	ck_assert_uint_eq(store_audit_rows(h), 5);
	harness_close(h);
}
END_TEST

/*
 * Between the stage and the server: passes everything on. While `cut_commits` is above 0 it lets a COMMIT through to
 * the server, waits for the answer, and cuts the connection instead of passing it on.
 */
struct proxy {
	pthread_t thread;
	int listener;
	int port, server_port;
	atomic_int cut_commits;
	atomic_bool stopping;
};

struct link {
	struct proxy *proxy;
	int client, server;
};

static bool pass_on(int from, int to, char *data, ssize_t *size_out)
{
	*size_out = read(from, data, 65536);
	for (ssize_t at = 0; at < *size_out;) {
		ssize_t written = write(to, data + at, (size_t)(*size_out - at));
		if (written <= 0)
			return false;
		at += written;
	}
	return *size_out > 0;
}

static void *serve_link(void *context)
{
	struct link *link = context;
	char *data = malloc(65536);
	struct pollfd ends[] = {{.fd = link->client, .events = POLLIN}, {.fd = link->server, .events = POLLIN}};
	bool open = true;
	while (open && !atomic_load(&link->proxy->stopping)) {
		ssize_t size = 0;
		if (poll(ends, 2, 20) <= 0)
			continue;
		if (ends[0].revents) {
			open = pass_on(link->client, link->server, data, &size);
			if (open && memmem(data, (size_t)size, "COMMIT", 6) &&
			    atomic_load(&link->proxy->cut_commits) > 0) {
				atomic_fetch_sub(&link->proxy->cut_commits, 1);
				open = read(link->server, data, 65536) < 0;
			}
		} else if (ends[1].revents) {
			open = pass_on(link->server, link->client, data, &size);
		}
	}
	(void)close(link->client);
	(void)close(link->server);
	free(data);
	free(link);
	return NULL;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int listen_somewhere(int *port_out)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	*port_out = ntohs(address.sin_port);
	return listener;
}

static void *accept_links(void *context)
{
	struct proxy *proxy = context;
	struct pollfd listener = {.fd = proxy->listener, .events = POLLIN};
	while (!atomic_load(&proxy->stopping)) {
		if (poll(&listener, 1, 20) <= 0)
			continue;
		pthread_t thread;
		struct link *link = malloc(sizeof(*link));
		struct sockaddr_in address = loopback(proxy->server_port);
		*link = (struct link){.proxy = proxy, .client = accept(proxy->listener, NULL, NULL)};
		link->server = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(link->server, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		    pthread_create(&thread, NULL, serve_link, link) != 0)
			abort();
		(void)pthread_detach(thread);
	}
	return NULL;
}

static int port_of_server(void)
{
	int port = 0;
	ck_assert_int_eq(sscanf(strrchr(server.url, ':'), ":%d", &port), 1);
	return port;
}

static void start_proxy(struct proxy *proxy, char option[300])
{
	*proxy = (struct proxy){.server_port = port_of_server()};
	proxy->listener = listen_somewhere(&proxy->port);
	ck_assert_int_eq(pthread_create(&proxy->thread, NULL, accept_links, proxy), 0);
	(void)snprintf(option, 300, "url=postgresql://sluice:%s@127.0.0.1:%d/sluice", server.password, proxy->port);
}

static void stop_proxy(struct proxy *proxy)
{
	atomic_store(&proxy->stopping, true);
	(void)pthread_join(proxy->thread, NULL);
	(void)close(proxy->listener);
}

START_TEST(test_a_commit_whose_answer_was_lost_is_stored_once)
{
	static struct proxy lasting; /* its links may outlive the test's end by a moment */
	struct proxy *proxy = &lasting;
	char option[300];
	start_proxy(proxy, option);
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, "postgres", (const char *[]){option, NULL});
	ck_assert_int_eq(store_one(h, "before", "s", "x"), SLUICE_PASS);
	atomic_store(&proxy->cut_commits, 1);
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM webhook_events"), 2);
	event->attempt = 2;
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "after", "s", "x"), SLUICE_PASS);
	ck_assert_uint_eq(stored_count(h), 3);
	ck_assert_uint_eq(store_audit_rows(h), 3);
	harness_close(h);
	stop_proxy(proxy);
}
END_TEST

START_TEST(test_a_killed_server_is_survived)
{
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "before", "s", "x"), SLUICE_PASS);
	postgres_kill(&server);
	int64_t start_ns = clock_now_ns();
	struct sluice_event *event = store_event(h, "id", "s", "x");
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	ck_assert_int_eq(harness_status(event), 503);
	WAIT_FOR(store_unhealthy(h)[0]);
	ck_assert_ptr_nonnull(strstr(store_unhealthy(h), "cannot connect to PostgreSQL"));
	ck_assert_ptr_null(strstr(store_unhealthy(h), server.password));
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY); /* at once, not after pool.connect_timeout */
	ck_assert_int_lt(clock_now_ns() - start_ns, 3 * NS_PER_S);
	postgres_restart(&server, "");
	WAIT_FOR(!store_unhealthy(h)[0]); /* without any traffic */
	event->attempt = 3;
	ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	ck_assert_uint_eq(stored_count(h), 2);
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

static const char *const no_server_urls[] = {
	"postgresql://user:sEcReT@127.0.0.1:1/db",
	"host=127.0.0.1 port=1 user=u password=sEcReT",
};

START_TEST(test_without_a_server_the_start_fails_with_a_sentence)
{
	char option[300];
	struct sluice_error error = {0};
	(void)snprintf(option, sizeof(option), "url=%s", no_server_urls[_i]);
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "cannot connect to PostgreSQL: ") != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_nonnull(strstr(error.text, "127.0.0.1"));
	ck_assert_ptr_null(strstr(error.text, "sEcReT"));
}
END_TEST

START_TEST(test_a_server_that_says_nothing_holds_nobody)
{
	int port;
	char option[300];
	int listener = listen_somewhere(&port);
	(void)snprintf(option, sizeof(option), "url=postgresql://u:sEcReT@127.0.0.1:%d/db", port);
	struct sluice_error error = {0};
	int64_t start_ns = clock_now_ns();
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres",
	                               (const char *[]){option, "pool.connect_timeout=200ms", NULL}, &error));
	ck_assert_int_lt(clock_now_ns() - start_ns, 2 * NS_PER_S);
	ck_assert_msg(strstr(error.text, "pool.connect_timeout") != NULL, "said \"%s\"", error.text);
	(void)close(listener);
}
END_TEST

static const struct {
	const char *options[4];
	const char *words;
} bad_configs[] = {
	{{"url=postgresql://u:sEcReT@[::1/db", NULL}, "url: neither"},
	{{"url=host=x sEcReT", NULL}, "url: neither"},
	{{"url=postgresql://u:sEcReT@127.0.0.1/db?what=1", NULL}, "url: neither"},
	{{"url=host=x password=sEcReT", "pool.min=5", "pool.max=4", NULL}, "pool.min: expected at most pool.max (4"},
};

START_TEST(test_a_bad_configuration_is_refused_without_its_secret)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres", bad_configs[_i].options, &error));
	ck_assert_msg(strstr(error.text, bad_configs[_i].words) != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_null(strstr(error.text, "sEcReT"));
}
END_TEST

START_TEST(test_a_wrong_password_is_said_and_not_shown)
{
	char option[300];
	(void)snprintf(option, sizeof(option), "url=postgresql://sluice:sEcReT@127.0.0.1:%d/sluice", port_of_server());
	struct sluice_error error = {0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "password authentication failed") != NULL, "said \"%s\"", error.text);
	ck_assert_ptr_null(strstr(error.text, "sEcReT"));
}
END_TEST

START_TEST(test_a_server_that_does_not_keep_what_it_commits_is_refused)
{
	struct sluice_error error = {0};
	run_by_hand("ALTER DATABASE sluice SET synchronous_commit = off");
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "durability: relaxed") != NULL, "said \"%s\"", error.text);
	run_by_hand("ALTER DATABASE sluice RESET synchronous_commit");

	postgres_restart(&server, "full_page_writes=off");
	error = (struct sluice_error){0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "full_page_writes=off") != NULL, "said \"%s\"", error.text);
	postgres_restart(&server, "full_page_writes=on");

	postgres_restart(&server, "fsync=off");
	error = (struct sluice_error){0};
	ck_assert_ptr_null(harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "fsync=off") != NULL, "said \"%s\"", error.text);
	struct harness *h = open_with("durability=relaxed", NULL);
	ck_assert_int_eq(store_one(h, "id", "s", "x"), SLUICE_PASS);
	harness_close(h);
	postgres_restart(&server, "fsync=on");
}
END_TEST

START_TEST(test_the_audit_trail_only_grows)
{
	static const char *const attempts[] = {
		"UPDATE webhook_audit_trail SET written_at = now()",
		"DELETE FROM webhook_audit_trail",
		"TRUNCATE webhook_audit_trail",
		"SET session_replication_role = replica; DELETE FROM webhook_audit_trail",
		("INSERT INTO webhook_audit_trail SELECT * FROM webhook_audit_trail ON CONFLICT (writer, position) DO UPDATE SET written_at = now()"),
	};
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_PASS);
	PGconn *pg = connect_by_hand();
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		PGresult *result = PQexec(pg, attempts[i]);
		ck_assert_msg(PQresultStatus(result) == PGRES_FATAL_ERROR, "went through: %s", attempts[i]);
		ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(result), "append-only"));
		PQclear(result);
	}
	PQfinish(pg);
	ck_assert_uint_eq(store_audit_rows(h), 2);
	harness_close(h);
}
END_TEST

START_TEST(test_each_connection_writes_a_chain_whose_head_is_logged)
{
	free(harness_take_log());
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_int_eq(store_one(h, "2", "s", "x"), SLUICE_PASS);
	harness_close(h);
	char *log = harness_take_log();
	h = open_store();
	ck_assert_int_eq(store_one(h, "3", "s", "x"), SLUICE_PASS);
	struct audit_result result = store_audit(h);
	ck_assert_uint_eq(result.violation_count, 0);
	ck_assert_uint_eq(result.head_count, 2);
	bool logged = false;
	for (size_t i = 0; i < result.head_count; i++) {
		char line[128];
		(void)snprintf(line, sizeof(line), "audit_head writer=%s position=2 hash=%02x%02x",
		               result.heads[i].writer, result.heads[i].hash[0], result.heads[i].hash[1]);
		logged = logged || strstr(log, line) != NULL;
	}
	ck_assert_msg(logged, "log: %s", log);
	audit_result_finish(&result);
	free(log);
	harness_close(h);
}
END_TEST

struct opener {
	pthread_t thread;
	struct harness *h;
	struct sluice_error error;
};

static void *open_at_once(void *context)
{
	struct opener *opener = context;
	opener->h = harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){url_option, NULL}, &opener->error);
	return NULL;
}

START_TEST(test_many_may_start_on_an_empty_database_at_once)
{
	enum { OPENERS = 6 };
	struct opener openers[OPENERS] = {0};
	for (int i = 0; i < OPENERS; i++)
		ck_assert_int_eq(pthread_create(&openers[i].thread, NULL, open_at_once, &openers[i]), 0);
	for (int i = 0; i < OPENERS; i++)
		(void)pthread_join(openers[i].thread, NULL);
	for (int i = 0; i < OPENERS; i++) {
		ck_assert_msg(openers[i].h != NULL, "%s", openers[i].error.text);
		harness_close(openers[i].h);
	}
}
END_TEST

static void expect_refused(const char *option, const char *words)
{
	struct sluice_error error = {0};
	ck_assert_ptr_null(
		harness_try(SLUICE_KIND_PERSIST, "postgres", (const char *[]){url_option, option, NULL}, &error));
	ck_assert_msg(strstr(error.text, words) != NULL, "said \"%s\"", error.text);
}

START_TEST(test_another_schema_is_refused)
{
	harness_close(open_store());
	expect_refused("payload_type=jsonb", "webhook_events.payload is bytea, not jsonb");
	run_by_hand("UPDATE webhook_schema SET version = 9");
	expect_refused(NULL, "version 9 and this Sluice knows up to 1");
	empty_database();
	run_by_hand("CREATE TABLE webhook_events (x int)");
	expect_refused(NULL, "already exists");
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 1);
}
END_TEST

START_TEST(test_tables_that_are_gone_are_named_and_the_way_out_holds)
{
	struct sluice_error error = {0};
	harness_close(open_store());
	run_by_hand("ALTER TABLE webhook_events RENAME payload TO body");
	expect_refused(NULL, "url: webhook_events has no column payload: restore the table from a backup");
	run_by_hand("DROP TABLE webhook_dead_letters");
	expect_refused(NULL, "these do not exist: webhook_dead_letters; restore them from a backup or");
	run_by_hand("DROP TABLE webhook_events, webhook_audit_trail");
	expect_refused(NULL, "these do not exist: webhook_events, webhook_audit_trail, webhook_dead_letters;");
	ck_assert_ptr_null(
		harness_try_read_only(SLUICE_KIND_PERSIST, "postgres", (const char *[]){url_option, NULL}, &error));
	ck_assert_msg(strstr(error.text, "do not exist: webhook_events,") != NULL, "said \"%s\"", error.text);
	run_by_hand("DROP TABLE webhook_schema");
	struct harness *h = open_store();
	ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	harness_close(h);
}
END_TEST

/* A role that owns nothing; its url is in `option`. */
static void make_role(char option[300])
{
	run_by_hand("CREATE ROLE app LOGIN PASSWORD 'app'");
	(void)snprintf(option, 300, "url=postgresql://app:app@127.0.0.1:%d/sluice", port_of_server());
}

static void drop_role(void)
{
	run_by_hand("DROP OWNED BY app CASCADE; DROP ROLE app");
}

/* Opens the store, running each GRANT that a refusal asks for. The sentences, joined, are in `said`. */
static struct harness *open_granting(const char *const *options, bool read_only, char said[2000])
{
	static const char lead[] = "url: the database role lacks rights; have an owner or a superuser run: ";
	said[0] = '\0';
	for (int i = 0; i < 5; i++) {
		struct sluice_error error = {0};
		struct harness *h = (read_only ? harness_try_read_only : harness_try)(SLUICE_KIND_PERSIST, "postgres",
		                                                                      options, &error);
		if (h)
			return h;
		ck_assert_msg(strncmp(error.text, lead, strlen(lead)) == 0, "said \"%s\"", error.text);
		(void)snprintf(said + strlen(said), 2000 - strlen(said), "%s\n", error.text + strlen(lead));
		run_by_hand(error.text + strlen(lead));
	}
	ck_abort_msg("no end of grants:\n%s", said);
}

static const struct {
	bool made; /* the tables exist */
	bool read_only;
	const char *option, *said;
} grants[] = {
	{false, false, NULL, "GRANT USAGE, CREATE ON SCHEMA public TO app\n"},
	{false, false, "schema=own", "GRANT CREATE ON DATABASE sluice TO app\n"},
	{true, false, NULL,
         "GRANT USAGE, CREATE ON SCHEMA public TO app\n"
         "GRANT SELECT, INSERT ON public.webhook_events TO app; GRANT SELECT, INSERT ON public.webhook_dead_letters TO app; "
         "GRANT SELECT ON public.webhook_schema TO app; GRANT INSERT ON public.webhook_audit_trail TO app\n"},
	{true, true, "schema=public",
         "GRANT USAGE ON SCHEMA public TO app\n"
         "GRANT SELECT ON public.webhook_schema TO app; GRANT SELECT ON public.webhook_events TO app; "
         "GRANT SELECT ON public.webhook_audit_trail TO app\n"},
};

START_TEST(test_rights_that_are_missing_are_said_as_grants_that_suffice)
{
	char option[300], said[2000];
	make_role(option);
	if (grants[_i].made)
		harness_close(open_store());
	struct harness *h = open_granting((const char *[]){option, grants[_i].option, NULL}, grants[_i].read_only,
	                                  said);
	ck_assert_str_eq(said, grants[_i].said);
	if (!grants[_i].read_only)
		ck_assert_int_eq(store_one(h, "1", "s", "x"), SLUICE_PASS);
	ck_assert_uint_eq(stored_count(h), grants[_i].read_only ? 0 : 1);
	harness_close(h);
	drop_role();
}
END_TEST

START_TEST(test_what_is_taken_away_from_a_running_store_is_said)
{
	static const struct {
		const char *take, *words, *give;
	} cases[] = {
		{"REVOKE INSERT ON webhook_audit_trail FROM app",
	         "PostgreSQL could not commit: url: the database role lacks rights; have an owner or a superuser run: "
	         "GRANT INSERT ON public.webhook_audit_trail TO app",
	         "GRANT INSERT ON webhook_audit_trail TO app"},
		{"ALTER TABLE webhook_events RENAME TO gone", "these do not exist: webhook_events;",
	         "ALTER TABLE gone RENAME TO webhook_events"},
	};
	char option[300], said[2000];
	make_role(option);
	harness_close(open_store());
	struct harness *h = open_granting((const char *[]){option, NULL}, false, said);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sluice_event *event = store_event(h, i ? "2" : "1", "s", "x");
		run_by_hand(cases[i].take);
		ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
		ck_assert_msg(strstr(harness_detail(event), cases[i].words) != NULL, "said \"%s\"",
		              harness_detail(event));
		run_by_hand(cases[i].give);
		ck_assert_int_eq(harness_process(h, event), SLUICE_PASS);
		harness_settle(h, event, SLUICE_PASS);
	}
	harness_close(h);
	drop_role();
}
END_TEST

START_TEST(test_read_only_sees_one_moment_and_changes_nothing)
{
	struct harness *writer = open_store();
	ck_assert_int_eq(store_one(writer, "1", "s", "x"), SLUICE_PASS);
	struct harness *reader = harness_open_read_only(SLUICE_KIND_PERSIST, "postgres",
	                                                (const char *[]){url_option, NULL});
	ck_assert_int_eq(store_one(writer, "2", "s", "x"), SLUICE_PASS);
	ck_assert_uint_eq(stored_count(reader), 1);
	ck_assert_uint_eq(store_audit_rows(reader), 1);
	ck_assert_uint_eq(stored_count(writer), 2);
	harness_close(reader);

	empty_database();
	struct sluice_stage stage = {.host = writer->stage.host,
	                             .ops = writer->stage.ops,
	                             .config = writer->stage.config,
	                             .read_only = true};
	struct sluice_error error = {0};
	ck_assert(!stage.ops->create(&stage, &error));
	ck_assert_msg(strstr(error.text, "version 0 instead of 1") != NULL, "said \"%s\"", error.text);
	ck_assert_int_eq(ask_by_hand("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 0);
	harness_close(writer);
}
END_TEST

static bool stop_after_two(void *context, const struct sluice_record *record)
{
	(void)record;
	return ++*(size_t *)context < 2;
}

START_TEST(test_a_scan_goes_on_from_an_id_and_ends_early_when_told)
{
	struct harness *h = open_store();
	for (int i = 0; i < 5; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "%d", i);
		ck_assert_int_eq(store_one(h, id, "s", "x"), SLUICE_PASS);
	}
	struct sluice_error error = {0};
	size_t count = 0;
	ck_assert(h->ops->of.persist->scan(&h->stage, 0, stop_after_two, &count, &error));
	ck_assert_uint_eq(count, 2);
	struct store_image image = stored_read(h);
	count = 0;
	ck_assert(h->ops->of.persist->scan(&h->stage, image.records[3].id, stop_after_two, &count, &error));
	ck_assert_uint_eq(count, 1);
	stored_free(&image);
	harness_close(h);
}
END_TEST

START_TEST(test_a_dead_letter_is_kept_once_whatever_is_in_it)
{
	struct harness *h = open_with("payload_type=jsonb", NULL);
	struct sluice_event *event = store_event(h, "id", "s", "{\"x\":\"\\u0000\"}");
	ck_assert_int_eq(harness_process(h, event), SLUICE_FAIL);
	struct sluice_error error = {0};
	for (int i = 0; i < 2; i++)
		ck_assert_msg(h->ops->of.persist->dead_letter(&h->stage, event, "the reason", &error), "%s",
		              error.text);
	harness_free(event);
	ck_assert_int_eq(
		ask_by_hand(
			"SELECT count(*) FROM webhook_dead_letters WHERE message_id = 'id' AND reason = 'the reason' AND payload = '{\"x\":\"\\\\u0000\"}'"),
		1);
	harness_close(h);
}
END_TEST

struct hammer {
	pthread_t thread;
	struct harness *h;
	const char *prefix; /* NULL: all threads send the same ids */
	int number, count;
	atomic_bool *stop;
	size_t passed, failed;
	char (*ids)[24]; /* of what passed */
};

static void *hammer(void *context)
{
	struct hammer *own = context;
	for (int i = 0; i < own->count && !(own->stop && atomic_load(own->stop)); i++) {
		char id[24];
		(void)snprintf(id, sizeof(id), "%d-%d", own->prefix ? own->number : 0, i);
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

START_TEST(test_many_threads_with_the_same_ids_store_each_once)
{
	enum { THREADS = 8, EVENTS = 50 };
	struct harness *h = open_with("pool.max=4", NULL);
	struct hammer hammers[THREADS];
	size_t passed = 0;
	for (int i = 0; i < THREADS; i++) {
		hammers[i] = (struct hammer){.h = h, .number = i, .count = EVENTS};
		ck_assert_int_eq(pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(hammers[i].thread, NULL);
		passed += hammers[i].passed;
		ck_assert_uint_eq(hammers[i].failed, 0);
	}
	ck_assert_uint_eq(passed, EVENTS);
	ck_assert_uint_eq(stored_count(h), EVENTS);
	ck_assert_uint_eq(store_audit_rows(h), EVENTS);
	ck_assert_double_le(store_gauge(h, "db_pool_connections", "idle"), 4);
	harness_close(h);
}
END_TEST

START_TEST(test_what_passed_is_there_after_the_server_was_killed_under_load)
{
	enum { THREADS = 6, EVENTS = 3000, KILLS = 3 };
	struct harness *h = open_store();
	struct hammer hammers[THREADS];
	atomic_bool stop = false;
	for (int i = 0; i < THREADS; i++) {
		hammers[i] = (struct hammer){.h = h, .number = i, .count = EVENTS, .prefix = "own", .stop = &stop};
		hammers[i].ids = calloc(EVENTS, sizeof(*hammers[i].ids));
		ck_assert_int_eq(pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]), 0);
	}
	for (int i = 0; i < KILLS; i++) {
		int before = ask_by_hand("SELECT count(*) FROM webhook_events");
		WAIT_FOR(ask_by_hand("SELECT count(*) FROM webhook_events") > before + 50);
		postgres_kill(&server);
		postgres_restart(&server, "");
	}
	int before = ask_by_hand("SELECT count(*) FROM webhook_events");
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM webhook_events") > before + 20);
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(hammers[i].thread, NULL);
	struct store_image image = stored_read(h);
	size_t lost = 0, passed = 0;
	for (int i = 0; i < THREADS; i++) {
		for (size_t j = 0; j < hammers[i].passed; j++)
			lost += !stored_find(&image, hammers[i].ids[j]);
		passed += hammers[i].passed;
		ck_assert_uint_eq(hammers[i].failed, 0);
		free(hammers[i].ids);
	}
	ck_assert_uint_gt(passed, 150);
	ck_assert_uint_eq(lost, 0);
	ck_assert_uint_ge(image.count, passed);
	stored_free(&image);
	(void)store_audit_rows(h);
	harness_close(h);
}
END_TEST

struct waiter {
	pthread_t thread;
	struct harness *h;
	struct sluice_event *event;
	enum sluice_verdict verdict;
};

static void *process_one(void *context)
{
	struct waiter *waiter = context;
	waiter->verdict = harness_process(waiter->h, waiter->event);
	return NULL;
}

START_TEST(test_who_waits_for_a_connection_waits_no_longer_than_its_sender)
{
	struct harness *h = open_with("pool.min=1", "pool.max=1");
	PGconn *pg = connect_by_hand();
	run_on(pg, "BEGIN; LOCK TABLE webhook_events");
	struct waiter holder = {.h = h, .event = store_event(h, "1", "s", "x")};
	ck_assert_int_eq(pthread_create(&holder.thread, NULL, process_one, &holder), 0);
	WAIT_FOR(store_gauge(h, "db_pool_connections", "busy") == 1);

	struct sluice_event *event = store_event(h, "2", "t", "x");
	event->deadline_ns = clock_now_ns() + 100 * NS_PER_MS;
	int64_t start_ns = clock_now_ns();
	ck_assert_int_eq(harness_process(h, event), SLUICE_RETRY);
	int64_t waited_ns = clock_now_ns() - start_ns;
	ck_assert_int_ge(waited_ns, 90 * NS_PER_MS);
	ck_assert_int_lt(waited_ns, 1000 * NS_PER_MS);
	ck_assert_int_ge(harness_span_ns(event, 0), 90 * NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "busy"));
	ck_assert_str_eq(store_unhealthy(h), "");

	struct waiter acknowledged = {.h = h, .event = event};
	event->acknowledged = true;
	ck_assert_int_eq(pthread_create(&acknowledged.thread, NULL, process_one, &acknowledged), 0);
	struct waiter unawaited = {.h = h, .event = store_event(h, "3", "u", "x")};
	unawaited.event->deadline_ns = 0; /* nobody waits for the answer */
	ck_assert_int_eq(pthread_create(&unawaited.thread, NULL, process_one, &unawaited), 0);
	WAIT_FOR(store_gauge(h, "db_pool_connections", "waiting") == 2);
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	(void)pthread_join(holder.thread, NULL);
	(void)pthread_join(acknowledged.thread, NULL);
	(void)pthread_join(unawaited.thread, NULL);
	ck_assert_int_eq(holder.verdict, SLUICE_PASS);
	ck_assert_int_eq(acknowledged.verdict, SLUICE_PASS);
	ck_assert_int_eq(unawaited.verdict, SLUICE_PASS);
	harness_settle(h, unawaited.event, SLUICE_PASS);
	harness_settle(h, holder.event, SLUICE_PASS);
	harness_settle(h, event, SLUICE_PASS);
	harness_close(h);
}
END_TEST

START_TEST(test_the_pool_grows_while_somebody_waits_and_shrinks_again)
{
	enum { WAITERS = 5 };
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, "postgres",
	                                 (const char *[]){url_option, "pool.min=1", "pool.idle_timeout=100ms", NULL});
	ck_assert_double_eq(store_gauge(h, "db_pool_connections", "idle"), 1);
	PGconn *pg = connect_by_hand();
	run_on(pg, "BEGIN; LOCK TABLE webhook_events");
	struct waiter waiters[WAITERS];
	for (int i = 0; i < WAITERS; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "%d", i);
		waiters[i] = (struct waiter){.h = h, .event = store_event(h, id, NULL, "x")};
		ck_assert_int_eq(pthread_create(&waiters[i].thread, NULL, process_one, &waiters[i]), 0);
	}
	WAIT_FOR(store_gauge(h, "db_pool_connections", "busy") == WAITERS);
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	for (int i = 0; i < WAITERS; i++) {
		(void)pthread_join(waiters[i].thread, NULL);
		ck_assert_int_eq(waiters[i].verdict, SLUICE_PASS);
		harness_settle(h, waiters[i].event, SLUICE_PASS);
	}
	WAIT_FOR(store_gauge(h, "db_pool_connections", "idle") == 1);
	WAIT_FOR(ask_by_hand("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice'") == 1);
	ck_assert_uint_eq(store_audit_rows(h), WAITERS);
	harness_close(h);
}
END_TEST

START_TEST(test_a_server_without_room_for_more_connections_is_lived_with)
{
	enum { WAITERS = 3 };
	char option[300];
	run_by_hand(
		"CREATE ROLE limited LOGIN PASSWORD 'sEcReT' CONNECTION LIMIT 2;GRANT CREATE, USAGE ON SCHEMA public TO limited");
	(void)snprintf(option, sizeof(option), "url=postgresql://limited:sEcReT@127.0.0.1:%d/sluice", port_of_server());
	struct harness *h = harness_open(SLUICE_KIND_PERSIST, "postgres", (const char *[]){option, "pool.min=1", NULL});
	PGconn *pg = connect_by_hand();
	run_on(pg, "BEGIN; LOCK TABLE webhook_events");
	struct waiter waiters[WAITERS];
	for (int i = 0; i < WAITERS; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "%d", i);
		waiters[i] = (struct waiter){.h = h, .event = store_event(h, id, NULL, "x")};
		ck_assert_int_eq(pthread_create(&waiters[i].thread, NULL, process_one, &waiters[i]), 0);
	}
	WAIT_FOR(strstr(store_unhealthy(h), "too many connections"));
	run_on(pg, "ROLLBACK");
	PQfinish(pg);
	for (int i = 0; i < WAITERS; i++) {
		(void)pthread_join(waiters[i].thread, NULL);
		ck_assert_int_eq(waiters[i].verdict, SLUICE_PASS);
		harness_settle(h, waiters[i].event, SLUICE_PASS);
	}
	WAIT_FOR(!store_unhealthy(h)[0]);
	harness_close(h);
}
END_TEST

static TCase *add_group(Suite *suite, const char *name)
{
	TCase *group = tcase_create(name);
	tcase_add_unchecked_fixture(group, start_server, stop_server);
	tcase_add_checked_fixture(group, empty_database, NULL);
	tcase_set_timeout(group, 60);
	suite_add_tcase(suite, group);
	return group;
}

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static Suite *suite(void)
{
	Suite *s = suite_create("persist/postgres");
	TCase *rows = add_group(s, "rows");
	tcase_add_test(rows, test_a_new_event_is_stored_as_it_is);
	tcase_add_test(rows, test_what_an_event_lacks_stays_absent);
	tcase_add_test(rows, test_same_id_same_content_is_a_duplicate_and_other_content_a_conflict);
	tcase_add_test(rows, test_a_retried_event_that_is_stored_already_was_accepted);
	tcase_add_test(rows, test_a_nul_in_an_id_is_refused_and_cuts_nothing_off);
	tcase_add_test(rows, test_json_keeps_the_exact_bytes_and_jsonb_says_that_it_does_not);
	tcase_add_loop_test(rows, test_a_row_that_the_database_refuses_fails_alone, 0, COUNT(refusals));
	tcase_add_test(rows, test_a_scan_goes_on_from_an_id_and_ends_early_when_told);
	tcase_add_test(rows, test_a_dead_letter_is_kept_once_whatever_is_in_it);
	tcase_add_test(rows, test_many_threads_with_the_same_ids_store_each_once);
	tcase_add_test(rows, test_the_audit_trail_only_grows);
	tcase_add_test(rows, test_each_connection_writes_a_chain_whose_head_is_logged);
	tcase_add_test(rows, test_many_may_start_on_an_empty_database_at_once);
	tcase_add_test(rows, test_another_schema_is_refused);
	tcase_add_test(rows, test_tables_that_are_gone_are_named_and_the_way_out_holds);
	tcase_add_loop_test(rows, test_rights_that_are_missing_are_said_as_grants_that_suffice, 0,
	                    sizeof(grants) / sizeof(grants[0]));
	tcase_add_test(rows, test_what_is_taken_away_from_a_running_store_is_said);
	tcase_add_test(rows, test_read_only_sees_one_moment_and_changes_nothing);
	tcase_add_loop_test(rows, test_a_bad_configuration_is_refused_without_its_secret, 0, COUNT(bad_configs));
	tcase_add_loop_test(rows, test_without_a_server_the_start_fails_with_a_sentence, 0, COUNT(no_server_urls));
	tcase_add_test(rows, test_a_server_that_says_nothing_holds_nobody);
	tcase_add_test(rows, test_a_wrong_password_is_said_and_not_shown);

	TCase *trouble = add_group(s, "trouble");
	tcase_add_test(trouble, test_a_failed_transaction_is_tried_again);
	tcase_add_test(trouble, test_a_statement_that_waits_too_long_is_tried_again);
	tcase_add_test(trouble, test_connections_cut_while_idle_are_not_lent);
	tcase_add_test(trouble, test_a_commit_whose_answer_was_lost_is_stored_once);
	tcase_add_test(trouble, test_who_waits_for_a_connection_waits_no_longer_than_its_sender);
	tcase_add_test(trouble, test_the_pool_grows_while_somebody_waits_and_shrinks_again);
	tcase_add_test(trouble, test_a_server_without_room_for_more_connections_is_lived_with);
	tcase_add_test(trouble, test_a_server_that_does_not_keep_what_it_commits_is_refused);
	tcase_add_test(trouble, test_a_killed_server_is_survived);
	tcase_add_test(trouble, test_what_passed_is_there_after_the_server_was_killed_under_load);
	return s;
}

UNIT_SUITE(test_persist_postgres, suite)
