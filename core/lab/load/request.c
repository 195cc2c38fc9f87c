/*
 * Writing requests; see request.h.
 */
#include "lab/load/request.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"

void request_writer_finish(struct request_writer *writer)
{
	buffer_finish(&writer->id);
	buffer_finish(&writer->body);
}

static const struct input_event *event_of(const struct replay_plan *plan, size_t i)
{
	return &plan->input->events[plan->first + i];
}

void request_write_id(const struct replay_plan *plan, size_t i, struct buffer *out)
{
	buffer_printf(out, "%s%zu", plan->request_prefix, plan->request_first + i);
}

void request_write_message_id(const struct replay_plan *plan, size_t i, const struct replay_target *target,
                              struct buffer *out)
{
	const struct input_event *event = event_of(plan, i);
	if (!event->message_id.data)
		return;
	if (event->id_at != SIZE_MAX)
		buffer_add_text(out, target->id_prefix);
	buffer_add(out, event->message_id.data, event->message_id.size);
}

/* What the sender says itself, and would be said twice: see input.h. */
static bool is_the_senders(const char *name)
{
	static const char *const names[] = {"Host", "Content-Length", "X-Request-Id"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

static void write_headers(const struct input_event *event, struct buffer *out)
{
	bool has_type = false;
	for (size_t i = 0; i < event->header_count; i++) {
		const struct input_header *header = &event->headers[i];
		if (is_the_senders(header->name))
			continue;
		has_type |= strcasecmp(header->name, "Content-Type") == 0;
		buffer_printf(out, "%s: %s\r\n", header->name, header->value);
	}
	if (!has_type)
		buffer_add_text(out, "Content-Type: application/json\r\n");
}

static void write_signature(struct request_writer *writer, size_t i, const struct replay_target *target,
                            struct buffer *out)
{
	buffer_empty(&writer->id);
	request_write_message_id(writer->plan, i, target, &writer->id);
	signer_write(writer->plan->signer, (struct sluice_bytes){writer->id.data, writer->id.size},
	             (struct sluice_bytes){writer->body.data, writer->body.size}, clock_wall_ns(),
	             event_of(writer->plan, i)->kind == INPUT_BAD_SIGNATURE, out);
}

/* An address of IPv6 stands in brackets before its port. */
static void write_host(const struct replay_target *target, struct buffer *out)
{
	bool has_colons = strchr(target->host, ':') != NULL;
	buffer_printf(out, "Host: %s%s%s:%s\r\n", has_colons ? "[" : "", target->host, has_colons ? "]" : "",
	              target->port);
}

void request_write(struct request_writer *writer, size_t i, const struct replay_target *target, struct buffer *out)
{
	const struct input_event *event = event_of(writer->plan, i);
	size_t payload_at;
	buffer_empty(&writer->body);
	input_write_body(event, target->id_prefix, &writer->body, &payload_at);
	buffer_printf(out, "POST %s HTTP/1.1\r\n", target->path);
	write_host(target, out);
	buffer_add_text(out, "X-Request-Id: ");
	request_write_id(writer->plan, i, out);
	buffer_printf(out, "\r\nContent-Length: %zu\r\n", writer->body.size);
	write_headers(event, out);
	if (writer->plan->signer)
		write_signature(writer, i, target, out);
	buffer_add_text(out, "\r\n");
	buffer_add(out, writer->body.data, writer->body.size);
}
