/*
 * Values on their way to PostgreSQL and back, all binary, so that a NUL in a text is the server's to refuse and cuts
 * nothing off.
 */
#ifndef POSTGRES_VALUES_H
#define POSTGRES_VALUES_H

#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>
#include <sluice/stage.h>

enum { PARAMETERS_MAX = 15 };

/* pg_type.dat */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_TIMESTAMPTZ = 1184 };

struct parameters {
	int count;
	Oid types[PARAMETERS_MAX];
	const char *values[PARAMETERS_MAX]; /* borrowed, but for numbers */
	int sizes[PARAMETERS_MAX];
	int formats[PARAMETERS_MAX];
	char numbers[PARAMETERS_MAX][8];
};

void parameters_text(struct parameters *parameters, struct sluice_bytes text); /* absent: NULL */
void parameters_string(struct parameters *parameters, const char *text);       /* NULL: NULL */
void parameters_bytea(struct parameters *parameters, const void *data, size_t size);
void parameters_int64(struct parameters *parameters, int64_t value);
void parameters_time(struct parameters *parameters, int64_t wall_ns);

/* A value in the binary form of its type; absent: NULL. */
void parameters_value(struct parameters *parameters, Oid type, struct sluice_bytes value);

/* A number as PostgreSQL sends it; a time in its own form. */
struct sluice_bytes value_int64(char bytes[8], int64_t value);
struct sluice_bytes value_time(char bytes[8], int64_t wall_ns);

/* Columns of a binary result. A value that does not have the size of its type (a column was altered) comes out as 0; a
 * time out of range ('infinity', say), as the nearest there is. */
struct sluice_bytes column_bytes(const PGresult *row, int line, int column); /* NULL: absent */
int64_t column_int64(const PGresult *row, int line, int column);             /* any integer type */
double column_real(const PGresult *row, int line, int column);               /* a float8 */
int64_t column_time_ns(const PGresult *row, int line, int column);
void column_digest(const PGresult *row, int line, int column, uint8_t digest[SLUICE_DIGEST_SIZE]);

/* Whether the column holds exactly this text. */
bool column_is(const PGresult *row, int line, int column, const char *text);

#endif
