/*
 * Settings that need a restart; see restart_bound.h.
 */
#include "serve/restart_bound.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "yaml/option.h"

enum { NAME_SIZE = 64 };

/* `option` NULL: the whole section. */
static const struct {
	const char *section, *option;
} bound[] = {
	{"listen", "address"},
	{"listen", "port"},
	{"listen", "threads"},
	{"listen", "max_connections"},
	{"listen", "max_header"},
	{"admin", NULL},
	{"observability", "lineage.recent"},
	{"observability", "lineage.slowest"},
	{"observability", "otlp.url"},
	{"observability", "otlp.headers"},
	{"observability", "otlp.ca_file"},
	{"observability", "otlp.service"},
	{"observability", "otlp.share"},
	{"observability", "otlp.parents"},
	{"observability", "otlp.queue"},
	{"observability", "otlp.batch"},
	{"observability", "otlp.every"},
	{"observability", "otlp.timeout"},
};

typedef void (*each_fn)(void *context, const char *name);

static void visit_section(const struct config *started, const struct config *config, size_t row, each_fn each,
                          void *context)
{
	const struct config_section *section = config_section_find(bound[row].section);
	const void *a = (const char *)started + section->offset, *b = (const char *)config + section->offset;
	for (const struct sluice_option *option = section->options; option->type != SLUICE_TYPE_END; option++) {
		char name[NAME_SIZE];
		if ((bound[row].option && strcmp(bound[row].option, option->name) != 0) || option_equal(option, a, b))
			continue;
		(void)snprintf(name, sizeof(name), "%s.%s", section->name, option->name);
		each(context, name);
	}
}

static void visit(const struct config *started, const struct config *config, each_fn each, void *context)
{
	for (size_t row = 0; row < sizeof(bound) / sizeof(bound[0]); row++)
		visit_section(started, config, row, each, context);
}

static void write_name(void *json, const char *name)
{
	jsonw_text(json, NULL, name);
}

void restart_bound_write(const struct config *started, const struct config *config, struct json_writer *json,
                         const char *key)
{
	jsonw_array(json, key);
	visit(started, config, write_name, json);
	jsonw_end_array(json);
}

static void log_name(void *context, const char *name)
{
	(void)context;
	log_event(SLUICE_LOG_WARN, NULL, "restart_needed", sluice_text("setting", name));
}

void restart_bound_log(const struct config *started, const struct config *config)
{
	visit(started, config, log_name, NULL);
}
