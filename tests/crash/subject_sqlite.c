/* persist/sqlite under crashes: batches of events go into it, and checkpoints go on beside them. */
#include <stdio.h>

#include <sluice/stage.h>

#include "conform/bench.h"
#include "conform/delivery.h"
#include "crash/crash.h"
#include "crash/numbered.h"
#include "lab/judge/audit.h"

enum { GROUP_MAX = 8 };

static struct bench *try_to_open(const char *folder, struct sluice_error *error)
{
	static const struct plugin *plugin;
	char path[600];
	if (!plugin)
		plugin = built_stage("stages/persist/sqlite.so");
	(void)snprintf(path, sizeof(path), "path=%s/events.db", folder);
	const char *const options[] = {path, "durability=relaxed", "checkpoint_size=64KiB", "wal_limit=256KiB", NULL};
	return bench_create(plugin, options, false, error);
}

/* A start that a failing sync spoils is tried again, as a service manager does. */
static struct bench *open_store(const char *folder)
{
	struct sluice_error error = {0};
	struct bench *bench;
	struct patience patience = patience_begin();
	while (!(bench = try_to_open(folder, &error))) {
		patience_wait(&patience, error.text);
		error = (struct sluice_error){0};
	}
	return bench;
}

/* What is to be tried again stays in front; returns how many those are. */
static size_t store(struct bench *bench, struct sluice_event **events, size_t count)
{
	enum sluice_verdict verdicts[GROUP_MAX];
	size_t left = 0;
	bench_process_batch(bench, events, verdicts, count);
	for (size_t i = 0; i < count; i++) {
		if (verdicts[i] == SLUICE_RETRY) {
			events[left++] = events[i];
			continue;
		}
		if (verdicts[i] == SLUICE_PASS || verdicts[i] == SLUICE_DONE)
			disk_log_note(NOTE_ACKNOWLEDGED, events[i]->sequence);
		bench_free(events[i]);
	}
	return left;
}

static void store_until_accepted(struct bench *bench, int64_t first, size_t count)
{
	struct sluice_event *events[GROUP_MAX];
	struct patience patience = patience_begin();
	for (size_t i = 0; i < count; i++)
		events[i] = numbered_event(bench, first + (int64_t)i);
	while ((count = store(bench, events, count)) > 0)
		patience_wait(&patience, "events are refused again and again");
}

static void run(const char *folder, unsigned events)
{
	struct bench *bench = open_store(folder);
	for (unsigned number = 0, size = 1; number < events; number += size, size = size % GROUP_MAX + 1) {
		size = number + size > events ? events - number : size;
		store_until_accepted(bench, number, size);
	}
	bench_close(bench);
}

static bool add(void *context, const struct sluice_record *record)
{
	sighting_add(context, record->sequence, record->message_id, record->payload);
	return true;
}

static void note_violation(void *context, const struct audit_finding *finding)
{
	findings_note(context, FINDING_ALTERED, "the audit trail is broken: %s",
	              audit_violation_words[finding->violation].phrase);
}

static void look(struct bench *bench, const struct promise *promise, struct findings *findings)
{
	struct sighting sighting = {.promise = promise, .findings = findings};
	struct audit_source source = store_audit_source(bench);
	struct audit_result result = {0};
	struct sluice_error error = {0};
	if (!source.scan(bench, 0, add, &sighting, &error) ||
	    !audit_verify(&source, NULL, 0, note_violation, findings, &result, &error)) {
		findings_note(findings, FINDING_REFUSED, "cannot be read: %s", error.text);
		return;
	}
	audit_result_finish(&result);
	sighting_end(&sighting);
}

/* NULL: it does not start, which is noted. */
static struct bench *start(const char *folder, struct findings *findings)
{
	struct sluice_error error = {0};
	struct bench *bench = try_to_open(folder, &error);
	if (!bench)
		findings_note(findings, FINDING_REFUSED, "refused: %s", error.text);
	return bench;
}

static void check(const char *folder, const struct promise *promise, bool goes_on, struct findings *findings)
{
	struct bench *bench = start(folder, findings);
	if (!bench)
		return;
	look(bench, promise, findings);
	if (goes_on)
		store_until_accepted(bench, promise->events, 1);
	bench_close(bench);
	if (!goes_on || !(bench = start(folder, findings)))
		return;
	struct promise more = promise_one_more(promise);
	look(bench, &more, findings);
	bench_close(bench);
}

const struct subject sqlite_subject = {.name = "sqlite", .mapped = "-shm", .run = run, .check = check};
