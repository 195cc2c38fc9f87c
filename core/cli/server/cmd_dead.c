/*
 * sluice dead list|show|replay|drop: events that were acknowledged and that the store then refused for good.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/printable.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "runtime/abi.h"
#include "runtime/config.h"
#include "runtime/pipeline.h"

/* A subcommand at work. */
struct dead {
	const struct sluice_dead_letters *letters;
	struct sluice_stage *stage;
	struct pipeline *pipeline; /* of replay and drop */
	const int64_t *ids;        /* those that were named; none: all */
	size_t id_count;
	bool as_json;
	struct buffer text;
	struct json_writer json;
	size_t found;
	int status;
	struct sluice_error *error;
};

static bool is_wanted(const struct dead *dead, int64_t id)
{
	for (size_t i = 0; i < dead->id_count; i++) {
		if (dead->ids[i] == id)
			return true;
	}
	return dead->id_count == 0;
}

static void print_bytes(const char *name, struct sluice_bytes bytes)
{
	printf("%s", name);
	printable_write(stdout, PRINTABLE_LINE, bytes.data, bytes.size);
}

static void print_time(const char *name, int64_t wall_ns)
{
	char text[CLOCK_TEXT_SIZE];
	clock_format_utc(wall_ns, text);
	printf("%s%s\n", name, text);
}

static void write_json(struct dead *dead, const struct sluice_letter *letter, bool with_payload)
{
	const struct sluice_record *record = &letter->record;
	const struct {
		const char *name;
		struct sluice_bytes value;
	} texts[] = {{"message_id", record->message_id}, {"event_type", record->event_type},
	             {"stream", record->stream},         {"request_id", record->request_id},
	             {"reason", letter->reason},         {"payload", record->payload}};
	size_t count = sizeof(texts) / sizeof(texts[0]) - !with_payload;
	char time[CLOCK_TEXT_SIZE];
	clock_format_utc(letter->refused_at_ns, time);
	jsonw_object(&dead->json, NULL);
	jsonw_int(&dead->json, "id", record->id);
	for (size_t i = 0; i < count; i++) {
		if (texts[i].value.data)
			jsonw_bytes(&dead->json, texts[i].name, texts[i].value.data, texts[i].value.size);
	}
	if (record->has_sequence)
		jsonw_int(&dead->json, "sequence", record->sequence);
	jsonw_text(&dead->json, "refused_at", time);
	jsonw_end_object(&dead->json);
}

static bool list_one(void *context, const struct sluice_letter *letter)
{
	struct dead *dead = context;
	char time[CLOCK_TEXT_SIZE];
	if (!is_wanted(dead, letter->record.id))
		return true;
	dead->found++;
	if (dead->as_json) {
		write_json(dead, letter, false);
		return true;
	}
	clock_format_utc(letter->refused_at_ns, time);
	printf("%8" PRId64 "  %s", letter->record.id, time);
	print_bytes("  ", letter->record.message_id);
	print_bytes("  ", letter->reason);
	printf("\n");
	return true;
}

static bool show_one(void *context, const struct sluice_letter *letter)
{
	struct dead *dead = context;
	const struct sluice_record *record = &letter->record;
	if (!is_wanted(dead, record->id))
		return true;
	if (dead->as_json) {
		dead->found++;
		write_json(dead, letter, true);
		return true;
	}
	printf("%sid:          %" PRId64, dead->found++ ? "\n" : "", record->id);
	print_bytes("\nmessage id:  ", record->message_id);
	print_bytes("\nevent type:  ", record->event_type);
	if (record->stream.data)
		print_bytes("\nstream:      ", record->stream);
	if (record->has_sequence)
		printf("\nsequence:    %" PRId64, record->sequence);
	print_bytes("\nrequest id:  ", record->request_id);
	print_bytes("\nreason:      ", letter->reason);
	print_time("\nreceived at: ", record->received_at_ns);
	print_time("refused at:  ", letter->refused_at_ns);
	printf("\n");
	printable_write(stdout, PRINTABLE_TEXT, record->payload.data, record->payload.size);
	printf("\n");
	return true;
}

static void say_outcome(struct dead *dead, const struct sluice_record *record, const char *outcome, const char *detail)
{
	if (dead->as_json) {
		jsonw_object(&dead->json, NULL);
		jsonw_int(&dead->json, "id", record->id);
		jsonw_bytes(&dead->json, "message_id", record->message_id.data, record->message_id.size);
		jsonw_text(&dead->json, "outcome", outcome);
		if (*detail)
			jsonw_text(&dead->json, "detail", detail);
		jsonw_end_object(&dead->json);
		return;
	}
	printf("%8" PRId64, record->id);
	print_bytes("  ", record->message_id);
	printf("  %s%s", outcome, *detail ? ": " : "");
	printable_write(stdout, PRINTABLE_LINE, detail, strlen(detail));
	printf("\n");
}

static bool drop(struct dead *dead, int64_t id)
{
	return dead->letters->drop(dead->stage, id, dead->error);
}

/* The letter goes once its event is stored: a crash between the two leaves it, and another replay finds the event there. */
static bool replay_one(void *context, const struct sluice_letter *letter)
{
	struct dead *dead = context;
	struct pipeline_stored stored;
	if (!is_wanted(dead, letter->record.id))
		return true;
	dead->found++;
	pipeline_store_record(dead->pipeline, &letter->record, &stored);
	bool is_stored = stored.verdict == SLUICE_PASS || stored.verdict == SLUICE_DONE;
	if (stored.verdict == SLUICE_RETRY)
		return sluice_error_set(dead->error, "the store cannot take events now: %s", stored.detail);
	if (is_stored && !drop(dead, letter->record.id))
		return false;
	say_outcome(dead, &letter->record,
	            stored.verdict == SLUICE_PASS   ? "stored"
	            : stored.verdict == SLUICE_DONE ? "was stored already"
	                                            : "refused again",
	            is_stored ? "" : stored.detail);
	dead->status = is_stored ? dead->status : STATUS_NO;
	return true;
}

static bool drop_one(void *context, const struct sluice_letter *letter)
{
	struct dead *dead = context;
	if (!is_wanted(dead, letter->record.id))
		return true;
	dead->found++;
	if (!drop(dead, letter->record.id))
		return false;
	say_outcome(dead, &letter->record, "dropped", "");
	return true;
}

static const struct verb {
	const char *name;
	sluice_letter_fn each;
	bool writes, requires_ids;
} verbs[] = {
	{"list", list_one, false, false},
	{"show", show_one, false, false},
	{"replay", replay_one, true, false},
	{"drop", drop_one, true, true},
};

static bool open_store(struct dead *dead, struct config *config, const struct verb *verb)
{
	if (verb->writes) {
		dead->pipeline = pipeline_create_store(config, dead->error);
		dead->stage = dead->pipeline ? pipeline_store(dead->pipeline) : NULL;
	} else {
		dead->stage = pipeline_open_store(config, dead->error);
	}
	dead->letters = dead->stage ? abi_dead_letters(dead->stage->ops) : NULL;
	return dead->letters || sluice_error_set(dead->error, "persist/%s cannot list its dead letters",
	                                         config->stages[SLUICE_KIND_PERSIST].use);
}

static void close_store(struct dead *dead)
{
	if (dead->pipeline)
		pipeline_destroy(dead->pipeline);
	else if (dead->stage)
		pipeline_close_store(dead->stage);
}

static bool go_through(struct dead *dead, const struct verb *verb)
{
	dead->json = (struct json_writer){&dead->text, false};
	jsonw_array(&dead->json, NULL);
	bool ok = dead->letters->scan(dead->stage, INT64_MIN, verb->each, dead, dead->error) && !dead->error->text[0];
	jsonw_end_array(&dead->json);
	if (dead->as_json && (ok || dead->found > 0)) /* what was done before an error is told, too */
		puts(dead->text.data);
	else if (ok && dead->found == 0)
		printf("%s\n", dead->id_count ? "No dead letter has that id." : "There are no dead letters.");
	if (dead->id_count > dead->found)
		dead->status = STATUS_NO;
	return ok;
}

static int run_verb(const struct verb *verb, const struct arguments *arguments, const int64_t *ids, size_t id_count)
{
	struct sluice_error error = {0};
	struct config_request request = arguments->request;
	request.file = arguments->operands[1];
	struct config *config = config_load(&request, &error);
	struct dead dead = {
		.ids = ids, .id_count = id_count, .as_json = arguments->json, .status = STATUS_YES, .error = &error};
	bool ok = config && open_store(&dead, config, verb) && go_through(&dead, verb);
	close_store(&dead);
	config_free(config);
	buffer_finish(&dead.text);
	if (!ok)
		say(error.text);
	return ok ? dead.status : STATUS_CANNOT;
}

static bool is_among(int64_t id, const int64_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* Each id once. */
static bool read_ids(char *const *texts, size_t count, int64_t *ids_out, size_t *count_out)
{
	*count_out = 0;
	for (size_t i = 0; i < count; i++) {
		char *end;
		errno = 0;
		int64_t id = strtoll(texts[i], &end, 10);
		if (errno || end == texts[i] || *end) {
			fprintf(stderr, "sluice dead: expected the id of a dead letter, got \"%s\"\n", texts[i]);
			return false;
		}
		if (!is_among(id, ids_out, *count_out))
			ids_out[(*count_out)++] = id;
	}
	return true;
}

static int dispatch(const struct arguments *arguments)
{
	const struct verb *verb = verbs, *end = verbs + sizeof(verbs) / sizeof(verbs[0]);
	while (verb < end && strcmp(verb->name, arguments->operands[0]) != 0)
		verb++;
	size_t count = (size_t)arguments->operand_count - 2;
	if (verb == end) {
		say("sluice dead: expected list, show, replay or drop");
		return STATUS_CANNOT;
	}
	if (verb->requires_ids && count == 0) {
		say("sluice dead drop: expected the ids of the dead letters to forget");
		return STATUS_CANNOT;
	}
	int64_t *ids = must_calloc(count + 1, sizeof(*ids));
	bool ok = read_ids(arguments->operands + 2, count, ids, &count);
	int status = ok ? run_verb(verb, arguments, ids, count) : STATUS_CANNOT;
	free(ids);
	return status;
}

int cmd_dead(int argc, char **argv)
{
	struct command command = {
		.usage = "dead list|show|replay|drop PIPELINE [ID…]",
		.about =
			"Dead letters are events that were acknowledged (`ack: queued`) and that the store then refused for good. list shows them with the reason, show also their payload. replay stores them once more, in order, behind what was stored since, and forgets those that are stored; drop deletes those named for good. Without ids, show and replay take all. Beside a running server or without one. Exit status: 0 done, 1 some are still refused or do not exist, 2 it could not be done.",
		.example = "sluice dead replay pipelines/postgres.yaml 12 13",
		.common = FLAGS_PIPELINE | FLAGS_JSON,
		.operands_min = 2,
		.operands_max = 1000,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = dispatch(&arguments);
	arguments_finish(&arguments);
	return status;
}
