/*
 * bench-idempotency BUILD URL ROUNDS EVENTS OLD: what process() takes for a message id that is new, in idempotency/lookup,
 * memory and filter, in turn; and how many of 200 ids that were stored long ago, "OLD" and a number, each of them knows. One
 * thread, without HTTP. Prints a line of names and values for each round, and one for what they know.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "conform/bench.h"
#include "runtime/loader.h"

enum { STAGES = 3, KNOWN = 200 };

static const char *const names[STAGES] = {"lookup", "memory", "filter"};
static const char *const files[STAGES] = {"plugins/idempotency/lookup.so", "stages/idempotency/memory.so",
                                          "plugins/idempotency/filter.so"};

static struct bench *open_stage(const char *build, int stage, const char *url)
{
	char path[1024], option[1024];
	struct sluice_error error = {0};
	(void)snprintf(path, sizeof(path), "%s/%s", build, files[stage]);
	(void)snprintf(option, sizeof(option), "url=%s", url);
	struct plugin *plugin = loader_open_file(path, &error);
	const char *const options[] = {stage == 1 ? NULL : option, NULL};
	struct bench *bench = plugin ? bench_create(plugin, options, false, &error) : NULL;
	if (bench)
		return bench;
	(void)fprintf(stderr, "bench-idempotency: %s\n", error.text);
	exit(2);
}

static enum sluice_verdict ask(struct bench *bench, const char *id, int64_t *ns)
{
	struct sluice_event *event = bench_event(bench);
	bench_set_fields(event, id, "type", NULL, "{}");
	(void)sluice_digest(event);
	int64_t start_ns = clock_now_ns();
	enum sluice_verdict verdict = bench_process(bench, event);
	*ns += clock_now_ns() - start_ns;
	bench_settle(bench, event, SLUICE_FAIL);
	return verdict;
}

static double round_ns(struct bench *bench, int round, int events)
{
	int64_t ns = 0;
	for (int i = 0; i < events; i++) {
		char id[64];
		(void)snprintf(id, sizeof(id), "new-%d-%d", round, i);
		if (ask(bench, id, &ns) != SLUICE_PASS) {
			(void)fprintf(stderr, "bench-idempotency: a new id did not pass\n");
			exit(2);
		}
	}
	return (double)ns / events;
}

static int count_known(struct bench *bench, const char *old)
{
	int known = 0;
	for (int i = 1; i <= KNOWN; i++) {
		char id[64];
		int64_t ns = 0;
		(void)snprintf(id, sizeof(id), "%s%d", old, i * 1000);
		enum sluice_verdict verdict = ask(bench, id, &ns);
		known += verdict == SLUICE_DONE || verdict == SLUICE_REJECT;
	}
	return known;
}

/* Of what observe() shows. */
static double gauge(struct bench *bench, const char *name)
{
	char *seen = bench_observe(bench), *line = strstr(seen, name), *space = line ? strchr(line, ' ') : NULL;
	double value = space ? strtod(space, NULL) : 0;
	free(seen);
	return value;
}

int main(int argc, char **argv)
{
	struct bench *stages[STAGES];
	if (argc != 6)
		return 2;
	int rounds = atoi(argv[3]), events = atoi(argv[4]);
	for (int i = 0; i < STAGES; i++)
		stages[i] = open_stage(argv[1], i, argv[2]);
	int64_t start_ns = clock_now_ns();
	while (gauge(stages[2], "idempotency_filter_whole") < 1) {
		const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
		(void)nanosleep(&pause, NULL);
	}
	int64_t whole_ns = clock_now_ns() - start_ns;
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < STAGES; i++)
			(void)printf("%s%s_ns=%.0f", i ? " " : "", names[i], round_ns(stages[i], round, events));
		(void)printf("\n");
	}
	for (int i = 0; i < STAGES; i++)
		(void)printf("%s_knows=%d ", names[i], count_known(stages[i], argv[5]));
	(void)printf("of=%d whole_ms=%.0f rate=%.6f\n", KNOWN, (double)whole_ns / 1e6,
	             gauge(stages[2], "idempotency_filter_false_positive_rate"));
	for (int i = 0; i < STAGES; i++)
		bench_close(stages[i]);
	return 0;
}
