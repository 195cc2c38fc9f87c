/*
 * sluice generate: writes synthetic webhooks, to be sent by `sluice replay`.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "cli.h"
#include "lab/generate.h"
#include "yaml/quantity.h"

/* What stands behind each flag, as text. */
struct texts {
	const char *count, *seed, *duplicates, *conflicts, *bad_signatures, *malformed, *streams, *size;
};

static bool complain(const char *flag, const char *expected, const char *text)
{
	fprintf(stderr, "sluice generate: --%s: expected %s, got \"%s\"\n", flag, expected, text);
	return false;
}

/* The shares say more once they are put together: see generate_create(). */
static bool read_share(const char *flag, const char *text, double *share)
{
	if (!text)
		return true;
	return (quantity_parse_percent(text, share) && *share < 1) ||
	       complain(flag, "a share of the lines as 2%, below 100%", text);
}

static bool read_number(const char *flag, const char *expected, const char *text, int64_t least, int64_t most,
                        int64_t *number)
{
	if (!text)
		return true;
	return (quantity_parse_int(text, number) && *number >= least && *number <= most) ||
	       complain(flag, expected, text);
}

static bool read_sizes(const struct texts *texts, const char *corpus, struct generate_sizes *sizes)
{
	struct sluice_error error = {0};
	if (texts->size && corpus)
		return complain("size", "nothing beside --corpus, whose payloads have their own sizes", texts->size);
	if (generate_sizes_parse(texts->size ? texts->size : "1KiB", sizes, &error))
		return true;
	fprintf(stderr, "sluice generate: --size: %s\n", error.text);
	return false;
}

static bool read_recipe(const struct texts *texts, const char *corpus, struct generate_recipe *recipe)
{
	int64_t count = 1000, seed = 1, streams = 100;
	recipe->duplicates = 0.02;
	if (!read_number("count", "1..1000000000 lines", texts->count, 1, GENERATE_LINES_MAX, &count) ||
	    !read_number("seed", "a whole number, 0 or more", texts->seed, 0, INT64_MAX, &seed) ||
	    !read_number("streams", "0..1000000000", texts->streams, 0, 1000000000, &streams) ||
	    !read_share("duplicates", texts->duplicates, &recipe->duplicates) ||
	    !read_share("conflicts", texts->conflicts, &recipe->conflicts) ||
	    !read_share("bad-signatures", texts->bad_signatures, &recipe->bad_signatures) ||
	    !read_share("malformed", texts->malformed, &recipe->malformed) ||
	    !read_sizes(texts, corpus, &recipe->sizes))
		return false;
	recipe->count = (size_t)count;
	recipe->seed = (uint64_t)seed;
	recipe->streams = (size_t)streams;
	return true;
}

static bool write_lines(struct generator *generator, FILE *out, size_t counts[INPUT_KINDS])
{
	struct input input;
	struct buffer line = {0};
	bool good = true;
	input_init(&input);
	while (good && generate_next(generator, &input)) {
		counts[input.events[0].kind]++;
		input_write(&input.events[0], &line);
		good = fwrite(line.data, 1, line.size, out) == line.size;
		buffer_empty(&line);
		input_empty(&input);
	}
	buffer_finish(&line);
	input_finish(&input);
	return good;
}

static void print_counts(const char *path, const size_t counts[INPUT_KINDS])
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "%s:", path);
	const char *separator = " ";
	for (int kind = 0; kind < INPUT_KINDS; kind++) {
		if (counts[kind] == 0)
			continue;
		fprintf(stderr, "%s%zu %s", separator, counts[kind], input_kind_names[kind]);
		separator = ", ";
	}
	fputc('\n', stderr);
}

static int write_file(struct generator *generator, const char *path)
{
	const bool standard = strcmp(path, "-") == 0;
	size_t counts[INPUT_KINDS] = {0};
	FILE *out = standard ? stdout : fopen(path, "we");
	bool good = out && write_lines(generator, out, counts);
	if (out)
		good = (standard ? fflush(out) : fclose(out)) == 0 && good;
	if (good) {
		print_counts(standard ? "standard output" : path, counts);
		return STATUS_YES;
	}
	fprintf(stderr, "sluice generate: --output: %s: cannot be written: %s\n", path, strerror(errno));
	return STATUS_CANNOT;
}

static int generate(const struct texts *texts, const char *corpus_path, const char *output)
{
	struct generate_recipe recipe = {0};
	struct sluice_error error = {0};
	if (!read_recipe(texts, corpus_path, &recipe))
		return STATUS_CANNOT;
	struct corpus *corpus = corpus_path ? corpus_read(corpus_path, &error) : NULL;
	recipe.corpus = corpus;
	struct generator *generator = corpus_path && !corpus ? NULL : generate_create(&recipe, &error);
	int status = STATUS_CANNOT;
	if (generator)
		status = write_file(generator, output);
	else
		fprintf(stderr, "sluice generate: --%s%s\n", corpus_path && !corpus ? "corpus: " : "", error.text);
	generate_free(generator);
	corpus_free(corpus);
	return status;
}

int cmd_generate(int argc, char **argv)
{
	struct texts texts = {0};
	const char *corpus = NULL, *output = "-";
	const struct flag flags[] = {
		{"count", "N", "how many lines (1000)", NULL, &texts.count},
		{"seed", "N", "the same seed gives the same bytes (1)", NULL, &texts.seed},
		{"duplicates", "SHARE", "lines that repeat an earlier one (2%)", NULL, &texts.duplicates},
		{"conflicts", "SHARE", "lines with the id of an earlier one and another payload (0%)", NULL,
	         &texts.conflicts},
		{"bad-signatures", "SHARE", "lines to be signed with a wrong secret (0%)", NULL, &texts.bad_signatures},
		{"malformed", "SHARE", "lines that no event can be made of (0%)", NULL, &texts.malformed},
		{"streams", "N", "how many streams the events belong to (100); 0: none", NULL, &texts.streams},
		{"size", "SIZE", "of payloads: 1KiB, 256B..8KiB, or real: as GitHub's (1KiB)", NULL, &texts.size},
		{"corpus", "FILE", "draw the payloads from this file, one JSON value a line", NULL, &corpus},
		{"output", "FILE", "where to; - is standard output (-)", NULL, &output},
		{NULL, NULL, NULL, NULL, NULL},
	};
	const struct command command = {
		.usage = "generate",
		.about = "Writes synthetic webhooks, one a line, for `sluice replay` to send. They look like those of "
			 "a shop, belong to streams and are numbered in them. Shares are of all lines; half of the "
			 "duplicates follow their original at once, half up to 1,000 lines later.",
		.example = "sluice generate --count 30000 --duplicates 2% --size real --output input.jsonl",
		.flags = flags,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = generate(&texts, corpus, output);
	arguments_finish(&arguments);
	return status;
}
