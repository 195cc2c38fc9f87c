/* Values on their way to PostgreSQL and back. */
#include "values.h"

#include <string.h>

/* pg_type.dat */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_TIMESTAMPTZ = 1184 };

#define POSTGRES_EPOCH_US INT64_C(946684800000000) /* 2000-01-01 in µs since 1970-01-01 */

static void add_parameter(struct parameters *parameters, Oid type, const void *value, size_t size)
{
	int i = parameters->count++;
	parameters->types[i] = type;
	parameters->values[i] = value;
	parameters->sizes[i] = (int)size;
	parameters->formats[i] = 1;
}

static void add_number(struct parameters *parameters, Oid type, int64_t value)
{
	char *bytes = parameters->numbers[parameters->count];
	for (int i = 0; i < 8; i++)
		bytes[i] = (char)(unsigned char)((uint64_t)value >> (56 - 8 * i));
	add_parameter(parameters, type, bytes, 8);
}

void parameters_text(struct parameters *parameters, struct sluice_bytes text)
{
	add_parameter(parameters, OID_TEXT, text.data, text.size);
}

void parameters_string(struct parameters *parameters, const char *text)
{
	add_parameter(parameters, OID_TEXT, text, strlen(text));
}

void parameters_bytea(struct parameters *parameters, const void *data, size_t size)
{
	add_parameter(parameters, OID_BYTEA, data, size);
}

void parameters_int64(struct parameters *parameters, int64_t value)
{
	add_number(parameters, OID_INT8, value);
}

void parameters_null(struct parameters *parameters)
{
	add_parameter(parameters, OID_INT8, NULL, 0);
}

void parameters_time(struct parameters *parameters, int64_t wall_ns)
{
	add_number(parameters, OID_TIMESTAMPTZ, wall_ns / 1000 - POSTGRES_EPOCH_US);
}

struct sluice_bytes column_bytes(const PGresult *row, int line, int column)
{
	struct sluice_bytes bytes = {NULL, 0};
	if (PQgetisnull(row, line, column))
		return bytes;
	bytes.data = PQgetvalue(row, line, column);
	bytes.size = (size_t)PQgetlength(row, line, column);
	return bytes;
}

int64_t column_int64(const PGresult *row, int line, int column)
{
	struct sluice_bytes bytes = column_bytes(row, line, column);
	if (bytes.size != 8 && bytes.size != 4 && bytes.size != 2)
		return 0;
	uint64_t value = (bytes.data[0] & 0x80) ? UINT64_MAX : 0;
	for (size_t i = 0; i < bytes.size; i++)
		value = value << 8 | (unsigned char)bytes.data[i];
	return (int64_t)value;
}

double column_real(const PGresult *row, int line, int column)
{
	int64_t bits = column_int64(row, line, column);
	double value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

int64_t column_time_ns(const PGresult *row, int line, int column)
{
	int64_t since_epoch_us;
	if (__builtin_add_overflow(column_int64(row, line, column), POSTGRES_EPOCH_US, &since_epoch_us))
		return INT64_MAX;
	if (since_epoch_us > INT64_MAX / 1000)
		return INT64_MAX;
	return since_epoch_us < INT64_MIN / 1000 ? INT64_MIN : since_epoch_us * 1000;
}

/* What is not 32 bytes long has been tampered with; it comes out as zeros, which no digest is. */
void column_digest(const PGresult *row, int line, int column, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	struct sluice_bytes bytes = column_bytes(row, line, column);
	memset(digest, 0, SLUICE_DIGEST_SIZE);
	if (bytes.size == SLUICE_DIGEST_SIZE)
		memcpy(digest, bytes.data, SLUICE_DIGEST_SIZE);
}

bool column_is(const PGresult *row, int line, int column, const char *text)
{
	return sluice_bytes_equal(column_bytes(row, line, column), (struct sluice_bytes){text, strlen(text)});
}
