/*
 * What verify reads from a run directory and what it leaves there; see verify.h.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "lab/judge/verify.h"
#include "lab/run/seal.h"

bool verify_read_input(const struct run *run, const char *path, struct input *input, struct sluice_error *error)
{
	const char *expected = json_string_value(json_object_get(json_object_get(run->about, "input"), "sha256"));
	if (!expected)
		return sluice_error_set(error, "%s: expected a run directory whose " RUN_ABOUT " has input.sha256",
		                        run->path);
	char *own = run_file(run->path, RUN_INPUT);
	struct sluice_error cause = {0};
	FILE *file = path ? NULL : file_open(own, &cause);
	bool good = true;
	if (!path && access(own, F_OK) != 0)
		good = sluice_error_set(error, "%s: the run has not kept its input: expected --input FILE", own);
	else if (!path && !file)
		good = sluice_error_set(error, "%s", cause.text);
	if (file)
		(void)fclose(file);
	good = good && input_read(input, path ? path : own, error);
	if (good && strcmp(input->sha256, expected) != 0)
		good = sluice_error_set(error, "%s: not what the run sent: its SHA-256 is %s, expected %s",
		                        path ? path : own, input->sha256, expected);
	free(own);
	return good;
}

bool verify_plan_init(struct verify_plan *plan_out, const struct run *run, int arm, const struct input *input,
                      struct sluice_error *error)
{
	const json_t *arms = json_object_get(run->about, "arms");
	size_t count = json_array_size(arms);
	if (arm < 0 && count != 1)
		return sluice_error_set(error, "%s: the run has %zu arms: expected --arm a or --arm b", run->path,
		                        count);
	size_t index = arm < 0 ? 0 : (size_t)arm;
	const char *prefix = json_string_value(json_object_get(json_array_get(arms, index), "id_prefix"));
	if (!prefix)
		return sluice_error_set(error, "%s/" RUN_ABOUT ": arms[%zu].id_prefix: expected a text", run->path,
		                        index);
	*plan_out = (struct verify_plan){.input = input,
	                                 .records = run->records,
	                                 .count = run->count,
	                                 .arm = (uint8_t)index,
	                                 .id_prefix = prefix};
	return true;
}

static json_t *bytes_to_json(struct sluice_bytes bytes)
{
	return bytes.data ? json_stringn(bytes.data, bytes.size) : json_null();
}

static json_t *example_to_json(const struct verify_example *example)
{
	return json_pack("{s:s, s:o, s:o, s:s}", "kind", verify_violation_names[example->violation], "message_id",
	                 bytes_to_json(example->message_id), "stream", bytes_to_json(example->stream), "detail",
	                 example->detail);
}

json_t *verify_to_json(const struct verify_result *result)
{
	const struct {
		const char *name;
		uint64_t count;
	} counts[] = {
		{"arm", result->arm},
		{"answered", result->answered},
		{"stored", result->stored},
		{"unanswered", result->unanswered},
		{"accepted_twice", result->accepted_twice},
		{"dead_letters", result->dead},
		{"foreign", result->foreign},
		{verify_violation_names[VERIFY_LOST], result->violations[VERIFY_LOST]},
		{verify_violation_names[VERIFY_DOUBLED], result->violations[VERIFY_DOUBLED]},
		{verify_violation_names[VERIFY_ALTERED], result->violations[VERIFY_ALTERED]},
		{verify_violation_names[VERIFY_REORDERED], result->violations[VERIFY_REORDERED]},
		{"violations_total", result->violation_count},
	};
	json_t *object = json_object(), *examples = json_array();
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		(void)json_object_set_new(object, counts[i].name, json_integer((json_int_t)counts[i].count));
	if (result->pruned)
		(void)json_object_set_new(object, "pruned", json_integer((json_int_t)result->pruned));
	for (size_t i = 0; i < result->example_count; i++)
		(void)json_array_append_new(examples, example_to_json(&result->examples[i]));
	(void)json_object_set_new(object, "examples", examples);
	return object;
}

static json_int_t arm_of(const json_t *arm)
{
	return json_integer_value(json_object_get(arm, "arm"));
}

/* The arms that an earlier verify has found, but for this one. */
static json_t *other_arms(const char *directory, uint8_t arm)
{
	json_t *others = json_array(), *before = run_read_json(directory, RUN_VERIFY, NULL), *each;
	size_t i;
	json_array_foreach (json_object_get(before, "arms"), i, each) {
		if (arm_of(each) != arm)
			(void)json_array_append(others, each);
	}
	json_decref(before);
	return others;
}

bool verify_save(const char *directory, const struct verify_result *result, struct sluice_error *error)
{
	json_t *arms = other_arms(directory, result->arm), *arm;
	size_t place = 0, i;
	json_int_t total = 0;
	while (place < json_array_size(arms) && arm_of(json_array_get(arms, place)) < result->arm)
		place++;
	(void)json_array_insert_new(arms, place, verify_to_json(result));
	json_array_foreach (arms, i, arm) {
		total += json_integer_value(json_object_get(arm, "violations_total"));
	}
	json_t *document = json_pack("{s:i, s:o, s:I}", "format", 1, "arms", arms, "violations", total);
	bool good = run_write_json(directory, RUN_VERIFY, document, error) && seal_file(directory, RUN_VERIFY, error);
	json_decref(document);
	return good;
}
