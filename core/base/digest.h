/*
 * SHA-256 and the two rules built on it: what makes two events the same, and how audit rows chain. Also the keyed hash
 * for tables that senders can fill, random bytes, and UUIDv7 (RFC 9562).
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/stage.h>

enum {
	DIGEST_HEX_SIZE = 2 * SLUICE_DIGEST_SIZE + 1,
	UUID_TEXT_SIZE = 37,
};

void digest_bytes(const void *data, size_t size, uint8_t digest[SLUICE_DIGEST_SIZE]);
bool digest_file(const char *path, uint8_t digest[SLUICE_DIGEST_SIZE], struct sluice_error *error);

/* As if `size` bytes from `offset` on were zero. */
bool digest_file_without(const char *path, size_t offset, size_t size, uint8_t digest[SLUICE_DIGEST_SIZE],
                         struct sluice_error *error);
void digest_hex(const uint8_t digest[SLUICE_DIGEST_SIZE], char text[DIGEST_HEX_SIZE]);

/* SHA-256 over event type, stream, sequence and payload, each but the last preceded by its length (or a mark for
 * absent), so that no two different events run together. */
void digest_content(struct sluice_bytes event_type, struct sluice_bytes stream, bool has_sequence, int64_t sequence,
                    struct sluice_bytes payload, uint8_t digest[SLUICE_DIGEST_SIZE]);
void digest_record(const struct sluice_record *record, uint8_t digest[SLUICE_DIGEST_SIZE]);

/* The hash of an audit row: over the row before, writer, position, time and what it covers. */
void digest_audit_row(const struct sluice_audit_row *row, uint8_t hash[SLUICE_DIGEST_SIZE]);

/* Keyed per process with SipHash, so that no sender can choose collisions. */
uint64_t digest_hash(const void *data, size_t size);

void digest_random(void *buffer, size_t size);

/* Time-ordered, 36 characters and a NUL. */
void digest_uuid7(int64_t wall_ns, char text[UUID_TEXT_SIZE]);

#endif
