/* queue/redis: on a Redis of its own, what it keeps there and what happens when that goes away. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "base/clock.h"
#include "conform/conform.h"
#include "support/harness.h"
#include "support/scratch.h"
#include "support/unit.h"
#include "support/wait.h"

static struct {
	char folder[SCRATCH_SIZE], port[16], setting[32];
	pid_t pid;
} server;

static redisContext *connect_by_hand(void)
{
	redisContext *redis = redisConnect("127.0.0.1", atoi(server.port));
	if (redis && redis->err) {
		redisFree(redis);
		return NULL;
	}
	return redis;
}

static void launch(void)
{
	server.pid = fork();
	ck_assert_int_ge(server.pid, 0);
	if (server.pid == 0) {
		(void)execlp("redis-server", "redis-server", "--port", server.port, "--bind", "127.0.0.1", "--dir",
		             server.folder, "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--logfile",
		             "log", (char *)NULL);
		_exit(127);
	}
}

/* False: it has ended, as somebody else has the port. */
static bool wait_until_there(void)
{
	redisContext *redis = NULL;
	for (int64_t until = clock_now_ns() + 60 * NS_PER_S; !redis && clock_now_ns() < until; (void)usleep(5000)) {
		if (waitpid(server.pid, NULL, WNOHANG) == server.pid)
			return false;
		redis = connect_by_hand();
	}
	ck_assert_ptr_nonnull(redis);
	redisFree(redis);
	return true;
}

static void start_server(void)
{
	scratch_folder(server.folder);
	do {
		uint16_t random;
		digest_random(&random, sizeof(random));
		(void)snprintf(server.port, sizeof(server.port), "%d", 20000 + random % 12000);
		(void)snprintf(server.setting, sizeof(server.setting), "port=%s", server.port);
		launch();
	} while (!wait_until_there());
}

static void kill_server(void)
{
	(void)kill(server.pid, SIGKILL);
	(void)waitpid(server.pid, NULL, 0);
}

static void stop_server(void)
{
	char command[96];
	kill_server();
	(void)snprintf(command, sizeof(command), "rm -rf %s", server.folder);
	ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): the test's own folder */
}

static long long entries(void)
{
	redisContext *redis = connect_by_hand();
	ck_assert_ptr_nonnull(redis);
	redisReply *reply = redisCommand(redis, "XLEN sluice");
	long long count = reply->integer;
	freeReplyObject(reply);
	redisFree(redis);
	return count;
}

static char unhealthy[200];

static void note_unhealthy(struct sluice_observer *observer, const char *reason)
{
	(void)observer;
	(void)snprintf(unhealthy, sizeof(unhealthy), "%s", reason);
}

static void ignore_gauge(struct sluice_observer *observer, const char *name, const char *label, const char *label_value,
                         double value, const char *help)
{
	(void)observer, (void)name, (void)label, (void)label_value, (void)value, (void)help;
}

static const char *why_unhealthy(struct harness *h)
{
	struct sluice_observer observer = {.gauge = ignore_gauge, .unhealthy = note_unhealthy};
	unhealthy[0] = '\0';
	h->ops->observe(&h->stage, &observer);
	return unhealthy;
}

static struct harness *open_queue(void)
{
	return harness_open(SLUICE_KIND_QUEUE, "redis", (const char *[]){server.setting, "timeout=60s", NULL});
}

/* What put() came to, at once or by a resume. */
static enum sluice_verdict put(struct harness *h, struct sluice_event *event)
{
	enum sluice_verdict verdict = h->ops->of.queue->put(&h->stage, event);
	if (verdict == SLUICE_WAIT)
		ck_assert(harness_wait_resumed(event, &verdict));
	return verdict;
}

static struct sluice_event *take(struct harness *h)
{
	struct sluice_event *event;
	ck_assert_uint_eq(h->ops->of.queue->take(&h->stage, &event, 1), 1);
	return event;
}

START_TEST(test_an_entry_is_there_until_its_event_is_done)
{
	struct harness *h = open_queue();
	struct sluice_event *first = harness_event(h), *second = harness_event(h);
	ck_assert_int_eq(put(h, first), SLUICE_PASS);
	ck_assert_int_eq(put(h, second), SLUICE_PASS);
	ck_assert_int_eq(entries(), 2);
	ck_assert_ptr_eq(take(h), first);
	ck_assert_int_eq(entries(), 2);
	h->ops->of.queue->done(&h->stage, first, SLUICE_PASS);
	WAIT_FOR(entries() == 1);
	ck_assert_ptr_eq(take(h), second);
	h->ops->of.queue->done(&h->stage, second, SLUICE_PASS);
	harness_close(h); /* what is done is deleted before it ends */
	ck_assert_int_eq(entries(), 0);
	harness_free(first);
	harness_free(second);
}
END_TEST

START_TEST(test_without_redis_events_are_turned_away_until_it_is_back)
{
	struct harness *h = open_queue();
	struct sluice_event *event = harness_event(h);
	kill_server();
	ck_assert_int_eq(put(h, event), SLUICE_RETRY);
	ck_assert_ptr_nonnull(strstr(harness_detail(event), "Redis does not take events"));
	ck_assert_str_ne(why_unhealthy(h), "");
	launch();
	ck_assert(wait_until_there());
	int64_t until_ns = clock_now_ns() + 60 * NS_PER_S;
	for (bool kept = false; !kept && clock_now_ns() < until_ns; (void)usleep(2000)) {
		harness_free(event);
		event = harness_event(h);
		kept = put(h, event) == SLUICE_PASS;
	}
	ck_assert_str_eq(why_unhealthy(h), "");
	ck_assert_ptr_eq(take(h), event);
	h->ops->of.queue->done(&h->stage, event, SLUICE_PASS);
	harness_close(h);
	harness_free(event);
}
END_TEST

START_TEST(test_a_start_without_redis_is_refused)
{
	struct sluice_error error = {0};
	kill_server();
	ck_assert_ptr_null(harness_try(SLUICE_KIND_QUEUE, "redis", (const char *[]){server.setting, NULL}, &error));
	ck_assert_msg(strstr(error.text, "host, port: Redis: cannot connect") != NULL, "%s", error.text);
	launch();
	ck_assert(wait_until_there());
}
END_TEST

static void note_broken(void *context, const struct check_result *result)
{
	if (result->outcome == CHECK_BROKEN)
		(void)snprintf(context, 1000, "%s: %.800s", result->entry->name, result->sentence);
}

START_TEST(test_it_conforms)
{
	char broken[1000] = "";
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open_file(TEST_BUILD_DIR "/plugins/queue/redis.so", &error);
	ck_assert_msg(plugin != NULL, "%s", error.text);
	struct conform conform = {.plugin = plugin,
	                          .options = (const char *[]){server.setting, "timeout=60s", NULL},
	                          .timeout_ns = 300 * NS_PER_S,
	                          .effort = getenv("SLUICE_LONG") ? CONFORM_LONG : CONFORM_QUICK};
	struct conform_totals totals = conform_run(&conform, NULL, note_broken, broken);
	loader_close(plugin);
	ck_assert_str_eq(broken, "");
	ck_assert_uint_ge(totals.counts[CHECK_KEPT], 10);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("queue/redis");
	TCase *group = tcase_create("redis");
	tcase_add_checked_fixture(group, start_server, stop_server);
	tcase_set_timeout(group, 600);
	tcase_add_test(group, test_an_entry_is_there_until_its_event_is_done);
	tcase_add_test(group, test_without_redis_events_are_turned_away_until_it_is_back);
	tcase_add_test(group, test_a_start_without_redis_is_refused);
	tcase_add_test(group, test_it_conforms);
	suite_add_tcase(suite, group);
	return suite;
}

UNIT_SUITE(test_queue_redis, suite)
