/*
 * Opening what there is to analyze; see samples.h.
 */
#include "lab/run/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/file.h"

static bool is_directory(const char *path)
{
	struct stat about;
	return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static bool is_trace(const char *path)
{
	char magic[sizeof(TRACE_MAGIC) - 1] = "";
	struct sluice_error none = {0};
	FILE *file = file_open(path, &none);
	if (!file)
		return false;
	bool found = fread(magic, sizeof(magic), 1, file) == 1 && memcmp(magic, TRACE_MAGIC, sizeof(magic)) == 0;
	(void)fclose(file);
	return found;
}

static int kind_of(const char *name)
{
	static const char *const kinds[] = {"auth", "parse", "idempotency", "queue", "persist"};
	for (int i = 0; i < (int)(sizeof(kinds) / sizeof(kinds[0])); i++)
		if (strcmp(name, kinds[i]) == 0)
			return i;
	return -1;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void name_stage(const json_t *stage, struct trace_names *names)
{
	size_t i;
	json_t *span;
	const json_t *spans = json_object_get(stage, "spans");
	(void)snprintf(names->use, sizeof(names->use), "%s", text_of(stage, "name"));
	if (spans)
		memset(names->spans, 0, sizeof(names->spans));
	json_array_foreach (spans, i, span) {
		if (i < SLUICE_SPANS_MAX && json_is_string(span))
			(void)snprintf(names->spans[i], sizeof(names->spans[i]), "%s", json_string_value(span));
	}
}

/* A file has one set of names in its header; run.json has them for each arm. */
static void describe_arm(const struct samples *samples, struct sample_arm *arm)
{
	size_t i;
	json_t *stage;
	const json_t *arms = samples->run ? json_object_get(samples->run->about, "arms") : NULL;
	const json_t *about = json_array_get(arms, arm->arm < 0 ? 0 : (size_t)arm->arm);
	arm->label = text_of(about, "label");
	arm->optimizations = json_object_get(about, "optimizations");
	json_array_foreach (json_object_get(about, "stages"), i, stage) {
		int kind = kind_of(text_of(stage, "kind"));
		if (kind >= 0)
			name_stage(stage, &arm->names[kind]);
	}
}

static void add_arm(struct samples *samples, int number, const struct trace_record *records, size_t count)
{
	struct sample_arm *arm = &samples->arms[samples->arm_count++];
	*arm = (struct sample_arm){.arm = number, .records = records, .count = count};
	if (samples->run)
		memcpy(arm->names, samples->run->header.names, sizeof(arm->names));
	describe_arm(samples, arm);
}

static size_t copy_arm(const struct run *run, unsigned arm, struct trace_record *out)
{
	size_t count = 0;
	for (size_t i = 0; i < run->count; i++)
		if (run->records[i].arm == arm)
			out[count++] = run->records[i];
	return count;
}

static bool has_arms(const struct run *run)
{
	if (json_array_size(json_object_get(run->about, "arms")) > 1)
		return true;
	for (size_t i = 0; i < run->count; i++)
		if (run->records[i].arm > 0)
			return true;
	return false;
}

static void split_run(struct samples *samples)
{
	const struct run *run = samples->run;
	if (!has_arms(run)) {
		add_arm(samples, -1, run->records, run->count);
		return;
	}
	size_t used = 0;
	samples->sorted = must_calloc(run->count + 1, sizeof(*samples->sorted));
	for (unsigned arm = 0; arm < RUN_ARMS_MAX; arm++) {
		size_t count = copy_arm(run, arm, samples->sorted + used);
		add_arm(samples, (int)arm, samples->sorted + used, count);
		used += count;
	}
}

static bool join(struct samples *samples, const char *server_trace, struct sluice_error *error)
{
	struct run *run = samples->run;
	if (run->header.source != TRACE_OF_SENDER)
		return sluice_error_set(error, "%s: a server's trace is joined with a sender's records, not with this",
		                        samples->path);
	struct sluice_error cause = {0};
	samples->joined = run_join(run->records, run->count, &run->header, server_trace, run->header.names, &cause);
	if (cause.text[0])
		return sluice_error_set(error, "%s", cause.text);
	if (samples->joined == 0 && run->count > 0)
		return sluice_error_set(error, "%s: none of the requests of %s is in it", server_trace, samples->path);
	return true;
}

static bool open_run(struct samples *samples, const char *server_trace, struct sluice_error *error)
{
	samples->run = run_open(samples->path, error);
	samples->timed = true;
	if (!samples->run)
		return false;
	if (server_trace && !join(samples, server_trace, error))
		return false;
	split_run(samples);
	return true;
}

static bool open_log(struct samples *samples, const char *server_trace, struct sluice_error *error)
{
	if (server_trace)
		return sluice_error_set(error, "%s: a log cannot be joined with a trace", samples->path);
	if (!profile_log_read(samples->path, &samples->log, error))
		return false;
	add_arm(samples, -1, samples->log.records, samples->log.count);
	return true;
}

bool samples_open(const char *path, const char *server_trace, struct samples *samples_out, struct sluice_error *error)
{
	*samples_out = (struct samples){.path = path};
	bool is_run = is_directory(path) || is_trace(path);
	if (is_run ? open_run(samples_out, server_trace, error) : open_log(samples_out, server_trace, error))
		return true;
	samples_finish(samples_out);
	return false;
}

void samples_finish(struct samples *samples)
{
	run_close(samples->run);
	profile_log_finish(&samples->log);
	free(samples->sorted);
	*samples = (struct samples){0};
}

const struct sample_arm *samples_get_arm(const struct samples *samples, char letter, struct sluice_error *error)
{
	for (size_t i = 0; i < samples->arm_count; i++) {
		const struct sample_arm *arm = &samples->arms[i];
		if ((arm->arm < 0 ? 0 : arm->arm) == letter - 'a')
			return arm;
	}
	(void)sluice_error_set(error, "%s: there is no arm %c in it", samples->path, letter);
	return NULL;
}
