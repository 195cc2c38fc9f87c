/*
 * A limit on log lines of one kind: one a second, which says how many it stands for. What a sender can cause any number of times
 * must not fill the log.
 */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Starts zeroed. */
struct log_limit {
	_Atomic int64_t last_ns;
	_Atomic uint64_t suppressed;
};

/* Whether the line may be written now; then `*suppressed_out` is how many were not since the last one. From any thread. */
bool log_limit_pass(struct log_limit *limit, int64_t *suppressed_out);

#endif
