/* Texts of others in a JSON document, for people and for programs. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show_json.h"
#include "support/unit.h"

START_TEST(test_no_text_or_key_commands_a_terminal_or_begins_a_line)
{
	json_t *document = json_pack("{s:[s, {s:s}], s:i}", "list", "a\x1b[2J", "key\n",
	                             "\xc2\x9b"
	                             "31m\xe2\x80\xae",
	                             "n", 3);
	json_t *plain = show_json_plain(document);
	json_t *expected = json_pack("{s:[s, {s:s}], s:i}", "list", "a\\u001b[2J", "key\\u000a", "\\u009b31m\\u202e",
	                             "n", 3);
	ck_assert(json_equal(plain, expected));
	json_decref(expected);
	json_decref(plain);
	json_decref(document);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("show JSON");
	TCase *plain = tcase_create("plain");
	tcase_add_test(plain, test_no_text_or_key_commands_a_terminal_or_begins_a_line);
	suite_add_tcase(s, plain);
	return s;
}

UNIT_SUITE(test_show_json, suite)
