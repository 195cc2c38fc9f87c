/*
 * Overlays together: what two of them do in company against what each does alone, and which set of them to keep. Pure
 * functions of comparisons with the base that were made before.
 *
 * If two overlays had nothing to do with each other, the logarithms of their changes of P95 would add up. What they do
 * beyond that has an interval made of those of the three comparisons, which are independent.
 */
#ifndef LAB_JUDGE_TOGETHER_H
#define LAB_JUDGE_TOGETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lab/judge/outcome.h"

enum { TOGETHER_OVERLAYS_MAX = 64 };

/* A change of P95: ln(B / A), and half of its interval. */
struct together_change {
	double mean, half;
};

/* Some overlays against none of them. */
struct together_set {
	uint64_t overlays; /* bit i: overlay i of the pipeline */
	struct together_change change;
	enum verdict_outcome outcome;
};

/* How two overlays get on. */
#define TOGETHER_ROWS(ROW)                                                                                             \
	ROW(TOGETHER_HELP, "help", "more than both alone add up to")                                                   \
	ROW(TOGETHER_HINDER, "hinder", "less than both alone add up to")                                               \
	ROW(TOGETHER_ADD_UP, "add up", "as much as both alone, within the margin")                                     \
	ROW(TOGETHER_OPEN, "not settled", "the intervals are too wide to tell")

#define TOGETHER_ENUM(id, ...) id,
enum together_word { TOGETHER_ROWS(TOGETHER_ENUM) TOGETHER_WORDS };
extern const struct together_text {
	const char *name, *meaning;
} together_texts[TOGETHER_WORDS];

struct together_pair {
	struct together_change together, expected, beyond; /* beyond: together less expected */
	enum together_word word;
};

/* The set of these overlays; NULL: it was not compared. */
const struct together_set *together_find(const struct together_set *sets, size_t count, uint64_t overlays);

/* False unless both overlays, given by their bits, were compared alone and together. */
bool together_judge(const struct together_set *sets, size_t count, uint64_t one, uint64_t other, double margin,
                    struct together_pair *pair_out);

/* The change of a set that was only compared with a larger one, which was compared with none: A of `to_larger` is the set,
 * B the larger one. */
struct together_change together_chain(struct together_change larger, struct together_change to_larger);

/* The set to keep: of those that are better than none, the one with the fewest overlays whose change is within `margin` (a
 * share) of the best one's; of several, the best. *best_out: the best one. NULL, in both: none is better. */
const struct together_set *together_recommend(const struct together_set *sets, size_t count, double margin,
                                              const struct together_set **best_out);

#endif
