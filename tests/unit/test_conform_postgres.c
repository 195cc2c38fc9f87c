/* Conformance of persist/postgres, with each type that its payload column can have. */
#include <check.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "conform/conform.h"
#include "support/postgres.h"
#include "support/unit.h"

enum { PATIENCE_S = 300, TEST_TIMEOUT_S = 900 };

static const char *const payload_types[] = {"payload_type=bytea", "payload_type=json", "payload_type=jsonb"};

/* To threads they are all the same. */
#ifdef TEST_SANITIZED_THREADS
enum { PAYLOAD_TYPES = 1 };
#else
enum { PAYLOAD_TYPES = sizeof(payload_types) / sizeof(payload_types[0]) };
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
	struct plugin *plugin = loader_open_file(TEST_BUILD_DIR "/stages/persist/postgres.so", &error);
	ck_assert_msg(plugin != NULL, "%s", error.text);
	const char *options[] = {url.data, payload_types[_i], "pool.connect_timeout=60s", NULL};
	struct conform conform = {.plugin = plugin, .options = options, .timeout_ns = PATIENCE_S * NS_PER_S};
	struct conform_totals totals = conform_run(&conform, NULL, note_broken, &broken);
	loader_close(plugin);
	postgres_stop(&server);
	ck_assert_msg(totals.counts[CHECK_BROKEN] == 0, "%s:%s", payload_types[_i], broken.data);
	ck_assert_uint_gt(totals.counts[CHECK_KEPT], 20);
	buffer_finish(&url);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("conform_postgres");
	TCase *stages = tcase_create("stages");
	tcase_set_timeout(stages, TEST_TIMEOUT_S);
	unit_add_loop(stages, test_postgres_conforms, PAYLOAD_TYPES);
	suite_add_tcase(suite, stages);
	return suite;
}

UNIT_SUITE_IN_PARTS(test_conform_postgres, make_suite, 3)
