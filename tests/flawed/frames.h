/*
 * Events in a file, for the flawed stages: each a frame that says how long it is, in this machine's own byte order.
 */
#ifndef FLAWED_FRAMES_H
#define FLAWED_FRAMES_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/stage.h>

/* Bytes that grow. */
struct text {
	char *data;
	size_t size, room;
};

static inline void text_add(struct text *text, const void *data, size_t size)
{
	if (text->size + size > text->room) {
		text->room = 2 * text->room + size;
		text->data = realloc(text->data, text->room);
		if (!text->data)
			abort();
	}
	if (size)
		memcpy(text->data + text->size, data, size);
	text->size += size;
}

/* False: there is no such file, or it cannot be read. */
static inline bool text_read_file(struct text *text, const char *path)
{
	char part[65536];
	ssize_t size;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	while ((size = read(file, part, sizeof(part))) > 0)
		text_add(text, part, (size_t)size);
	(void)close(file);
	return size == 0;
}

struct frame {
	int32_t kind, size; /* size: of the frame and what follows it */
};

enum { FRAME_EVENT = 'E', FRAME_FIELDS = 5, FRAME_ABSENT = -1 };

struct event_frame {
	struct frame frame;
	int64_t id, sequence, received_at_ns;
	int32_t has_sequence;
	int32_t sizes[FRAME_FIELDS]; /* of message id, type, stream, payload, request id, which follow; FRAME_ABSENT */
	uint8_t digest[SLUICE_DIGEST_SIZE];
};

static inline struct sluice_record record_of(struct sluice_event *event, int64_t id)
{
	struct sluice_record record = {.id = id,
	                               .message_id = event->message_id,
	                               .event_type = event->event_type,
	                               .stream = event->stream,
	                               .payload = event->payload,
	                               .request_id = event->request_id,
	                               .sequence = event->sequence,
	                               .has_sequence = event->has_sequence,
	                               .received_at_ns = event->received_at_ns};
	memcpy(record.digest, sluice_digest(event), sizeof(record.digest));
	return record;
}

static inline void frame_write_event(struct text *text, const struct sluice_record *record)
{
	const struct sluice_bytes fields[FRAME_FIELDS] = {record->message_id, record->event_type, record->stream,
	                                                  record->payload, record->request_id};
	struct event_frame frame = {.frame = {FRAME_EVENT, (int32_t)sizeof(frame)},
	                            .id = record->id,
	                            .sequence = record->sequence,
	                            .received_at_ns = record->received_at_ns,
	                            .has_sequence = record->has_sequence};
	memcpy(frame.digest, record->digest, sizeof(frame.digest));
	for (int i = 0; i < FRAME_FIELDS; i++) {
		frame.sizes[i] = fields[i].data ? (int32_t)fields[i].size : FRAME_ABSENT;
		frame.frame.size += (int32_t)fields[i].size;
	}
	text_add(text, &frame, sizeof(frame));
	for (int i = 0; i < FRAME_FIELDS; i++)
		text_add(text, fields[i].data, fields[i].size);
}

/* The frame at `offset`; false: there is no whole one. */
static inline bool frame_at(const struct text *text, size_t offset, struct frame *frame_out)
{
	size_t left = text->size - offset;
	if (left < sizeof(*frame_out))
		return false;
	memcpy(frame_out, text->data + offset, sizeof(*frame_out));
	return frame_out->size >= (int32_t)sizeof(*frame_out) && (size_t)frame_out->size <= left;
}

/* The record points into the text. False: its sizes do not fit. */
static inline bool frame_read_event(const char *at, struct sluice_record *record_out)
{
	struct event_frame frame;
	struct sluice_bytes *const fields[FRAME_FIELDS] = {&record_out->message_id, &record_out->event_type,
	                                                   &record_out->stream, &record_out->payload,
	                                                   &record_out->request_id};
	memcpy(&frame, at, sizeof(struct frame));
	if (frame.frame.kind != FRAME_EVENT || frame.frame.size < (int32_t)sizeof(frame))
		return false;
	memcpy(&frame, at, sizeof(frame));
	*record_out = (struct sluice_record){.id = frame.id,
	                                     .sequence = frame.sequence,
	                                     .has_sequence = frame.has_sequence != 0,
	                                     .received_at_ns = frame.received_at_ns};
	memcpy(record_out->digest, frame.digest, sizeof(frame.digest));
	const char *data = at + sizeof(frame), *end = at + frame.frame.size;
	for (int i = 0; i < FRAME_FIELDS; i++) {
		if (frame.sizes[i] == FRAME_ABSENT)
			continue;
		if (frame.sizes[i] < 0 || frame.sizes[i] > end - data)
			return false;
		*fields[i] = (struct sluice_bytes){data, (size_t)frame.sizes[i]};
		data += frame.sizes[i];
	}
	return data == end;
}

#endif
