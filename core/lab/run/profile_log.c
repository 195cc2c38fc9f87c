/*
 * Reading the profile log; see profile_log.h.
 */
#include "lab/run/profile_log.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/arena.h"
#include "base/clock.h"

#define TIME_MAX_MS 1e9 /* 11 days */

static int64_t *work_of(struct trace_record *record, enum sluice_kind kind)
{
	struct trace_stage *stage = &record->stages[kind];
	stage->work_ns = stage->work_ns < 0 ? 0 : stage->work_ns;
	return &stage->work_ns;
}

static int64_t *wait_in_queue(struct trace_record *record)
{
	(void)work_of(record, SLUICE_KIND_QUEUE);
	return &record->stages[SLUICE_KIND_QUEUE].wait_ns;
}

/* The kind of a stage that works; false: it is none. */
static bool find_kind(const char *stage, enum sluice_kind *kind_out)
{
	static const struct {
		const char *name;
		enum sluice_kind kind;
	} works[] = {
		{"auth", SLUICE_KIND_AUTH},
		{"parse", SLUICE_KIND_PARSE},
		{"idempotency", SLUICE_KIND_IDEMPOTENCY},
		{"persist", SLUICE_KIND_PERSIST},
		{"db", SLUICE_KIND_PERSIST},
		{"db_batch", SLUICE_KIND_PERSIST},
		{"database", SLUICE_KIND_PERSIST},
	};
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		*kind_out = works[i].kind;
		if (strcmp(stage, works[i].name) == 0)
			return true;
	}
	return false;
}

/* Where the time of a stage goes; NULL: nowhere. */
static int64_t *place_of(struct trace_record *record, const char *stage)
{
	enum sluice_kind kind;
	if (find_kind(stage, &kind))
		return work_of(record, kind);
	if (strcmp(stage, "queue") == 0)
		return wait_in_queue(record);
	if (strcmp(stage, "response") == 0 || strcmp(stage, "respond") == 0) {
		record->respond_ns = record->respond_ns < 0 ? 0 : record->respond_ns;
		return &record->respond_ns;
	}
	return NULL;
}

static bool read_ms(const json_t *value, const char *where, const char *name, int64_t *ns_out,
                    struct sluice_error *error)
{
	double ms = json_is_number(value) ? json_number_value(value) : -1;
	if (!(ms >= 0 && ms <= TIME_MAX_MS))
		return sluice_error_set(error, "%s%s: expected milliseconds, 0 or more", where, name);
	*ns_out = llround(ms * (double)NS_PER_MS);
	return true;
}

static bool read_stages(json_t *stages, struct trace_record *record, struct sluice_error *error)
{
	const char *name;
	json_t *value;
	if (!json_is_object(stages))
		return sluice_error_set(error, "stages: expected an object with milliseconds by stage");
	json_object_foreach (stages, name, value) {
		int64_t took_ns = 0;
		if (!read_ms(value, "stages.", name, &took_ns, error))
			return false;
		int64_t *place = place_of(record, name);
		if (place)
			*place += took_ns;
	}
	return true;
}

/* Absent where the server does not measure it. */
static bool read_cpu(json_t *processor, struct trace_record *record, struct sluice_error *error)
{
	const char *name;
	json_t *value;
	enum sluice_kind kind;
	json_object_foreach (processor, name, value)
		if (find_kind(name, &kind) && !read_ms(value, "processor.", name, &record->cpu_ns[kind], error))
			return false;
	return true;
}

static uint64_t key_of(const json_t *text)
{
	return json_is_string(text) ? trace_key(json_string_value(text), json_string_length(text)) : 0;
}

/* Every figure is rounded to a microsecond: by as much as that may make, the parts are believed and not their total. */
static void settle_rounding(struct trace_record *record, size_t stages)
{
	int64_t sum_ns = record->respond_ns > 0 ? record->respond_ns : 0;
	for (size_t kind = 0; kind < SLUICE_KIND_SLOTS; kind++)
		if (record->stages[kind].work_ns >= 0)
			sum_ns += record->stages[kind].work_ns + record->stages[kind].wait_ns;
	if (llabs(record->answered_ns - sum_ns) <= (int64_t)(stages + 1) * NS_PER_US / 2)
		record->answered_ns = sum_ns;
}

static bool read_profile(const json_t *profile, struct trace_record *record, struct sluice_error *error)
{
	json_t *stages = json_object_get(profile, "stages");
	trace_record_init(record);
	record->intended_ns = record->sent_ns = 0;
	record->request = key_of(json_object_get(profile, "requestId"));
	record->message = key_of(json_object_get(profile, "messageId"));
	if (!read_ms(json_object_get(profile, "total"), "", "total", &record->answered_ns, error) ||
	    !read_stages(stages, record, error) || !read_cpu(json_object_get(profile, "processor"), record, error))
		return false;
	settle_rounding(record, json_object_size(stages));
	return true;
}

static bool read_text(const char *text, size_t size, struct trace_record *record, struct sluice_error *error)
{
	json_error_t cause;
	json_t *profile = json_loadb(text, size, JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &cause);
	bool read = profile ? read_profile(profile, record, error)
	                    : sluice_error_set(error, "expected JSON behind " PROFILE_LOG_MARK ": %s", cause.text);
	json_decref(profile);
	return read;
}

static const char *find_mark(const char *text, size_t size)
{
	const char *mark = memmem(text, size, PROFILE_LOG_MARK, strlen(PROFILE_LOG_MARK));
	return mark ? mark + strlen(PROFILE_LOG_MARK) : NULL;
}

/* A line that is itself JSON has the profile in one of its texts, with every quote escaped. */
static const json_t *find_member(json_t *line)
{
	const char *name;
	json_t *value;
	json_object_foreach (line, name, value) {
		if (json_is_string(value) && find_mark(json_string_value(value), json_string_length(value)))
			return value;
	}
	return NULL;
}

static bool read_line(const char *line, size_t size, struct trace_record *record, struct sluice_error *error)
{
	json_t *whole = line[0] == '{' ? json_loadb(line, size, JSON_ALLOW_NUL, NULL) : NULL;
	const json_t *member = find_member(whole);
	const char *text = member ? json_string_value(member) : line;
	const char *end = text + (member ? json_string_length(member) : size);
	const char *profile = find_mark(text, (size_t)(end - text));
	bool read = read_text(profile, (size_t)(end - profile), record, error);
	json_decref(whole);
	return read;
}

static void add(struct profile_log *log, const struct trace_record *record)
{
	if (log->count == log->room) {
		log->room = log->room ? 2 * log->room : 256;
		log->records = must_realloc(log->records, log->room * sizeof(*log->records));
	}
	log->records[log->count++] = *record;
}

static void take_line(struct profile_log *log, const char *path, size_t number, const char *line, size_t size)
{
	struct trace_record record;
	struct sluice_error error = {0};
	if (!find_mark(line, size))
		return;
	if (read_line(line, size, &record, &error)) {
		add(log, &record);
		return;
	}
	log->broken++;
	(void)sluice_error_set(&log->first, "%s:%zu: %.900s", path, number, error.text);
}

static bool has_any(const struct profile_log *log, const char *path, struct sluice_error *error)
{
	if (log->count > 0)
		return true;
	if (log->broken > 0)
		return sluice_error_set(error, "%s", log->first.text);
	return sluice_error_set(
		error,
		"%s: neither a run directory nor a trace, and no line of it has LATENCY_PROFILE; a server writes those with ENABLE_LATENCY_PROFILING=true",
		path);
}

bool profile_log_read(const char *path, struct profile_log *log_out, struct sluice_error *error)
{
	char *line = NULL;
	size_t room = 0, number = 0;
	ssize_t size;
	*log_out = (struct profile_log){0};
	FILE *file = fopen(path, "re");
	if (!file)
		return sluice_error_set(error, "%s: cannot read it: %s", path, strerror(errno));
	while ((size = getline(&line, &room, file)) >= 0)
		take_line(log_out, path, ++number, line, (size_t)size);
	free(line);
	bool read = ferror(file) ? sluice_error_set(error, "%s: cannot read it: %s", path, strerror(errno))
	                         : has_any(log_out, path, error);
	(void)fclose(file);
	if (!read)
		profile_log_finish(log_out);
	return read;
}

void profile_log_finish(struct profile_log *log)
{
	free(log->records);
	*log = (struct profile_log){0};
}
