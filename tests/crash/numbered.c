/* Events that are known by their number. */
#include "crash/numbered.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/bench.h"
#include "runtime/loader.h"

enum { LARGE_EVERY = 29, LARGE = 3000, PATIENCE_S = 60 };

const struct plugin *built_stage(const char *file)
{
	char path[1024];
	struct sluice_error error = {0};
	(void)snprintf(path, sizeof(path), "%s/%s", TEST_BUILD_DIR, file);
	const struct plugin *plugin = loader_open_file(path, &error);
	if (plugin)
		return plugin;
	(void)fprintf(stderr, "%s\n", error.text);
	exit(2);
}

static const char *id_of(int64_t number, char id_out[32])
{
	(void)snprintf(id_out, 32, "id-%lld", (long long)number);
	return id_out;
}

static const char *payload_of(int64_t number, char payload_out[LARGE + 1])
{
	size_t size = number % LARGE_EVERY == 0 ? LARGE : 40 + (size_t)(number * 37 % 200);
	for (size_t i = 0; i < size; i++)
		payload_out[i] = (char)('a' + (number + (int64_t)i) % 23);
	payload_out[size] = '\0';
	return payload_out;
}

struct sluice_event *numbered_event(struct bench *bench, int64_t number)
{
	char id[32], payload[LARGE + 1];
	struct sluice_event *event = bench_event(bench);
	bench_set_fields(event, id_of(number, id), "crash", "s", payload_of(number, payload));
	event->sequence = number;
	event->has_sequence = true;
	return event;
}

static bool is_text(struct sluice_bytes bytes, const char *text)
{
	return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

void sighting_add(struct sighting *sighting, int64_t number, struct sluice_bytes id, struct sluice_bytes payload)
{
	const struct promise *promise = sighting->promise;
	char expected_id[32], expected[LARGE + 1];
	if (number < 0 || number >= (int64_t)promise->events) {
		findings_note(sighting->findings, FINDING_ALTERED, "event %lld was never sent", (long long)number);
		return;
	}
	if (!is_text(payload, payload_of(number, expected)) || !is_text(id, id_of(number, expected_id)))
		findings_note(sighting->findings, FINDING_ALTERED, "event %lld is another than was sent",
		              (long long)number);
	if (sighting->seen[number]++)
		findings_note(sighting->findings, FINDING_DOUBLED, "event %lld is there twice", (long long)number);
	uint32_t place = promise->acknowledged[number];
	if (place && place < sighting->last_acknowledged)
		findings_note(sighting->findings, FINDING_REORDERED, "event %lld comes behind a later one",
		              (long long)number);
	sighting->last_acknowledged = place ? place : sighting->last_acknowledged;
}

void sighting_end(struct sighting *sighting)
{
	for (unsigned i = 0; i < sighting->promise->events; i++)
		if (sighting->promise->required[i] && !sighting->seen[i])
			findings_note(sighting->findings, FINDING_LOST, "event %u was acknowledged and is not there",
			              i);
}

struct promise promise_one_more(const struct promise *promise)
{
	struct promise more = *promise;
	more.required[more.events] = true;
	more.acknowledged[more.events] = UINT32_MAX;
	more.events++;
	return more;
}

struct patience patience_begin(void)
{
	return (struct patience){.until_ns = clock_now_ns() + PATIENCE_S * NS_PER_S};
}

void patience_wait(const struct patience *patience, const char *what)
{
	if (clock_now_ns() >= patience->until_ns) {
		(void)fprintf(stderr, "crash-states: %s\n", what);
		_exit(2);
	}
	(void)usleep(1000);
}
