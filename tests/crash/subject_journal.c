/* queue/journal under crashes: events go through it in groups, some stay, and segments rotate. */
#include <stdio.h>
#include <stdlib.h>

#include "conform/bench.h"
#include "crash/crash.h"
#include "crash/numbered.h"

enum { WINDOW = 24, KEPT_EVERY = 40, GROUP_MAX = 8 };

static struct sluice_host host; /* the bench's, which notes what is acknowledged */
static const struct sluice_host *bench_host;

static void resume(struct sluice_event *event, enum sluice_verdict verdict)
{
	if (verdict == SLUICE_PASS)
		disk_log_note(NOTE_ACKNOWLEDGED, event->sequence);
	bench_host->resume(event, verdict);
}

static struct bench *open_journal(const char *folder, struct sluice_error *error)
{
	static const struct plugin *plugin;
	char directory[600];
	if (!plugin)
		plugin = built_stage("plugins/queue/journal.so");
	(void)snprintf(directory, sizeof(directory), "directory=%s", folder);
	const char *const options[] = {directory, "durability=relaxed", "segment_size=64KiB", "max_size=64MiB", NULL};
	return bench_create(plugin, options, false, error);
}

static struct sluice_event *make(struct bench *bench, int64_t number)
{
	struct sluice_event *event = numbered_event(bench, number);
	if (!bench_host) {
		bench_host = event->host;
		host = *bench_host;
		host.resume = resume;
	}
	event->host = &host;
	return event;
}

/* Whether it was accepted; if not, its memory is gone. */
static bool put(struct bench *bench, struct sluice_event *event)
{
	enum sluice_verdict verdict = bench->ops->of.queue->put(&bench->stage, event);
	if (verdict == SLUICE_WAIT && !bench_wait_resumed(event, INT64_C(30000000000), &verdict))
		abort();
	event->acknowledged = true;
	if (verdict != SLUICE_PASS)
		bench_free(event);
	return verdict == SLUICE_PASS;
}

static void finish(struct bench *bench, struct sluice_event *event)
{
	bool stays = event->sequence % KEPT_EVERY == 0;
	if (!stays)
		disk_log_note(NOTE_DONE, event->sequence);
	bench->ops->of.queue->done(&bench->stage, event, stays ? SLUICE_RETRY : SLUICE_PASS);
	bench_free(event);
}

/* A sender tries again what was refused. */
static void send_until_accepted(struct bench *bench, int64_t number)
{
	struct patience patience = patience_begin();
	while (!put(bench, make(bench, number)))
		patience_wait(&patience, "an event is refused again and again");
}

/* Those of a group are put at once, so that they may share a batch; what is refused is sent again. */
static void put_group(struct bench *bench, int64_t first, int count)
{
	struct sluice_event *events[GROUP_MAX];
	for (int i = 0; i < count; i++) {
		events[i] = make(bench, first + i);
		if (bench->ops->of.queue->put(&bench->stage, events[i]) == SLUICE_WAIT)
			continue;
		bench_free(events[i]);
		events[i] = NULL;
	}
	for (int i = 0; i < count; i++) {
		enum sluice_verdict verdict = SLUICE_RETRY;
		if (events[i] && !bench_wait_resumed(events[i], INT64_C(30000000000), &verdict))
			abort();
		if (events[i] && verdict == SLUICE_PASS) {
			events[i]->acknowledged = true;
			continue;
		}
		if (events[i])
			bench_free(events[i]);
		send_until_accepted(bench, first + i);
	}
}

static void run(const char *folder, unsigned events)
{
	struct sluice_error error = {0};
	struct bench *bench = open_journal(folder, &error);
	struct sluice_event *open[EVENTS_MAX], *taken;
	size_t first = 0, count = 0;
	/* Where a sync fails at the very start, a later try finds the disk well. */
	if (!bench) {
		(void)fprintf(stderr, "%s\n", error.text);
		exit(2);
	}
	for (unsigned number = 0, size = 1; number < events; number += size, size = size % GROUP_MAX + 1) {
		size = number + size > events ? events - number : size;
		put_group(bench, number, (int)size);
		while (bench->ops->of.queue->take(&bench->stage, &taken, 1) == 1)
			open[count++] = taken;
		for (; count - first > WINDOW; first++)
			finish(bench, open[first]);
	}
	for (; first < count; first++)
		finish(bench, open[first]);
	bench_close(bench);
}

/* Everything that is in it, which stays there. */
static bool look(const char *folder, const struct promise *promise, bool goes_on, struct findings *findings)
{
	struct sighting sighting = {.promise = promise, .findings = findings};
	struct sluice_error error = {0};
	struct sluice_event *event;
	struct bench *bench = open_journal(folder, &error);
	if (!bench) {
		findings_note(findings, FINDING_REFUSED, "refused: %s", error.text);
		return false;
	}
	while (bench->ops->of.queue->take(&bench->stage, &event, 1) == 1) {
		sighting_add(&sighting, event->sequence, event->message_id, event->payload);
		event->acknowledged = true;
		bench->ops->of.queue->done(&bench->stage, event, SLUICE_RETRY);
		bench_free(event);
	}
	sighting_end(&sighting);
	if (goes_on) {
		send_until_accepted(bench, promise->events);
		if (bench->ops->of.queue->take(&bench->stage, &event, 1) != 1)
			abort();
		bench->ops->of.queue->done(&bench->stage, event, SLUICE_RETRY);
		bench_free(event);
	}
	bench_close(bench);
	return true;
}

static void check(const char *folder, const struct promise *promise, bool goes_on, struct findings *findings)
{
	if (!look(folder, promise, goes_on, findings) || !goes_on)
		return;
	struct promise more = promise_one_more(promise);
	(void)look(folder, &more, false, findings);
}

const struct subject journal_subject = {.name = "journal", .run = run, .check = check};
