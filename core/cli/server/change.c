/*
 * Asking a running server for another generation; see change.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "cli/cli.h"
#include "cli/server/change.h"
#include "cli/show_json.h"
#include "client/client.h"

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? value : "";
}

static void print_names(const char *title, const json_t *names)
{
	size_t i;
	json_t *name;
	(void)printf("%-12s%s", title, json_array_size(names) > 0 ? "" : "none");
	json_array_foreach (names, i, name)
		(void)printf("%s%s", i > 0 ? ", " : "", json_string_value(name));
	(void)printf("\n");
}

/* In JSON the words are joined. */
static const char *change_of(const json_t *stage)
{
	const char *change = text(stage, "change");
	return strcmp(change, "carried_over") == 0    ? "carried over"
	       : strcmp(change, "created_again") == 0 ? "unchanged, created again"
	                                              : change;
}

static void print_stages(const json_t *stages)
{
	size_t i;
	json_t *stage;
	json_array_foreach (stages, i, stage) {
		char name[64];
		(void)snprintf(name, sizeof(name), "%s/%s", text(stage, "kind"), text(stage, "name"));
		(void)printf("%-12s%-28s %s\n", i ? "" : "stages", name, change_of(stage));
	}
}

static void print_result(const json_t *result)
{
	const json_t *took = json_object_get(result, "took_ms");
	const json_t *restart = json_object_get(result, "needs_restart");
	(void)printf("generation  %lld of %s serves\n",
	             (long long)json_integer_value(json_object_get(result, "generation")), text(result, "pipeline"));
	print_names("overlays", json_object_get(result, "optimizations"));
	print_stages(json_object_get(result, "stages"));
	(void)printf("took        load %.1f ms, create %.1f ms, publish %.3f ms\n",
	             json_number_value(json_object_get(took, "load")),
	             json_number_value(json_object_get(took, "create")),
	             json_number_value(json_object_get(took, "publish")));
	if (json_is_true(json_object_get(result, "rolled_back")))
		(void)printf("rolled back  the pipeline file is not served until `sluice rollback --lift`\n");
	if (json_array_size(restart) > 0)
		print_names("to change these, restart the server:", restart);
}

/* Whatever answers at that address chose the words. */
static void print_plain(const json_t *result)
{
	json_t *plain = show_json_plain(result);
	print_result(plain);
	json_decref(plain);
}

/* It serves, but a new process would not know of it. */
static bool is_forgotten(const json_t *result, struct sluice_error *error)
{
	const json_t *reason = json_object_get(result, "not_durable");
	return reason &&
	       !sluice_error_set(
		       error,
		       "it serves, but a restart would not know of it: %s; the server goes on trying to write that down",
		       json_string_value(reason));
}

int change_ask(const char *admin, const char *path, bool as_json)
{
	struct sluice_error error = {0};
	struct buffer body = {0};
	long status = 0;
	int exit_status = STATUS_CANNOT;
	if (client_post(admin, path, &body, &status, &error)) {
		json_t *result = status == 200 ? json_loadb(body.data, body.size, 0, NULL) : NULL;
		exit_status = result                                            ? STATUS_YES
		              : status == 409 || status == 422 || status == 503 ? STATUS_NO
		                                                                : STATUS_CANNOT;
		if (!result)
			client_explain(&body, status, &error);
		else if (as_json)
			printable_write(stdout, PRINTABLE_TEXT, body.data, body.size);
		else
			print_plain(result);
		if (is_forgotten(result, &error))
			exit_status = STATUS_NO;
		json_decref(result);
	}
	if (error.text[0])
		say(error.text);
	buffer_finish(&body);
	return exit_status;
}
