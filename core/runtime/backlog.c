/* The backlog of a queue that is no longer in use; see backlog.h. */
#include "runtime/backlog.h"

#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "runtime/abi.h"
#include "runtime/overlay.h"
#include "runtime/pipeline.h"

struct search {
	const struct config_request *request;
	const struct config *config;
	backlog_wait_fn wait;
	void *context;
	bool ok;
	struct sluice_error *error;
};

static const struct sluice_queue_backlog *backlog_of(const struct config *config)
{
	const struct stage_config *queue = &config->stages[SLUICE_KIND_QUEUE];
	return queue->present && queue->plugin ? abi_backlog(&queue->plugin->ops) : NULL;
}

static const char *place_of(const struct config *config)
{
	const struct sluice_queue_backlog *backlog = backlog_of(config);
	return backlog ? backlog->place(config->stages[SLUICE_KIND_QUEUE].options) : "";
}

static bool wait_until_delivered(struct search *search, struct sluice_stage *queue,
                                 const struct sluice_queue_backlog *backlog)
{
	while (backlog->count(queue) > 0) {
		if (!search->wait(search->context))
			return sluice_error_set(search->error, "stopped while the backlog of %s was being delivered",
			                        queue->ops->name);
	}
	return true;
}

static bool deliver(struct search *search, struct config *config)
{
	const struct sluice_queue_backlog *backlog = backlog_of(config);
	struct pipeline *pipeline = pipeline_create_delivery(config, search->error);
	if (!pipeline)
		return false;
	struct sluice_stage *queue = pipeline_queue(pipeline);
	size_t count = backlog->count(queue);
	if (count)
		log_event(SLUICE_LOG_INFO, NULL, "backlog_delivering", sluice_text("place", place_of(config)),
		          sluice_int("events", (int64_t)count));
	bool ok = wait_until_delivered(search, queue, backlog);
	if (count && ok)
		log_event(SLUICE_LOG_INFO, NULL, "backlog_delivered", sluice_text("place", place_of(config)));
	pipeline_destroy(pipeline);
	return ok;
}

/* The pipeline as it would be with these overlays. */
static struct config *load(const struct search *search, const char *optimizations, struct sluice_error *error)
{
	struct config_request request = *search->request;
	request.enable = request.disable = NULL;
	request.optimizations = optimizations;
	request.optimizations_from = "the search for a backlog";
	return config_load(&request, error);
}

static bool look_at(struct search *search, struct config *config)
{
	const struct sluice_queue_backlog *backlog = config ? backlog_of(config) : NULL;
	bool is_other = backlog && strcmp(place_of(config), place_of(search->config)) != 0;
	bool ok = !search->ok || !is_other || !backlog->exists(config->stages[SLUICE_KIND_QUEUE].options) ||
	          deliver(search, config);
	config_free(config);
	return ok;
}

static void warn(const char *where, const char *name, const struct sluice_error *why)
{
	log_event(SLUICE_LOG_WARN, NULL, "backlog_not_searched", sluice_text(where, name),
	          sluice_text("reason", why->text));
}

/* With those that are on, for what they say about the store; alone, where they exclude each other. */
static void look_at_overlay(void *context, const char *name, const char *about)
{
	struct search *search = context;
	struct buffer names = {0};
	(void)about;
	if (!search->ok)
		return;
	config_print_optimizations(search->config, ",", &names);
	buffer_printf(&names, "%s%s", names.size ? "," : "", name);
	struct sluice_error ignored = {0}, why = {0};
	struct config *config = load(search, names.data, &ignored);
	if (!config)
		config = load(search, name, &why);
	if (!config)
		warn("overlay", name, &why);
	search->ok = look_at(search, config);
	buffer_finish(&names);
}

static void look_at_file(struct search *search)
{
	const char *file = search->request->file;
	struct sluice_error why = {0};
	struct config *base = load(search, "false", &why);
	if (!base)
		warn("file", file, &why);
	search->ok = look_at(search, base);
	if (!overlay_list(file, look_at_overlay, search, &why) && base)
		warn("file", file, &why);
}

bool backlog_deliver(const struct config_request *request, const struct config *config, struct config *const *earlier,
                     backlog_wait_fn wait, void *context, struct sluice_error *error)
{
	struct search search = {
		.request = request, .config = config, .wait = wait, .context = context, .ok = true, .error = error};
	for (; *earlier; earlier++)
		search.ok = look_at(&search, *earlier) && search.ok;
	if (search.ok)
		look_at_file(&search);
	return search.ok;
}
