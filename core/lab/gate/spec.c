/*
 * A gate file is option tables, one for the gate and one for each criterion: what is in none is refused with
 * file:line:column. The criteria that are written are those that are judged.
 */
#include <string.h>

#include "base/digest.h"
#include "lab/gate/criteria.h"
#include "yaml/bind.h"
#include "yaml/yaml.h"

#define NS_PER_MS 1e6
#define LATENCY_MAX INT64_C(3600000000000) /* an hour */

const char *const gate_kind_names[] = {
	[GATE_FINAL] = "final", [GATE_SMOKE] = "smoke", [GATE_INTERIM] = "interim", NULL};

#define LATENCY(field, option, words)                                                                                  \
	SLUICE_OPTION_DURATION(struct gate_spec, field, .name = option, .min = 1, .max = LATENCY_MAX, .help = words)

static const struct sluice_option options[] = {
	SLUICE_OPTION_STRING(struct gate_spec, name, .name = "gate", .flags = SLUICE_OPTION_REQUIRED,
                             .help = "its name"),
	SLUICE_OPTION_STRING(struct gate_spec, about, .name = "about", .fallback = "", .help = "what it is for"),
	SLUICE_OPTION_CHOICE(struct gate_spec, kind, .name = "outcome", .fallback = "final", .choices = gate_kind_names,
                             .help = "only final can say PASS; smoke and interim say PROCEED"),
	SLUICE_OPTION_PERCENT(struct gate_spec, confidence, .name = "confidence", .fallback = "95%", .min = 50,
                              .max = 99, .help = "of each row's bound, one-sided"),

	SLUICE_OPTION_STRINGS(struct gate_spec, targets, .name = "targets",
                              .help = "criteria that are shown as met or missed and decide nothing: p99, stages"),

	SLUICE_OPTION_INT(struct gate_spec, requests, .name = "requires.requests", .min = 1, .max = 1000000000,
                          .unit = "requests", .help = "at least as many"),
	SLUICE_OPTION_INT(struct gate_spec, rate, .name = "requires.rate", .min = 1, .max = 10000000,
                          .unit = "requests a second", .help = "scheduled, at least"),
	SLUICE_OPTION_INT(struct gate_spec, connections, .name = "requires.connections", .min = 1, .max = 1000000,
                          .unit = "connections", .help = "exactly as many"),

	LATENCY(proceed, "bands.proceed", "P95 up to here: PROCEED"),
	LATENCY(conditional, "bands.conditional", "P95 up to here: CONDITIONAL"),
	LATENCY(flag, "bands.flag", "P95 up to here: FLAG; above: ROLLBACK"),
	LATENCY(rollback_above, "rollback_above", "P95 above it: ROLLBACK"),
	SLUICE_OPTION_END,
};

static const struct yaml_node *find(const struct yaml_node *top, const char *group, const char *name)
{
	return yaml_get(yaml_get(top, group), name);
}

static bool note_asked(struct gate_spec *spec, const struct yaml_node *top)
{
	size_t p95 = gate_criterion_index(GATE_P95);
	bool any = false;
	for (size_t i = 0; i < gate_criteria_count; i++) {
		spec->asked[i] = bind_get(top, gate_criteria[i].option->name) != NULL;
		any = any || spec->asked[i];
	}
	if (yaml_get(top, "bands")) {
		any = spec->asked[p95] = true;
		spec->limits[p95].duration = spec->proceed;
	}
	return any;
}

/* "stages" stands for all of "stages.auth", "stages.parse" and so on. */
static bool is_named(const struct gate_criterion *criterion, const char *name)
{
	size_t size = strlen(name);
	const char *own = gate_criterion_name(criterion);
	return strncmp(own, name, size) == 0 && (own[size] == '\0' || own[size] == '.');
}

static bool any_decides(const struct gate_spec *spec)
{
	for (size_t i = 0; i < gate_criteria_count; i++) {
		if (spec->asked[i] && !spec->is_target[i])
			return true;
	}
	return false;
}

static bool note_targets(struct gate_spec *spec, const struct yaml_node *top, struct sluice_error *error)
{
	for (size_t n = 0; n < spec->targets.count; n++) {
		const char *name = spec->targets.items[n];
		bool any = false;
		for (size_t i = 0; i < gate_criteria_count; i++) {
			bool named = spec->asked[i] && is_named(&gate_criteria[i], name);
			any = any || named;
			spec->is_target[i] = spec->is_target[i] || named;
		}
		if (!any || strcmp(name, GATE_P95) == 0)
			return yaml_fail(yaml_get(top, "targets"), error,
			                 "targets: expected criteria of this gate other than p95, got %s", name);
	}
	return any_decides(spec) ||
	       yaml_fail(yaml_get(top, "targets"), error, "targets: names every criterion, and one must decide");
}

/* An edge must not lie below the one before it. */
static bool edges_ascend(const struct gate_spec *spec, const struct yaml_node *bands, struct sluice_error *error)
{
	const struct {
		const char *name;
		int64_t ns;
	} edges[] = {{"proceed", spec->proceed.ns}, {"conditional", spec->conditional.ns}, {"flag", spec->flag.ns}};
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
		                        "criteria.p95: conflicts with bands; bands.proceed is the limit of P95");
	if (yaml_get(top, "rollback_above"))
		return yaml_fail_at_key(yaml_get(top, "rollback_above"), error,
		                        "rollback_above: conflicts with bands; a P95 above bands.flag is ROLLBACK");
	spec->rollback_above = spec->flag;
	return edges_ascend(spec, bands, error);
}

static bool limits_fit(const struct gate_spec *spec, const struct yaml_node *top, struct sluice_error *error)
{
	const struct yaml_node *above = yaml_get(top, "rollback_above");
	size_t p95 = gate_criterion_index(GATE_P95), p99 = gate_criterion_index("p99");
	int64_t p95_ns = spec->limits[p95].duration.ns;
	if (above && !spec->asked[p95])
		return yaml_fail_at_key(above, error, "rollback_above: requires criteria.p95");
	if (above && spec->rollback_above.ns < p95_ns)
		return yaml_fail(above, error, "rollback_above: expected at least criteria.p95, which is %gms",
		                 (double)p95_ns / NS_PER_MS);
	if (spec->asked[p99] && spec->asked[p95] && spec->limits[p99].duration.ns < p95_ns)
		return yaml_fail(find(top, "criteria", "p99"), error,
		                 "criteria.p99: expected at least the limit of P95, which is %gms",
		                 (double)p95_ns / NS_PER_MS);
	return true;
}

static bool read_top(struct gate_spec *spec, const struct yaml_node *top, struct sluice_error *error)
{
	struct bind_table tables[1 + GATE_CRITERIA_MAX] = {{options, spec}};
	struct bind bind = {
		.where = "", .tables = tables, .table_count = 1 + gate_criteria_count, .arena = &spec->arena};
	for (size_t i = 0; i < gate_criteria_count; i++)
		tables[1 + i] = (struct bind_table){gate_criteria[i].option, &spec->limits[i]};
	if (top->type != YAML_MAP)
		return yaml_fail(top, error, "expected a map with `gate:` and `criteria:`, got %s", yaml_describe(top));
	if (!bind_map(&bind, top, top, error))
		return false;
	if (!note_asked(spec, top))
		return yaml_fail(top, error, "criteria: is missing; a gate requires at least one criterion");
	return note_targets(spec, top, error) && read_bands(spec, top, error) && limits_fit(spec, top, error);
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
