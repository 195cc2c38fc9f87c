/*
 * Overlays together; see together.h.
 */
#include "lab/judge/together.h"

#include <math.h>

#include "lab/judge/verdict.h"

#define TOGETHER_TEXT(id, name_, meaning_) [id] = {name_, meaning_},
const struct together_text together_texts[TOGETHER_WORDS] = {TOGETHER_ROWS(TOGETHER_TEXT)};

const struct together_set *together_find(const struct together_set *sets, size_t count, uint64_t overlays)
{
	for (size_t i = 0; i < count; i++)
		if (sets[i].overlays == overlays)
			return &sets[i];
	return NULL;
}

/* Of independent estimates; `sign` −1: their difference. */
static struct together_change add(struct together_change a, struct together_change b, double sign)
{
	return (struct together_change){a.mean + sign * b.mean, hypot(a.half, b.half)};
}

static enum together_word word_of(struct together_change beyond, double margin)
{
	static const enum together_word words[VERDICT_OUTCOMES] = {
		[VERDICT_BETTER] = TOGETHER_HELP,       [VERDICT_WORSE] = TOGETHER_HINDER,
		[VERDICT_EQUIVALENT] = TOGETHER_ADD_UP, [VERDICT_INCONCLUSIVE] = TOGETHER_OPEN,
		[VERDICT_INVALID] = TOGETHER_OPEN,
	};
	return words[verdict_of_interval(beyond.mean, beyond.mean - beyond.half, beyond.mean + beyond.half, margin)];
}

bool together_judge(const struct together_set *sets, size_t count, uint64_t one, uint64_t other, double margin,
                    struct together_pair *pair_out)
{
	const struct together_set *alone[] = {together_find(sets, count, one), together_find(sets, count, other)};
	const struct together_set *both = together_find(sets, count, one | other);
	if (!alone[0] || !alone[1] || !both)
		return false;
	pair_out->together = both->change;
	pair_out->expected = add(alone[0]->change, alone[1]->change, 1);
	pair_out->beyond = add(pair_out->together, pair_out->expected, -1);
	pair_out->word = word_of(pair_out->beyond, margin);
	return true;
}

struct together_change together_chain(struct together_change larger, struct together_change to_larger)
{
	return add(larger, to_larger, -1);
}

static int size_of(const struct together_set *set)
{
	return __builtin_popcountll(set->overlays);
}

static bool is_preferred(const struct together_set *set, const struct together_set *to)
{
	return !to || size_of(set) < size_of(to) || (size_of(set) == size_of(to) && set->change.mean < to->change.mean);
}

const struct together_set *together_recommend(const struct together_set *sets, size_t count, double margin,
                                              const struct together_set **best_out)
{
	const struct together_set *best = NULL, *chosen = NULL;
	for (size_t i = 0; i < count; i++)
		if (sets[i].outcome == VERDICT_BETTER && (!best || sets[i].change.mean < best->change.mean))
			best = &sets[i];
	for (size_t i = 0; best && i < count; i++)
		if (sets[i].outcome == VERDICT_BETTER && sets[i].change.mean <= best->change.mean + log1p(margin) &&
		    is_preferred(&sets[i], chosen))
			chosen = &sets[i];
	*best_out = best;
	return chosen;
}
