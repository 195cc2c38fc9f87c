/*
 * bench-parse FILE ROUNDS STAGE…: parses the bodies of a file, a line each, with stages of kind parse (a .so, or `tree`:
 * jansson, which builds one and takes no field) in interleaved rounds, and prints a line for each with the time per byte.
 * With one stage alone and ROUNDS 1 a run is what a counter of instructions can be put around; ROUNDS 0 is its base.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "conform/bench.h"
#include "runtime/loader.h"

enum { CONTENDERS_MAX = 8, ROUNDS_MAX = 1000 };

struct corpus {
	char *text;
	size_t size, count;
	struct sluice_bytes *bodies;
};

struct contender {
	const char *name;
	struct bench *bench; /* NULL: the tree */
	struct sluice_event **events;
	double ns[ROUNDS_MAX]; /* per byte */
};

_Noreturn static void fail(const char *what, const char *why)
{
	(void)fprintf(stderr, "bench-parse: %s: %s\n", what, why);
	exit(2);
}

static void read_corpus(const char *path, struct corpus *corpus)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		fail(path, "cannot be read");
	char *line = NULL;
	size_t room = 0;
	for (ssize_t size; (size = getline(&line, &room, file)) > 0;) {
		size_t body_size = (size_t)size - (line[size - 1] == '\n');
		corpus->bodies = must_realloc(corpus->bodies, (corpus->count + 1) * sizeof(*corpus->bodies));
		char *body = must_alloc(body_size);
		memcpy(body, line, body_size);
		corpus->bodies[corpus->count++] = (struct sluice_bytes){body, body_size};
		corpus->size += body_size;
	}
	free(line);
	(void)fclose(file);
}

static void open_contender(struct contender *contender, const char *file, const struct corpus *corpus)
{
	/* As in pipelines/github.yaml. */
	static const char *const options[] = {"message_id=header:X-GitHub-Delivery",
	                                      "event_type=header:X-GitHub-Event",
	                                      "payload=",
	                                      "stream=/repository/full_name, /organization/login",
	                                      "sequence=header:X-Sequence",
	                                      NULL};
	contender->name = file;
	if (strcmp(file, "tree") == 0)
		return;
	struct sluice_error error = {0};
	struct plugin *plugin = loader_open_file(file, &error);
	contender->bench = plugin ? bench_create(plugin, options, false, &error) : NULL;
	if (!contender->bench)
		fail(file, error.text);
	contender->events = must_alloc(corpus->count * sizeof(struct sluice_event *));
	for (size_t i = 0; i < corpus->count; i++) {
		contender->events[i] = bench_event(contender->bench);
		bench_add_header(contender->events[i], "X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
		bench_add_header(contender->events[i], "X-GitHub-Event", "push");
		contender->events[i]->body = corpus->bodies[i];
	}
}

static bool parse(const struct contender *contender, const struct corpus *corpus, size_t i)
{
	if (contender->bench)
		return contender->bench->ops->of.parse->process(&contender->bench->stage, contender->events[i]) ==
		       SLUICE_PASS;
	json_t *tree = json_loadb(corpus->bodies[i].data, corpus->bodies[i].size, JSON_ALLOW_NUL, NULL);
	json_decref(tree);
	return tree != NULL;
}

static double round_ns(const struct contender *contender, const struct corpus *corpus)
{
	int64_t start_ns = clock_now_ns();
	for (size_t i = 0; i < corpus->count; i++) {
		if (!parse(contender, corpus, i))
			fail(contender->name, contender->bench ? bench_detail(contender->events[i]) : "no tree");
	}
	return (double)(clock_now_ns() - start_ns) / (double)corpus->size;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t rounds = argc > 3 ? strtoul(argv[2], NULL, 10) : 0, count = (size_t)argc - 3;
	if (argc < 4 || count > CONTENDERS_MAX || rounds > ROUNDS_MAX) {
		(void)fprintf(stderr, "usage: %s FILE ROUNDS STAGE…\n", argv[0]);
		return 2;
	}
	struct corpus corpus = {0};
	static struct contender contenders[CONTENDERS_MAX];
	read_corpus(argv[1], &corpus);
	for (size_t i = 0; i < count; i++)
		open_contender(&contenders[i], argv[3 + i], &corpus);
	for (size_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < count; i++)
			contenders[i].ns[round] = round_ns(&contenders[i], &corpus);
	}
	for (size_t i = 0; rounds > 0 && i < count; i++) {
		qsort(contenders[i].ns, rounds, sizeof(double), compare);
		(void)printf("ns_per_byte=%.4f median=%.4f bytes=%zu\n", contenders[i].ns[0],
		             contenders[i].ns[rounds / 2], corpus.size);
	}
	return 0;
}
