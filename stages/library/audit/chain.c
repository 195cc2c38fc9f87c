/* The audit chain of one writer. */
#include "chain.h"

#include <string.h>

#define HEAD_LOG_INTERVAL_NS INT64_C(60000000000)

static void write_hex(const uint8_t *bytes, size_t size, char *text)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * size] = '\0';
}

void chain_init(struct chain *chain, const struct sluice_host *host)
{
	uint8_t name[(CHAIN_WRITER_SIZE - 1) / 2];
	host->random(name, sizeof(name));
	*chain = (struct chain){.logged_at_ns = host->now_ns()};
	write_hex(name, sizeof(name), chain->writer);
}

void chain_cover(uint8_t *cover, int64_t id, const uint8_t digest[SLUICE_DIGEST_SIZE])
{
	for (int byte = 0; byte < 8; byte++)
		cover[byte] = (uint8_t)((uint64_t)id >> (56 - 8 * byte));
	memcpy(cover + 8, digest, SLUICE_DIGEST_SIZE);
}

void chain_next(const struct chain *chain, const struct sluice_host *host, const uint8_t *covers, size_t count,
                struct sluice_audit_row *row_out)
{
	*row_out = (struct sluice_audit_row){
		.writer = {chain->writer, CHAIN_WRITER_SIZE - 1},
		.position = chain->position + 1,
		.written_at_ns = host->wall_ns() / 1000 * 1000,
		.covers = {(const char *)covers, count * CHAIN_COVER_SIZE},
	};
	memcpy(row_out->previous, chain->head, SLUICE_DIGEST_SIZE);
	host->audit_hash(row_out, row_out->hash);
}

void chain_advance(struct chain *chain, struct sluice_stage *stage, const struct sluice_audit_row *row)
{
	chain->position = row->position;
	memcpy(chain->head, row->hash, SLUICE_DIGEST_SIZE);
	if (stage->host->now_ns() - chain->logged_at_ns >= HEAD_LOG_INTERVAL_NS)
		chain_log_head(chain, stage);
}

void chain_log_head(struct chain *chain, struct sluice_stage *stage)
{
	if (chain->position == chain->logged_position)
		return;
	char hash[2 * SLUICE_DIGEST_SIZE + 1];
	write_hex(chain->head, SLUICE_DIGEST_SIZE, hash);
	sluice_log(stage, SLUICE_LOG_INFO, "audit_head", sluice_text("writer", chain->writer),
	           sluice_int("position", chain->position), sluice_text("hash", hash));
	chain->logged_position = chain->position;
	chain->logged_at_ns = stage->host->now_ns();
}
