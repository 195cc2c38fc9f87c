/* queue/journal under crashes: events go through it in groups, some stay, and segments rotate. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conform/bench.h"
#include "crash/crash.h"
#include "runtime/loader.h"

enum { WINDOW = 24, KEPT_EVERY = 40, GROUP_MAX = 8, LARGE_EVERY = 29 };

static struct sluice_host host; /* the bench's, which notes what is acknowledged */
static const struct sluice_host *bench_host;

static const struct plugin *journal(void)
{
	static struct plugin *plugin;
	struct sluice_error error = {0};
	if (!plugin)
		plugin = loader_open_file(TEST_BUILD_DIR "/plugins/queue/journal.so", &error);
	if (!plugin) {
		(void)fprintf(stderr, "%s\n", error.text);
		exit(2);
	}
	return plugin;
}

static void resume(struct sluice_event *event, enum sluice_verdict verdict)
{
	if (verdict == SLUICE_PASS)
		disk_log_note(NOTE_ACKNOWLEDGED, event->sequence);
	bench_host->resume(event, verdict);
}

static struct bench *open_journal(const char *folder, struct sluice_error *error)
{
	char directory[600];
	(void)snprintf(directory, sizeof(directory), "directory=%s", folder);
	const char *const options[] = {directory, "durability=relaxed", "segment_size=64KiB", "max_size=64MiB", NULL};
	return bench_create(journal(), options, false, error);
}

static const char *payload_of(int64_t number, char payload_out[4096])
{
	size_t size = number % LARGE_EVERY == 0 ? 3000 : 40 + (size_t)(number * 37 % 200);
	for (size_t i = 0; i < size; i++)
		payload_out[i] = (char)('a' + (number + (int64_t)i) % 23);
	payload_out[size] = '\0';
	return payload_out;
}

static struct sluice_event *make(struct bench *bench, int64_t number)
{
	char id[32], payload[4096];
	struct sluice_event *event = bench_event(bench);
	(void)snprintf(id, sizeof(id), "id-%lld", (long long)number);
	bench_set_fields(event, id, "crash", "s", payload_of(number, payload));
	event->sequence = number;
	event->has_sequence = true;
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
	while (!put(bench, make(bench, number)))
		(void)usleep(1000);
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

static void look_at(const struct sluice_event *event, const struct promise *promise, uint8_t *seen,
                    uint32_t *last_acknowledged, struct findings *findings)
{
	char payload[4096], id[32];
	int64_t number = event->sequence;
	if (number < 0 || number >= (int64_t)promise->events) {
		findings_note(findings, FINDING_ALTERED, "event %lld was never put", (long long)number);
		return;
	}
	(void)payload_of(number, payload);
	(void)snprintf(id, sizeof(id), "id-%lld", (long long)number);
	if (event->payload.size != strlen(payload) || memcmp(event->payload.data, payload, event->payload.size) != 0 ||
	    event->message_id.size != strlen(id) || memcmp(event->message_id.data, id, strlen(id)) != 0)
		findings_note(findings, FINDING_ALTERED, "event %lld is another than was put", (long long)number);
	if (seen[number]++)
		findings_note(findings, FINDING_DOUBLED, "event %lld is there twice", (long long)number);
	uint32_t place = promise->acknowledged[number];
	if (place && place < *last_acknowledged)
		findings_note(findings, FINDING_REORDERED, "event %lld comes behind a later one", (long long)number);
	*last_acknowledged = place ? place : *last_acknowledged;
}

/* Everything that is in it, which stays there. */
static bool look(const char *folder, const struct promise *promise, bool goes_on, struct findings *findings)
{
	uint8_t seen[EVENTS_MAX] = {0};
	uint32_t last = 0;
	struct sluice_error error = {0};
	struct sluice_event *event;
	struct bench *bench = open_journal(folder, &error);
	if (!bench) {
		findings_note(findings, FINDING_REFUSED, "refused: %s", error.text);
		return false;
	}
	while (bench->ops->of.queue->take(&bench->stage, &event, 1) == 1) {
		look_at(event, promise, seen, &last, findings);
		event->acknowledged = true;
		bench->ops->of.queue->done(&bench->stage, event, SLUICE_RETRY);
		bench_free(event);
	}
	for (unsigned i = 0; i < promise->events; i++)
		if (promise->required[i] && !seen[i])
			findings_note(findings, FINDING_LOST, "event %u was acknowledged and is not there", i);
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
	struct promise more = *promise;
	more.required[more.events] = true;
	more.acknowledged[more.events] = UINT32_MAX;
	more.events++;
	(void)look(folder, &more, false, findings);
}

const struct subject journal_subject = {.name = "journal", .run = run, .check = check};
