/*
 * The rules of versions, sizes and contents that a stage's table must keep; see abi.h.
 */
#include "runtime/abi.h"

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
	OPS_SIZE_MIN = offsetof(struct sluice_stage_ops, destroy) + sizeof(void (*)(void)),
	OPTION_SIZE_MIN = offsetof(struct sluice_option, flags) + sizeof(uint32_t),
};

/* Sizes of the kinds' tables: as they were in 1.0, and today. */
static const struct {
	size_t min, max;
} kind_sizes[KIND_COUNT] = {
	[SLUICE_KIND_AUTH] = {offsetof(struct sluice_auth_ops, process) + sizeof(void (*)(void)),
                              sizeof(struct sluice_auth_ops)},
	[SLUICE_KIND_PARSE] = {offsetof(struct sluice_parse_ops, flags) + sizeof(uint32_t),
                               sizeof(struct sluice_parse_ops)},
	[SLUICE_KIND_IDEMPOTENCY] = {offsetof(struct sluice_idempotency_ops, process) + sizeof(void (*)(void)),
                                     sizeof(struct sluice_idempotency_ops)},
	[SLUICE_KIND_QUEUE] = {offsetof(struct sluice_queue_ops, flags) + sizeof(uint32_t),
                               sizeof(struct sluice_queue_ops)},
	[SLUICE_KIND_PERSIST] = {offsetof(struct sluice_persist_ops, batch_max) + sizeof(uint32_t),
                                 sizeof(struct sluice_persist_ops)},
};

static bool version_fits(const struct preamble *stage, struct sluice_error *error)
{
	if (stage->abi_major == SLUICE_ABI_MAJOR && stage->abi_minor <= SLUICE_ABI_MINOR)
		return true;
	bool newer = stage->abi_major >= SLUICE_ABI_MAJOR;
	return sluice_error_set(error, "is built for stage ABI %u.%u, this sluice supports %d.%d: %s", stage->abi_major,
	                        stage->abi_minor, SLUICE_ABI_MAJOR, SLUICE_ABI_MINOR,
	                        newer ? "update sluice, or rebuild the stage against this sluice's headers"
	                              : "rebuild the stage against the headers of this sluice");
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

/* The host's own copy of the kind's table. */
static bool copy_kind(struct sluice_stage_ops *ops, union kind_table *kind_out, struct sluice_error *error)
{
	if ((unsigned)ops->kind >= KIND_COUNT)
		return sluice_error_set(
			error,
			"is of kind number %u, which this sluice does not know: update sluice, or define "
			"the stage with SLUICE_STAGE()",
			(unsigned)ops->kind);
	if (!ops->of.any || ops->kind_size < kind_sizes[ops->kind].min || ops->kind_size > kind_sizes[ops->kind].max)
		return sluice_error_set(
			error,
			"has a table of kind %s of %u bytes, which no stage ABI %u.%u has: define it with "
			"SLUICE_STAGE()",
			kind_names[ops->kind], ops->of.any ? ops->kind_size : 0, ops->abi_major, ops->abi_minor);
	memset(kind_out, 0, sizeof(*kind_out));
	memcpy(kind_out, ops->of.any, ops->kind_size);
	ops->of.any = kind_out;
	return true;
}

bool abi_copy(struct sluice_stage_ops *ops_out, union kind_table *kind_out, const void *symbol, size_t size,
              struct sluice_error *error)
{
	struct preamble stage;
	if (size < sizeof(stage))
		return sluice_error_set(error, "has a " SLUICE_STAGE_SYMBOL
		                               " that is not a stage table: define it with SLUICE_STAGE()");
	memcpy(&stage, symbol, sizeof(stage));
	if (!version_fits(&stage, error) || !sizes_fit(&stage, size, error))
		return false;
	memset(ops_out, 0, sizeof(*ops_out));
	memcpy(ops_out, symbol, stage.size);
	if (!copy_kind(ops_out, kind_out, error))
		return false;
	ops_out->options = copy_options(ops_out->options, stage.option_size);
	return true;
}

void abi_finish(struct sluice_stage_ops *ops)
{
	free((void *)ops->options);
	ops->options = NULL;
}

/* The first function of the kind that is required and missing, or NULL. */
static const char *missing_function(const struct sluice_stage_ops *ops)
{
	switch (ops->kind) {
	case SLUICE_KIND_AUTH:
		return ops->of.auth->process ? NULL : "process";
	case SLUICE_KIND_PARSE:
		return ops->of.parse->process ? NULL : "process";
	case SLUICE_KIND_IDEMPOTENCY:
		return ops->of.idempotency->process ? NULL : "process";
	case SLUICE_KIND_QUEUE:
		return !ops->of.queue->put    ? "put"
		       : !ops->of.queue->take ? "take"
		       : !ops->of.queue->done ? "done"
		                              : NULL;
	case SLUICE_KIND_PERSIST:
		return ops->of.persist->store ? NULL : "store";
	}
	return NULL;
}

/* What was acknowledged as stored can be read again; a stage that keeps nothing says so. */
static bool can_be_read(const struct sluice_stage_ops *ops, struct sluice_error *error)
{
	const struct sluice_write_only *write_only = abi_write_only(ops);
	bool has_scan = ops->of.persist->scan != NULL;
	if (has_scan && write_only)
		return sluice_error_set(error, "has scan() and declares SLUICE_WRITE_ONLY: choose one");
	if (!has_scan && !write_only)
		return sluice_error_set(error,
		                        "has no scan(), so nobody could verify what it has stored: write one, or "
		                        "declare SLUICE_WRITE_ONLY if it keeps nothing that could be read");
	if (write_only && (!write_only->where || !*write_only->where))
		return sluice_error_set(error, "declares SLUICE_WRITE_ONLY without saying where the events go");
	return true;
}

static bool functions_fit(const struct sluice_stage_ops *ops, struct sluice_error *error)
{
	const char *missing = missing_function(ops);
	if (missing)
		return sluice_error_set(error, "has no %s(), which a stage of kind %s must have", missing,
		                        kind_names[ops->kind]);
	if (ops->kind == SLUICE_KIND_QUEUE && (ops->of.queue->flags & SLUICE_QUEUE_DURABLE) && !ops->of.queue->recover)
		return sluice_error_set(error, "declares itself durable but has no recover()");
	return ops->kind != SLUICE_KIND_PERSIST || can_be_read(ops, error);
}

process_fn abi_process(const struct sluice_stage_ops *ops)
{
	switch (ops->kind) {
	case SLUICE_KIND_AUTH:
		return ops->of.auth->process;
	case SLUICE_KIND_PARSE:
		return ops->of.parse->process;
	case SLUICE_KIND_IDEMPOTENCY:
		return ops->of.idempotency->process;
	case SLUICE_KIND_QUEUE:
	case SLUICE_KIND_PERSIST:
		return NULL;
	}
	return NULL;
}

const struct sluice_queue_backlog *abi_backlog(const struct sluice_stage_ops *ops)
{
	return ops->kind == SLUICE_KIND_QUEUE ? sluice_extension_find(ops->extensions, SLUICE_QUEUE_BACKLOG) : NULL;
}

const struct sluice_dead_letters *abi_dead_letters(const struct sluice_stage_ops *ops)
{
	return ops->kind == SLUICE_KIND_PERSIST ? sluice_extension_find(ops->extensions, SLUICE_DEAD_LETTERS) : NULL;
}

const struct sluice_store_retention *abi_retention(const struct sluice_stage_ops *ops)
{
	return ops->kind == SLUICE_KIND_PERSIST ? sluice_extension_find(ops->extensions, SLUICE_STORE_RETENTION) : NULL;
}

const struct sluice_write_only *abi_write_only(const struct sluice_stage_ops *ops)
{
	return ops->kind == SLUICE_KIND_PERSIST ? sluice_extension_find(ops->extensions, SLUICE_WRITE_ONLY) : NULL;
}

const struct sluice_store_maintenance *abi_maintenance(const struct sluice_stage_ops *ops)
{
	return ops->kind == SLUICE_KIND_PERSIST ? sluice_extension_find(ops->extensions, SLUICE_STORE_MAINTENANCE)
	                                        : NULL;
}

static bool identity_fits(const struct sluice_stage_ops *ops, struct sluice_error *error)
{
	if (!ops->name || !*ops->name || !ops->version || !ops->summary)
		return sluice_error_set(error, "has a table without a name, a version or a summary: give it all three");
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

/* The first option that is a location, or NULL. */
static const struct sluice_option *find_location(const struct sluice_option *options)
{
	for (; options->type != SLUICE_TYPE_END; options++) {
		if (options->flags & SLUICE_OPTION_LOCATION)
			return options;
	}
	return NULL;
}

/* Lower-case words, digits and underscores, in groups with dots between them. */
static bool is_option_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	for (;;) {
		if (!*name || !strchr(letters, *name))
			return false;
		name += strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
		if (*name != '.')
			return *name == '\0';
		name++;
	}
}

/* Keys that a stage in a pipeline file has from the core. */
static bool is_taken(const char *name)
{
	enum sluice_kind kind;
	return strcmp(name, "use") == 0 || strcmp(name, "sha256") == 0 || kind_from_name(name, &kind);
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
		return "has no .choices";
	if ((option->flags & SLUICE_OPTION_REQUIRED) && option->fallback)
		return "is both required and has a default: choose one";
	if ((option->flags & SLUICE_OPTION_FILE) && option->type != SLUICE_TYPE_STRING)
		return "is a file: only a STRING can be one";
	if ((option->flags & SLUICE_OPTION_LOCATION) &&
	    (option->type != SLUICE_TYPE_STRING || ops->kind != SLUICE_KIND_PERSIST))
		return "is a location: only a STRING of a persist stage can be one";
	if ((option->flags & SLUICE_OPTION_LOCATION) && find_location(ops->options) != option)
		return "is a second location: a stage has at most one";
	if (!is_option_name(option->name))
		return "is not a name: use lower-case letters, digits and underscores, with dots between groups";
	if (is_taken(option->name))
		return "is a key of the core: choose another name";
	if (option_find(ops->options, option->name) != option)
		return "is in the table twice";
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
	const struct sluice_store_maintenance *maintenance = abi_maintenance(ops);
	if (maintenance && maintenance->drop && !find_location(ops->options))
		return sluice_error_set(error,
		                        "has drop() but no option with SLUICE_OPTION_LOCATION that names what to drop");
	struct sluice_error cause = {0};
	struct arena arena;
	arena_init(&arena, 1024, NULL);
	bool fits = option_fill_fallbacks(ops->options, arena_must(&arena, ops->config_size + 1), &arena, &cause);
	arena_finish(&arena);
	return fits || sluice_error_set(error, "has a wrong option table: %s", cause.text);
}

bool abi_check(const struct sluice_stage_ops *ops, struct sluice_error *error)
{
	return identity_fits(ops, error) && functions_fit(ops, error) && options_fit(ops, error);
}
