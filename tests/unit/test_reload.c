/*
 * The reloader behind the admin listener, with a real pipeline: what is asked while the server stops, what is asked
 * wrongly, and a change that cannot be written down.
 */
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "runtime/generation.h"
#include "serve/admin.h"
#include "serve/history.h"
#include "serve/reload.h"
#include "serve/server.h"
#include "support/scratch.h"
#include "support/unit.h"
#include "support/wire.h"

static char directory[SCRATCH_SIZE], file[128], state[128];
static struct config_request request = {.file = file, .stage_path = TEST_BUILD_DIR "/stages"};
static struct config *config;
static struct history *history;
static struct service service;
static struct admin *admin;
static struct server *server;
static struct reloader *reloader;
static struct wire_answer answer;

static void write_pipeline(const char *name)
{
	FILE *out = fopen(file, "w");
	(void)fprintf(out,
	              "pipeline: %s\n"
	              "listen: { port: 0, health: true }\n"
	              "admin: { port: 0 }\n"
	              "stages:\n"
	              "  - auth: none\n"
	              "  - parse: json\n"
	              "  - persist: sqlite\n"
	              "    path: %s/events.db\n",
	              name, directory);
	(void)fclose(out);
}

static void start_reloader(void)
{
	struct sluice_error error = {0};
	reloader = reloader_start(
		&(struct reloader_setup){.service = &service, .request = &request, .history = history}, &error);
	ck_assert_msg(reloader != NULL, "%s", error.text);
	reloader_begin(reloader, server);
}

static void set_up(void)
{
	struct sluice_error error = {0};
	log_setup(SLUICE_LOG_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
	scratch_folder(directory);
	(void)snprintf(file, sizeof(file), "%s/pipeline.yaml", directory);
	(void)snprintf(state, sizeof(state), "%s/state", directory);
	write_pipeline("one");
	history = history_open(state, &request, &error);
	config = config_load(&request, &error);
	ck_assert_msg(history && config, "%s", error.text);
	struct pipeline *pipeline = pipeline_create(config, &error);
	ck_assert_msg(pipeline != NULL, "%s", error.text);
	service_init(&service, pipeline, NULL);
	admin = admin_start(&service, &error);
	server = server_start(&service, &error);
	ck_assert_msg(admin && server && history_add(history, 1, config, &error), "%s", error.text);
	start_reloader();
}

static void tear_down(void)
{
	char command[128];
	reloader_refuse(reloader);
	(void)server_stop(server, clock_now_ns() + 5 * NS_PER_S);
	reloader_stop(reloader);
	history_close(history, true);
	admin_stop(admin);
	reloader_free(reloader);
	pipeline_destroy(service.pipeline);
	service_finish(&service);
	server_free(server);
	config_free(config);
	(void)snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static json_t *post(const char *path, int status)
{
	char url[LISTENER_URL_SIZE], text[256];
	admin_get_url(admin, url);
	int fd = wire_connect(wire_port(url));
	(void)snprintf(text, sizeof(text), "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", path);
	wire_say(fd, text);
	wire_read(fd, &answer);
	(void)close(fd);
	ck_assert_int_eq(answer.status, status);
	json_t *document = json_loadb(answer.body, answer.body_size, 0, NULL);
	ck_assert_ptr_nonnull(document);
	return document;
}

static void expect_status(const char *path, int status)
{
	json_decref(post(path, status));
}

START_TEST(test_who_asks_a_server_that_stops_is_refused)
{
	expect_status("/api/reload", 200);
	reloader_stop(reloader);
	expect_status("/api/reload", 503);
	expect_status("/api/rollback?to=baseline", 503);
	reloader_free(reloader);
	start_reloader();
}
END_TEST

START_TEST(test_what_is_not_an_argument_is_refused)
{
	static const char *const paths[] = {"/api/rollback?to",
	                                    "/api/rollback?to=",
	                                    "/api/rollback?too=1",
	                                    "/api/rollback?to=1&to=baseline",
	                                    "/api/rollback?to=baseline&guard=60s",
	                                    "/api/reload?guard",
	                                    "/api/reload?gaurd=60s",
	                                    "/api/reload?to=1"};
	write_pipeline("two");
	expect_status("/api/reload", 200);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		expect_status(paths[i], 400);
	ck_assert_int_eq(service.generation, 2);
	expect_status("/api/rollback?to=1", 200);
}
END_TEST

static bool state_says(const char *words)
{
	char path[256], text[4096] = "";
	(void)snprintf(path, sizeof(path), "%s/pipeline.yaml.generations.json", state);
	FILE *in = fopen(path, "r");
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	(void)fclose(in);
	return strstr(text, words) != NULL;
}

static void wait_for_state(const char *words)
{
	const int64_t until_ns = clock_now_ns() + 20 * NS_PER_S;
	while (!state_says(words)) {
		(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
		ck_assert_int_lt(clock_now_ns(), until_ns);
	}
}

/* A folder where the state's draft would be written: works against root, too. */
START_TEST(test_a_change_that_cannot_be_written_down_says_so_and_is_tried_again)
{
	char draft[256];
	(void)snprintf(draft, sizeof(draft), "%s/pipeline.yaml.generations.json.new", state);
	json_t *result = post("/api/reload", 200);
	ck_assert(json_is_true(json_object_get(result, "durable")));
	ck_assert_ptr_null(json_object_get(result, "not_durable"));
	json_decref(result);
	ck_assert_int_eq(mkdir(draft, 0700), 0);
	result = post("/api/rollback?to=baseline", 200);
	ck_assert(json_is_false(json_object_get(result, "durable")));
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(result, "not_durable")), "cannot be written"));
	json_decref(result);
	ck_assert_int_eq(rmdir(draft), 0);
	wait_for_state("rolled_back");
}
END_TEST

static void keep_status(void *context, const struct reload_result *result)
{
	atomic_store((atomic_int *)context, result->status);
}

static void wait_a_moment(int64_t until_ns)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
	ck_assert_int_lt(clock_now_ns(), until_ns);
}

/* As who shows it, with the generation before retired. */
static void hold_service(void)
{
	const int64_t until_ns = clock_now_ns() + 20 * NS_PER_S;
	(void)pthread_rwlock_rdlock(&service.lock);
	while (generations_live(service.generations) > 1) {
		(void)pthread_rwlock_unlock(&service.lock);
		wait_a_moment(until_ns);
		(void)pthread_rwlock_rdlock(&service.lock);
	}
}

static void *refuse(void *unused)
{
	reloader_refuse(reloader);
	return unused;
}

/* What is asked from here on is refused at once. */
static pthread_t begin_to_refuse(void)
{
	static atomic_int status;
	const int64_t until_ns = clock_now_ns() + 20 * NS_PER_S;
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, refuse, NULL), 0);
	for (atomic_store(&status, 0); atomic_load(&status) != 503; wait_a_moment(until_ns))
		reloader_ask(reloader, (struct reload_job){.kind = RELOAD_FILE}, keep_status, &status);
	return thread;
}

/* The service's lock stands between writing it down and publishing it: whoever holds it is first. */
START_TEST(test_a_way_back_that_comes_too_late_leaves_nothing)
{
	atomic_int status = 0;
	write_pipeline("two");
	expect_status("/api/reload", 200);
	hold_service();
	reloader_ask(reloader, (struct reload_job){.kind = RELOAD_BACK}, keep_status, &status);
	wait_for_state("rolled_back");
	pthread_t refusing = begin_to_refuse();
	(void)pthread_rwlock_unlock(&service.lock);
	(void)pthread_join(refusing, NULL);
	reloader_stop(reloader);
	ck_assert_int_eq(atomic_load(&status), 503);
	ck_assert(!state_says("rolled_back") && !state_says("\"left\":true"));
	ck_assert(!service.is_rolled_back);
	reloader_free(reloader);
	start_reloader();
}
END_TEST

START_TEST(test_health_on_the_webhook_listener_does_not_wait_for_a_scrape)
{
	char url[LISTENER_URL_SIZE];
	server_get_url(server, url);
	hold_service();
	int fd = wire_connect(wire_port(url));
	wire_say(fd, "GET /api/health HTTP/1.1\r\nHost: localhost\r\n\r\n");
	wire_read(fd, &answer);
	(void)close(fd);
	(void)pthread_rwlock_unlock(&service.lock);
	ck_assert_int_eq(answer.status, 200);
}
END_TEST

/* A pipe in place of the state's draft: who opens it to write waits for a reader. */
START_TEST(test_a_state_disk_that_hangs_does_not_hold_up_the_way_back)
{
	char draft[256];
	(void)snprintf(draft, sizeof(draft), "%s/pipeline.yaml.generations.json.new", state);
	write_pipeline("two");
	expect_status("/api/reload", 200);
	ck_assert_int_eq(mkfifo(draft, 0600), 0);
	const int64_t begun_ns = clock_now_ns();
	json_t *result = post("/api/rollback?to=1", 200);
	ck_assert_int_lt(clock_now_ns() - begun_ns, 10 * NS_PER_S);
	ck_assert(json_is_false(json_object_get(result, "durable")));
	ck_assert_ptr_nonnull(
		strstr(json_string_value(json_object_get(result, "not_durable")), "the disk does not respond"));
	json_decref(result);
	ck_assert_str_eq(service.config->name, "one");
	ck_assert(!state_says("rolled_back"));
	int pipe = open(draft, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ck_assert_int_ge(pipe, 0);
	wait_for_state("rolled_back");
	(void)close(pipe);
}
END_TEST

static Suite *suite(void)
{
	Suite *all = suite_create("reload");
	TCase *group = tcase_create("reload");
	tcase_set_timeout(group, 60);
	tcase_add_checked_fixture(group, set_up, tear_down);
	tcase_add_test(group, test_who_asks_a_server_that_stops_is_refused);
	tcase_add_test(group, test_what_is_not_an_argument_is_refused);
	tcase_add_test(group, test_a_change_that_cannot_be_written_down_says_so_and_is_tried_again);
	tcase_add_test(group, test_a_way_back_that_comes_too_late_leaves_nothing);
	tcase_add_test(group, test_health_on_the_webhook_listener_does_not_wait_for_a_scrape);
	tcase_add_test(group, test_a_state_disk_that_hangs_does_not_hold_up_the_way_back);
	suite_add_tcase(all, group);
	return all;
}

UNIT_SUITE(test_reload, suite)
