/* Values on their way to PostgreSQL and back. */
#include "values.h"

#include <string.h>

#define POSTGRES_EPOCH_US INT64_C(946684800000000) /* 2000-01-01 in µs since 1970-01-01 */

void parameters_value(struct parameters *parameters, Oid type, struct sluice_bytes value)
{
	int i = parameters->count++;
	parameters->types[i] = type;
	parameters->values[i] = value.data;
	parameters->sizes[i] = (int)value.size;
	parameters->formats[i] = 1;
}

struct sluice_bytes value_int64(char bytes[8], int64_t value)
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (char)(unsigned char)((uint64_t)value >> (56 - 8 * i));
	return (struct sluice_bytes){bytes, 8};
}

struct sluice_bytes value_time(char bytes[8], int64_t wall_ns)
{
	return value_int64(bytes, wall_ns / 1000 - POSTGRES_EPOCH_US);
}

void parameters_text(struct parameters *parameters, struct sluice_bytes text)
{
	parameters_value(parameters, OID_TEXT, text);
}

void parameters_string(struct parameters *parameters, const char *text)
{
	parameters_value(parameters, OID_TEXT, (struct sluice_bytes){text, text ? strlen(text) : 0});
}

void parameters_bytea(struct parameters *parameters, const void *data, size_t size)
{
	parameters_value(parameters, OID_BYTEA, (struct sluice_bytes){data, size});
}

void parameters_int64(struct parameters *parameters, int64_t value)
{
	parameters_value(parameters, OID_INT8, value_int64(parameters->numbers[parameters->count], value));
}

void parameters_time(struct parameters *parameters, int64_t wall_ns)
{
	parameters_value(parameters, OID_TIMESTAMPTZ, value_time(parameters->numbers[parameters->count], wall_ns));
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
