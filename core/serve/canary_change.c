/*
 * Changes of a canary; see canary_change.h.
 */
#include "serve/canary_change.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "serve/canary.h"
#include "serve/guard.h"
#include "serve/history.h"
#include "serve/server.h"
#include "serve/service.h"

enum { STATUS_OK = 200, STATUS_LATCHED = 409, STATUS_REFUSED = 422, STATUS_UNAVAILABLE = 503 };

#define SAVE_PATIENCE_NS NS_PER_S

bool canary_change_is(struct reload_job job)
{
	return job.kind >= RELOAD_CANARY_START && job.kind <= RELOAD_CANARY_ABORT;
}

static void fail(struct reload_result *result, int status, const struct sluice_error *error)
{
	result->status = status;
	result->error = *error;
	log_event(SLUICE_LOG_ERROR, NULL, "canary_failed", sluice_text("reason", error->text));
}

static void succeed(const struct canary_change *change, struct reload_result *result)
{
	struct json_writer json = {.out = &result->body};
	result->status = STATUS_OK;
	jsonw_object(&json, NULL);
	canary_write(change->canary, &json);
	jsonw_end_object(&json);
	buffer_add_text(&result->body, "\n");
}

/* Where a file really is. */
static bool folder_of(const char *path, char folder[PATH_MAX])
{
	if (!realpath(path, folder))
		return false;
	*strrchr(folder, '/') = '\0';
	return true;
}

/* Who may ask the admin listener may not therefore choose what code a server runs. */
static bool may_be_read(const char *file, const char *own, struct sluice_error *error)
{
	char folder[PATH_MAX], own_folder[PATH_MAX];
	if (!folder_of(file, folder))
		return sluice_error_set(error, "%s: cannot be read by the server", file);
	return (folder_of(own, own_folder) && strcmp(folder, own_folder) == 0) ||
	       sluice_error_set(error, "%s: a canary's pipeline file must be in the folder of %s", file, own);
}

static const char *join(struct arena *arena, const char *names, const char *more)
{
	return !names ? more : !more ? names : arena_printf(arena, "%s,%s", names, more);
}

/* With other overlays alone it is what serves that is changed, and else a file as it is now. */
static struct config *load(const struct canary_change *change, const struct canary_request *asked,
                           struct sluice_error *error)
{
	struct config_request request = *change->request;
	struct arena arena;
	if (asked->file && !may_be_read(asked->file, request.file, error))
		return NULL;
	arena_init(&arena, 256, NULL);
	if (asked->file)
		request.file = asked->file;
	else if (asked->enable || asked->disable)
		request.source = &change->service->config->source;
	request.enable = join(&arena, request.enable, asked->enable);
	request.disable = join(&arena, request.disable, asked->disable);
	struct config *config = config_load(&request, error);
	arena_finish(&arena);
	return config;
}

static bool may_begin(const struct canary_change *change, struct sluice_error *error)
{
	const struct history_latch *latch = history_latch(change->history);
	if (latch)
		return sluice_error_set(
			error,
			"generation %lld was left by a rollback: before another canary, lift it with `sluice rollback --lift`",
			(long long)latch->left);
	if (!generations_may_split(change->service->generations))
		return sluice_error_set(error, "events of the last canary are still in flight: try again");
	return guard_may_begin(change->service, error);
}

/* A process that starts from here on does not read the file. */
static bool announce(const struct canary_change *change, struct sluice_error *error)
{
	history_set_canary(change->history, true);
	if (history_save(change->history, SAVE_PATIENCE_NS, error))
		return true;
	history_set_canary(change->history, false);
	return false;
}

static void begin(const struct canary_change *change, struct reload_job job, struct reload_result *result)
{
	struct sluice_error error = {0};
	if (!may_begin(change, &error)) {
		fail(result, STATUS_LATCHED, &error);
		return;
	}
	struct config *config = load(change, job.canary, &error);
	struct pipeline *candidate = config ? pipeline_create_candidate(config, change->service->pipeline, &error)
	                                    : NULL;
	config_free(config); /* the pipeline holds it */
	if (!candidate) {
		fail(result, STATUS_REFUSED, &error);
		return;
	}
	if (!announce(change, &error)) {
		pipeline_retire(candidate);
		fail(result, STATUS_UNAVAILABLE, &error);
		return;
	}
	canary_begin(change->canary, candidate, job.weight > 0 ? job.weight : canary_next_weight(change->canary));
	log_event(SLUICE_LOG_INFO, NULL, "canary_started", sluice_int("generation", change->service->generation + 1),
	          sluice_text("sha256", pipeline_config(candidate)->sha256));
	succeed(change, result);
}

static void step(const struct canary_change *change, double weight, struct reload_result *result)
{
	if (weight <= 0)
		weight = canary_next_weight(change->canary);
	if (weight < 1) {
		canary_step(change->canary, weight);
		log_event(SLUICE_LOG_INFO, NULL, "canary_stepped", sluice_real("weight", weight));
	} else {
		canary_promote(change->canary);
	}
	succeed(change, result);
}

void canary_change(const struct canary_change *change, struct reload_job job, struct reload_result *result)
{
	const enum canary_phase phase = canary_phase(change->canary);
	const bool is_on = phase == CANARY_COUNTING || phase == CANARY_RUNNING;
	struct sluice_error error = {0};
	if (job.kind == RELOAD_CANARY_START && phase == CANARY_NONE) {
		begin(change, job, result);
	} else if (job.kind == RELOAD_CANARY_START) {
		(void)sluice_error_set(&error, "a canary is on: promote or abort it first");
		fail(result, STATUS_LATCHED, &error);
	} else if (job.kind == RELOAD_CANARY_ABORT && (is_on || phase == CANARY_PROMOTING)) {
		canary_leave(change->canary, NULL);
		log_event(SLUICE_LOG_WARN, NULL, "canary_aborted", sluice_text("reason", "canary abort"));
		succeed(change, result);
	} else if (job.kind == RELOAD_CANARY_STEP && phase == CANARY_RUNNING) {
		step(change, job.weight, result);
	} else if (job.kind == RELOAD_CANARY_PROMOTE && phase == CANARY_RUNNING) {
		canary_promote(change->canary);
		succeed(change, result);
	} else {
		(void)sluice_error_set(&error, phase == CANARY_NONE ? "no canary is on"
		                               : is_on              ? "the canary has no traffic yet: try again"
		                                                    : "the canary is about to end");
		fail(result, STATUS_LATCHED, &error);
	}
}

static void trip(const struct canary_change *change, const char *reason)
{
	struct sluice_error error = {0};
	struct history_latch latch = {.left = change->service->generation + 1, .at_ms = clock_wall_ns() / NS_PER_MS};
	struct canary_trip trip;
	canary_leave(change->canary, reason);
	canary_get_trip(change->canary, &trip);
	log_event(SLUICE_LOG_ERROR, NULL, "canary_tripped", sluice_int("generation", latch.left),
	          sluice_text("reason", reason), sluice_int("onset_ms", trip.onset_ms),
	          sluice_int("detected_ms", trip.detected_ms), sluice_int("swapped_ms", trip.swapped_ms),
	          sluice_int("bad", (int64_t)trip.bad), sluice_text("lift", "sluice rollback --lift"));
	(void)snprintf(latch.reason, sizeof(latch.reason), "%.*s", (int)sizeof(latch.reason) - 1, reason);
	if (!history_stop(change->history, &latch, &error))
		log_event(SLUICE_LOG_WARN, NULL, "history_not_written", sluice_text("reason", error.text));
	service_show_latch(change->service, history_latch(change->history));
}

static void publish(const struct canary_change *change)
{
	struct service *service = change->service;
	struct sluice_error error = {0};
	(void)pthread_rwlock_wrlock(&service->lock);
	const bool goes_on = !atomic_load(change->refusing);
	if (goes_on) {
		struct pipeline *candidate = generations_candidate(service->generations);
		generations_promote(service->generations);
		service_follow(service, candidate);
		server_follow(change->server);
	}
	(void)pthread_rwlock_unlock(&service->lock);
	if (!goes_on)
		return;
	canary_published(change->canary);
	service_log_generation(service);
	history_set_canary(change->history, false);
	if (!history_add(change->history, service->generation, service->config, &error))
		log_event(SLUICE_LOG_WARN, NULL, "history_not_written", sluice_text("reason", error.text));
	generations_hand_over(service->generations);
}

static void note_end(const struct canary_change *change)
{
	struct sluice_error ignored = {0};
	struct canary_trip trip;
	canary_get_trip(change->canary, &trip);
	history_set_canary(change->history, false);
	(void)history_save(change->history, SAVE_PATIENCE_NS, &ignored); /* it is tried again, and told */
	log_event(SLUICE_LOG_INFO, NULL, "canary_ended", sluice_int("last_response_ms", trip.last_ms));
}

void canary_change_look(const struct canary_change *change)
{
	struct sluice_error reason = {0};
	switch (canary_look(change->canary, &reason)) {
	case CANARY_TRIPS:
		trip(change, reason.text);
		break;
	case CANARY_PUBLISH:
		publish(change);
		break;
	case CANARY_IS_OVER:
		note_end(change);
		break;
	case CANARY_NOTHING:
	default:
		break;
	}
}
