/*
 * Writing a run directory; see recording.h.
 */
#include "lab/trial/recording.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/version.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "lab/load/about.h"
#include "lab/run/run.h"

struct recording {
	char *directory;
	json_t *about;
	int64_t origin_ns, origin_wall_ns;
	char request_prefix[24];
};

static size_t count_entries(DIR *directory)
{
	size_t count = 0;
	while (readdir(directory))
		count++;
	return count - 2; /* . and .. */
}

static bool check_is_empty(const char *directory, struct sluice_error *error)
{
	DIR *entries = opendir(directory);
	bool is_usable = entries && access(directory, W_OK | X_OK) == 0;
	if (!is_usable)
		(void)sluice_error_set(error, "%s: cannot be the run directory: %s", directory, strerror(errno));
	bool is_empty = is_usable && count_entries(entries) == 0;
	if (is_usable && !is_empty)
		(void)sluice_error_set(error, "%s: there is a run in it already: take another directory, or remove it",
		                       directory);
	if (entries)
		(void)closedir(entries);
	return is_empty;
}

bool recording_make_directory(const char *directory, struct sluice_error *error)
{
	if (mkdir(directory, 0777) == 0)
		return true;
	if (errno != EEXIST)
		return sluice_error_set(error, "%s: cannot make the directory: %s", directory, strerror(errno));
	return check_is_empty(directory, error);
}

static char *without_slash(const char *directory)
{
	char *copy = must_strdup(directory);
	for (size_t length = strlen(copy); length > 1 && copy[length - 1] == '/'; length--)
		copy[length - 1] = '\0';
	return copy;
}

struct recording *recording_begin(const char *directory, const char *command, struct sluice_error *error)
{
	uint32_t mark;
	char started[CLOCK_TEXT_SIZE];
	if (!recording_make_directory(directory, error))
		return NULL;
	struct recording *recording = must_calloc(1, sizeof(*recording));
	*recording = (struct recording){
		.directory = without_slash(directory), .origin_ns = clock_now_ns(), .origin_wall_ns = clock_wall_ns()};
	digest_random(&mark, sizeof(mark));
	(void)snprintf(recording->request_prefix, sizeof(recording->request_prefix), "r-%08x-", mark);
	clock_format_utc(recording->origin_wall_ns, started);
	recording->about = json_pack("{s:i, s:s, s:s, s:s, s:s, s:o}", "format", 1, "command", command, "sluice",
	                             SLUICE_VERSION, "started_at", started, "request_prefix", recording->request_prefix,
	                             "host", about_host());
	(void)json_object_set_new(recording->about, "rules", json_integer(RUN_RULES));
	return recording;
}

int64_t recording_origin_ns(const struct recording *recording)
{
	return recording->origin_ns;
}

const char *recording_request_prefix(const struct recording *recording)
{
	return recording->request_prefix;
}

const char *recording_directory(const struct recording *recording)
{
	return recording->directory;
}

struct trace_header recording_header(const struct recording *recording)
{
	return (struct trace_header){
		.source = TRACE_OF_SENDER, .start_ns = recording->origin_ns, .wall_ns = recording->origin_wall_ns};
}

void recording_put(struct recording *recording, const char *key, json_t *value)
{
	(void)json_object_set_new(recording->about, key, value);
}

static int by_intended_time(const void *a, const void *b)
{
	const struct trace_record *left = a, *right = b;
	if (left->intended_ns != right->intended_ns)
		return left->intended_ns < right->intended_ns ? -1 : 1;
	return (left->number > right->number) - (left->number < right->number);
}

static bool write_records(const struct recording *recording, const struct trace_record *records, size_t count,
                          const struct trace_names *names, struct sluice_error *error)
{
	char *path = run_file(recording->directory, RUN_REQUESTS);
	struct trace_writer *writer = trace_create_at(path, TRACE_OF_SENDER, names, recording->origin_ns,
	                                              recording->origin_wall_ns, error);
	for (size_t i = 0; writer && i < count; i++)
		trace_write(writer, &records[i]);
	free(path);
	return writer && trace_close(writer, error);
}

bool recording_end(struct recording *recording, struct trace_record *records, size_t count,
                   const struct trace_names *names, struct sluice_error *error)
{
	if (count > 0)
		qsort(records, count, sizeof(*records), by_intended_time);
	recording_put(recording, "seconds", json_real((double)(clock_now_ns() - recording->origin_ns) / 1e9));
	bool ok = write_records(recording, records, count, names, error) &&
	          run_write_json(recording->directory, RUN_ABOUT, recording->about, error);
	recording_abandon(recording);
	return ok;
}

void recording_abandon(struct recording *recording)
{
	if (!recording)
		return;
	json_decref(recording->about);
	free(recording->directory);
	free(recording);
}
