/*
 * What the trust benchmark computes with the laboratory's own functions.
 *
 *   bench-trust draw COMPARISONS PAIRS ALPHA MARGIN SEED
 *       Comparisons drawn from recorded lives: a line of standard input is a life, and has ln(P95 of B / P95 of A) of each
 *       of its pairs. A comparison is made of whole lives, none of them twice, until it has that many pairs. Prints how many
 *       were called what, and what the lives say together: the mean over lives and its 99 % interval.
 *   bench-trust share BAD COUNT
 *       The exact 95 % interval of a share.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/prng.h"
#include "lab/judge/outcome.h"
#include "lab/judge/verdict.h"
#include "lab/run/estimate.h"

enum { LIVES_MAX = 1000, PAIRS_MAX = 1000 };

struct life {
	double *d;
	size_t pairs;
};

struct lives {
	struct life items[LIVES_MAX];
	size_t count, pairs;
};

struct draw {
	size_t comparisons, pairs;
	double alpha, margin;
	uint64_t seed;
};

static void read_life(char *line, struct lives *lives)
{
	struct life life = {.d = must_calloc(PAIRS_MAX, sizeof(*life.d))};
	char *end = line;
	for (char *at = line; life.pairs < PAIRS_MAX; at = end) {
		double d = strtod(at, &end);
		if (end == at)
			break;
		life.d[life.pairs++] = d;
	}
	if (life.pairs == 0) {
		free(life.d);
		return;
	}
	lives->items[lives->count++] = life;
	lives->pairs += life.pairs;
}

static void read_lives(struct lives *lives)
{
	char *line = NULL;
	size_t room = 0;
	while (lives->count < LIVES_MAX && getline(&line, &room, stdin) >= 0)
		read_life(line, lives);
	free(line);
}

/* A Fisher–Yates shuffle, as far as it is used. Returns how many pairs there are. */
static size_t draw_pairs(struct lives *lives, size_t pairs, struct prng *prng, double *d)
{
	size_t count = 0;
	for (size_t i = 0; i < lives->count && count < pairs; i++) {
		size_t other = i + (size_t)prng_below(prng, lives->count - i);
		struct life drawn = lives->items[other];
		lives->items[other] = lives->items[i];
		lives->items[i] = drawn;
		for (size_t k = 0; k < drawn.pairs && count < pairs; k++)
			d[count++] = drawn.d[k];
	}
	return count;
}

static void print_mean_of_lives(const struct lives *lives, uint64_t seed)
{
	double *means = must_calloc(lives->count, sizeof(*means));
	struct estimate_pairs found;
	for (size_t i = 0; i < lives->count; i++) {
		for (size_t k = 0; k < lives->items[i].pairs; k++)
			means[i] += lives->items[i].d[k] / (double)lives->items[i].pairs;
	}
	estimate_pairs(means, lives->count, 0.01, seed, &found);
	(void)printf("lives=%zu mean=%.6f low=%.6f high=%.6f\n", lives->count, expm1(found.mean), expm1(found.low),
	             expm1(found.high));
	free(means);
}

static int draw(const struct draw *asked)
{
	static struct lives lives;
	size_t outcomes[VERDICT_OUTCOMES] = {0};
	struct prng prng;
	read_lives(&lives);
	if (lives.pairs < asked->pairs || asked->pairs < 2) {
		(void)fprintf(stderr, "bench-trust draw: the lives have %zu pairs, and a comparison takes %zu\n",
		              lives.pairs, asked->pairs);
		return 2;
	}
	double *d = must_calloc(asked->pairs, sizeof(*d));
	prng_init(&prng, asked->seed);
	for (size_t i = 0; i < asked->comparisons; i++) {
		struct estimate_pairs found;
		estimate_pairs(d, draw_pairs(&lives, asked->pairs, &prng, d), asked->alpha, asked->seed, &found);
		outcomes[verdict_of_interval(found.mean, found.low, found.high, asked->margin)]++;
	}
	for (size_t i = 0; i < VERDICT_OUTCOMES; i++)
		(void)printf("%s=%zu ", verdict_outcomes[i].name, outcomes[i]);
	print_mean_of_lives(&lives, asked->seed);
	for (size_t i = 0; i < lives.count; i++)
		free(lives.items[i].d);
	free(d);
	return 0;
}

static int share(size_t bad, size_t count)
{
	(void)printf("low=%.6f high=%.6f\n", estimate_share_lower(bad, count, 0.975),
	             estimate_share_upper(bad, count, 0.975));
	return 0;
}

static size_t number(const char *text)
{
	return (size_t)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	if (argc == 7 && strcmp(argv[1], "draw") == 0)
		return draw(&(struct draw){number(argv[2]), number(argv[3]), strtod(argv[4], NULL),
		                           strtod(argv[5], NULL), number(argv[6])});
	if (argc == 4 && strcmp(argv[1], "share") == 0)
		return share(number(argv[2]), number(argv[3]));
	(void)fprintf(stderr, "usage: bench-trust draw COMPARISONS PAIRS ALPHA MARGIN SEED | share BAD COUNT\n");
	return 2;
}
