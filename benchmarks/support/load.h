/*
 * Load for the benchmarks: HTTP/1.1 POSTs over keep-alive connections, from one thread.
 *
 * Open loop (rate > 0): the schedule is fixed before the start, request i is due at start + i / rate; one that finds no
 * free connection waits and is never dropped. Latency counts from the time it was due. Closed loop (rate 0): each
 * connection sends its next request when it has the answer to the last; latency counts from sending.
 */
#ifndef BENCHMARKS_LOAD_H
#define BENCHMARKS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;

struct load {
	int port; /* on 127.0.0.1 */
	size_t connections;
	double rate;  /* requests per second; 0: closed loop */
	size_t count; /* requests */
	/* Appends the whole request number `i`, head and body. */
	void (*write_request)(void *context, size_t i, struct buffer *out);
	void *context;
};

struct load_result {
	int64_t *latency_ns; /* by request */
	int64_t *lag_ns;     /* open loop: how long after it was due the loop noticed; 0 in the closed one */
	int *status;         /* HTTP status; 0: no answer */
	double seconds;      /* from the start to the last answer */
};

/* False if the server cannot be reached or goes away; says why on stderr. */
bool load_run(const struct load *load, struct load_result *result_out);
void load_free(struct load_result *result);

/* A socket that does not block, connected to the port on 127.0.0.1; or -1, with errno. */
int load_connect(int port);

/* The size of the complete answer at the start of the bytes, which a NUL follows; 0: more is to come. */
size_t load_answer_size(const char *answer, size_t size);

/* Sorts `values` and returns the smallest that `fraction` of them do not exceed. */
int64_t load_quantile(int64_t *values, size_t count, double fraction);

#endif
