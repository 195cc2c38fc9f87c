/*
 * sluice generate: writes synthetic webhooks, to be sent by `sluice replay`.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/cli.h"
#include "lab/load/generate.h"

struct settings {
	int64_t count, seed, streams;
	double duplicates, conflicts, bad_signatures, malformed;
	const char *size, *corpus, *output;
};

static const struct sluice_option options[] = {
	SLUICE_OPTION_INT(struct settings, count, .name = "count", .fallback = "1000", .min = 1,
                          .max = GENERATE_LINES_MAX, .unit = "lines", .help = "how many lines"),
	SLUICE_OPTION_INT(struct settings, seed, .name = "seed", .fallback = "1", .min = 0, .max = INT64_MAX,
                          .help = "the same seed gives the same bytes"),
	SLUICE_OPTION_PERCENT(struct settings, duplicates, .name = "duplicates", .fallback = "2%", .min = 0, .max = 99,
                              .help = "share of lines that repeat an earlier one"),
	SLUICE_OPTION_PERCENT(struct settings, conflicts, .name = "conflicts", .fallback = "0%", .min = 0, .max = 99,
                              .help = "share of lines with the id of an earlier one and another payload"),
	SLUICE_OPTION_PERCENT(struct settings, bad_signatures, .name = "bad-signatures", .fallback = "0%", .min = 0,
                              .max = 99, .help = "share of lines signed with a wrong secret"),
	SLUICE_OPTION_PERCENT(struct settings, malformed, .name = "malformed", .fallback = "0%", .min = 0, .max = 99,
                              .help = "share of lines that are not valid events"),
	SLUICE_OPTION_INT(struct settings, streams, .name = "streams", .fallback = "100", .min = 0, .max = 1000000000,
                          .unit = "streams", .help = "how many streams the events belong to; 0: none"),
	SLUICE_OPTION_STRING(struct settings, size, .name = "size", .unit = "SIZE|A..B|real",
                             .help = "of payloads: 1KiB if nothing is said, or real: as GitHub's"),
	SLUICE_OPTION_STRING(struct settings, corpus, .name = "corpus", .unit = "FILE",
                             .help = "draw payloads from this file, one JSON value per line"),
	SLUICE_OPTION_STRING(struct settings, output, .name = "output", .unit = "FILE", .fallback = "-",
                             .help = "the file to write; - is standard output"),
	SLUICE_OPTION_END,
};

static bool read_sizes(const struct settings *settings, struct generate_sizes *sizes_out, struct sluice_error *error)
{
	struct sluice_error cause = {0};
	if (settings->size && settings->corpus)
		return sluice_error_set(error, "size: excludes --corpus, whose payloads have their own sizes");
	return generate_sizes_parse(settings->size ? settings->size : "1KiB", sizes_out, &cause) ||
	       sluice_error_set(error, "size: %s", cause.text);
}

/* All but the corpus. */
static bool fill_recipe(const struct settings *settings, struct generate_recipe *recipe_out, struct sluice_error *error)
{
	*recipe_out = (struct generate_recipe){
		.count = (size_t)settings->count,
		.seed = (uint64_t)settings->seed,
		.duplicates = settings->duplicates,
		.conflicts = settings->conflicts,
		.bad_signatures = settings->bad_signatures,
		.malformed = settings->malformed,
		.streams = (size_t)settings->streams,
	};
	return read_sizes(settings, &recipe_out->sizes, error);
}

static struct generator *create_generator(const struct settings *settings, struct corpus **corpus_out,
                                          struct sluice_error *error)
{
	struct generate_recipe recipe;
	struct sluice_error cause = {0};
	if (!fill_recipe(settings, &recipe, error))
		return NULL;
	if (settings->corpus && !(*corpus_out = corpus_read(settings->corpus, &cause))) {
		(void)sluice_error_set(error, "corpus: %s", cause.text);
		return NULL;
	}
	recipe.corpus = *corpus_out;
	return generate_create(&recipe, error);
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
	bool standard = strcmp(path, "-") == 0;
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

static int generate(const struct settings *settings)
{
	struct sluice_error error = {0};
	struct corpus *corpus = NULL;
	struct generator *generator = create_generator(settings, &corpus, &error);
	int status = STATUS_CANNOT;
	if (generator)
		status = write_file(generator, settings->output);
	else
		fprintf(stderr, "sluice generate: --%s\n", error.text);
	generate_free(generator);
	corpus_free(corpus);
	return status;
}

int cmd_generate(int argc, char **argv)
{
	struct settings settings;
	struct command command = {
		.usage = "generate",
		.about =
			"Writes synthetic webhooks, one a line, for `sluice replay` to send. They look like those of a "
			"shop, belong to streams and are numbered in them. Shares are of all lines; half of the "
			"duplicates follow their original at once, half up to 1,000 lines later.",
		.example = "sluice generate --count 30000 --duplicates 2% --size real --output input.jsonl",
		.options = options,
		.config = &settings,
	};
	struct arguments arguments;
	int status;
	if (!arguments_parse(&command, argc, argv, &arguments, &status))
		return status;
	status = generate(&settings);
	arguments_finish(&arguments);
	return status;
}
