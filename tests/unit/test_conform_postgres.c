/* Conformance of the stages that work on PostgreSQL, with the types that their payload column can have. */
#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "conform/conform.h"
#include "support/postgres.h"
#include "support/unit.h"

enum { PATIENCE_S = 300, TEST_TIMEOUT_S = 900 };

/* json and jsonb are one to the stages. To a sanitizer all types are the same: those come first. A pool that opens a second
 * connection with each stage, as by default, costs the server a fifth more: it is tried with one of them. */
static const struct {
	const char *file, *pool, *payload_type; /* NULL: it has none */
} stages[] = {
	{TEST_BUILD_DIR "/plugins/idempotency/lookup.so", "pool.min=1", NULL},
	{TEST_BUILD_DIR "/plugins/idempotency/filter.so", "pool.min=1", NULL},
	{TEST_BUILD_DIR "/stages/persist/postgres.so", "pool.min=2", "payload_type=bytea"},
	{TEST_BUILD_DIR "/plugins/persist/postgres_batch.so", "pool.min=1", "payload_type=bytea"},
	{TEST_BUILD_DIR "/stages/persist/postgres.so", "pool.min=1", "payload_type=json"},
	{TEST_BUILD_DIR "/stages/persist/postgres.so", "pool.min=1", "payload_type=jsonb"},
	{TEST_BUILD_DIR "/plugins/persist/postgres_batch.so", "pool.min=1", "payload_type=json"},
};

#ifdef TEST_SANITIZED
enum { STAGES = 4 };
#else
enum { STAGES = sizeof(stages) / sizeof(stages[0]) };
#endif

static void note_broken(void *context, const struct check_result *result)
{
	struct buffer *text = context;
	if (result->outcome == CHECK_BROKEN)
		buffer_printf(text, "\n  %s: %s (%s)", result->entry->name, result->sentence, result->where);
}

START_TEST(test_postgres_conforms)
{
	struct postgres server;
	struct buffer url = {0}, broken = {0};
	struct sluice_error error = {0};
	postgres_start(&server, "");
	buffer_printf(&url, "url=%s", server.url);
	struct plugin *plugin = loader_open_file(stages[_i].file, &error);
	ck_assert_msg(plugin != NULL, "%s", error.text);
	struct plugin *store = loader_open_file(TEST_BUILD_DIR "/stages/persist/postgres.so", &error);
	ck_assert_msg(store != NULL, "%s", error.text);
	const char *options[] = {url.data, "pool.connect_timeout=60s", stages[_i].pool, stages[_i].payload_type, NULL};
	/* Only beside a stage that asks one: its pool opens connections in its own time, and those are counted, too. */
	struct conform conform = {.plugin = plugin,
	                          .store = stages[_i].payload_type ? NULL : store,
	                          .options = options,
	                          .start_folder = "/",
	                          .timeout_ns = PATIENCE_S * NS_PER_S,
	                          .effort = getenv("SLUICE_LONG") ? CONFORM_LONG : CONFORM_QUICK};
	struct conform_totals totals = conform_run(&conform, NULL, note_broken, &broken);
	loader_close(store);
	loader_close(plugin);
	postgres_stop(&server);
	ck_assert_msg(totals.counts[CHECK_BROKEN] == 0, "%s (%zu):%s", stages[_i].file, (size_t)_i, broken.data);
	ck_assert_uint_gt(totals.counts[CHECK_KEPT], 18);
	buffer_finish(&url);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("conform_postgres");
	TCase *group = tcase_create("stages");
	tcase_set_timeout(group, TEST_TIMEOUT_S);
	unit_add_loop(group, test_postgres_conforms, STAGES);
	suite_add_tcase(suite, group);
	return suite;
}

UNIT_SUITE_IN_PARTS(test_conform_postgres, make_suite, 7)
