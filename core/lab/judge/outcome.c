#include "lab/judge/outcome.h"

#include <stddef.h>
#include <strings.h>

#define VERDICT_OUTCOME(id, word, color, exit_status, sentence)                                                        \
	[id] = {.name = word, .tone = color, .status = exit_status, .lead = sentence},
#define GATE_OUTCOME(id, word, color, exit_status) [id] = {.name = word, .tone = color, .status = exit_status},
#define GATE_VERDICT(id, word, color) [id] = {.name = word, .tone = color},

const struct outcome verdict_outcomes[VERDICT_OUTCOMES] = {VERDICT_OUTCOME_ROWS(VERDICT_OUTCOME)};
const struct outcome gate_outcomes[GATE_OUTCOMES] = {GATE_OUTCOME_ROWS(GATE_OUTCOME)};
const struct outcome gate_verdicts[GATE_VERDICTS] = {GATE_VERDICT_ROWS(GATE_VERDICT)};

static const struct outcome *find_in(const struct outcome *rows, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

const struct outcome *outcome_find(const char *name)
{
	const struct outcome *found = find_in(verdict_outcomes, VERDICT_OUTCOMES, name);
	if (!found)
		found = find_in(gate_outcomes, GATE_OUTCOMES, name);
	return found ? found : find_in(gate_verdicts, GATE_VERDICTS, name);
}
