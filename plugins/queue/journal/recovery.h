/*
 * What an earlier life left behind: the segments, and the events in them that are not through.
 *
 * A tail that a crash has torn is cut: nothing of it was acknowledged. What was altered afterwards is refused, and the
 * files stay as they are; so is a format of a later version.
 */
#ifndef QUEUE_JOURNAL_RECOVERY_H
#define QUEUE_JOURNAL_RECOVERY_H

#include "segment.h"

/* Streams are told apart by 16 bits of a checksum of their names: where two share them, one may wait for the other in vain. */
enum { NO_STREAM, STREAM_MAX = 65536 };
uint16_t recovery_stream(struct sluice_bytes stream);

/* An event of the backlog. */
struct leftover {
	struct segment *segment;
	uint32_t place, offset, size; /* of its record */
	uint16_t stream;
};

struct backlog { /* starts as {0} */
	struct leftover *events;
	size_t count, room;
};

bool backlog_add(struct backlog *backlog, struct leftover leftover);

struct recovery {
	struct segment *segments; /* oldest first */
	struct backlog backlog;
	uint8_t journal[JOURNAL_ID_SIZE];
	bool has_journal; /* an id was found */
	uint64_t last_number;
	size_t cut; /* segments whose tail was cut */
};

/* Failing, it leaves nothing to free. */
bool recovery_read(struct recovery *recovery, const struct directory *directory, struct sluice_error *error);

/* Reads the record of a leftover event into `data_out`, which has room for it, and checks it. `fd` is the segment's. False
 * and errno, EBADMSG where it is not what was written. */
bool recovery_read_event(const struct leftover *leftover, int fd, char *data_out, struct sluice_record *record_out);

void recovery_free_segments(struct segment *first);

#endif
