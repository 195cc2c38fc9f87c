/*
 * Reads one HTTP/1.1 answer as its bytes arrive (RFC 9112) and keeps only what a sender needs to know: the status, when
 * it ends, and whether the connection may be used again.
 */
#ifndef LAB_LOAD_ANSWER_H
#define LAB_LOAD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_state {
	ANSWER_HEAD,       /* status line and headers */
	ANSWER_BODY,       /* `left` bytes of it */
	ANSWER_UNTIL_EOF,  /* a body without a length */
	ANSWER_CHUNK_SIZE, /* a line that begins a chunk */
	ANSWER_CHUNK,      /* `left` bytes of it */
	ANSWER_CHUNK_END,  /* the line end behind it */
	ANSWER_TRAILER,    /* lines, to an empty one */
	ANSWER_DONE,
	ANSWER_BROKEN, /* not HTTP */
};

enum {
	ANSWER_HEAD_MAX = 8192, /* bytes; a longer head is no answer */
	ANSWER_RETRY_AFTER_MAX_S = INT32_MAX,
};

struct answer {
	enum answer_state state;
	int status;
	bool closes;           /* the connection ends with this answer */
	int64_t retry_after_s; /* -1: not said, or said as a date; at most ANSWER_RETRY_AFTER_MAX_S */
	uint64_t left;
	size_t size; /* of the line or head being read */
	char text[ANSWER_HEAD_MAX];
};

void answer_begin(struct answer *answer);

/* Takes bytes up to the end of the answer and returns how many those were. */
size_t answer_take(struct answer *answer, const char *data, size_t size);

/* The connection has ended in order: that may be the end of the answer. */
void answer_end(struct answer *answer);

#endif
