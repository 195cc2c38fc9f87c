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

static uint8_t *put_number(uint8_t *at, uint64_t number)
{
	for (int byte = 0; byte < 8; byte++)
		*at++ = (uint8_t)(number >> (56 - 8 * byte));
	return at;
}

void chain_cover(uint8_t *cover, int64_t id, const uint8_t digest[SLUICE_DIGEST_SIZE])
{
	memcpy(put_number(cover, (uint64_t)id), digest, SLUICE_DIGEST_SIZE);
}

void chain_begin(const struct chain *chain, const struct sluice_host *host, struct sluice_audit_row *row_out)
{
	*row_out = (struct sluice_audit_row){
		.writer = {chain->writer, CHAIN_WRITER_SIZE - 1},
		.position = chain->position + 1,
		.written_at_ns = host->wall_ns() / 1000 * 1000,
	};
	memcpy(row_out->previous, chain->head, SLUICE_DIGEST_SIZE);
}

static void seal(const struct chain *chain, const struct sluice_host *host, const uint8_t *covers, size_t size,
                 struct sluice_audit_row *row_out)
{
	chain_begin(chain, host, row_out);
	row_out->covers = (struct sluice_bytes){(const char *)covers, size};
	host->audit_hash(row_out, row_out->hash);
}

void chain_next(const struct chain *chain, const struct sluice_host *host, const uint8_t *covers, size_t count,
                struct sluice_audit_row *row_out)
{
	seal(chain, host, covers, count * CHAIN_COVER_SIZE, row_out);
}

int64_t chain_covered_id(const uint8_t *cover)
{
	uint64_t id = 0;
	for (int byte = 0; byte < 8; byte++)
		id = id << 8 | cover[byte];
	return (int64_t)id;
}

/* LEB128 */
static uint8_t *put_step(uint8_t *at, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*at++ = (uint8_t)(number | 0x80);
	*at++ = (uint8_t)number;
	return at;
}

void chain_prune(const struct chain *chain, const struct sluice_host *host, const uint8_t *covers, size_t count,
                 int64_t before_ns, uint8_t *room, struct sluice_audit_row *row_out)
{
	memcpy(room, SLUICE_PRUNED, 8);
	uint8_t *at = put_number(put_number(room + 8, (uint64_t)before_ns), count);
	const struct sluice_audit_row list = {
		.writer = {(const char *)room, (size_t)(at - room)},
		.covers = {(const char *)covers, count * CHAIN_COVER_SIZE},
	};
	host->audit_hash(&list, at);
	at += SLUICE_DIGEST_SIZE;
	uint64_t last = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t id = (uint64_t)chain_covered_id(covers + i * CHAIN_COVER_SIZE);
		at = put_step(at, id - last);
		last = id;
	}
	seal(chain, host, room, (size_t)(at - room), row_out);
}

void chain_prefix(const struct sluice_audit_row *row, uint8_t prefix[CHAIN_PREFIX_SIZE])
{
	memcpy(prefix, row->previous, SLUICE_DIGEST_SIZE);
	uint8_t *at = put_number(prefix + SLUICE_DIGEST_SIZE, row->writer.size);
	memcpy(at, row->writer.data, row->writer.size);
	at = put_number(at + row->writer.size, (uint64_t)row->position);
	(void)put_number(at, (uint64_t)row->written_at_ns);
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
