#include "runtime/verdict.h"

#include <stddef.h>

#include "runtime/loader.h"

const char *const event_outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_ACCEPTED] = "accepted", [OUTCOME_DUPLICATE] = "duplicate", [OUTCOME_CONFLICT] = "conflict",
	[OUTCOME_REJECTED] = "rejected", [OUTCOME_FAILED] = "failed",       [OUTCOME_ANSWERED] = "answered",
};

#define KIND(name) (1u << SLUICE_KIND_##name)
#define ANY_KIND ((1u << KIND_COUNT) - 1)

static const struct verdict verdicts[] = {
	[SLUICE_PASS] = {"PASS", ANY_KIND, OUTCOME_ACCEPTED, 202},
	[SLUICE_DONE] = {"DONE", KIND(IDEMPOTENCY) | KIND(PERSIST), OUTCOME_DUPLICATE, 200},
	[SLUICE_WAIT] = {"WAIT", KIND(AUTH) | KIND(PARSE) | KIND(IDEMPOTENCY), OUTCOME_FAILED, 500},
	[SLUICE_REJECT] = {"REJECT", ANY_KIND, OUTCOME_REJECTED, 400},
	[SLUICE_RETRY] = {"RETRY", ANY_KIND, OUTCOME_FAILED, 503},
	[SLUICE_FAIL] = {"FAIL", ANY_KIND, OUTCOME_FAILED, 500},
};

const struct verdict *verdict_find(enum sluice_verdict verdict)
{
	return (size_t)verdict < sizeof(verdicts) / sizeof(verdicts[0]) ? &verdicts[verdict] : NULL;
}

const char *verdict_name(enum sluice_verdict verdict)
{
	const struct verdict *found = verdict_find(verdict);
	return found ? found->name : "no verdict";
}

bool verdict_fits(enum sluice_verdict verdict, enum sluice_kind kind)
{
	const struct verdict *found = verdict_find(verdict);
	return found && (found->kinds & 1u << kind);
}
