/*
 * The log: one line per occurrence on stderr, a name and named values, as text or as JSON.
 *
 *     log_event(SLUICE_LOG_INFO, NULL, "worker_started", sluice_int("worker_id", 3));
 *
 * From any thread; a line is written whole. Nothing secret goes in: no secrets, signatures, payloads.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/host.h>

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Before other threads start. Default: LOG_INFO as text on stderr. */
void log_setup(enum sluice_log_level level, enum log_format format, int fd);

/* From here on lines are written by a thread of their own and nobody waits for who reads them; at 1 MiB that wait, lines are
 * dropped, counted, and the log says so (log_lines_dropped). False: no thread can be started. */
bool log_start(void);

/* Waits until what was logged is written, a tenth of a second at most: before other output that belongs behind it. */
void log_flush(void);

/* Writes what waits, for a second at most. The threads that log have ended. */
void log_stop(void);

/* Lines dropped since log_start(). */
uint64_t log_dropped(void);

bool log_level_from_text(const char *text, enum sluice_log_level *level_out);
bool log_format_from_text(const char *text, enum log_format *format_out);

/* Whether a line of that level is written at all. */
bool log_wants(enum sluice_log_level level);

/* `source`: which stage or part speaks, "persist/sqlite"; NULL: the core. */
void log_fields(enum sluice_log_level level, const char *source, const char *name, const struct sluice_field *fields,
                size_t field_count);

/* A ready line as it is (the profile log). A newline is added. */
void log_line(const char *text, size_t size);

#define log_event(level, source, name, ...)                                                                            \
	log_fields((level), (source), (name), (const struct sluice_field[]){__VA_ARGS__},                              \
	           sizeof((const struct sluice_field[]){__VA_ARGS__}) / sizeof(struct sluice_field))

#endif
