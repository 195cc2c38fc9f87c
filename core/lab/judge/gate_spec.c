/*
 * A gate file is one option table: what is not in it is refused with file:line:column, and which criteria are asked for
 * is whether they are written.
 */
#include <string.h>

#include "base/digest.h"
#include "lab/judge/gate.h"
#include "yaml/bind.h"
#include "yaml/yaml.h"

#define NS_PER_MS 1e6
#define LATENCY_MAX INT64_C(3600000000000) /* an hour */

const char *const gate_kind_names[] = {
	[GATE_FINAL] = "final", [GATE_SMOKE] = "smoke", [GATE_INTERIM] = "interim", NULL};

static const char *const baseline_choices[] = {"not_worse", NULL};

#define LATENCY(field, option, words)                                                                                  \
	SLUICE_OPTION_DURATION(struct gate_spec, field, .name = option, .min = 1, .max = LATENCY_MAX, .help = words)
#define STAGE(criterion, option)                                                                                       \
	LATENCY(stages[criterion - GATE_AUTH], "criteria.stages." option, "P95 of the stage, waiting included")

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct gate_spec, name, .name = "gate", .flags = SLUICE_OPTION_REQUIRED,
                             .help = "its name"),
	SLUICE_OPTION_STRING(struct gate_spec, about, .name = "about", .fallback = "", .help = "what it is for"),
	SLUICE_OPTION_CHOICE(struct gate_spec, kind, .name = "outcome", .fallback = "final", .choices = gate_kind_names,
                             .help = "only final can say PASS; smoke and interim say PROCEED"),
	SLUICE_OPTION_PERCENT(struct gate_spec, confidence, .name = "confidence", .fallback = "95%", .min = 50,
                              .max = 99, .help = "how sure a row must be, one-sided"),

	SLUICE_OPTION_INT(struct gate_spec, requests, .name = "requires.requests", .min = 1, .max = 1000000000,
                          .unit = "requests", .help = "at least as many"),
	SLUICE_OPTION_INT(struct gate_spec, rate, .name = "requires.rate", .min = 1, .max = 10000000,
                          .unit = "requests a second", .help = "at least as many were due"),
	SLUICE_OPTION_INT(struct gate_spec, connections, .name = "requires.connections", .min = 1, .max = 1000000,
                          .unit = "connections", .help = "exactly as many"),

	LATENCY(p95, "criteria.p95", "95 of 100 requests within it, from when they were due"),
	LATENCY(p99, "criteria.p99", "99 of 100 requests within it"),
	SLUICE_OPTION_PERCENT(struct gate_spec, acceptance, .name = "criteria.acceptance", .max = 100,
                              .help = "of the requests that should be taken, at least"),
	SLUICE_OPTION_PERCENT(struct gate_spec, errors, .name = "criteria.errors", .max = 100,
                              .help = "of all requests, at most without the answer that is right for their kind"),
	SLUICE_OPTION_INT(struct gate_spec, violations, .name = "criteria.violations", .max = 1000000000,
                          .unit = "events", .help = "lost, doubled, altered or out of order, at most"),
	STAGE(GATE_AUTH, "auth"),
	STAGE(GATE_PARSE, "parse"),
	STAGE(GATE_IDEMPOTENCY, "idempotency"),
	STAGE(GATE_QUEUE, "queue"),
	STAGE(GATE_PERSIST, "persist"),
	STAGE(GATE_STORE, "store"),
	STAGE(GATE_RESPOND, "respond"),
	SLUICE_OPTION_CHOICE(struct gate_spec, baseline, .name = "criteria.baseline", .choices = baseline_choices,
                             .help = "P95 against the other arm, or against --baseline"),
	SLUICE_OPTION_PERCENT(struct gate_spec, memory_growth, .name = "criteria.memory_growth", .max = 1000,
                              .help = "of the server's memory from before its first block to after its last, at most"),
	SLUICE_OPTION_PERCENT(struct gate_spec, memory, .name = "criteria.memory", .max = 100,
                              .help = "of the machine's memory held by the server, at most"),
	SLUICE_OPTION_INT(struct gate_spec, descriptor_growth, .name = "criteria.descriptor_growth", .max = 1000000,
                          .unit = "descriptors", .help = "from before the first block to after the last, at most"),

	LATENCY(p95, "bands.proceed", "P95 up to here: PROCEED"),
	LATENCY(conditional, "bands.conditional", "P95 up to here: CONDITIONAL"),
	LATENCY(flag, "bands.flag", "P95 up to here: FLAG; above: ROLLBACK"),
	LATENCY(rollback_above, "rollback_above", "P95 above it: ROLLBACK"),
	SLUICE_OPTION_END,
};

static const struct yaml_node *find(const struct yaml_node *top, const char *group, const char *name)
{
	return yaml_get(yaml_get(top, group), name);
}

/* The names of criteria are those of gate_criteria[], below `criteria`. */
static bool note_asked(struct gate_spec *spec, const struct yaml_node *top)
{
	bool any = false;
	for (size_t i = 0; i < GATE_CRITERIA; i++) {
		spec->asked[i] = bind_get(yaml_get(top, "criteria"), gate_criteria[i].name) != NULL;
		any = any || spec->asked[i];
	}
	if (yaml_get(top, "bands"))
		any = spec->asked[GATE_P95] = true;
	return any;
}

/* An edge must not lie below the one before it. */
static bool edges_ascend(const struct gate_spec *spec, const struct yaml_node *bands, struct sluice_error *error)
{
	const struct {
		const char *name;
		int64_t ns;
	} edges[] = {{"proceed", spec->p95.ns}, {"conditional", spec->conditional.ns}, {"flag", spec->flag.ns}};
	for (size_t i = 1; i < sizeof(edges) / sizeof(edges[0]); i++) {
		if (edges[i].ns < edges[i - 1].ns)
			return yaml_fail(yaml_get(bands, edges[i].name), error,
			                 "bands.%s: expected at least %s, which is %gms", edges[i].name,
			                 edges[i - 1].name, (double)edges[i - 1].ns / NS_PER_MS);
	}
	return true;
}

static bool read_bands(struct gate_spec *spec, const struct yaml_node *top, struct sluice_error *error)
{
	static const char *const names[] = {"proceed", "conditional", "flag"};
	const struct yaml_node *bands = yaml_get(top, "bands");
	if (!bands && spec->kind == GATE_INTERIM)
		return yaml_fail(
			top, error,
			"bands: is missing; an interim gate decides by bands: { proceed: 120ms, conditional: 175ms, flag: 231ms }");
	if (!bands)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!yaml_get(bands, names[i]))
			return yaml_fail_at_key(bands, error,
			                        "bands.%s: is missing; proceed, conditional and flag belong together",
			                        names[i]);
	}
	if (find(top, "criteria", "p95"))
		return yaml_fail_at_key(find(top, "criteria", "p95"), error,
		                        "criteria.p95: the bands say it; their edge proceed is the limit");
	if (yaml_get(top, "rollback_above"))
		return yaml_fail_at_key(yaml_get(top, "rollback_above"), error,
		                        "rollback_above: the bands say it; above their edge flag is ROLLBACK");
	spec->rollback_above = spec->flag;
	return edges_ascend(spec, bands, error);
}

static bool limits_fit(const struct gate_spec *spec, const struct yaml_node *top, struct sluice_error *error)
{
	const struct yaml_node *above = yaml_get(top, "rollback_above");
	if (above && !spec->asked[GATE_P95])
		return yaml_fail_at_key(above, error, "rollback_above: is about P95; expected criteria.p95 beside it");
	if (above && spec->rollback_above.ns < spec->p95.ns)
		return yaml_fail(above, error, "rollback_above: expected at least criteria.p95, which is %gms",
		                 (double)spec->p95.ns / NS_PER_MS);
	if (spec->asked[GATE_P99] && spec->asked[GATE_P95] && spec->p99.ns < spec->p95.ns)
		return yaml_fail(find(top, "criteria", "p99"), error,
		                 "criteria.p99: expected at least the limit of P95, which is %gms",
		                 (double)spec->p95.ns / NS_PER_MS);
	return true;
}

static bool read_top(struct gate_spec *spec, const struct yaml_node *top, struct sluice_error *error)
{
	struct bind_table table = {options, spec};
	struct bind bind = {.where = "", .tables = &table, .table_count = 1, .arena = &spec->arena};
	if (top->type != YAML_MAP)
		return yaml_fail(top, error, "expected a map with `gate:` and `criteria:`, got %s", yaml_describe(top));
	if (!bind_map(&bind, top, top, error))
		return false;
	if (!note_asked(spec, top))
		return yaml_fail(top, error, "criteria: is missing; a gate without one would let everything through");
	return read_bands(spec, top, error) && limits_fit(spec, top, error);
}

bool gate_spec_read(const char *path, struct gate_spec *spec_out, struct sluice_error *error)
{
	uint8_t digest[SLUICE_DIGEST_SIZE];
	*spec_out = (struct gate_spec){0};
	arena_init(&spec_out->arena, 4096, NULL);
	const struct yaml_node *top = yaml_read_file(path, &spec_out->arena, error);
	if (!top || !read_top(spec_out, top, error) || !digest_file(path, digest, error))
		return false;
	digest_hex(digest, spec_out->sha256);
	return true;
}

void gate_spec_finish(struct gate_spec *spec)
{
	arena_finish(&spec->arena);
}
