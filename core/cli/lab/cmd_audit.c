/*
 * sluice audit verify: recomputes the audit trail of a pipeline's store.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json_writer.h"
#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/lab/store.h"
#include "lab/judge/audit.h"

enum { FINDINGS_MAX = 1000 /* written in full; the rest is counted */, HEADS_MAX = 256 };

struct output {
	bool as_json;
	struct buffer text;
	struct json_writer json;
	uint64_t findings;
};

static void write_finding(struct output *output, const struct audit_finding *finding)
{
	struct json_writer *json = &output->json;
	jsonw_object(json, NULL);
	jsonw_text(json, "violation", audit_violation_words[finding->violation].name);
	if (finding->event_id)
		jsonw_int(json, "event", finding->event_id);
	if (finding->position) {
		jsonw_bytes(json, "writer", finding->writer.data, finding->writer.size);
		jsonw_int(json, "position", finding->position);
	}
	jsonw_end_object(json);
}

static void print_row(const struct audit_finding *finding)
{
	printf("row ");
	printable_write(stdout, PRINTABLE_LINE, finding->writer.data, finding->writer.size);
	printf(":%" PRId64, finding->position);
}

static void print_finding(const struct audit_finding *finding)
{
	if (finding->event_id)
		printf("event %" PRId64 "%s", finding->event_id, finding->position ? ", " : "");
	if (finding->position)
		print_row(finding);
	printf(": %s\n", audit_violation_words[finding->violation].phrase);
}

static void take_finding(void *context, const struct audit_finding *finding)
{
	struct output *output = context;
	if (output->findings++ >= FINDINGS_MAX)
		return;
	if (output->as_json)
		write_finding(output, finding);
	else
		print_finding(finding);
}

static void write_result(struct output *output, const struct audit_result *result)
{
	struct json_writer *json = &output->json;
	jsonw_end_array(json);
	jsonw_bool(json, "intact", result->violation_count == 0);
	jsonw_int(json, "events", (int64_t)result->events);
	jsonw_int(json, "rows", (int64_t)result->rows);
	jsonw_int(json, "pruned", (int64_t)result->pruned);
	jsonw_int(json, "prunings", (int64_t)result->prunings);
	if (result->prunings) {
		char before[CLOCK_TEXT_SIZE];
		clock_format_utc(result->pruned_before_ns, before);
		jsonw_text(json, "pruned_before", before);
	}
	jsonw_int(json, "unproven", (int64_t)result->unproven);
	jsonw_object(json, "violations");
	for (int i = 0; i < AUDIT_VIOLATIONS; i++)
		jsonw_int(json, audit_violation_words[i].name, (int64_t)result->violations[i]);
	jsonw_end_object(json);
	jsonw_array(json, "heads");
	for (size_t i = 0; i < result->head_count; i++) {
		char hash[DIGEST_HEX_SIZE];
		digest_hex(result->heads[i].hash, hash);
		jsonw_object(json, NULL);
		jsonw_text(json, "writer", result->heads[i].writer);
		jsonw_int(json, "position", result->heads[i].position);
		jsonw_text(json, "hash", hash);
		jsonw_end_object(json);
	}
	jsonw_end_array(json);
	jsonw_end_object(json);
	puts(output->text.data);
}

static void print_result(const struct audit_result *result)
{
	const struct {
		const char *name;
		uint64_t count;
	} lines[] = {{"events", result->events},
	             {"rows", result->rows},
	             {"writers", result->head_count},
	             {"violations", result->violation_count}};
	if (result->violation_count > FINDINGS_MAX)
		printf("… and %" PRIu64 " more\n", result->violation_count - FINDINGS_MAX);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		printf("%-10s %10" PRIu64 "\n", lines[i].name, lines[i].count);
	if (result->prunings) {
		char before[CLOCK_TEXT_SIZE];
		clock_format_utc(result->pruned_before_ns, before);
		printf("%-10s %10" PRIu64 "  (in %" PRIu64
		       " removals of events received before %s at the latest; the log "
		       "has a line events_pruned for each run)\n",
		       "pruned", result->pruned, result->prunings, before);
	}
	if (result->unproven)
		printf("%-10s %10" PRIu64 "  (the store keeps their payload in another form)\n", "unproven",
		       result->unproven);
	printf("%s\n", result->violation_count ? "The trail and the events do NOT match." : "The trail is intact.");
}

/* "A,B": heads as the log shows them. */
static bool read_heads(const char *list, struct audit_head *heads, size_t *count_out)
{
	*count_out = 0;
	while (list && *list) {
		char text[160];
		size_t length = strcspn(list, ",");
		if (length >= sizeof(text) || *count_out == HEADS_MAX)
			return false;
		memcpy(text, list, length);
		text[length] = '\0';
		if (!audit_head_from_text(text, &heads[(*count_out)++]))
			return false;
		list += length + (list[length] == ',');
	}
	return true;
}

static bool verify_store(const struct store *store, const char *head_list, struct output *output,
                         struct audit_result *result, struct sluice_error *error)
{
	static struct audit_head heads[HEADS_MAX];
	size_t head_count;
	if (!store->source.audit_scan)
		return sluice_error_set(error, "persist/%s keeps no audit trail", store->stage->ops->name);
	if (!read_heads(head_list, heads, &head_count))
		return sluice_error_set(
			error,
			"--heads: expected WRITER:POSITION:HASH,… as the log line audit_head has them, at most %d",
			HEADS_MAX);
	return audit_verify(&store->source, heads, head_count, take_finding, output, result, error);
}

static int verify(const struct arguments *arguments, const char *head_list)
{
	struct sluice_error error = {0};
	struct store store;
	struct output output = {.as_json = arguments->json};
	struct audit_result result = {0};
	int status = STATUS_CANNOT;
	output.json.out = &output.text;
	jsonw_object(&output.json, NULL);
	jsonw_array(&output.json, "findings");
	if (store_open(&store, &arguments->request, &error) &&
	    verify_store(&store, head_list, &output, &result, &error)) {
		status = result.violation_count ? STATUS_NO : STATUS_YES;
		if (arguments->json)
			write_result(&output, &result);
		else
			print_result(&result);
	} else {
		say(error.text);
	}
	audit_result_finish(&result);
	buffer_finish(&output.text);
	store_close(&store);
	return status;
}

int cmd_audit(int argc, char **argv)
{
	const char *heads = NULL;
	const struct flag flags[] = {
		{"heads", "WRITER:POSITION:HASH,…", "also check that these heads, as logged, are in the trail", NULL,
	         &heads},
		{NULL, NULL, NULL, NULL, NULL},
	};
	struct command command = {
		.usage = "audit verify PIPELINE",
		.about =
			"Recomputes the audit trail of the pipeline's store, beside a running server or without one: a "
			"changed, removed or reordered row is found. Exit status: 0 it is intact, 1 it is not, 2 it "
			"cannot be read.",
		.example = "sluice audit verify pipelines/quickstart.yaml",
		.flags = flags,
		.common = FLAGS_PIPELINE | FLAGS_JSON,
		.operands_min = 1,
		.operands_max = 1,
	};
	if (argc > 1 && strcmp(argv[1], "verify") == 0) {
		argc--;
		argv++;
	} else if (argc < 2 || argv[1][0] != '-') {
		fprintf(stderr, "sluice audit: expected `audit verify PIPELINE`; see --help\n");
		return STATUS_CANNOT;
	}
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = verify(&arguments, heads);
	arguments_finish(&arguments);
	return status;
}
