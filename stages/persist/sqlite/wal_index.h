/*
 * What the WAL-index (-shm) and the header of the log say, as https://www.sqlite.org/walformat.html has it. Other threads
 * and processes change the index meanwhile. `index` is its first page; NULL while it is not mapped.
 */
#ifndef PERSIST_SQLITE_WAL_INDEX_H
#define PERSIST_SQLITE_WAL_INDEX_H

#include <stdbool.h>
#include <stdint.h>

enum { WAL_HEADER_SIZE = 32, WAL_FRAME_HEADER_SIZE = 24, WAL_INDEX_WORDS = 34 };

/* In bytes; all 0 while the index says nothing. */
struct wal_sizes {
	int64_t database, log;
	int64_t brought_over; /* by checkpoints: up to there in the log */
};

/* How far a log has come. */
struct wal_mark {
	uint64_t salt; /* of the log, and of no other; 0: there is none */
	uint32_t frames;
};

struct wal_sizes wal_index_sizes(const volatile uint32_t *index);

/* The log that the index is about. */
struct wal_log {
	uint64_t salt;   /* 0: none, or the index is being written just now */
	uint32_t page;   /* bytes */
	bool big_endian; /* words that the checksums add up */
	uint32_t frames, brought_over;
	uint32_t checksum[2]; /* of all frames */
};

/* Reads no more than WAL_INDEX_WORDS. */
struct wal_log wal_index_log(const volatile uint32_t *index);

/* Of the frame with that number, from 0 on. */
int64_t wal_frame_offset(const struct wal_log *log, uint32_t frame);

/* Another number after each checkpoint that brought something over, and whenever the log begins again. */
uint64_t wal_index_checkpoint(const volatile uint32_t *index);

/* Makes the next checkpoint begin with the first frame of the log. Under the lock for checkpoints. */
void wal_index_take_back(volatile uint32_t *index);

/* Whether the header is that of the log that the index is about. */
bool wal_index_knows(const volatile uint32_t *index, const uint32_t header[WAL_HEADER_SIZE / 4]);

struct wal_mark wal_index_mark(const volatile uint32_t *index);

/* Whether it knows no page of the first frame, although there are frames. */
bool wal_index_is_wiped(const volatile uint32_t *index);

/* Of the log with this header. */
uint64_t wal_header_salt(const uint32_t header[WAL_HEADER_SIZE / 4]);

/* Whether `next` is what a checkpoint makes of `mark` when the log is to begin again. */
bool wal_mark_begins_after(struct wal_mark next, struct wal_mark mark);

/* Makes the disk have what it says. `index`: as it is mapped. */
bool wal_index_sync(volatile uint32_t *index);

/* Makes SQLite write the index again, from the log. */
void wal_index_forget(volatile uint32_t *index);

#endif
