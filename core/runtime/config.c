/*
 * From a file to a config in one pass: read, overlays, sections, stages, and at last what only the whole can
 * tell.
 */
#include "runtime/config.h"

#include <ctype.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/abi.h"
#include "runtime/methods.h"
#include "runtime/overlay.h"
#include "runtime/retention.h"
#include "runtime/settings.h"
#include "runtime/signed_id.h"
#include "runtime/unresolved.h"
#include "yaml/bind.h"
#include "yaml/option.h"
#include "yaml/substitute.h"
#include "yaml/yaml.h"

enum { THREADS_MAX = 4096 }; /* of all workers */

struct load {
	struct config *config;
	struct unresolved_config unresolved;
	char **stage_path;
	struct bind_warnings warnings;
	struct sluice_error *error;
};

/* Where a setting stands, or the nearest thing around it that is written. */
static const struct yaml_node *place_of(const struct load *load, const char *path)
{
	const struct yaml_node *node = bind_get(load->unresolved.top, path);
	if (!node)
		node = bind_get(load->unresolved.top, arena_strndup(load->unresolved.arena, path, strcspn(path, ".")));
	return node ? node : load->unresolved.top;
}

/* "pipelines/github.yaml" → "github" */
static const char *name_from_file(struct arena *arena, const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *base = slash ? slash + 1 : file;
	size_t size = strcspn(base + (*base == '.'), ".") + (*base == '.');
	return size ? arena_strndup(arena, base, size) : "pipeline";
}

static bool bind_top(struct load *load)
{
	struct config *config = load->config;
	struct settings_top top;
	struct yaml_node *map = yaml_new_map(&config->arena, load->unresolved.top);
	for (const struct yaml_node *member = load->unresolved.top->first; member; member = member->next) {
		if (!config_section_find(member->key))
			yaml_put(map, member->key, yaml_copy(&config->arena, member));
	}
	struct bind_table table = {settings_top_options, &top};
	struct bind bind = {
		.where = "", .tables = &table, .table_count = 1, .arena = &config->arena, .warnings = &load->warnings};
	if (!bind_map(&bind, map, map, load->error))
		return false;
	config->name = top.pipeline ? top.pipeline : name_from_file(&config->arena, config->file);
	config->ack = (enum ack)top.ack;
	return true;
}

static bool bind_sections(struct load *load)
{
	struct config *config = load->config;
	for (const struct config_section *section = config_sections; section->name; section++) {
		struct bind_table table = {section->options, (char *)config + section->offset};
		struct bind bind = {.where = arena_printf(&config->arena, "%s.", section->name),
		                    .tables = &table,
		                    .table_count = 1,
		                    .arena = &config->arena,
		                    .warnings = &load->warnings};
		const struct yaml_node *map = yaml_get(load->unresolved.top, section->name);
		if (map)
			bind_warn(&bind, map);
		if (!bind_map(&bind, map, map ? map : load->unresolved.top, load->error))
			return false;
	}
	return true;
}

static bool check_address(const struct load *load, const char *path, const char *address)
{
	struct ip_address ignored;
	if (strcmp(address, "localhost") == 0 || ip_address_parse(address, &ignored))
		return true;
	return yaml_fail(place_of(load, path), load->error,
	                 "%s: expected an IP address such as 127.0.0.1 or ::1, or localhost, got %s", path, address);
}

static bool is_loopback(const char *address)
{
	struct ip_address parsed;
	return strcmp(address, "localhost") == 0 ||
	       (ip_address_parse(address, &parsed) && ip_address_is_loopback(&parsed));
}

static bool read_trusted_proxies(struct load *load)
{
	struct listen_config *listen = &load->config->listen;
	size_t count = listen->trusted_proxies.count;
	const struct yaml_node *list = place_of(load, "listen.trusted_proxies");
	const struct yaml_node *item = list->type == YAML_LIST ? list->first : list;
	struct network *networks = arena_must(&load->config->arena, (count + 1) * sizeof(*networks));
	for (size_t i = 0; i < count; i++, item = item->next) {
		struct sluice_error cause = {0};
		if (!network_parse(listen->trusted_proxies.items[i], &networks[i], &cause))
			return yaml_fail(item, load->error, "listen.trusted_proxies: %s", cause.text);
	}
	listen->proxies = (struct network_list){networks, count};
	return true;
}

static bool read_public_url(struct load *load)
{
	struct listen_config *listen = &load->config->listen;
	struct sluice_error cause = {0};
	if (listen->public_url && !url_parse(listen->public_url, &load->config->arena, &listen->origin, &cause))
		return yaml_fail(place_of(load, "listen.public_url"), load->error, "listen.public_url: %s", cause.text);
	return true;
}

static bool check_listen(const struct load *load)
{
	const struct listen_config *listen = &load->config->listen;
	struct sluice_error *error = load->error;
	if (!check_address(load, "listen.address", listen->address))
		return false;
	if (listen->path[0] != '/' || strpbrk(listen->path, "?# \t\r\n"))
		return yaml_fail(place_of(load, "listen.path"), error,
		                 "listen.path: expected a path such as /webhooks, without query, got %s", listen->path);
	if (listen->health && strcmp(listen->path, "/api/health") == 0)
		return yaml_fail(place_of(load, "listen.path"), error,
		                 "listen.path: /api/health is taken by `health: true`; choose another");
	if (listen->retry_after.ns % 1000000000 != 0)
		return yaml_fail(place_of(load, "listen.retry_after"), error,
		                 "listen.retry_after: expected whole seconds; Retry-After has no smaller unit");
	return true;
}

static bool check_admin(const struct load *load)
{
	const struct admin_config *admin = &load->config->admin;
	const struct listen_config *listen = &load->config->listen;
	struct sluice_error *error = load->error;
	if (!admin->enabled)
		return true;
	if (!check_address(load, "admin.address", admin->address))
		return false;
	if (!admin->token && !is_loopback(admin->address))
		return yaml_fail(
			place_of(load, "admin.address"), error,
			"admin.address: %s is not loopback, so anyone who reaches it could control Sluice; set admin.token, or listen on 127.0.0.1",
			admin->address);
	if (admin->port && admin->port == listen->port && strcmp(admin->address, listen->address) == 0)
		return yaml_fail(place_of(load, "admin.port"), error,
		                 "admin.port: %lld is also listen.port; choose another", (long long)admin->port);
	return true;
}

/* The collector's address; how the fields look that are sent along. */
static bool check_otlp(const struct load *load)
{
	const struct observability_config *seen = &load->config->observability;
	struct sluice_error cause = {0};
	struct url ignored;
	if (!seen->otlp_url)
		return true;
	if (!url_parse(seen->otlp_url, &load->config->arena, &ignored, &cause))
		return yaml_fail(place_of(load, "observability.otlp.url"), load->error, "observability.otlp.url: %s",
		                 cause.text);
	if (seen->otlp_batch > seen->otlp_queue)
		return yaml_fail(place_of(load, "observability.otlp.batch"), load->error,
		                 "observability.otlp.batch: expected at most otlp.queue, %lld",
		                 (long long)seen->otlp_queue);
	for (size_t i = 0; i < seen->otlp_headers.count; i++) {
		const char *header = seen->otlp_headers.items[i];
		size_t name = strcspn(header, ":");
		if (name == 0 || !header[name] || strpbrk(header, "\r\n") || strcspn(header, " \t") < name)
			return yaml_fail(place_of(load, "observability.otlp.headers"), load->error,
			                 "observability.otlp.headers: expected \"Name: value\" as item %zu", i + 1);
	}
	return true;
}

static bool check_events(const struct load *load)
{
	const struct config *config = load->config;
	const struct events_config *events = &config->events;
	uint64_t largest = config->listen.max_body + events->arena, pool = (uint64_t)events->pool_count * events->arena;
	if (events->max_bytes < largest)
		return yaml_fail(place_of(load, "events.max_bytes"), load->error,
		                 "events.max_bytes must be at least listen.max_body plus events.arena, %llu bytes",
		                 (unsigned long long)largest);
	if (events->preallocate && pool > events->max_bytes)
		return yaml_fail(place_of(load, "events.pool.count"), load->error,
		                 "events.pool.count times events.arena, %llu bytes, must be at most events.max_bytes",
		                 (unsigned long long)pool);
	return true;
}

/* A stage has no larger batches than it takes, whatever the file it was swapped into says. */
static bool limit_max_batch(struct load *load, const struct unresolved_stage *written, uint32_t limit,
                            const char *where)
{
	struct persist_config *persist = &load->config->persist;
	const struct yaml_node *node = yaml_get(written->options, "max_batch");
	if (limit == 0 || persist->max_batch <= (int64_t)limit)
		return true;
	if (node && (node->layer || !written->replaced))
		return yaml_fail(node, load->error,
		                 "%smax_batch: this stage stores at most %u event%s at a time, got %lld", where, limit,
		                 limit == 1 ? "" : "s", (long long)persist->max_batch);
	persist->max_batch = limit;
	return true;
}

size_t config_workers(const struct queue_config *config)
{
	cpu_set_t usable;
	if (config->workers_per_cpu == 0)
		return (size_t)config->workers;
	int processors = sched_getaffinity(0, sizeof(usable), &usable) == 0 ? CPU_COUNT(&usable) : 1;
	return (size_t)(config->workers_per_cpu * processors);
}

static bool limit_threads(struct load *load, const struct unresolved_stage *written, const char *where)
{
	const struct queue_config *queue = &load->config->queue;
	size_t threads = config_workers(queue) * (size_t)queue->jobs;
	return threads <= THREADS_MAX ||
	       yaml_fail(written->place, load->error, "%sworkers times jobs: expected at most %d, got %zu", where,
	                 THREADS_MAX, threads);
}

static void *kind_config(struct config *config, enum sluice_kind kind)
{
	return (char *)config + settings_kind_offset(kind);
}

static bool bind_stage(struct load *load, enum sluice_kind kind)
{
	struct config *config = load->config;
	struct stage_config *stage = &config->stages[kind];
	const struct unresolved_stage *written = &load->unresolved.stages[kind];
	const struct sluice_stage_ops *ops = &stage->plugin->ops;
	const char *where = arena_printf(&config->arena, "%s/%s: ", kind_names[kind], ops->name);
	stage->options = ops->config_size ? arena_must(&config->arena, ops->config_size) : NULL;
	struct stage_config beside; /* read before the stage was; here so that a misspelt name is recognised */
	const struct bind_table tables[] = {{config_kind_options(kind), kind_config(config, kind)},
	                                    {ops->options, stage->options},
	                                    {settings_stage_options, &beside}};
	struct bind bind = {.where = where,
	                    .tables = tables,
	                    .table_count = 3,
	                    .drop_unknown = written->replaced,
	                    .arena = &config->arena,
	                    .warnings = &load->warnings};
	yaml_rename_undo(written->options, arena_printf(&config->arena, "%s.", kind_names[kind]), settings_renamed,
	                 &bind);
	if (!bind_map(&bind, written->options, written->place, load->error))
		return false;
	if (kind == SLUICE_KIND_QUEUE)
		return limit_threads(load, written, where);
	return kind != SLUICE_KIND_PERSIST || limit_max_batch(load, written, ops->of.persist->batch_max, where);
}

/* What the stage itself has to say. */
static bool ask_stage(struct load *load, enum sluice_kind kind)
{
	const struct stage_config *stage = &load->config->stages[kind];
	const struct sluice_stage_ops *ops = &stage->plugin->ops;
	struct sluice_error cause = {0};
	if (ops->check && !ops->check(stage->options, &cause))
		return yaml_fail(load->unresolved.stages[kind].place, load->error, "%s/%s: %s", kind_names[kind],
		                 ops->name,
		                 cause.text[0] ? cause.text : "the stage rejects its settings without a reason");
	if (ops->self_test && !ops->self_test(&cause))
		return yaml_fail(load->unresolved.stages[kind].place, load->error, "%s/%s: fails its self-test: %s",
		                 kind_names[kind], ops->name, cause.text);
	return true;
}

static bool read_pin(struct load *load, enum sluice_kind kind)
{
	struct arena *arena = &load->config->arena;
	const struct yaml_node *node = load->unresolved.stages[kind].sha256;
	const char *where = arena_printf(arena, "%s: sha256: ", kind_names[kind]);
	if (!node)
		return true;
	if (node->type != YAML_TEXT || yaml_is_null(node))
		return yaml_fail(node, load->error, "%sexpected 64 hex digits, got %s", where, yaml_describe(node));
	const char *text = substitute(node, where, arena, load->error);
	if (!text)
		return false;
	size_t size = strlen(text);
	if (size != DIGEST_HEX_SIZE - 1 || strspn(text, "0123456789abcdefABCDEF") != size)
		return yaml_fail(
			node, load->error,
			"%sexpected the 64 hex digits that `sluice stages %s` shows, got %.70s (%zu characters)", where,
			load->config->stages[kind].use, *text ? text : "an empty text", size);
	char *lower = arena_strdup(arena, text);
	for (char *digit = lower; *digit; digit++)
		*digit = (char)tolower((unsigned char)*digit);
	load->config->stages[kind].sha256 = lower;
	return true;
}

static bool load_stage(struct load *load, enum sluice_kind kind)
{
	struct stage_config *stage = &load->config->stages[kind];
	const struct unresolved_stage *written = &load->unresolved.stages[kind];
	struct sluice_error cause = {0};
	if (!written->place)
		return true;
	stage->use = substitute(written->use, arena_printf(&load->config->arena, "%s: ", kind_names[kind]),
	                        &load->config->arena, load->error);
	if (!stage->use || !read_pin(load, kind))
		return false;
	struct loader_pin pin = {.sha256 = stage->sha256};
	stage->plugin = loader_open_pinned(load->stage_path, kind, stage->use, &pin, &cause);
	if (!stage->plugin)
		return yaml_fail(pin.refused ? written->sha256 : written->use, load->error, "%s: %s", kind_names[kind],
		                 cause.text);
	stage->present = true;
	return bind_stage(load, kind) && ask_stage(load, kind);
}

static bool load_stages(struct load *load)
{
	struct sluice_error cause = {0};
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		struct config *config = load->config;
		const struct sluice_option *options = config_kind_options((enum sluice_kind)kind);
		if (!option_fill_fallbacks(options, kind_config(config, (enum sluice_kind)kind), &config->arena,
		                           &cause))
			return sluice_error_set(load->error, "%s", cause.text);
		if (!load_stage(load, (enum sluice_kind)kind))
			return false;
	}
	return true;
}

/* A 2xx may only rest on what keeps the event. */
static bool check_ack(const struct load *load)
{
	const struct config *config = load->config;
	const struct stage_config *queue = &config->stages[SLUICE_KIND_QUEUE];
	const struct yaml_node *place = place_of(load, "ack");
	if (config->ack == ACK_STORED && !config->stages[SLUICE_KIND_PERSIST].present)
		return yaml_fail(place, load->error,
		                 "ack: stored requires a persist stage; add one, such as `- persist: sqlite`");
	const struct stage_config *persist = &config->stages[SLUICE_KIND_PERSIST];
	const struct sluice_write_only *write_only = persist->present ? abi_write_only(&persist->plugin->ops) : NULL;
	if (config->ack == ACK_STORED && write_only)
		return yaml_fail(
			place, load->error,
			"ack: stored requires a store that can be read, and persist/%s hands events on, %s; write `ack: queued` and use a durable queue, or use another store",
			persist->plugin->ops.name, write_only->where);
	if (config->ack == ACK_QUEUED && !queue->present)
		return yaml_fail(place, load->error,
		                 "ack: queued requires a durable queue stage; add one, or write `ack: stored`");
	if (config->ack == ACK_QUEUED && !(queue->plugin->ops.of.queue->flags & SLUICE_QUEUE_DURABLE))
		return yaml_fail(
			place, load->error,
			"ack: queued requires a durable queue stage, and queue/%s loses its events in a crash; use a durable queue, or write `ack: stored`",
			queue->plugin->ops.name);
	return true;
}

static void warn(struct load *load, const struct yaml_node *place, const char *text)
{
	struct bind_warnings *warnings = &load->warnings;
	struct sluice_error sentence = {0};
	(void)yaml_fail(place, &sentence, "%s", text);
	if (warnings->count < BIND_WARNINGS_MAX)
		warnings->items[warnings->count++] = arena_strdup(&load->config->arena, sentence.text);
}

static bool check_signed_id(struct load *load)
{
	struct config *config = load->config;
	const struct unresolved_stage *written = &load->unresolved.stages[SLUICE_KIND_PARSE];
	struct sluice_error cause = {0};
	const char *warning;
	if (!written->place)
		return true;
	const struct yaml_node *node = bind_get(written->options, "message_id");
	const struct yaml_node *place = node ? node : written->place;
	const char *name = config->stages[SLUICE_KIND_PARSE].plugin->ops.name;
	if (!signed_id_check(config, &warning, &cause))
		return yaml_fail(place, load->error, "parse/%s: %s", name, cause.text);
	if (warning)
		warn(load, place, arena_printf(&config->arena, "parse/%s: %s", name, warning));
	return true;
}

/* Where every request comes from one proxy, all senders would share one limit. */
static bool check_rate(struct load *load)
{
	static const struct {
		enum sluice_kind kind;
		const char *name;
	} needs[] = {[RATE_BY_CREDENTIAL] = {SLUICE_KIND_AUTH, "credential"},
	             [RATE_BY_STREAM] = {SLUICE_KIND_PARSE, "stream"}};
	const struct listen_config *listen = &load->config->listen;
	if (listen->rate_requests == 0)
		return true;
	if (listen->rate_by == RATE_BY_CLIENT) {
		if (listen->proxies.count == 0 && is_loopback(listen->address))
			warn(load, place_of(load, "listen.rate.requests"),
			     "listen.rate: all senders behind a proxy count as one client; name the proxy in "
			     "listen.trusted_proxies, or set listen.rate.by");
		return true;
	}
	return load->config->stages[needs[listen->rate_by].kind].present ||
	       yaml_fail(place_of(load, "listen.rate.by"), load->error,
	                 "listen.rate.by: %s requires the stage %s, which tells it: add one, or limit by client",
	                 needs[listen->rate_by].name, kind_names[needs[listen->rate_by].kind]);
}

static bool check_retry(const struct load *load)
{
	const struct persist_config *persist = &load->config->persist;
	const struct unresolved_stage *written = &load->unresolved.stages[SLUICE_KIND_PERSIST];
	if (!written->place || persist->retry_min.ns <= persist->retry_max.ns)
		return true;
	const struct yaml_node *node = bind_get(written->options, "retry");
	return yaml_fail(node ? node : written->place, load->error, "persist/%s: retry.min: expected at most retry.max",
	                 load->config->stages[SLUICE_KIND_PERSIST].plugin->ops.name);
}

static bool check_retention(const struct load *load)
{
	const struct config *config = load->config;
	const struct stage_config *stage = &config->stages[SLUICE_KIND_PERSIST];
	const int64_t age_ns = config->persist.retention.ns;
	if (!stage->present || age_ns == 0)
		return true;
	const struct yaml_node *place = bind_get(load->unresolved.stages[SLUICE_KIND_PERSIST].options, "retention");
	place = place ? place : load->unresolved.stages[SLUICE_KIND_PERSIST].place;
	if (!abi_retention(&stage->plugin->ops))
		return yaml_fail(place, load->error, "persist/%s: retention: this stage cannot remove events",
		                 stage->plugin->ops.name);
	return age_ns >= RETENTION_MIN_NS ||
	       yaml_fail(
		       place, load->error,
		       "persist/%s: retention: expected at least 24h, as senders may try again for days: an event that "
		       "is no longer stored would be stored twice",
		       stage->plugin->ops.name);
}

static bool apply_layers(struct load *load, const struct config_request *request)
{
	if (!overlay_apply(&load->unresolved, request, &load->config->optimizations, load->error))
		return false;
	load->config->treats = overlay_treats(&load->unresolved, load->config->optimizations);
	return true;
}

static bool read_source(struct config *config, const struct config_request *request, struct sluice_error *error)
{
	struct buffer bytes = {0};
	bool ok = true;
	if (request->source)
		buffer_add(&bytes, request->source->data, request->source->size);
	else
		ok = yaml_read_bytes(config->file, &bytes, error);
	config->source = (struct sluice_bytes){arena_strndup(&config->arena, bytes.data ? bytes.data : "", bytes.size),
	                                       bytes.size};
	buffer_finish(&bytes);
	return ok;
}

static bool load_all(struct load *load, const struct config_request *request)
{
	struct config *config = load->config;
	if (!read_source(config, request, load->error))
		return false;
	const struct yaml_node *file = yaml_read_text(config->file, config->source.data, config->source.size,
	                                              &config->arena, load->error);
	return file && unresolved_read(&load->unresolved, file, &config->arena, load->error) &&
	       apply_layers(load, request) && bind_top(load) && bind_sections(load) && read_trusted_proxies(load) &&
	       read_public_url(load) && check_listen(load) && check_admin(load) && check_events(load) &&
	       check_otlp(load) && load_stages(load) && check_ack(load) && check_retry(load) && check_retention(load) &&
	       check_rate(load) && check_signed_id(load);
}

static void keep_warnings(struct load *load)
{
	const struct bind_warnings *warnings = &load->warnings;
	const char **list = arena_must(&load->config->arena, (warnings->count + 1) * sizeof(*list));
	memcpy(list, warnings->items, warnings->count * sizeof(*list));
	load->config->warnings = list;
}

static void fingerprint(struct config *config)
{
	struct buffer text = {0};
	uint8_t digest[SLUICE_DIGEST_SIZE];
	config_print(config, &text);
	digest_bytes(text.data, text.size, digest);
	digest_hex(digest, config->sha256);
	buffer_finish(&text);
}

struct config *config_load(const struct config_request *request, struct sluice_error *error)
{
	struct config *config = must_calloc(1, sizeof(*config));
	struct load load = {.config = config, .error = error};
	arena_init(&config->arena, 16384, NULL);
	if (!request->file) {
		sluice_error_set(error, "expected the name of a pipeline file, got none");
		config_free(config);
		return NULL;
	}
	config->file = arena_strdup(&config->arena, request->file);
	load.stage_path = loader_stage_path(request->stage_path);
	bool loaded = load_all(&load, request);
	loader_free_path(load.stage_path);
	if (!loaded) {
		config_free(config);
		return NULL;
	}
	keep_warnings(&load);
	config->methods = methods_of(&config->stages[SLUICE_KIND_AUTH]);
	fingerprint(config);
	return config;
}

struct config *config_share(const struct config *config)
{
	struct config *shared = (struct config *)(uintptr_t)config;
	shared->references++;
	return shared;
}

void config_free(struct config *config)
{
	if (!config || config->references-- > 0)
		return;
	for (int kind = 0; kind < KIND_COUNT; kind++)
		loader_close(config->stages[kind].plugin);
	arena_finish(&config->arena);
	free(config);
}
