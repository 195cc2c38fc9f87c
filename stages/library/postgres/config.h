/*
 * The options of a stage on PostgreSQL. The config struct of such a stage begins with a struct config; what its option table
 * leaves out of CONFIG_OPTIONS is zero, which is strict.
 */
#ifndef POSTGRES_CONFIG_H
#define POSTGRES_CONFIG_H

#include <stdint.h>

#include <sluice/stage.h>

enum durability { DURABILITY_STRICT, DURABILITY_RELAXED };
enum payload_type { PAYLOAD_BYTEA, PAYLOAD_JSON, PAYLOAD_JSONB };
enum compression { COMPRESSION_AS_IT_IS, COMPRESSION_PGLZ, COMPRESSION_LZ4 };

struct config {
	const char *url;
	const char *schema; /* "": where the role's search_path leads */
	int durability;     /* enum durability */
	int payload_type;   /* enum payload_type */
	int compression;    /* enum compression, of payloads of some size */
	int64_t pool_min, pool_max;
	struct sluice_duration pool_idle_timeout;
	struct sluice_duration pool_connect_timeout; /* to open a connection, and to wait for a free one */
	struct sluice_duration pool_keepalive;
	struct sluice_duration statement_timeout;
	struct sluice_strings indexes; /* see indexes.h */
	bool drop_indexes;
};

extern const char *const config_durabilities[];
extern const char *const config_payload_types[];
extern const char *const config_compressions[];

/* As a stage's check(): what the table cannot say. */
bool config_check(const void *config, struct sluice_error *error);

#define CONFIG_MILLISECOND INT64_C(1000000)
#define CONFIG_HOUR INT64_C(3600000000000)

/* To find the database and the tables; then, to write to them. */
#define CONFIG_PLACE_OPTIONS(schema_flags)                                                                             \
	SLUICE_OPTION_STRING(struct config, url, .name = "url",                                                        \
	                     .flags = SLUICE_OPTION_REQUIRED | SLUICE_OPTION_SECRET,                                   \
	                     .help = "where PostgreSQL is, as a libpq URI or conninfo string"),                        \
		SLUICE_OPTION_STRING(                                                                                  \
			struct config, schema, .name = "schema", .fallback = "", .flags = (schema_flags),              \
			.help = "the schema of the tables, made if there is none; empty: that of the search_path")

#define CONFIG_DURABILITY_OPTION                                                                                       \
	SLUICE_OPTION_CHOICE(struct config, durability, .name = "durability", .fallback = "strict",                    \
	                     .choices = config_durabilities,                                                           \
	                     .help = "relaxed allows a server that loses answered events in a crash")

#define CONFIG_STORE_OPTIONS                                                                                           \
	CONFIG_DURABILITY_OPTION,                                                                                      \
		SLUICE_OPTION_CHOICE(                                                                                  \
			struct config, payload_type, .name = "payload_type", .fallback = "bytea",                      \
			.choices = config_payload_types,                                                               \
			.help = "type of the payload column; bytea and json keep the exact bytes, jsonb does not"),    \
		SLUICE_OPTION_CHOICE(                                                                                  \
			struct config, compression, .name = "payload_compression", .fallback = "as_it_is",             \
			.choices = config_compressions,                                                                \
			.help = "how the server compresses payloads over 2 kB from now on; as_it_is: leaves the column alone")

#define CONFIG_POOL_OPTIONS                                                                                            \
	SLUICE_OPTION_INT(struct config, pool_min, .name = "pool.min", .fallback = "2", .min = 0, .max = 1000,         \
	                  .unit = "connections", .help = "kept open even when idle"),                                  \
		SLUICE_OPTION_INT(struct config, pool_max, .name = "pool.max", .fallback = "10", .min = 1,             \
	                          .max = 1000, .unit = "connections", .help = "open at once, at most"),                \
		SLUICE_OPTION_DURATION(struct config, pool_idle_timeout, .name = "pool.idle_timeout",                  \
	                               .fallback = "30s", .min = 0, .max = 24 * CONFIG_HOUR,                           \
	                               .help = "closes a connection idle for so long; 0s: never"),                     \
		SLUICE_OPTION_DURATION(struct config, pool_connect_timeout, .name = "pool.connect_timeout",            \
	                               .fallback = "3s", .min = 10 * CONFIG_MILLISECOND, .max = CONFIG_HOUR,           \
	                               .help = "to open a connection, and to wait for a free one"),                    \
		SLUICE_OPTION_DURATION(struct config, pool_keepalive, .name = "pool.keepalive", .fallback = "10s",     \
	                               .min = 0, .max = CONFIG_HOUR,                                                   \
	                               .help = "TCP keepalive of an idle connection, whole seconds; 0s: off"),         \
		SLUICE_OPTION_DURATION(struct config, statement_timeout, .name = "statement_timeout",                  \
	                               .fallback = "5s", .min = 10 * CONFIG_MILLISECOND, .max = CONFIG_HOUR,           \
	                               .help = "a statement that takes longer is given up")

#define CONFIG_OPTIONS CONFIG_PLACE_OPTIONS(SLUICE_OPTION_LOCATION), CONFIG_STORE_OPTIONS, CONFIG_POOL_OPTIONS

#endif
