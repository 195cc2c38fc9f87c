/*
 * Refusals; see refusals.h.
 */
#include "serve/refusals.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum { PATH_LOGGED = 200 }; /* characters */

const char *const refusal_names[REFUSAL_REASONS] = {
	[REFUSAL_MALFORMED] = "malformed_request",
	[REFUSAL_LATE] = "request_timeout",
	[REFUSAL_CONNECTIONS] = "too_many_connections",
	[REFUSAL_EVICTED] = "connection_evicted",
	[REFUSAL_PATH] = "unknown_path",
	[REFUSAL_METHOD] = "method_not_allowed",
	[REFUSAL_LENGTH] = "length_required",
	[REFUSAL_ENCODING] = "content_encoding",
	[REFUSAL_HEADERS] = "headers_too_large",
	[REFUSAL_FULL] = "too_many_events",
	[REFUSAL_LEAVING] = "shutting_down",
	[REFUSAL_DEADLINE] = "deadline_exceeded",
	[REFUSAL_BODY_SIZE] = "body_too_large",
	[REFUSAL_RATE] = "rate_limited",
	[REFUSAL_INTERNAL] = "internal_error",
	[REFUSAL_INVALID] = "invalid_request",
	[REFUSAL_UNAUTHORIZED] = "unauthorized",
	[REFUSAL_MEDIA_TYPE] = "media_type",
	[REFUSAL_CONFLICT] = "conflict",
	[REFUSAL_UNAVAILABLE] = "unavailable",
	[REFUSAL_OTHER] = "other",
};

/* What a stage means by a status. */
static const struct {
	int status;
	enum refusal_reason reason;
} by_status[] = {
	{400, REFUSAL_INVALID},    {401, REFUSAL_UNAUTHORIZED}, {403, REFUSAL_UNAUTHORIZED}, {413, REFUSAL_BODY_SIZE},
	{415, REFUSAL_MEDIA_TYPE}, {429, REFUSAL_RATE},         {500, REFUSAL_INTERNAL},     {503, REFUSAL_UNAVAILABLE},
};

static void count(struct refusals *refusals, enum refusal_reason reason)
{
	atomic_fetch_add_explicit(&refusals->reasons[reason].count, 1, memory_order_relaxed);
}

/* The query may hold a token. */
static const char *path_of(const char *target, char path[PATH_LOGGED + 1])
{
	if (!target)
		return NULL;
	(void)snprintf(path, PATH_LOGGED + 1, "%.*s", (int)strcspn(target, "?"), target);
	return path;
}

void refusals_note(struct refusals *refusals, const struct refused *refused)
{
	char client[IP_ADDRESS_TEXT_SIZE], path[PATH_LOGGED + 1];
	int64_t suppressed;
	count(refusals, refused->reason);
	if (!log_limit_pass(&refusals->reasons[refused->reason].limit, &suppressed))
		return;
	if (refused->client)
		ip_address_format(refused->client, client);
	log_event(refused->status < 500 ? SLUICE_LOG_INFO : SLUICE_LOG_WARN, NULL, "request_refused",
	          sluice_text("request_id", refused->request_id),
	          sluice_text("client", refused->client ? client : NULL),
	          sluice_text("path", path_of(refused->target, path)), sluice_text("served", refused->served),
	          sluice_int("status", refused->status), sluice_text("kind", refusal_names[refused->reason]),
	          sluice_text("reason", refused->detail), sluice_int("suppressed", suppressed));
}

void refusals_count(struct refusals *refusals, int status, enum event_outcome outcome)
{
	enum refusal_reason reason = outcome == OUTCOME_CONFLICT ? REFUSAL_CONFLICT : REFUSAL_OTHER;
	for (size_t i = 0; i < sizeof(by_status) / sizeof(by_status[0]) && reason == REFUSAL_OTHER; i++)
		if (by_status[i].status == status)
			reason = by_status[i].reason;
	count(refusals, reason);
}
