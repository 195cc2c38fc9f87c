/* The options that every stage on PostgreSQL has. */
#include "config.h"

#include <string.h>

#include "address.h"

enum { SCHEMA_MAX = 63 }; /* NAMEDATALEN - 1 */

const char *const config_durabilities[] = {[DURABILITY_STRICT] = "strict", [DURABILITY_RELAXED] = "relaxed", NULL};
const char *const config_payload_types[] = {
	[PAYLOAD_BYTEA] = "bytea", [PAYLOAD_JSON] = "json", [PAYLOAD_JSONB] = "jsonb", NULL};
const char *const config_compressions[] = {
	[COMPRESSION_AS_IT_IS] = "as_it_is", [COMPRESSION_PGLZ] = "pglz", [COMPRESSION_LZ4] = "lz4", NULL};

/* Whether the name can be a schema's without being quoted, and is none of the server's own. "" is allowed. */
static bool check_schema(const char *schema, struct sluice_error *error)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
	size_t size = strlen(schema);
	if (size <= SCHEMA_MAX && strspn(schema, letters) == size && !(schema[0] >= '0' && schema[0] <= '9') &&
	    strncmp(schema, "pg_", 3) != 0 && strcmp(schema, "information_schema") != 0)
		return true;
	return sluice_error_set(
		error,
		"schema: expected a name of at most %d lower-case letters, digits and underscores that begins with none of the digits and not with pg_, got \"%s\"",
		SCHEMA_MAX, schema);
}

bool config_check(const void *options, struct sluice_error *error)
{
	const struct config *config = options;
	if (config->pool_min > config->pool_max)
		return sluice_error_set(error, "pool.min: expected at most pool.max (%lld connections), got %lld",
		                        (long long)config->pool_max, (long long)config->pool_min);
	return address_check(config->url, error) && check_schema(config->schema, error);
}
