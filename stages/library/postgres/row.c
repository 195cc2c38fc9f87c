/* An event as a row. */
#include "row.h"

#include <string.h>

#define PAYLOAD_MAX ((size_t)1000000000) /* what PostgreSQL keeps in a field, with room for its own */

void row_add(struct parameters *parameters, struct sluice_event *event, bool payload_is_text)
{
	struct sluice_bytes payload = event->payload;
	if (!payload.data)
		payload.data = "";
	parameters_text(parameters, event->message_id);
	parameters_text(parameters, event->event_type);
	parameters_text(parameters, event->stream);
	if (event->has_sequence)
		parameters_int64(parameters, event->sequence);
	else
		parameters_null(parameters);
	if (payload_is_text)
		parameters_text(parameters, payload);
	else
		parameters_bytea(parameters, payload.data, payload.size);
	parameters_bytea(parameters, sluice_digest(event), SLUICE_DIGEST_SIZE);
	parameters_text(parameters, event->request_id);
	parameters_time(parameters, event->received_at_ns);
}

bool row_fits(struct sluice_event *event)
{
	if (event->payload.size <= PAYLOAD_MAX)
		return true;
	(void)sluice_fail(event, "PostgreSQL keeps no more than 1 GB in a field");
	return false;
}

enum sluice_verdict row_compare(struct sluice_event *event, const uint8_t digest[SLUICE_DIGEST_SIZE],
                                struct sluice_bytes request_id)
{
	bool ours = event->attempt > 1 && sluice_bytes_equal(request_id, event->request_id);
	if (memcmp(digest, sluice_digest(event), SLUICE_DIGEST_SIZE) != 0)
		return sluice_conflict(event, "this message id is stored with a different content");
	return ours ? SLUICE_PASS : SLUICE_DONE;
}

enum sluice_verdict row_vanished(struct connection *connection, struct sluice_event *event)
{
	server_doubt(connection->server);
	return sluice_fail(event, "the database dropped the event without an error (a trigger that returns NULL?)");
}
