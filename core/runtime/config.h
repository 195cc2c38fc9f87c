/*
 * The configuration: a pipeline file with overlays, environment and command line applied, every stage loaded and every
 * option checked. What it says is what runs: a pipeline is built from this and nothing else.
 *
 * Immutable once loaded, but for who holds it; any thread may read it.
 */
#ifndef RUNTIME_CONFIG_H
#define RUNTIME_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/option.h>
#include <sluice/stage.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/network.h"
#include "base/url.h"
#include "runtime/loader.h"

/* Whose rate is limited: that of a client address, of what auth knows the sender by, of a stream. */
enum rate_by { RATE_BY_CLIENT, RATE_BY_CREDENTIAL, RATE_BY_STREAM };

/* `listen:` — the webhook listener. */
enum inflate { INFLATE_NEVER, INFLATE_AFTER_AUTH, INFLATE_BEFORE_AUTH };

struct listen_config {
	const char *address;
	int64_t port; /* 0: any free one */
	int64_t threads;
	const char *path;    /* of the webhook route, "/webhooks" */
	uint64_t max_body;   /* as sent, and inflated */
	int inflate;         /* enum inflate */
	uint64_t max_header; /* all headers together */
	int64_t max_connections;
	struct sluice_duration header_timeout; /* total, from the request's first byte (or the connection's start) to
	                                          its last header */
	struct sluice_duration body_timeout;   /* total, from the last header to the last byte of the body */
	struct sluice_duration deadline;       /* from the complete request to its answer; then 503 */
	struct sluice_duration keep_alive;     /* an idle connection is kept this long; 0: closed after each answer */
	struct sluice_duration retry_after;    /* what a 503 tells the sender to wait, whole seconds, at least 1 */
	struct sluice_duration drain;          /* how long SIGTERM waits for what is in flight */
	int64_t rate_requests;                 /* of each sender, on average; 0: no limit … */
	struct sluice_duration rate_per;       /* … in this time */
	int64_t rate_burst;                    /* of each sender at once; 0: rate_requests */
	int rate_by;                           /* enum rate_by */
	bool compression;
	uint64_t compression_threshold;
	int64_t compression_level;
	bool health;                           /* serve /api/health here, too */
	bool server_timing;                    /* add a Server-Timing header to answers */
	struct sluice_strings trusted_proxies; /* as written … */
	struct network_list proxies;           /* … and to match a client's address with */
	const char *public_url;                /* as written, NULL if left out … */
	struct url origin;                     /* … and its parts, NULL likewise */
};

/* `admin:` */
struct admin_config {
	bool enabled;
	const char *address;
	int64_t port;
	const char *token; /* NULL: none, which only a loopback address may have */
};

/* `events:` — the event pool. */
struct events_config {
	int64_t max;        /* events in flight */
	uint64_t max_bytes; /* their memory together */
	uint64_t arena;     /* first block of each */
	int64_t pool_count; /* of those that are over, how many keep their memory for the next ones; 0: each is freed */
	bool preallocate;   /* these have their memory from the start */
};

/* `observability:` — what is kept and written for people. */
struct observability_config {
	bool latency_profile;   /* the LATENCY_PROFILE log; ENABLE_LATENCY_PROFILING overrides */
	bool processor_time;    /* measured per stage; the profile log measures it, too */
	int64_t lineage_recent; /* requests kept */
	int64_t lineage_slowest;
	struct sluice_duration pool_stats; /* how often db_pool_stats is logged; 0: never */
	const char *otlp_url;              /* NULL: nothing is traced */
	struct sluice_strings otlp_headers;
	const char *otlp_ca_file; /* NULL: the system's certificates */
	const char *otlp_service; /* NULL: the pipeline's name */
	double otlp_share;        /* of requests that are traced, unless … */
	bool otlp_parents;        /* … the sender says */
	int64_t otlp_queue;       /* requests that wait to be exported */
	int64_t otlp_batch;       /* that go at once */
	struct sluice_duration otlp_every, otlp_timeout;
};

/* What the core itself takes under a stage of kind queue … */
struct queue_config {
	int64_t workers;
	int64_t workers_per_cpu; /* 0: as many as `workers` */
	int64_t jobs;            /* of each worker */
};

/* How many workers these are on this machine, for the processors that this process may use. */
size_t config_workers(const struct queue_config *config);

/* … and of kind persist. */
struct persist_config {
	int64_t max_batch;                           /* 1 for a stage that only has process() */
	uint64_t max_bytes;                          /* of payload, unless one event alone has more */
	struct sluice_duration linger;               /* how long an incomplete batch waits for more; 0: not at all */
	struct sluice_duration retry_min, retry_max; /* bounds of the growing, jittered pause between tries */
	struct sluice_duration retention;            /* how long events are kept; 0: for good */
};

enum ack { ACK_STORED, ACK_QUEUED };

/* One stage of the pipeline, in place `kind`. */
struct stage_config {
	bool present;
	const char *use;       /* as written: "memory", "./x.so" */
	const char *sha256;    /* that the file must have, 64 lower-case hex digits; NULL: any */
	struct plugin *plugin; /* owned by the config */
	void *options;         /* plugin->ops.config_size bytes, filled; NULL if that is 0 */
};

struct config {
	struct arena arena;  /* all texts */
	unsigned references; /* besides its owner's */
	const char *file;
	struct sluice_bytes source; /* of the file, as read */
	const char *name;           /* `pipeline:` */
	enum ack ack;
	struct listen_config listen;
	struct admin_config admin;
	struct events_config events;
	struct observability_config observability;
	struct stage_config stages[KIND_COUNT]; /* by enum sluice_kind */
	struct queue_config queue;
	struct persist_config persist;
	unsigned methods;                 /* besides POST that the auth stage answers; see methods.h */
	const char *const *optimizations; /* enabled overlays, in the file's order, NULL-terminated */
	const char *const *treats;        /* what each of them treats, "" if it does not say */
	const char *const *warnings;  /* what works and should be changed, file:line:column first; NULL-terminated */
	char sha256[DIGEST_HEX_SIZE]; /* of the effective pipeline as config_print() shows it */
};

/* What the command line and the environment say. All may be NULL. */
struct config_request {
	const char *file;
	const char *enable;      /* "a,b" */
	const char *disable;     /* "a,b" or "all" */
	const char *const *sets; /* "listen.port=0", NULL-terminated */
	const char *stage_path;  /* DIR:DIR */

	/* Used instead of what `file` has now; may be NULL. */
	const struct sluice_bytes *source;

	/* Used instead of the environment variable ENABLE_OPTIMIZATIONS; and its name in errors, "--a". */
	const char *optimizations, *optimizations_from;
};

/* Reads, patches, loads, checks. The environment variables of the contract are read here (ENABLE_OPTIMIZATIONS,
 * ENABLE_LATENCY_PROFILING, SLUICE_STAGE_PATH, and whatever ${NAME} names). NULL and a sentence with file:line:column
 * otherwise; `error` may then hold several lines, the first is the cause. */
struct config *config_load(const struct config_request *request, struct sluice_error *error);
void config_free(struct config *config); /* also closes the stages' files; NULL is allowed */

/* Whether the processor time of each stage is measured. */
static inline bool config_measures_cpu(const struct config *config)
{
	return config->observability.processor_time || config->observability.latency_profile;
}

/* Holds it once more: config_free() then has to be called once more. One thread at a time. */
struct config *config_share(const struct config *config);

/* The effective pipeline as YAML: every option with its value, secrets as "***". */
void config_print(const struct config *config, struct buffer *out);

/* Names of the enabled overlays, the separator between them; "" if there are none. */
void config_print_optimizations(const struct config *config, const char *separator, struct buffer *out);

/* Whether both do exactly the same: the same code with the same options, secrets included. */
bool config_same(const struct config *config, const struct config *other);

/* Whether a stage of one would do exactly what that of the other does: the same code with the same options. */
bool config_same_stage(const struct config *config, const struct config *other, enum sluice_kind kind);

/* Whether the core drives the stages from the queue on alike: workers, batches, pauses. */
bool config_same_workers(const struct config *config, const struct config *other);

/* The tables behind it, for schema, manual and help: the core's sections by name ("listen", "admin", "events",
 * "observability"), and what the core takes under a stage of a kind (an empty table for most). */
struct config_section {
	const char *name;
	const char *about;
	bool overlayable; /* an optimization may change it */
	const struct sluice_option *options;
	size_t offset; /* of the struct that the options fill, in struct config */
};
extern const struct config_section config_sections[]; /* ends with a NULL name */
const struct config_section *config_section_find(const char *name);
const struct sluice_option *config_kind_options(enum sluice_kind kind);

#endif
