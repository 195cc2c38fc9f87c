/*
 * Health; see health.h.
 */
#include "serve/health.h"

#include <microhttpd.h>

#include "base/json_writer.h"
#include "serve/observation.h"

static int write_members(struct service *service, enum health_audience audience, struct json_writer *json)
{
	struct observation observation;
	observation_take(&observation, service->pipeline);
	bool draining = atomic_load(&service->draining);
	bool healthy = !draining && observation.reason_count == 0;
	jsonw_text(json, "status", healthy ? "ok" : "unavailable");
	if (!healthy && audience == HEALTH_FOR_OPERATORS) {
		jsonw_array(json, "reasons");
		if (draining)
			jsonw_text(json, NULL, "shutting down");
		for (size_t i = 0; i < observation.reason_count; i++)
			jsonw_text(json, NULL, observation.reasons[i]);
		jsonw_end_array(json);
	}
	observation_finish(&observation);
	return healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

int health_write_members(struct service *service, struct json_writer *json)
{
	return write_members(service, HEALTH_FOR_OPERATORS, json);
}

int health_write(struct service *service, enum health_audience audience, struct buffer *out)
{
	struct json_writer json = {.out = out};
	jsonw_object(&json, NULL);
	int status = write_members(service, audience, &json);
	jsonw_end_object(&json);
	buffer_add_text(out, "\n");
	return status;
}
