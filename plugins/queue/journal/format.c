/* The format of a segment; see format.h. */
#include "format.h"

#include <string.h>

#include <sluice/host.h>

#include "crc32c.h"

enum { RECORD_MAGIC = 0x524a4c53 /* "SLJR" */, PAYLOAD_MAX = 1 << 30 };

static const char segment_magic[8] = "SLUICEJ\n";

static const size_t head_checked_from = offsetof(struct segment_head, checksum) + sizeof(uint32_t);
static const size_t record_checked_from = offsetof(struct record_head, checksum) + sizeof(uint32_t);

_Static_assert(sizeof(struct segment_head) == 64 && sizeof(struct record_head) == 24 && sizeof(struct event_head) == 56,
               "the format has no padding");

/* The texts of an event, in the order in which they stand in a record. */
enum { TEXTS = 4 };

static const uint16_t text_flags[TEXTS] = {RECORD_HAS_MESSAGE_ID, RECORD_HAS_EVENT_TYPE, RECORD_HAS_STREAM,
                                           RECORD_HAS_REQUEST_ID};

static uint32_t head_checksum(const struct segment_head *head)
{
	return crc32c(0, (const char *)head + head_checked_from, sizeof(*head) - head_checked_from);
}

void format_segment_head(struct segment_head *head)
{
	memcpy(head->magic, segment_magic, sizeof(segment_magic));
	head->version = FORMAT_VERSION;
	head->checksum = head_checksum(head);
}

enum segment_state format_check_segment_head(const struct segment_head *head)
{
	static const struct segment_head zeros;
	if (memcmp(head, &zeros, sizeof(zeros)) == 0)
		return SEGMENT_EMPTY;
	if (memcmp(head->magic, segment_magic, sizeof(segment_magic)) != 0)
		return SEGMENT_ALIEN;
	if (head->version > FORMAT_VERSION)
		return SEGMENT_NEWER;
	return head->version == FORMAT_VERSION && head->checksum == head_checksum(head) ? SEGMENT_BEGUN : SEGMENT_ALIEN;
}

uint32_t format_seed(const struct segment_head *head)
{
	return head_checksum(head);
}

static size_t aligned(size_t size)
{
	return (size + RECORD_ALIGNMENT - 1) / RECORD_ALIGNMENT * RECORD_ALIGNMENT;
}

static void texts_of(const struct sluice_event *event, struct sluice_bytes texts_out[TEXTS])
{
	texts_out[0] = event->message_id;
	texts_out[1] = event->event_type;
	texts_out[2] = event->stream;
	texts_out[3] = event->request_id;
}

size_t format_event_size(const struct sluice_event *event)
{
	struct sluice_bytes texts[TEXTS];
	texts_of(event, texts);
	size_t size = sizeof(struct record_head) + sizeof(struct event_head) + event->payload.size;
	if (event->payload.size > PAYLOAD_MAX)
		return 0;
	for (int i = 0; i < TEXTS; i++) {
		if (texts[i].size > SLUICE_NAME_MAX)
			return 0;
		size += texts[i].size;
	}
	return aligned(size);
}

size_t format_done_size(size_t ranges)
{
	return sizeof(struct record_head) + ranges * sizeof(struct range);
}

static void seal(char *out, struct record_head head, uint32_t seed)
{
	head.magic = RECORD_MAGIC;
	memcpy(out, &head, sizeof(head));
	head.checksum = crc32c(seed, out + record_checked_from, head.size - record_checked_from);
	memcpy(out, &head, sizeof(head));
}

static char *append(char *at, const void *data, size_t size)
{
	if (data && size)
		memcpy(at, data, size);
	return at + size;
}

void format_event(char *out, size_t size, struct sluice_event *event, uint32_t place, uint32_t synced, uint32_t seed)
{
	struct sluice_bytes texts[TEXTS];
	texts_of(event, texts);
	struct record_head head = {
		.size = (uint32_t)size,
		.kind = RECORD_EVENT,
		.flags = event->has_sequence ? RECORD_HAS_SEQUENCE : 0,
		.synced = synced,
		.count = place,
	};
	struct event_head fields = {
		.received_at_ns = event->received_at_ns,
		.sequence = event->has_sequence ? event->sequence : 0,
		.payload_size = (uint32_t)event->payload.size,
		.message_id_size = (uint8_t)event->message_id.size,
		.event_type_size = (uint8_t)event->event_type.size,
		.stream_size = (uint8_t)event->stream.size,
		.request_id_size = (uint8_t)event->request_id.size,
	};
	memcpy(fields.digest, sluice_digest(event), SLUICE_DIGEST_SIZE);
	char *at = append(out + sizeof(head), &fields, sizeof(fields));
	for (int i = 0; i < TEXTS; i++) {
		if (texts[i].data)
			head.flags |= text_flags[i];
		at = append(at, texts[i].data, texts[i].size);
	}
	at = append(at, event->payload.data, event->payload.size);
	memset(at, 0, (size_t)(out + size - at));
	seal(out, head, seed);
}

void format_done(char *out, const struct range *ranges, size_t count, uint32_t synced, uint32_t seed)
{
	struct record_head head = {
		.size = (uint32_t)format_done_size(count),
		.kind = RECORD_DONE,
		.synced = synced,
		.count = (uint32_t)count,
	};
	(void)append(out + sizeof(head), ranges, count * sizeof(*ranges));
	seal(out, head, seed);
}

void format_end(char *out, uint32_t synced, uint32_t seed)
{
	seal(out, (struct record_head){.size = FORMAT_END_SIZE, .kind = RECORD_END, .synced = synced}, seed);
}

bool format_read(const char *data, size_t room, uint32_t seed, struct record_head *head_out)
{
	if (room < sizeof(*head_out))
		return false;
	memcpy(head_out, data, sizeof(*head_out));
	return head_out->magic == RECORD_MAGIC && head_out->size >= sizeof(*head_out) && head_out->size <= room &&
	       head_out->size % RECORD_ALIGNMENT == 0 &&
	       head_out->checksum == crc32c(seed, data + record_checked_from, head_out->size - record_checked_from);
}

bool format_read_event(const char *data, const struct record_head *head, struct sluice_record *record_out)
{
	struct event_head fields;
	if (head->size < sizeof(*head) + sizeof(fields))
		return false;
	memcpy(&fields, data + sizeof(*head), sizeof(fields));
	const size_t sizes[TEXTS] = {fields.message_id_size, fields.event_type_size, fields.stream_size,
	                             fields.request_id_size};
	struct sluice_bytes *texts[TEXTS] = {&record_out->message_id, &record_out->event_type, &record_out->stream,
	                                     &record_out->request_id};
	size_t size = sizeof(*head) + sizeof(fields) + fields.payload_size;
	for (int i = 0; i < TEXTS; i++)
		size += sizes[i];
	if (aligned(size) != head->size)
		return false;
	const char *at = data + sizeof(*head) + sizeof(fields);
	for (int i = 0; i < TEXTS; i++) {
		*texts[i] = head->flags & text_flags[i] ? (struct sluice_bytes){at, sizes[i]}
		                                        : (struct sluice_bytes){NULL, 0};
		at += sizes[i];
	}
	record_out->payload = (struct sluice_bytes){at, fields.payload_size};
	record_out->received_at_ns = fields.received_at_ns;
	record_out->sequence = fields.sequence;
	record_out->has_sequence = head->flags & RECORD_HAS_SEQUENCE;
	record_out->payload_rewritten = false;
	memcpy(record_out->digest, fields.digest, SLUICE_DIGEST_SIZE);
	return true;
}
