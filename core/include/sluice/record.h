/*
 * What a store keeps, as it comes out of one: events and the rows of the audit trail.
 *
 * These structs stay as they are for the whole major version: stages make them and hold arrays of them.
 */
#ifndef SLUICE_RECORD_H
#define SLUICE_RECORD_H

#include "event.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A stored event. All pointers are borrowed for the call. */
struct sluice_record {
	int64_t id; /* grows in the order of acceptance within a stream */
	struct sluice_bytes message_id, event_type, stream, payload, request_id; /* stream: absent if it has none */
	int64_t sequence;
	bool has_sequence;
	bool payload_rewritten; /* payload is not the exact bytes (PostgreSQL's jsonb): the digest does not follow from
	                           it */
	int64_t received_at_ns; /* wall clock, ns since the Unix epoch; a store may round it to µs */
	uint8_t digest[SLUICE_DIGEST_SIZE];
};

/*
 * One row of the audit trail: one committed transaction of one writer. A writer is one sequence of transactions (one
 * connection, say); its rows are numbered from 1 and each holds the hash of the one before, 32 zero bytes for the
 * first. `covers` lists the events of the transaction, 40 bytes each: the row's id as 8 bytes big-endian, then its
 * digest. The hash over all that is host->audit_hash(): writers and verifiers share the one rule.
 *
 * A transaction that removes old events (SLUICE_STORE_RETENTION) has a row as well. Its `covers` begins with the 8 bytes of
 * SLUICE_PRUNED, with which no id begins; numbers are big-endian:
 *
 *     8   SLUICE_PRUNED
 *     8   the events were received before this: wall clock, ns since the Unix epoch
 *     8   how many there are
 *     32  the audit_hash() of a row with all of the above as its writer, position and time 0, previous all zeros, and as its
 *         covers the list of the events as it would stand in the row that added them
 *     …   their ids in ascending order, the first as it is and each other one less the one before it, 7 bits in a byte, the
 *         lowest first, the top bit set in all bytes of a number but the last (LEB128)
 */
#define SLUICE_PRUNED "\xffpruned\x01"

struct sluice_audit_row {
	struct sluice_bytes writer; /* unique for all time: 16 random bytes in hex */
	int64_t position;           /* 1, 2, 3 … */
	int64_t written_at_ns;      /* wall clock; whole microseconds, so that every store keeps it exactly */
	struct sluice_bytes covers;
	uint8_t previous[SLUICE_DIGEST_SIZE];
	uint8_t hash[SLUICE_DIGEST_SIZE];
};

/* Takes the rows that scan() and audit_scan() yield; false ends the scan early, which is no error. */
typedef bool (*sluice_record_fn)(void *context, const struct sluice_record *record);
typedef bool (*sluice_audit_fn)(void *context, const struct sluice_audit_row *row);

#ifdef __cplusplus
}
#endif
#endif
