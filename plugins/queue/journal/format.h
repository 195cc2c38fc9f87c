/*
 * What stands in a segment, and how to tell that it stands there as it was written.
 *
 *     a segment    head, in a page of its own | record | record | … | zeros
 *     a record     struct record_head | what its kind has | zeros up to a multiple of 8
 *
 * Segments are numbered from 1, and never again with the same number. An event's number is that of its segment times 2^32
 * plus its place in it, so that numbers grow in the order of acceptance.
 *
 * The checksum of a record also covers the journal's id and the segment's number, so that a record from elsewhere is none
 * here. Each record says how much of the segment had been synced before it was written: what is not whole before that
 * point was altered afterwards; behind it, it was torn by a crash before anything was acknowledged.
 *
 * Numbers are in the byte order of the machine: a journal stays on the machine that writes it.
 */
#ifndef QUEUE_JOURNAL_FORMAT_H
#define QUEUE_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/event.h>
#include <sluice/record.h>

enum {
	FORMAT_VERSION = 1,
	JOURNAL_ID_SIZE = 16,
	SEGMENT_HEAD_SIZE = 4096, /* the records begin here */
	RECORD_ALIGNMENT = 8,
	DONE_RANGES_MAX = 4096, /* in one record */
};

struct segment_head {
	char magic[8];
	uint32_t version;
	uint32_t checksum; /* of what follows */
	uint64_t number;
	uint64_t size; /* of the file */
	uint8_t journal[JOURNAL_ID_SIZE];
	/* The segment before it, and where its records end: what stands behind was never acknowledged. 0: there was none. */
	uint64_t previous, previous_end;
};

enum record_kind {
	RECORD_EVENT = 1,
	RECORD_DONE = 2, /* ranges of events that are through */
	RECORD_END = 3,  /* the segment is complete: nothing follows */
};

enum record_flags {
	RECORD_HAS_SEQUENCE = 1u << 0,
	RECORD_HAS_MESSAGE_ID = 1u << 1, /* a text that is absent is not an empty one */
	RECORD_HAS_EVENT_TYPE = 1u << 2,
	RECORD_HAS_STREAM = 1u << 3,
	RECORD_HAS_REQUEST_ID = 1u << 4,
};

struct record_head {
	uint32_t magic;
	uint32_t checksum; /* of what follows, over `size` bytes in all */
	uint32_t size;     /* a multiple of RECORD_ALIGNMENT */
	uint16_t kind, flags;
	uint32_t synced; /* bytes of the segment that had been synced before */
	uint32_t count;  /* EVENT: its place in the segment, from 0; DONE: ranges */
};

/* Behind the head of a RECORD_EVENT; its texts and its payload follow. */
struct event_head {
	int64_t received_at_ns, sequence;
	uint8_t digest[SLUICE_DIGEST_SIZE];
	uint32_t payload_size;
	uint8_t message_id_size, event_type_size, stream_size, request_id_size;
};

/* Events that follow each other by their numbers. */
struct range {
	uint64_t first, count;
};

/* Fills in what makes it a head: magic, version, checksum. */
void format_segment_head(struct segment_head *head);

enum segment_state {
	SEGMENT_BEGUN,
	SEGMENT_EMPTY, /* all zeros: prepared and never begun */
	SEGMENT_NEWER, /* a format of a later version */
	SEGMENT_ALIEN, /* something else, or altered */
};
enum segment_state format_check_segment_head(const struct segment_head *head);

/* The checksum that every record of the segment starts from. */
uint32_t format_seed(const struct segment_head *head);

static inline uint64_t format_number(uint64_t segment, uint32_t place)
{
	return segment << 32 | place;
}

static inline uint64_t format_segment(uint64_t number)
{
	return number >> 32;
}

/* How much room the record of an event takes; 0 if an event cannot be this large. */
size_t format_event_size(const struct sluice_event *event);
size_t format_done_size(size_t ranges);
enum { FORMAT_END_SIZE = sizeof(struct record_head) };

/* Write a record of that size. */
void format_event(char *out, size_t size, struct sluice_event *event, uint32_t place, uint32_t synced, uint32_t seed);
void format_done(char *out, const struct range *ranges, size_t count, uint32_t synced, uint32_t seed);
void format_end(char *out, uint32_t synced, uint32_t seed);

/* Whether a whole record stands at `data`, of which `room` bytes may be looked at. */
bool format_read(const char *data, size_t room, uint32_t seed, struct record_head *head_out);

/* The event of a whole record; its texts are borrowed from `data`, and `id` is left alone. False: it contradicts itself.
 */
bool format_read_event(const char *data, const struct record_head *head, struct sluice_record *record_out);

#endif
