/*
 * The profile log: lines with `LATENCY_PROFILE: {"requestId":…,"messageId":…,"stages":{…},"total":…}`, milliseconds, as
 * `sluice run` writes them with ENABLE_LATENCY_PROFILING=true, by themselves or within lines of another log (also as a
 * text in a line that is JSON). Other lines are passed over.
 *
 * A log does not say when a request came, nor what of a stage was waiting: of `queue` all is, of the others nothing.
 * The stages are Sluice's; `db`, `db_batch`, `database` count as persist, `respond` and `response` are one. Time of a
 * stage by another name is accounted for by none.
 */
#ifndef LAB_RUN_PROFILE_LOG_H
#define LAB_RUN_PROFILE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>

#include "trace/trace.h"

#define PROFILE_LOG_MARK "LATENCY_PROFILE:"

struct profile_log {
	struct trace_record *records; /* as a server's, each counting from its own start; in the order of the lines */
	size_t count, room;
	size_t broken;             /* lines with the mark that cannot be read */
	struct sluice_error first; /* "server.log:17: stages.auth: expected …", of the first of them */
};

/* False and a sentence if the file cannot be read or no line of it can be: it names the file, and the line if one has
 * the mark. */
bool profile_log_read(const char *path, struct profile_log *log_out, struct sluice_error *error);
void profile_log_finish(struct profile_log *log);

#endif
