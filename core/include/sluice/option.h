/*
 * Option tables: the single source of a stage's settings.
 *
 * A stage declares a plain config struct and a table that binds each option to one of its fields. The core reads the
 * YAML, checks type and range, fills the struct and hands it over; no stage parses YAML. The same table feeds
 * `sluice check`, `sluice stages`, `sluice schema` and the manual.
 *
 *     struct config {
 *         int64_t capacity;
 *         struct sluice_duration ttl;
 *     };
 *     static const struct sluice_option options[] = {
 *         SLUICE_OPTION_INT(struct config, capacity, .name = "capacity", .fallback = "1000", .min = 1, .max = 1048576,
 *                           .unit = "events", .help = "how many events it keeps"),
 *         SLUICE_OPTION_DURATION(struct config, ttl, .name = "ttl", .fallback = "24h", .help = "…"),
 *         SLUICE_OPTION_END,
 *     };
 *
 * Binding an option to a field of another type does not compile.
 */
#ifndef SLUICE_OPTION_H
#define SLUICE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
/* g++ -Wextra wants every field of a designated initialiser named, which tables like these are there to spare. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
#endif

enum sluice_option_type {
	SLUICE_TYPE_END = 0,      /* ends a table */
	SLUICE_TYPE_BOOL = 1,     /* true | false             → bool */
	SLUICE_TYPE_INT = 2,      /* 42                       → int64_t; min, max */
	SLUICE_TYPE_SIZE = 3,     /* 64KiB, 1MiB, 1000        → uint64_t bytes; min, max in bytes */
	SLUICE_TYPE_DURATION = 4, /* 100ms, 65s, 5m, 24h, 0s  → struct sluice_duration; min, max in ns */
	SLUICE_TYPE_PERCENT = 5, /* 2%, 0.1%                 → double as a fraction: 0.02; min, max in whole percent */
	SLUICE_TYPE_STRING = 6,  /* text                     → const char *, never NULL unless there is no default */
	SLUICE_TYPE_CHOICE = 7,  /* one of .choices          → int, the index into .choices */
	SLUICE_TYPE_STRINGS = 8, /* [a, b] or a single a     → struct sluice_strings; min, max count of items */
};

/* Nanoseconds. A struct of its own, so that a plain number cannot be bound to a duration. */
struct sluice_duration {
	int64_t ns;
};

/* A list of NUL-terminated texts. */
struct sluice_strings {
	size_t count;
	const char *const *items;
};

/*
 * A location is the option that names where a store keeps its rows: a schema, a file. Two pipelines with different
 * locations share nothing that the store keeps, which is how the arms of a comparison are kept apart without knowing any
 * store by name. One STRING option of a persist stage may be its location.
 *
 * A location takes every name that begins with SLUICE_LAB_PREFIX (extension.h) and goes on with lower-case letters,
 * digits and underscores, of at most 63 characters in all; if it is also a FILE, the path of a file with such a name in a
 * folder that exists. The store creates what is missing there at its start.
 */
enum sluice_option_flags {
	SLUICE_OPTION_REQUIRED = 1u << 0, /* missing is an error; has no fallback */
	SLUICE_OPTION_SECRET = 1u << 1,   /* never printed: `check --print`, logs, reports and errors show *** */
	SLUICE_OPTION_LOCATION = 1u << 2, /* see above */
	SLUICE_OPTION_FILE = 1u << 3,     /* the value is the path of a file; STRING only */
};

struct sluice_option {
	enum sluice_option_type type;
	size_t offset;        /* of the field in the config struct; set by the macros below */
	const char *name;     /* lower_case; a dot makes a group: "pool.min" is `pool: { min: … }` */
	const char *fallback; /* the default, written as in YAML ("1MiB", "a, b" for a list); NULL: zero, NULL, empty */
	int64_t min, max;     /* inclusive, in the unit of the type; both 0: no bound beyond the type's */
	const char *const *choices; /* CHOICE only: NULL-terminated */
	const char *unit;           /* what an INT counts ("events"); NULL otherwise */
	const char *help;           /* one phrase, lower case, no full stop */
	uint32_t flags;             /* enum sluice_option_flags */
};

/* The offset of `field`, if its type is `type`; otherwise it does not compile. */
#ifdef __cplusplus
#define SLUICE_FIELD(config, field, type)                                                                              \
	(offsetof(config, field) + 0 * sizeof(static_cast<type *>(&(static_cast<config *>(nullptr)->field)) == nullptr))
#else
#define SLUICE_FIELD(config, field, type)                                                                              \
	(offsetof(config, field) + 0 * sizeof(char[_Generic(((config *)0)->field, type : 1, default : -1)]))
#endif

#define SLUICE_OPTION_BOOL(config, field, ...)                                                                         \
	{                                                                                                              \
		.type = SLUICE_TYPE_BOOL, .offset = SLUICE_FIELD(config, field, bool), __VA_ARGS__                     \
	}
#define SLUICE_OPTION_INT(config, field, ...)                                                                          \
	{                                                                                                              \
		.type = SLUICE_TYPE_INT, .offset = SLUICE_FIELD(config, field, int64_t), __VA_ARGS__                   \
	}
#define SLUICE_OPTION_SIZE(config, field, ...)                                                                         \
	{                                                                                                              \
		.type = SLUICE_TYPE_SIZE, .offset = SLUICE_FIELD(config, field, uint64_t), __VA_ARGS__                 \
	}
#define SLUICE_OPTION_DURATION(config, field, ...)                                                                     \
	{                                                                                                              \
		.type = SLUICE_TYPE_DURATION, .offset = SLUICE_FIELD(config, field, struct sluice_duration),           \
		__VA_ARGS__                                                                                            \
	}
#define SLUICE_OPTION_PERCENT(config, field, ...)                                                                      \
	{                                                                                                              \
		.type = SLUICE_TYPE_PERCENT, .offset = SLUICE_FIELD(config, field, double), __VA_ARGS__                \
	}
#define SLUICE_OPTION_STRING(config, field, ...)                                                                       \
	{                                                                                                              \
		.type = SLUICE_TYPE_STRING, .offset = SLUICE_FIELD(config, field, const char *), __VA_ARGS__           \
	}
#define SLUICE_OPTION_CHOICE(config, field, ...)                                                                       \
	{                                                                                                              \
		.type = SLUICE_TYPE_CHOICE, .offset = SLUICE_FIELD(config, field, int), __VA_ARGS__                    \
	}
#define SLUICE_OPTION_STRINGS(config, field, ...)                                                                      \
	{                                                                                                              \
		.type = SLUICE_TYPE_STRINGS, .offset = SLUICE_FIELD(config, field, struct sluice_strings), __VA_ARGS__ \
	}
#define SLUICE_OPTION_END                                                                                              \
	{                                                                                                              \
		.type = SLUICE_TYPE_END                                                                                \
	}

#ifdef __cplusplus
}
#endif
#endif
