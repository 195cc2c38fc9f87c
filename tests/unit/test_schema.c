/*
 * The JSON Schema of a pipeline file says what the option tables say.
 */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/config.h"
#include "runtime/schema.h"
#include "support/harness.h"
#include "support/unit.h"

static json_t *schema;

static void setup(void)
{
	struct buffer text = {0};
	json_error_t error;
	char **path = loader_stage_path(TEST_BUILD_DIR "/tests/stages");
	schema_print(path, &text);
	loader_free_path(path);
	schema = json_loads(text.data, 0, &error);
	ck_assert_msg(schema != NULL, "%s", error.text);
	buffer_finish(&text);
}

static void teardown(void)
{
	json_decref(schema);
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	ck_assert_msg(text != NULL, "%s is missing", key);
	return text;
}

/* The member at a path such as "listen/properties/port". */
static json_t *at(json_t *object, const char *path)
{
	char copy[256];
	char *rest = copy;
	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *key; object && (key = strsep(&rest, "/"));)
		object = json_object_get(object, key);
	return object;
}

/* What the definition of an implementation says, or NULL. */
static json_t *find_stage(const char *name)
{
	return at(at(schema, "definitions"), name);
}

/* What an item of `stages` that names the implementation must have besides. */
static json_t *find_required(const char *kind, const char *name)
{
	json_t *condition;
	size_t i;
	json_array_foreach (at(schema, "properties/stages/items/allOf"), i, condition) {
		const char *found = json_string_value(at(at(at(condition, "if/properties"), kind), "const"));
		if (found && strcmp(found, name) == 0)
			return at(condition, "then/required");
	}
	return NULL;
}

START_TEST(test_every_setting_of_the_core_is_in_it)
{
	for (const struct config_section *section = config_sections; section->name; section++) {
		for (const struct sluice_option *option = section->options; option->type != SLUICE_TYPE_END; option++) {
			json_t *place = at(at(schema, "definitions"), section->name);
			char copy[128];
			char *rest = copy;
			(void)snprintf(copy, sizeof(copy), "%s", option->name);
			for (char *key; (key = strsep(&rest, "."));)
				place = at(at(place, "properties"), key);
			ck_assert_msg(place != NULL, "%s.%s is missing", section->name, option->name);
			ck_assert_msg(!option->fallback || strcmp(text_at(place, "default"), option->fallback) == 0,
			              "%s.%s", section->name, option->name);
		}
	}
}
END_TEST

START_TEST(test_every_stage_found_is_in_it_with_its_options)
{
	json_t *stage = find_stage("persist-config_store");
	ck_assert_ptr_nonnull(stage);
	ck_assert_ptr_nonnull(at(stage, "properties/url"));
	ck_assert_ptr_nonnull(at(stage, "properties/max_batch"));
	ck_assert(json_is_true(at(stage, "properties/sha256")));
	ck_assert_ptr_nonnull(at(schema, "properties/stages/items/properties/sha256/pattern"));
	json_t *max = at(stage, "properties/pool/properties/max");
	ck_assert_int_eq(json_integer_value(at(max, "minimum")), 1);
	ck_assert_int_eq(json_integer_value(at(max, "maximum")), 100);
	json_t *required = find_required("persist", "config_store");
	ck_assert_uint_eq(json_array_size(required), 1);
	ck_assert_str_eq(json_string_value(json_array_get(required, 0)), "url");
	ck_assert_ptr_nonnull(find_stage("queue-config_journal"));
	ck_assert_ptr_null(find_stage("queue-config_store"));
}
END_TEST

START_TEST(test_nothing_unknown_is_allowed)
{
	ck_assert(json_is_false(at(schema, "additionalProperties")));
	ck_assert(json_is_false(at(schema, "definitions/listen/additionalProperties")));
	ck_assert(json_is_false(at(schema, "definitions/listen/properties/compression/additionalProperties")));
	ck_assert(json_is_false(at(find_stage("persist-config_store"), "additionalProperties")));
	ck_assert(json_is_false(at(schema, "properties/optimizations/additionalProperties/additionalProperties")));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("schema");
	TCase *tcase = tcase_create("schema");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_every_setting_of_the_core_is_in_it);
	tcase_add_test(tcase, test_every_stage_found_is_in_it_with_its_options);
	tcase_add_test(tcase, test_nothing_unknown_is_allowed);
	suite_add_tcase(suite, tcase);
	return suite;
}

UNIT_SUITE(test_schema, make_suite)
