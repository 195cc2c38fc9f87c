/*
 * The statements of the writer. Under its lock.
 */
#ifndef PERSIST_SQLITE_STATEMENTS_H
#define PERSIST_SQLITE_STATEMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "writer.h"

/* Parameters ?1 to ?8 are those of an event; the next are of one statement or another. */
enum { PARAMETER_REASON = 9, PARAMETER_BURIED_AT = 10, PARAMETER_ID = 9 };

bool statements_prepare(struct writer *writer, struct sluice_error *error);
void statements_finalize(struct writer *writer);

/* Runs one to its end, without a look at what it yields. */
bool statements_run(struct writer *writer, enum writer_statement which);

/* The number that one yields; 0 if it yields none. */
bool statements_ask(struct writer *writer, enum writer_statement which, int64_t *answer_out);

/* Whether they fit the tables that are there now. */
bool statements_compile(struct writer *writer);

#endif
