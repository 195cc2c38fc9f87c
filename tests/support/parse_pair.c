/*
 * Two parse stages side by side; see parse_pair.h.
 */
#include "support/parse_pair.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "mapping/paths.h"
#include "mapping/scan.h"
#include "scan/kernel.h"
#include "support/harness.h"

static const char *const pointers[] = {"/a", "/a/b", "/a/b/1", "/payload/id", "/0", "/1/a", "/payload", "/a/", "/é"};

enum { POINTERS = sizeof(pointers) / sizeof(pointers[0]), MAPPINGS = 2, STAGES = 2, MAX_DEPTH = 40 };

static const char *const mappings[MAPPINGS][8] = {
	{NULL},
	{"message_id=/a/b/1, /payload/id, /a/0, header:Id", "event_type=/a/b, /1/a, header:Id", "payload=/a, ",
         "stream=/a~1b, /payload/0", "sequence=/a/n, /n", "max_depth=40", "integer_texts=true", NULL},
};

struct parse_pair {
	struct source sources[POINTERS];
	struct harness *harnesses[MAPPINGS][STAGES];
	char *pages;
	size_t size; /* of the pages that can be read */
	char sentence[400];
};

struct parse_pair *parse_pair_open(void)
{
	struct parse_pair *pair = must_calloc(1, sizeof(*pair));
	struct sluice_error error = {0};
	for (size_t i = 0; i < POINTERS; i++) {
		if (!source_parse(&pair->sources[i], pointers[i], &error))
			abort();
	}
	for (int i = 0; i < MAPPINGS; i++) {
		pair->harnesses[i][0] = harness_open(SLUICE_KIND_PARSE, "json", mappings[i]);
		pair->harnesses[i][1] = harness_open(SLUICE_KIND_PARSE, "scan", mappings[i]);
	}
	return pair;
}

static void drop_pages(struct parse_pair *pair)
{
	if (pair->pages)
		(void)munmap(pair->pages, pair->size + (size_t)getpagesize());
}

void parse_pair_close(struct parse_pair *pair)
{
	for (size_t i = 0; i < POINTERS; i++)
		source_finish(&pair->sources[i]);
	for (int i = 0; i < MAPPINGS * STAGES; i++)
		harness_close(pair->harnesses[i / STAGES][i % STAGES]);
	drop_pages(pair);
	free(pair);
}

/* A copy that ends with its page. */
static const char *place(struct parse_pair *pair, const void *text, size_t size)
{
	size_t page = (size_t)getpagesize();
	if (size > pair->size || !pair->pages) {
		drop_pages(pair);
		pair->size = (size / page + 1) * page;
		pair->pages = mmap(NULL, pair->size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pair->pages == MAP_FAILED || mprotect(pair->pages + pair->size, page, PROT_NONE) != 0)
			abort();
	}
	char *at = pair->pages + pair->size - size;
	if (size)
		memcpy(at, text, size);
	return at;
}

struct outcome {
	enum scan_fault fault;
	size_t position, keys;
	uint64_t key_hash;
	struct sluice_bytes root, spans[POINTERS];
};

static struct outcome scan_with(struct parse_pair *pair, const struct kernel *kernel, struct sluice_event *event)
{
	struct outcome outcome = {.fault = SCAN_NO_FAULT};
	struct paths paths = {.sources = pair->sources, .source_count = POINTERS, .spans = outcome.spans};
	paths_init(&paths, event, event->body);
	struct scan scan = {.text = event->body, .max_depth = MAX_DEPTH, .paths = &paths};
	bool taken = kernel ? kernel_scan(kernel, &scan) : scan_json(&scan);
	outcome.fault = scan.fault;
	if (!taken) {
		outcome.position = scan.position;
		memset(outcome.spans, 0, sizeof(outcome.spans));
		return outcome;
	}
	outcome.root = scan.root;
	outcome.keys = paths.keys.count;
	for (size_t i = 0; i < paths.keys.count && i < KEYS_INLINE; i++)
		outcome.key_hash = outcome.key_hash * 31 + paths.keys.first[i].hash + paths.keys.first[i].start;
	return outcome;
}

static bool same_span(struct sluice_bytes a, struct sluice_bytes b)
{
	return a.data == b.data && a.size == b.size;
}

static const char *difference(const struct outcome *a, const struct outcome *b)
{
	if (a->fault != b->fault)
		return "fault";
	if (a->position != b->position)
		return "position";
	if (a->keys != b->keys || a->key_hash != b->key_hash)
		return "keys";
	if (!same_span(a->root, b->root))
		return "root";
	for (size_t i = 0; i < POINTERS; i++) {
		if (!same_span(a->spans[i], b->spans[i]))
			return pointers[i];
	}
	return NULL;
}

static bool compare_kernels(struct parse_pair *pair, const void *text, size_t size)
{
	struct sluice_event *event = harness_event(pair->harnesses[0][0]);
	event->body = (struct sluice_bytes){place(pair, text, size), size};
	struct outcome plain = scan_with(pair, NULL, event);
	bool same = true;
	for (const struct kernel *kernel = kernels; same && kernel->name; kernel++) {
		if (!kernel->is_supported())
			continue;
		struct outcome outcome = scan_with(pair, kernel, event);
		const char *what = difference(&plain, &outcome);
		same = !what;
		if (what)
			(void)snprintf(pair->sentence, sizeof(pair->sentence),
			               "kernel %s: another %s: fault %d at %zu, plain %d at %zu", kernel->name, what,
			               (int)outcome.fault, outcome.position, (int)plain.fault, plain.position);
	}
	harness_free(event);
	return same;
}

const char *parse_pair_scan(struct parse_pair *pair, const void *text, size_t size)
{
	return compare_kernels(pair, text, size) ? NULL : pair->sentence;
}

const char *parse_pair_declines(struct parse_pair *pair, const void *text, size_t size)
{
	struct sluice_event *event = harness_event(pair->harnesses[0][0]);
	event->body = (struct sluice_bytes){place(pair, text, size), size};
	struct sluice_bytes spans[POINTERS];
	struct paths paths = {.sources = pair->sources, .source_count = POINTERS, .spans = spans};
	const char *declining = NULL;
	for (const struct kernel *kernel = kernels; !declining && kernel->name; kernel++) {
		struct scan scan = {.text = event->body, .max_depth = MAX_DEPTH, .paths = &paths};
		paths_init(&paths, event, event->body);
		if (kernel->scan && kernel->is_supported() && kernel->scan(&scan, scan.text.data) != KERNEL_TAKEN)
			declining = kernel->name;
	}
	harness_free(event);
	return declining;
}

static bool same_bytes(struct sluice_bytes a, struct sluice_bytes b)
{
	return !a.data == !b.data && sluice_bytes_equal(a, b);
}

static bool same_events(const struct sluice_event *a, const struct sluice_event *b)
{
	return same_bytes(a->message_id, b->message_id) && same_bytes(a->event_type, b->event_type) &&
	       same_bytes(a->stream, b->stream) && same_bytes(a->payload, b->payload) &&
	       a->has_sequence == b->has_sequence && a->sequence == b->sequence;
}

static bool compare_stages(struct parse_pair *pair, struct harness *const *harnesses, const void *text, size_t size)
{
	struct sluice_event *events[STAGES];
	enum sluice_verdict verdicts[STAGES];
	for (int i = 0; i < STAGES; i++) {
		events[i] = harness_event(harnesses[i]);
		harness_header(events[i], "Id", "m");
		harness_body(events[i], text, size);
		verdicts[i] = harness_process(harnesses[i], events[i]);
	}
	bool same = verdicts[0] == verdicts[1] && same_events(events[0], events[1]) &&
	            harness_status(events[0]) == harness_status(events[1]) &&
	            strcmp(harness_detail(events[0]), harness_detail(events[1])) == 0;
	if (!same)
		(void)snprintf(pair->sentence, sizeof(pair->sentence), "json: %d '%.150s', scan: %d '%.150s'",
		               (int)verdicts[0], harness_detail(events[0]), (int)verdicts[1],
		               harness_detail(events[1]));
	for (int i = 0; i < STAGES; i++)
		harness_free(events[i]);
	return same;
}

const char *parse_pair_compare(struct parse_pair *pair, const void *text, size_t size)
{
	bool same = compare_kernels(pair, text, size);
	for (int i = 0; same && i < MAPPINGS; i++)
		same = compare_stages(pair, pair->harnesses[i], text, size);
	return same ? NULL : pair->sentence;
}
