/*
 * What the core itself can be told, as option tables: the same kind that stages have.
 */
#include "runtime/settings.h"

#include <string.h>

#include "runtime/config.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define MS INT64_C(1000000)
#define S (1000 * MS)
#define HOUR (3600 * S)

static const char *const ack_names[] = {[ACK_STORED] = "stored", [ACK_QUEUED] = "queued", NULL};

const struct sluice_option settings_top_options[] = {
	SLUICE_OPTION_STRING(struct settings_top, pipeline, .name = "pipeline", .min = 1, .max = 100,
                             .help = "the pipeline's name in reports and metrics; default: the file's name"),
	SLUICE_OPTION_CHOICE(
		struct settings_top, ack, .name = "ack", .fallback = "stored", .choices = ack_names,
		.help = "when the sender gets its 2xx: once the event is stored, or once a durable queue holds it"),
	SLUICE_OPTION_END,
};

static const char *const rate_bys[] = {
	[RATE_BY_CLIENT] = "client", [RATE_BY_CREDENTIAL] = "credential", [RATE_BY_STREAM] = "stream", NULL};
static const char *const inflate_names[] = {"never", "after_auth", "before_auth", NULL};

static const struct sluice_option listen_options[] = {
	SLUICE_OPTION_STRING(struct listen_config, address, .name = "address", .fallback = "127.0.0.1", .min = 1,
                             .max = 64, .help = "the IP address to listen on, or localhost"),
	SLUICE_OPTION_INT(struct listen_config, port, .name = "port", .fallback = "5000", .min = 0, .max = 65535,
                          .help = "the TCP port; 0 picks a free one"),
	SLUICE_OPTION_INT(struct listen_config, threads, .name = "threads", .fallback = "2", .min = 1, .max = 256,
                          .unit = "threads",
                          .help = "threads that serve connections and run the stages before the queue"),
	SLUICE_OPTION_STRING(struct listen_config, path, .name = "path", .fallback = "/webhooks", .min = 1, .max = 1024,
                             .help = "where webhooks are posted to"),
	SLUICE_OPTION_SIZE(struct listen_config, max_body, .name = "max_body", .fallback = "1MiB", .min = 1, .max = GIB,
                           .help = "the largest body accepted, as sent and inflated; a larger one gets 413"),
	SLUICE_OPTION_CHOICE(
		struct listen_config, inflate, .name = "inflate", .fallback = "after_auth", .choices = inflate_names,
		.help = "when a body with Content-Encoding gzip or deflate is inflated: after the auth stage, for senders that "
			"sign the bytes they send; before it, for those that sign what they compress; never: it gets 415"),
	SLUICE_OPTION_SIZE(struct listen_config, max_header, .name = "max_header", .fallback = "16KiB", .min = KIB,
                           .max = MIB, .help = "the largest total size of a request's headers; more gets 431"),
	SLUICE_OPTION_INT(
		struct listen_config, max_connections, .name = "max_connections", .fallback = "12000", .min = 1,
		.max = 1000000, .unit = "connections",
		.help = "connections open at the same time; one more takes the place of the one that has waited longest"),
	SLUICE_OPTION_DURATION(struct listen_config, header_timeout, .name = "header_timeout", .fallback = "10s",
                               .min = MS, .max = HOUR, .help = "how long all headers of a request may take"),
	SLUICE_OPTION_DURATION(struct listen_config, body_timeout, .name = "body_timeout", .fallback = "30s", .min = MS,
                               .max = HOUR, .help = "how long a whole body may take"),
	SLUICE_OPTION_DURATION(struct listen_config, deadline, .name = "deadline", .fallback = "10s", .min = MS,
                               .max = HOUR, .help = "how long a sender waits for its response; then it gets 503"),
	SLUICE_OPTION_DURATION(struct listen_config, keep_alive, .name = "keep_alive", .fallback = "65s", .min = 0,
                               .max = HOUR,
                               .help = "how long an idle connection stays open; 0s closes it after each response"),
	SLUICE_OPTION_DURATION(struct listen_config, retry_after, .name = "retry_after", .fallback = "1s", .min = S,
                               .max = HOUR, .help = "the Retry-After of a 503, in whole seconds"),
	SLUICE_OPTION_DURATION(struct listen_config, drain, .name = "drain", .fallback = "30s", .min = 0, .max = HOUR,
                               .help = "how long a stop waits for events in flight"),
	SLUICE_OPTION_INT(
		struct listen_config, rate_requests, .name = "rate.requests", .fallback = "0", .min = 0, .max = 1000000,
		.unit = "requests",
		.help = "requests accepted of each sender in rate.per, on average; one more gets 429 and Retry-After; 0: no limit"),
	SLUICE_OPTION_DURATION(struct listen_config, rate_per, .name = "rate.per", .fallback = "1s", .min = S,
                               .max = HOUR, .help = "the time that rate.requests are for"),
	SLUICE_OPTION_INT(struct listen_config, rate_burst, .name = "rate.burst", .fallback = "0", .min = 0,
                          .max = 1000000, .unit = "requests",
                          .help = "requests that a sender may send at once; 0: rate.requests"),
	SLUICE_OPTION_CHOICE(
		struct listen_config, rate_by, .name = "rate.by", .fallback = "client", .choices = rate_bys,
		.help = "what a sender is: a client address (behind listen.trusted_proxies), the credential that auth found, or a stream"),
	SLUICE_OPTION_BOOL(
		struct listen_config, compression, .name = "compression.enabled", .fallback = "false",
		.help = "gzip for whoever accepts it, on both listeners; never for responses that stages write"),
	SLUICE_OPTION_SIZE(struct listen_config, compression_threshold, .name = "compression.threshold",
                           .fallback = "1KiB", .min = 0, .max = GIB,
                           .help = "responses smaller than this are not compressed"),
	SLUICE_OPTION_INT(struct listen_config, compression_level, .name = "compression.level", .fallback = "6",
                          .min = 1, .max = 9, .help = "1 is fastest, 9 is smallest"),
	SLUICE_OPTION_BOOL(struct listen_config, health, .name = "health", .fallback = "false",
                           .help = "also serve /api/health on the webhook listener"),
	SLUICE_OPTION_BOOL(struct listen_config, server_timing, .name = "server_timing", .fallback = "false",
                           .help = "add a Server-Timing header with the time of each stage"),
	SLUICE_OPTION_STRINGS(
		struct listen_config, trusted_proxies, .name = "trusted_proxies",
		.help = "networks of the proxies whose X-Forwarded-For and Forwarded headers name the client, such as 10.0.0.0/8"),
	SLUICE_OPTION_STRING(struct listen_config, public_url, .name = "public_url", .min = 1, .max = 2048,
                             .help = "the URL at which senders reach this listener, such as https://hooks.example.com"),
	SLUICE_OPTION_END,
};

static const struct sluice_option admin_options[] = {
	SLUICE_OPTION_BOOL(struct admin_config, enabled, .name = "enabled", .fallback = "true",
                           .help = "open the admin listener"),
	SLUICE_OPTION_STRING(struct admin_config, address, .name = "address", .fallback = "127.0.0.1", .min = 1,
                             .max = 64,
                             .help = "the IP address to listen on, or localhost; any but loopback requires a token"),
	SLUICE_OPTION_INT(struct admin_config, port, .name = "port", .fallback = "9464", .min = 0, .max = 65535,
                          .help = "the TCP port; 0 picks a free one"),
	SLUICE_OPTION_STRING(
		struct admin_config, token, .name = "token", .min = 1, .max = 1024, .flags = SLUICE_OPTION_SECRET,
		.help = "the bearer token that every request must carry; without one, Host must be a loopback name"),
	SLUICE_OPTION_END,
};

static const struct sluice_option events_options[] = {
	SLUICE_OPTION_INT(struct events_config, max, .name = "max", .fallback = "10000", .min = 1, .max = 10000000,
                          .unit = "events", .help = "events in flight; one more gets 503"),
	SLUICE_OPTION_SIZE(struct events_config, max_bytes, .name = "max_bytes", .fallback = "256MiB", .min = 64 * KIB,
                           .max = 1024 * GIB, .help = "memory of all events in flight; more gets 503"),
	SLUICE_OPTION_SIZE(struct events_config, arena, .name = "arena", .fallback = "16KiB", .min = KIB,
                           .max = 16 * MIB, .help = "initial memory of an event, and the step in which it grows"),
	SLUICE_OPTION_INT(
		struct events_config, pool_count, .name = "pool.count", .fallback = "512", .min = 0, .max = 1000000,
		.unit = "events",
		.help = "events whose initial memory is kept for the next ones; 0 takes it from the heap each time"),
	SLUICE_OPTION_BOOL(struct events_config, preallocate, .name = "pool.preallocate", .fallback = "false",
                           .help = "allocate the memory of pool.count events at start"),
	SLUICE_OPTION_END,
};

static const struct sluice_option observability_options[] = {
	SLUICE_OPTION_BOOL(struct observability_config, latency_profile, .name = "latency_profile", .fallback = "false",
                           .help = "log a LATENCY_PROFILE line per request"),
	SLUICE_OPTION_BOOL(
		struct observability_config, processor_time, .name = "processor_time", .fallback = "false",
		.help = "measure the processor time of each stage, for traces, lineage and profile log; the latter implies it"),
	SLUICE_OPTION_INT(struct observability_config, lineage_recent, .name = "lineage.recent", .fallback = "10000",
                          .min = 0, .max = 10000000, .unit = "requests",
                          .help = "how many of the last requests the lineage holds"),
	SLUICE_OPTION_INT(struct observability_config, lineage_slowest, .name = "lineage.slowest", .fallback = "100",
                          .min = 0, .max = 100000, .unit = "requests",
                          .help = "how many of the slowest requests it holds besides"),
	SLUICE_OPTION_DURATION(struct observability_config, pool_stats, .name = "pool_stats", .fallback = "30s",
                               .min = 0, .max = 24 * HOUR, .help = "how often db_pool_stats is logged; 0s: never"),
	SLUICE_OPTION_STRING(
		struct observability_config, otlp_url, .name = "otlp.url", .min = 1, .max = 2048,
		.help = "where an OpenTelemetry collector takes traces, such as http://127.0.0.1:4318/v1/traces; left out: nothing is traced"),
	SLUICE_OPTION_STRINGS(struct observability_config, otlp_headers, .name = "otlp.headers",
                              .flags = SLUICE_OPTION_SECRET,
                              .help = "header fields to send along, such as \"Authorization: Bearer …\""),
	SLUICE_OPTION_STRING(struct observability_config, otlp_ca_file, .name = "otlp.ca_file", .min = 1, .max = 4096,
                             .flags = SLUICE_OPTION_FILE,
                             .help = "certificates to trust; left out: those of the system"),
	SLUICE_OPTION_STRING(struct observability_config, otlp_service, .name = "otlp.service", .min = 1, .max = 255,
                             .help = "the service.name of the traces; left out: the pipeline's name"),
	SLUICE_OPTION_PERCENT(struct observability_config, otlp_share, .name = "otlp.share", .fallback = "100%",
                              .help = "the share of requests that are traced where the sender does not say"),
	SLUICE_OPTION_BOOL(struct observability_config, otlp_parents, .name = "otlp.parents", .fallback = "true",
                           .help = "a sender's traceparent says whether its request is traced"),
	SLUICE_OPTION_INT(struct observability_config, otlp_queue, .name = "otlp.queue", .fallback = "2048", .min = 1,
                          .max = 1000000, .unit = "requests",
                          .help = "requests that wait to be exported; beyond that they are dropped and counted"),
	SLUICE_OPTION_INT(struct observability_config, otlp_batch, .name = "otlp.batch", .fallback = "512", .min = 1,
                          .max = 10000, .unit = "requests", .help = "requests exported at once, at most"),
	SLUICE_OPTION_DURATION(struct observability_config, otlp_every, .name = "otlp.every", .fallback = "1s",
                               .min = 10 * MS, .max = HOUR, .help = "how long a request waits for others at most"),
	SLUICE_OPTION_DURATION(struct observability_config, otlp_timeout, .name = "otlp.timeout", .fallback = "10s",
                               .min = 10 * MS, .max = 600 * S, .help = "how long one export may take"),
	SLUICE_OPTION_END,
};

const struct config_section config_sections[] = {
	{"listen", "the webhook listener", true, listen_options, offsetof(struct config, listen)},
	{"admin", "the admin listener: metrics, health, control", false, admin_options, offsetof(struct config, admin)},
	{"events", "bounds on events in flight", true, events_options, offsetof(struct config, events)},
	{"observability", "profile log, lineage and pool statistics", false, observability_options,
         offsetof(struct config, observability)},
	{NULL, NULL, false, NULL, 0},
};

const struct config_section *config_section_find(const char *name)
{
	const struct config_section *section = config_sections;
	while (section->name && strcmp(section->name, name) != 0)
		section++;
	return section->name ? section : NULL;
}

static const struct sluice_option queue_options[] = {
	SLUICE_OPTION_INT(struct queue_config, workers, .name = "workers", .fallback = "1", .min = 1, .max = 1024,
                          .unit = "workers", .help = "workers that take from the queue and run persist"),
	SLUICE_OPTION_INT(struct queue_config, workers_per_cpu, .name = "workers_per_cpu", .fallback = "0", .min = 0,
                          .max = 64, .unit = "workers",
                          .help = "so many for each processor that sluice may use; 0: as many as `workers` says"),
	SLUICE_OPTION_INT(struct queue_config, jobs, .name = "jobs", .fallback = "1", .min = 1, .max = 256,
                          .unit = "batches",
                          .help = "batches that a worker works on at the same time, each on a thread of its own"),
	SLUICE_OPTION_END,
};

static const struct sluice_option persist_options[] = {
	SLUICE_OPTION_INT(struct persist_config, max_batch, .name = "max_batch", .fallback = "256", .min = 1,
                          .max = 4096, .unit = "events", .help = "the most events stored in one transaction"),
	SLUICE_OPTION_SIZE(struct persist_config, max_bytes, .name = "max_bytes", .fallback = "1MiB", .min = 1,
                           .max = GIB, .help = "the most bytes of payload stored in one transaction of several events"),
	SLUICE_OPTION_DURATION(
		struct persist_config, linger, .name = "linger", .fallback = "0s", .min = 0, .max = 60 * S,
		.help = "how long an incomplete batch waits for more events; 0s: none, it goes as soon as a worker is free"),
	SLUICE_OPTION_DURATION(struct persist_config, retry_min, .name = "retry.min", .fallback = "50ms", .min = MS,
                               .max = HOUR,
                               .help = "the first pause before a failed attempt is repeated; it doubles from there"),
	SLUICE_OPTION_DURATION(struct persist_config, retry_max, .name = "retry.max", .fallback = "2s", .min = MS,
                               .max = HOUR, .help = "the longest pause between attempts"),
	SLUICE_OPTION_DURATION(
		struct persist_config, retention, .name = "retention", .fallback = "0s", .min = 0,
		.max = 36500 * 24 * HOUR,
		.help = "how long events are kept, at least 24h; older ones are removed, and a duplicate of one is no longer known as such; 0s: for good"),
	SLUICE_OPTION_END,
};

const struct sluice_option settings_stage_options[] = {
	SLUICE_OPTION_STRING(struct stage_config, sha256, .name = "sha256", .min = 64, .max = 64,
                             .help = "the SHA-256 that the stage's file must have, in hex; another file is refused"),
	SLUICE_OPTION_END,
};

static const struct sluice_option no_options[] = {SLUICE_OPTION_END};

static const struct {
	const struct sluice_option *options;
	size_t offset;
} kinds[KIND_COUNT] = {
	[SLUICE_KIND_AUTH] = {no_options, 0},
	[SLUICE_KIND_PARSE] = {no_options, 0},
	[SLUICE_KIND_IDEMPOTENCY] = {no_options, 0},
	[SLUICE_KIND_QUEUE] = {queue_options, offsetof(struct config, queue)},
	[SLUICE_KIND_PERSIST] = {persist_options, offsetof(struct config, persist)},
};

const struct sluice_option *config_kind_options(enum sluice_kind kind)
{
	return kinds[kind].options;
}

size_t settings_kind_offset(enum sluice_kind kind)
{
	return kinds[kind].offset;
}

const struct yaml_rename settings_renamed[] = {
	{"seeing", "observability"},
	{NULL, NULL},
};

/* What stands at the top and is no section. */
static const struct {
	const char *name;
	unsigned places; /* enum settings_place */
} others[] = {
	{"pipeline", SETTINGS_IN_FILE | SETTINGS_IN_SET},
	{"ack", SETTINGS_IN_FILE | SETTINGS_IN_OVERLAY | SETTINGS_IN_SET},
	{"stages", SETTINGS_IN_FILE | SETTINGS_IN_OVERLAY},
	{"optimizations", SETTINGS_IN_FILE},
	{"enable", SETTINGS_IN_FILE},
	{"about", SETTINGS_OF_OVERLAY},
	{"treats", SETTINGS_OF_OVERLAY},
	{"excludes", SETTINGS_OF_OVERLAY},
	{NULL, 0},
};

/* Both ends are counted, so there is room for that of the list. */
enum { NAMES_MAX = sizeof(config_sections) / sizeof(*config_sections) + sizeof(others) / sizeof(*others) + KIND_COUNT };

unsigned settings_places(const char *name)
{
	const struct config_section *section = config_section_find(name);
	enum sluice_kind ignored;
	if (section)
		return SETTINGS_IN_FILE | SETTINGS_IN_SET | (section->overlayable ? SETTINGS_IN_OVERLAY : 0);
	for (size_t i = 0; others[i].name; i++) {
		if (strcmp(others[i].name, name) == 0)
			return others[i].places;
	}
	return kind_from_name(name, &ignored) ? SETTINGS_IN_SET : 0;
}

static void add_name(const char **names, const char *name, unsigned places)
{
	if (!(settings_places(name) & places))
		return;
	while (*names)
		names++;
	*names = name;
}

const char *const *settings_names(unsigned places, struct arena *arena)
{
	const char **names = arena_must(arena, NAMES_MAX * sizeof(*names));
	for (const struct config_section *section = config_sections; section->name; section++)
		add_name(names, section->name, places);
	for (size_t i = 0; others[i].name; i++)
		add_name(names, others[i].name, places);
	for (size_t i = 0; i < KIND_COUNT; i++)
		add_name(names, kind_names[i], places);
	return names;
}
