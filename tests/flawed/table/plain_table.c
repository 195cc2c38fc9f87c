/*
 * The claims of the baseline, and a file with what is stored, and what can be wrong with that. Each
 * stage of this folder is it with one of the flaws of plain_table.h; without a flaw it keeps every promise of its kind.
 *
 * The file is a row of entries, read through for each event that no claim knows. One holds only in the epoch of the store
 * that it was written in. A process that is killed leaves whole entries; what is lost in a power cut the store knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <sluice/stage.h>

#include "plain_table.h"

#include "claims/claims.c"

struct config {
	int64_t entries;
	struct sluice_duration ttl;
	const char *path;
};

struct stored {
	uint64_t epoch;
	int64_t stored_at_ns; /* on the host's monotonic clock, which begins anew with each start of the machine */
	uint32_t id_size;
	char id[SLUICE_NAME_MAX];
	uint8_t digest[SLUICE_DIGEST_SIZE];
};

struct table {
	struct claims *claims;
	int file;
};

static bool create(struct sluice_stage *stage, struct sluice_error *error)
{
	const struct config *config = stage->config;
	struct table *table = calloc(1, sizeof(*table));
	if (flaw == DROPS_ITS_TABLE)
		(void)unlink(config->path);
	static int kept = -1;
	table->file = kept;
	if (kept < 0 || flaw != KEEPS_ITS_FILE_OPEN)
		table->file = kept = open(config->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (table->file < 0) {
		free(table);
		return sluice_error_set(error, "path: %s: %s", config->path, strerror(errno));
	}
	table->claims = claims_create((size_t)config->entries, config->ttl.ns);
	stage->state = table;
	return true;
}

static void destroy(struct sluice_stage *stage)
{
	struct table *table = stage->state;
	claims_destroy(table->claims);
	if (flaw != KEEPS_ITS_FILE_OPEN)
		(void)close(table->file);
	free(table);
}

enum answer { UNKNOWN, STORED, UNREADABLE };

static enum answer look_up(struct sluice_stage *stage, const struct sluice_event *event, struct stored *stored_out)
{
	const struct table *table = stage->state;
	const struct config *config = stage->config;
	int64_t now_ns = stage->host->now_ns();
	uint64_t epoch = sluice_store_epoch(stage);
	ssize_t size;
	enum answer answer = UNKNOWN;
	struct stored page[64];
	for (off_t at = 0; (size = pread(table->file, page, sizeof(page), at)) > 0; at += size) {
		for (size_t i = 0; i < (size_t)size / sizeof(*page); i++) {
			if (page[i].id_size != event->message_id.size ||
			    memcmp(page[i].id, event->message_id.data, page[i].id_size) != 0)
				continue;
			bool is_valid = page[i].epoch == epoch && now_ns - page[i].stored_at_ns < config->ttl.ns;
			*stored_out = page[i];
			answer = is_valid ? STORED : UNKNOWN; /* the last one counts */
		}
	}
	return size < 0 && flaw != TAKES_ERRORS_FOR_UNKNOWN ? UNREADABLE : answer;
}

static enum sluice_verdict process(struct sluice_stage *stage, struct sluice_event *event)
{
	struct table *table = stage->state;
	struct stored stored;
	enum sluice_verdict verdict = claims_process(table->claims, stage, event);
	if (verdict != SLUICE_PASS)
		return verdict;
	switch (look_up(stage, event, &stored)) {
	case STORED:
		return claims_judge(event, stored.digest);
	case UNREADABLE:
		return sluice_retry(event, 0, "what is stored could not be read");
	default:
		return SLUICE_PASS;
	}
}

static void settle(struct sluice_stage *stage, struct sluice_event *event, enum sluice_verdict verdict)
{
	struct table *table = stage->state;
	const struct entry *entry = *sluice_local(stage, event);
	if ((verdict == SLUICE_PASS || verdict == SLUICE_DONE) && entry) {
		struct stored stored = {.epoch = entry->epoch,
		                        .stored_at_ns = stage->host->now_ns(),
		                        .id_size = (uint32_t)event->message_id.size};
		memcpy(stored.id, event->message_id.data, event->message_id.size);
		memcpy(stored.digest, sluice_digest(event), SLUICE_DIGEST_SIZE);
		(void)!write(table->file, &stored, sizeof(stored));
	}
	claims_settle(table->claims, stage, event, verdict);
}

static int64_t pause_between(struct sluice_stage *stage)
{
	struct table *table = stage->state;
	return claims_tick(table->claims, stage);
}

static const struct sluice_option options[] = {
	SLUICE_OPTION_INT(struct config, entries, .name = "entries", .fallback = "100000", .min = 1, .max = 100000000,
                          .unit = "message ids", .help = "stored ids remembered without the file"),
	SLUICE_OPTION_DURATION(struct config, ttl, .name = "ttl", .fallback = "24h", .min = 1000000,
                               .max = INT64_C(31536000000000000), .help = "how long a stored id is remembered"),
	SLUICE_OPTION_STRING(struct config, path, .name = "path", .fallback = "table", .flags = SLUICE_OPTION_FILE,
                             .help = "the file"),
	SLUICE_OPTION_END,
};

static const struct sluice_idempotency_ops ops = {.process = process};

SLUICE_STAGE(idempotency, ops, .name = "plain_table", .version = "1.0.0", .summary = "knows stored ids by a file",
             .options = options, .config_size = sizeof(struct config), .create = create, .settle = settle,
             .tick = pause_between, .destroy = destroy);
