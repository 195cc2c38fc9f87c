/*
 * The rules of versions, sizes and contents that a stage's table must keep; see table.h.
 */
#include "runtime/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "runtime/loader.h"
#include "yaml/option.h"

/* What stands first in every version's table. */
struct preamble {
	uint32_t abi_major, abi_minor, size, option_size;
};

/* As they were in 1.0. */
enum {
	OPS_SIZE_MIN = offsetof(struct sluice_stage_ops, self_test),
	OPTION_SIZE_MIN = offsetof(struct sluice_option, flags) + sizeof(uint32_t),
};

static bool version_fits(const struct preamble *stage, struct sluice_error *error)
{
	if (stage->abi_major == SLUICE_ABI_MAJOR && stage->abi_minor <= SLUICE_ABI_MINOR)
		return true;
	bool newer = stage->abi_major >= SLUICE_ABI_MAJOR;
	return sluice_error_set(error, "is built for stage ABI %u.%u, this sluice has %d.%d: %s", stage->abi_major,
	                        stage->abi_minor, SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR,
	                        newer ? "update sluice, or build the stage against the headers of this one"
	                              : "build the stage again, against the headers of this sluice");
}

static bool sizes_fit(const struct preamble *stage, size_t symbol_size, struct sluice_error *error)
{
	if (stage->size >= OPS_SIZE_MIN && stage->size <= sizeof(struct sluice_stage_ops) &&
	    stage->size <= symbol_size && stage->option_size >= OPTION_SIZE_MIN &&
	    stage->option_size <= sizeof(struct sluice_option))
		return true;
	return sluice_error_set(
		error,
		"has a table of %u bytes with options of %u, which no stage ABI %u.%u has: define it with SLUICE_STAGE()",
		stage->size, stage->option_size, stage->abi_major, stage->abi_minor);
}

static const struct sluice_option *copy_options(const struct sluice_option *options, size_t stride)
{
	const char *from = (const char *)options;
	size_t count = 0;
	if (from) {
		while (((const struct sluice_option *)(const void *)(from + count * stride))->type != SLUICE_TYPE_END)
			count++;
	}
	struct sluice_option *copy = must_calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		memcpy(&copy[i], from + i * stride, stride);
	return copy;
}

bool table_copy(struct sluice_stage_ops *ops_out, const void *symbol, size_t size, struct sluice_error *error)
{
	struct preamble stage;
	if (size < sizeof(stage))
		return sluice_error_set(error, "has a " SLUICE_STAGE_SYMBOL
		                               " that is no stage table: define it with SLUICE_STAGE()");
	memcpy(&stage, symbol, sizeof(stage));
	if (!version_fits(&stage, error) || !sizes_fit(&stage, size, error))
		return false;
	memset(ops_out, 0, sizeof(*ops_out));
	memcpy(ops_out, symbol, stage.size);
	ops_out->options = copy_options(ops_out->options, stage.option_size);
	return true;
}

void table_finish(struct sluice_stage_ops *ops)
{
	free((void *)ops->options);
	ops->options = NULL;
}

enum {
	AUTH = 1u << SLUICE_KIND_AUTH,
	PARSE = 1u << SLUICE_KIND_PARSE,
	IDEMPOTENCY = 1u << SLUICE_KIND_IDEMPOTENCY,
	QUEUE = 1u << SLUICE_KIND_QUEUE,
	PERSIST = 1u << SLUICE_KIND_PERSIST,
};

#define VERB(verb, ...)                                                                                                \
	{                                                                                                              \
		.name = #verb, .offset = offsetof(struct sluice_stage_ops, verb), __VA_ARGS__                          \
	}

/* The operations that belong to some kinds only. */
static const struct verb {
	const char *name;
	size_t offset;
	unsigned needed, allowed; /* by which kinds */
} verbs[] = {
	VERB(process, .needed = AUTH | PARSE | IDEMPOTENCY, .allowed = AUTH | PARSE | IDEMPOTENCY | PERSIST),
	VERB(process_batch, .allowed = PERSIST),
	VERB(put, .needed = QUEUE, .allowed = QUEUE),
	VERB(take, .needed = QUEUE, .allowed = QUEUE),
	VERB(done, .needed = QUEUE, .allowed = QUEUE),
	VERB(recover, .allowed = QUEUE),
	VERB(scan, .allowed = PERSIST),
	VERB(audit_scan, .allowed = PERSIST),
	VERB(bury, .allowed = PERSIST),
	VERB(tend, .allowed = PERSIST),
	VERB(measure, .allowed = PERSIST),
	VERB(erase, .allowed = PERSIST),
};

static bool has_verb(const struct sluice_stage_ops *ops, const struct verb *verb)
{
	void (*function)(void);
	memcpy(&function, (const char *)ops + verb->offset, sizeof(function));
	return function != NULL;
}

static bool verbs_fit(const struct sluice_stage_ops *ops, struct sluice_error *error)
{
	const char *kind = kind_names[ops->kind];
	unsigned bit = 1u << ops->kind;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		bool present = has_verb(ops, &verbs[i]);
		if ((verbs[i].needed & bit) && !present)
			return sluice_error_set(error, "has no %s(), which a stage of kind %s must have", verbs[i].name,
			                        kind);
		if (!(verbs[i].allowed & bit) && present)
			return sluice_error_set(error, "has %s(), which a stage of kind %s may not have", verbs[i].name,
			                        kind);
	}
	if (ops->kind == SLUICE_KIND_PERSIST && !ops->process == !ops->process_batch)
		return sluice_error_set(error, "has %s process_batch(): a stage of kind persist has one of the two",
		                        ops->process ? "both process() and" : "neither process() nor");
	if (!(ops->flags & SLUICE_STAGE_DURABLE))
		return true;
	if (ops->kind != SLUICE_KIND_QUEUE || !ops->recover)
		return sluice_error_set(error,
		                        "calls itself durable, which only a stage of kind queue with recover() can be");
	return true;
}

static bool identity_fits(const struct sluice_stage_ops *ops, struct sluice_error *error)
{
	if (!ops->name || !*ops->name || !ops->version || !ops->summary)
		return sluice_error_set(error, "has a table without a name, a version or a summary: give it all three");
	if ((unsigned)ops->kind >= KIND_COUNT)
		return sluice_error_set(error,
		                        "is of kind number %u, which this sluice does not know: set .kind in its table",
		                        (unsigned)ops->kind);
	size_t spans = 0;
	while (ops->spans && ops->spans[spans])
		spans++;
	if (spans > SLUICE_SPANS_MAX)
		return sluice_error_set(error, "declares %zu spans: at most %d can be timed", spans, SLUICE_SPANS_MAX);
	return true;
}

static const size_t field_sizes[] = {
	[SLUICE_TYPE_BOOL] = sizeof(bool),      [SLUICE_TYPE_INT] = sizeof(int64_t),
	[SLUICE_TYPE_SIZE] = sizeof(uint64_t),  [SLUICE_TYPE_DURATION] = sizeof(struct sluice_duration),
	[SLUICE_TYPE_PERCENT] = sizeof(double), [SLUICE_TYPE_STRING] = sizeof(const char *),
	[SLUICE_TYPE_CHOICE] = sizeof(int),     [SLUICE_TYPE_STRINGS] = sizeof(struct sluice_strings),
};

/* The first option that is a place, or NULL. */
static const struct sluice_option *find_place(const struct sluice_option *options)
{
	for (; options->type != SLUICE_TYPE_END; options++) {
		if (options->flags & SLUICE_OPTION_PLACE)
			return options;
	}
	return NULL;
}

/* What is wrong with one option, or NULL. */
static const char *option_flaw(const struct sluice_stage_ops *ops, const struct sluice_option *option)
{
	if ((size_t)option->type >= sizeof(field_sizes) / sizeof(field_sizes[0]))
		return "is of a type that this sluice does not know";
	size_t size = field_sizes[option->type];
	if (size > ops->config_size || option->offset > ops->config_size - size)
		return "lies outside the config struct: set .config_size to its size";
	if (option->type == SLUICE_TYPE_CHOICE && !option->choices)
		return "has no choices to choose from";
	if ((option->flags & SLUICE_OPTION_REQUIRED) && option->fallback)
		return "is required and has a default: it can be one of the two";
	if ((option->flags & SLUICE_OPTION_FILE) && option->type != SLUICE_TYPE_STRING)
		return "is a file, which only a text can be";
	if ((option->flags & SLUICE_OPTION_PLACE) &&
	    (option->type != SLUICE_TYPE_STRING || ops->kind != SLUICE_KIND_PERSIST))
		return "is a place, which only a text of a stage of kind persist can be";
	if ((option->flags & SLUICE_OPTION_PLACE) && find_place(ops->options) != option)
		return "is a second place: there can be one";
	if (option_find(ops->options, option->name) != option)
		return "stands in the table twice";
	return NULL;
}

static bool options_fit(const struct sluice_stage_ops *ops, struct sluice_error *error)
{
	for (const struct sluice_option *option = ops->options; option->type != SLUICE_TYPE_END; option++) {
		if (!option->name || !*option->name)
			return sluice_error_set(error, "has an option without a name");
		const char *flaw = option_flaw(ops, option);
		if (flaw)
			return sluice_error_set(error, "has a wrong option table: %s %s", option->name, flaw);
	}
	if (ops->erase && !find_place(ops->options))
		return sluice_error_set(
			error,
			"has erase() and no option with SLUICE_OPTION_PLACE, so it cannot be told what may be erased");
	struct sluice_error cause = {0};
	struct arena arena;
	arena_init(&arena, 1024, NULL);
	bool fits = option_fill_fallbacks(ops->options, arena_must(&arena, ops->config_size + 1), &arena, &cause);
	arena_finish(&arena);
	return fits || sluice_error_set(error, "has a wrong option table: %s", cause.text);
}

bool table_check(const struct sluice_stage_ops *ops, struct sluice_error *error)
{
	return identity_fits(ops, error) && verbs_fit(ops, error) && options_fit(ops, error);
}
