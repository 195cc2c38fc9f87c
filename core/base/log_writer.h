/*
 * Writes log lines from a thread of its own, so that a log that nobody reads (a full pipe, a stopped terminal, a disk that
 * hangs) holds nobody up. What waits to be written is bounded; lines beyond that are dropped and counted.
 */
#ifndef BASE_LOG_WRITER_H
#define BASE_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct log_writer;

enum { LOG_WRITER_ROOM = 1024 * 1024 /* bytes that wait; as many may be in writing */ };

/* `note` makes the line that stands in the log where lines were dropped; it is called on the thread. NULL: no thread can be
 * started. */
struct log_writer *log_writer_create(int fd, void (*note)(uint64_t dropped, struct buffer *line));

/* Writes what waits, for so long at most. False: it still waits; the writer then lives on, and drops all further lines. */
bool log_writer_destroy(struct log_writer *writer, int64_t at_most_ns);

/* Waits until all lines so far are written, for so long at most. */
void log_writer_flush(struct log_writer *writer, int64_t at_most_ns);

/* A line with its newline, from any thread; never waits for the reader. */
void log_writer_add(struct log_writer *writer, const char *line, size_t size);

/* Lines dropped so far. */
uint64_t log_writer_dropped(const struct log_writer *writer);

/* Writes all of it, however long that takes; false: the reader has gone, or the disk is full. */
bool log_write_all(int fd, const char *data, size_t size);

#endif
