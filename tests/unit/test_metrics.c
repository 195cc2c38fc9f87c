/*
 * What the service shows of itself: metrics, statistics, health and the other answers of the admin listener, with a real
 * pipeline behind it.
 */
#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"
#include "serve/admin.h"
#include "serve/metrics.h"
#include "serve/server.h"
#include "support/scratch.h"
#include "support/unit.h"
#include "support/wire.h"

static char directory[SCRATCH_SIZE];
static char file[128];
static struct config *config;
static struct pipeline *pipeline;
static struct service service;
static struct server *server;
static struct admin *admin;
static int port, admin_port;
static struct wire_answer answer;

static void write_pipeline(void)
{
	scratch_folder(directory);
	(void)snprintf(file, sizeof(file), "%s/pipeline.yaml", directory);
	FILE *out = fopen(file, "w");
	(void)fprintf(out,
	              "pipeline: 'me\"trics'\n"
	              "listen: { port: 0 }\n"
	              "admin: { port: 0 }\n"
	              "stages:\n"
	              "  - auth: none\n"
	              "  - parse: json\n"
	              "  - idempotency: memory\n"
	              "  - queue: memory\n"
	              "    workers: 3\n"
	              "  - persist: sqlite\n"
	              "    path: %s/events.db\n",
	              directory);
	(void)fclose(out);
}

static void start_listeners(void)
{
	struct sluice_error error = {0};
	char url[LISTENER_URL_SIZE];
	log_setup(SLUICE_LOG_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
	write_pipeline();
	struct config_request request = {.file = file, .stage_path = TEST_BUILD_DIR "/stages"};
	config = config_load(&request, &error);
	ck_assert_msg(config != NULL, "%s", error.text);
	pipeline = pipeline_create(config, &error);
	ck_assert_msg(pipeline != NULL, "%s", error.text);
	service_init(&service, pipeline, NULL);
	admin = admin_start(&service, &error);
	ck_assert_msg(admin != NULL, "%s", error.text);
	server = server_start(&service, &error);
	ck_assert_msg(server != NULL, "%s", error.text);
	server_get_url(server, url);
	port = wire_port(url);
	admin_get_url(admin, url);
	admin_port = wire_port(url);
}

static void stop_listeners(void)
{
	char command[128];
	ck_assert_uint_eq(server_stop(server, clock_now_ns() + 5 * NS_PER_S), 0);
	admin_stop(admin);
	pipeline_destroy(pipeline);
	service_finish(&service);
	server_free(server);
	config_free(config);
	(void)snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

/* Sends one event and waits until its lineage is there, which comes after the answer. */
static void send_event(const char *id, int status)
{
	char body[256], field[128];
	struct lineage_entry entry;
	static int number;
	int fd = wire_connect(port);
	(void)snprintf(body, sizeof(body), "{\"messageId\":\"%s\",\"eventType\":\"t\",\"payload\":{}}", id);
	(void)snprintf(field, sizeof(field), "X-Request-Id: request-%d\r\n", ++number);
	wire_post(fd, "/webhooks", field, body, strlen(body));
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, status);
	(void)snprintf(field, sizeof(field), "request-%d", number);
	int64_t until_ns = clock_now_ns() + 5 * NS_PER_S;
	while (!lineage_find(service.lineage, field, strlen(field), &entry))
		ck_assert_int_lt(clock_now_ns(), until_ns);
	(void)close(fd);
}

static void get(const char *path, const char *fields)
{
	char request[512];
	int fd = wire_connect(admin_port);
	(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n",
	               path, fields);
	wire_say(fd, request);
	wire_read(fd, &answer);
	(void)close(fd);
}

static json_t *get_document(const char *path, int status)
{
	get(path, "");
	ck_assert_int_eq(answer.status, status);
	json_t *document = json_loadb(answer.body, answer.body_size, 0, NULL);
	ck_assert_ptr_nonnull(document);
	return document;
}

/* The value of a sample, named with its labels; -1 if it is not there. */
static double sample(const char *name)
{
	size_t length = strlen(name);
	for (const char *line = answer.body; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return strtod(line + length, NULL);
	}
	return -1;
}

START_TEST(test_metrics_count_what_happened)
{
	char type[256];
	send_event("a", 202);
	send_event("a", 200);
	send_event("b", 202);
	get("/metrics", "");
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(wire_header(&answer, "Content-Type", type), METRICS_CONTENT_TYPE);
	ck_assert_double_eq(sample("webhook_requests_total{status=\"202\"}"), 2);
	ck_assert_double_eq(sample("webhook_requests_total{status=\"200\"}"), 1);
	ck_assert_double_eq(sample("webhook_events_total{outcome=\"accepted\"}"), 2);
	ck_assert_double_eq(sample("webhook_events_total{outcome=\"duplicate\"}"), 1);
	ck_assert_double_eq(sample("webhook_events_total{outcome=\"conflict\"}"), 0);
	ck_assert_double_eq(sample("webhook_http_latency_by_stage_ms_count{stage=\"total\"}"), 3);
	ck_assert_double_eq(sample("webhook_http_latency_by_stage_ms_count{stage=\"respond\"}"), 3);
	ck_assert_double_eq(sample("webhook_http_latency_by_stage_ms_count{stage=\"persist\"}"), 2);
	ck_assert_double_eq(sample("webhook_http_latency_by_stage_ms_bucket{stage=\"auth\",le=\"+Inf\"}"), 3);
	ck_assert_double_eq(sample("webhook_http_latency_by_stage_ms_bucket{stage=\"auth\",le=\"2000\"}"), 3);
	ck_assert_double_gt(sample("webhook_http_latency_by_stage_ms_sum{stage=\"total\"}"), 0);
	ck_assert_double_eq(sample("webhook_db_latency_ms_count{operation=\"commit\"}"), 2);
	ck_assert_double_ge(sample("webhook_worker_utilization{worker_id=\"2\"}"), 0);
	ck_assert_double_eq(sample("webhook_worker_utilization{worker_id=\"3\"}"), -1);
	ck_assert_double_eq(sample("webhook_worker_restarts_total"), 0);
	ck_assert_double_eq(sample("webhook_queue_depth"), 0);
	ck_assert_double_ge(sample("webhook_in_flight"), 0);
	ck_assert_double_ge(sample("webhook_in_flight_bytes"), 0);
	ck_assert_double_eq(sample("webhook_event_pool_total{result=\"hit\"}") +
	                            sample("webhook_event_pool_total{result=\"miss\"}"),
	                    3);
	ck_assert_double_eq(sample("webhook_event_pool_growths_total"), 0);
	ck_assert_double_eq(sample("webhook_dead_letters_total"), 0);
	ck_assert_double_gt(sample("process_resident_memory_bytes"), 0);
	ck_assert_double_gt(sample("process_open_fds"), 3);
	ck_assert_double_ge(sample("process_start_time_seconds"), 1700000000);
	ck_assert_ptr_nonnull(
		strstr(answer.body, "webhook_pipeline_info{pipeline=\"me\\\"trics\",generation=\"1\",optimizations="));
}
END_TEST

START_TEST(test_credentials_are_counted_by_label)
{
	get("/metrics", "");
	ck_assert_ptr_null(strstr(answer.body, "\nwebhook_auth_credentials_total"));
	credentials_add(&service.credentials, (struct sluice_bytes){"secret-2", 8});
	credentials_add(&service.credentials, (struct sluice_bytes){"secret-2", 8});
	credentials_add(&service.credentials, (struct sluice_bytes){"a\"b", 3});
	credentials_add(&service.credentials, (struct sluice_bytes){"\xff", 1});
	get("/metrics", "");
	ck_assert_double_eq(sample("webhook_auth_credentials_total{credential=\"secret-2\"}"), 2);
	ck_assert_double_eq(sample("webhook_auth_credentials_total{credential=\"a\\\"b\"}"), 1);
	ck_assert_double_eq(sample("webhook_auth_credentials_total{credential=\"other\"}"), 1);
}
END_TEST

START_TEST(test_buckets_grow_and_end_at_the_count)
{
	for (int i = 0; i < 50; i++) {
		char id[16];
		(void)snprintf(id, sizeof(id), "e-%d", i);
		send_event(id, 202);
	}
	static const char *const bounds[] = {"0.05", "0.1", "0.25", "0.5", "1",   "2.5",  "5",    "10",  "20",
	                                     "50",   "100", "120",  "200", "500", "1000", "2000", "+Inf"};
	char name[128];
	double before = 0;
	get("/metrics", "");
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		(void)snprintf(name, sizeof(name), "webhook_http_latency_by_stage_ms_bucket{stage=\"total\",le=\"%s\"}",
		               bounds[i]);
		ck_assert_double_ge(sample(name), before);
		before = sample(name);
	}
	ck_assert_double_eq(before, 50);
}
END_TEST

START_TEST(test_promtool_finds_nothing_but_the_unit)
{
	char path[128], line[512];
	if (system("command -v promtool >/dev/null 2>&1") != 0)
		return;
	send_event("a", 202);
	get("/metrics", "");
	(void)snprintf(path, sizeof(path), "%s/metrics", directory);
	FILE *out = fopen(path, "w");
	(void)fwrite(answer.body, 1, answer.body_size, out);
	(void)fclose(out);
	(void)snprintf(line, sizeof(line), "promtool check metrics <%s 2>&1", path);
	FILE *remarks = popen(line, "r");
	while (fgets(line, sizeof(line), remarks))
		ck_assert_msg(strstr(line, "_ms ") && strstr(line, "abbreviated units"), "%s", line);
	(void)pclose(remarks);
}
END_TEST

static const json_t *stage_of(const json_t *stats, const char *name)
{
	size_t i;
	const json_t *stage;
	json_array_foreach (json_object_get(stats, "stages"), i, stage)
		if (strcmp(json_string_value(json_object_get(stage, "stage")), name) == 0)
			return stage;
	ck_abort_msg("no stage %s", name);
	return NULL;
}

static double figure(const json_t *stage, const char *when, const char *part, const char *key)
{
	return json_number_value(json_object_get(json_object_get(json_object_get(stage, when), part), key));
}

START_TEST(test_stats_tell_each_stage_since_start_and_lately)
{
	send_event("a", 202);
	json_t *stats = get_document("/api/stats", 200);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(stats, "health"), "status")), "ok");
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(stats, "requests"), "202")), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(stats, "worker_utilization")), 3);
	const json_t *persist = stage_of(stats, "persist");
	ck_assert_str_eq(json_string_value(json_object_get(persist, "use")), "sqlite");
	ck_assert_double_eq(figure(persist, "since_start", "whole", "count"), 1);
	ck_assert_double_gt(figure(persist, "since_start", "work", "p99_ms"), 0);
	ck_assert_double_eq(figure(stage_of(stats, "total"), "last_10s", "whole", "count"), 1);
	const json_t *spans = json_object_get(json_object_get(persist, "since_start"), "spans");
	ck_assert_double_gt(json_number_value(json_object_get(json_object_get(spans, "commit"), "max_ms")), 0);
	json_decref(stats);
}
END_TEST

START_TEST(test_window_forgets_what_is_older_than_ten_ticks)
{
	size_t count;
	struct histogram histogram;
	(void)stats_series(service.stats, &count);
	size_t total = count - 1;
	stats_tick(service.stats);
	recorder_record(service.recorder, SERIES_TOTAL, 5 * NS_PER_MS);
	for (int i = 0; i <= STATS_WINDOW_S; i++) {
		(void)stats_get_recent(service.stats, total, &histogram);
		ck_assert_uint_eq(histogram.count, 1);
		stats_tick(service.stats);
	}
	(void)stats_get_recent(service.stats, total, &histogram);
	ck_assert_uint_eq(histogram.count, 0);
	recorder_record(service.recorder, SERIES_TOTAL, 7 * NS_PER_MS);
	(void)stats_get_recent(service.stats, total, &histogram);
	ck_assert_uint_eq(histogram.count, 1);
	ck_assert_double_eq_tol((double)histogram_quantile(&histogram, 0.5), 7e6, 7e4);
	stats_get(service.stats, total, &histogram);
	ck_assert_uint_eq(histogram.count, 2);
}
END_TEST

START_TEST(test_lineage_is_served_as_document_and_as_tree)
{
	send_event("with space/ö", 202);
	json_t *document = get_document("/api/lineage/with%20space%2F%C3%B6", 200);
	ck_assert_str_eq(json_string_value(json_object_get(document, "message_id")), "with space/ö");
	ck_assert_uint_eq(json_array_size(json_object_get(document, "stages")), 7);
	json_decref(document);
	get("/api/lineage/with%20space%2F%C3%B6?format=text", "");
	ck_assert_ptr_nonnull(strstr(answer.body, "├─ persist: "));
	get("/api/lineage/with%20space%2F%C3%B6", "Accept: text/plain\r\n");
	ck_assert_ptr_nonnull(strstr(answer.body, "  TOTAL: "));
	json_decref(get_document("/api/lineage/none", 404));
	json_decref(get_document("/api/lineage/", 404));
}
END_TEST

START_TEST(test_pipeline_is_shown_with_its_options)
{
	json_t *document = get_document("/api/pipeline", 200);
	ck_assert_str_eq(json_string_value(json_object_get(document, "sha256")), config->sha256);
	const json_t *persist = json_array_get(json_object_get(document, "stages"), 4);
	ck_assert_str_eq(json_string_value(json_object_get(persist, "name")), "sqlite");
	ck_assert_uint_eq(json_string_length(json_object_get(persist, "sha256")), 64);
	ck_assert_ptr_nonnull(
		strstr(json_string_value(json_object_get(json_object_get(persist, "options"), "path")), directory));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(document, "effective")), "persist: sqlite"));
	json_decref(document);
}
END_TEST

START_TEST(test_admin_listener_refuses_what_it_does_not_know)
{
	json_decref(get_document("/", 404));
	json_decref(get_document("/metrics/", 404));
	json_decref(get_document("/api/reload", 405));
	int fd = wire_connect(admin_port);
	wire_say(fd, "POST /api/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 501);
	wire_say(fd, "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
	wire_read(fd, &answer);
	ck_assert_int_eq(answer.status, 405);
	(void)close(fd);
}
END_TEST

START_TEST(test_health_tells_that_the_server_goes)
{
	json_decref(get_document("/api/health", 200));
	atomic_store(&service.draining, true);
	json_t *document = get_document("/api/health", 503);
	ck_assert_str_eq(json_string_value(json_array_get(json_object_get(document, "reasons"), 0)), "shutting down");
	json_decref(document);
}
END_TEST

START_TEST(test_token_guards_the_admin_listener)
{
	static const struct {
		const char *field;
		int status;
	} cases[] = {
		{"", 401},
		{"Authorization: Bearer wrong\r\n", 401},
		{"Authorization: Bearer s3cre\r\n", 401},
		{"Authorization: Bearer s3cret \r\n", 200},
		{"Authorization: Basic s3cret\r\n", 401},
		{"Authorization: bearer s3cret\r\n", 200},
	};
	char value[256], url[LISTENER_URL_SIZE];
	struct sluice_error error = {0};
	config->admin.token = "s3cret";
	struct admin *guarded = admin_start(&service, &error);
	ck_assert_msg(guarded != NULL, "%s", error.text);
	admin_get_url(guarded, url);
	int open_port = admin_port;
	admin_port = wire_port(url);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		get("/api/pipeline", cases[i].field);
		ck_assert_msg(answer.status == cases[i].status, "%d after %s", answer.status, cases[i].field);
		ck_assert_str_eq(wire_header(&answer, "WWW-Authenticate", value), answer.status == 401 ? "Bearer" : "");
		ck_assert_ptr_null(strstr(answer.body, "s3cret"));
	}
	admin_port = open_port;
	admin_stop(guarded);
	config->admin.token = NULL;
}
END_TEST

START_TEST(test_admin_listener_open_to_others_needs_a_token)
{
	struct sluice_error error = {0};
	const char *address = config->admin.address;
	config->admin.address = "0.0.0.0";
	ck_assert_ptr_null(admin_start(&service, &error));
	ck_assert_msg(strstr(error.text, "token") != NULL, "%s", error.text);
	config->admin.address = address;
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("metrics");
	TCase *listeners = tcase_create("listeners");
	tcase_add_checked_fixture(listeners, start_listeners, stop_listeners);
	tcase_set_timeout(listeners, 60);
	tcase_add_test(listeners, test_metrics_count_what_happened);
	tcase_add_test(listeners, test_credentials_are_counted_by_label);
	tcase_add_test(listeners, test_buckets_grow_and_end_at_the_count);
	tcase_add_test(listeners, test_promtool_finds_nothing_but_the_unit);
	tcase_add_test(listeners, test_stats_tell_each_stage_since_start_and_lately);
	tcase_add_test(listeners, test_window_forgets_what_is_older_than_ten_ticks);
	tcase_add_test(listeners, test_lineage_is_served_as_document_and_as_tree);
	tcase_add_test(listeners, test_pipeline_is_shown_with_its_options);
	tcase_add_test(listeners, test_admin_listener_refuses_what_it_does_not_know);
	tcase_add_test(listeners, test_health_tells_that_the_server_goes);
	tcase_add_test(listeners, test_token_guards_the_admin_listener);
	tcase_add_test(listeners, test_admin_listener_open_to_others_needs_a_token);
	suite_add_tcase(suite, listeners);
	return suite;
}

UNIT_SUITE(test_metrics, make_suite)
