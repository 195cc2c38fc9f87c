/*
 * SHA-256 by libcrypto, and what is built on it; see digest.h.
 */
#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/file.h"
#include "base/hex.h"

/* Fetched once: looking the algorithm up by name costs more than hashing a small event. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void fetch_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

/* One context per thread, freed with it. */
static pthread_key_t context_key;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void free_context(void *context)
{
	EVP_MD_CTX_free(context);
}

static void make_context_key(void)
{
	(void)pthread_key_create(&context_key, free_context);
}

_Noreturn static void crypto_failed(void)
{
	(void)fputs("sluice: SHA-256 is not available in libcrypto\n", stderr);
	abort();
}

static EVP_MD_CTX *begin(void)
{
	(void)pthread_once(&sha256_once, fetch_sha256);
	(void)pthread_once(&context_once, make_context_key);
	EVP_MD_CTX *context = pthread_getspecific(context_key);
	if (!context) {
		context = EVP_MD_CTX_new();
		if (!context || pthread_setspecific(context_key, context) != 0)
			crypto_failed();
	}
	if (!sha256 || EVP_DigestInit_ex(context, sha256, NULL) != 1)
		crypto_failed();
	return context;
}

static void add(EVP_MD_CTX *context, const void *data, size_t size)
{
	if (EVP_DigestUpdate(context, data, size) != 1)
		crypto_failed();
}

static void add_number(EVP_MD_CTX *context, uint64_t number)
{
	unsigned char bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(number >> (56 - 8 * i));
	add(context, bytes, sizeof(bytes));
}

/* Length first; an absent text is not an empty one. */
static void add_text(EVP_MD_CTX *context, struct sluice_bytes text)
{
	add_number(context, text.data ? (uint64_t)text.size : UINT64_MAX);
	if (text.size)
		add(context, text.data, text.size);
}

static void end(EVP_MD_CTX *context, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	if (EVP_DigestFinal_ex(context, digest, NULL) != 1)
		crypto_failed();
}

void digest_bytes(const void *data, size_t size, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	EVP_MD_CTX *context = begin();
	add(context, data, size);
	end(context, digest);
}

/* Zeroes what lies both in the gap and in the chunk, which begins at `at`. */
static void blank(char *chunk, size_t at, size_t chunk_size, size_t gap, size_t gap_size)
{
	size_t from = gap > at ? gap : at;
	size_t to = gap + gap_size < at + chunk_size ? gap + gap_size : at + chunk_size;
	if (from < to)
		memset(chunk + (from - at), 0, to - from);
}

bool digest_file(const char *path, uint8_t digest[SLUICE_DIGEST_SIZE], struct sluice_error *error)
{
	return digest_file_without(path, 0, 0, digest, error);
}

bool digest_file_without(const char *path, size_t offset, size_t size, uint8_t digest[SLUICE_DIGEST_SIZE],
                         struct sluice_error *error)
{
	FILE *file = file_open(path, error);
	if (!file)
		return false;
	EVP_MD_CTX *context = begin();
	char chunk[16384];
	size_t got;
	for (size_t at = 0; (got = fread(chunk, 1, sizeof(chunk), file)) > 0; at += got) {
		blank(chunk, at, got, offset, size);
		add(context, chunk, got);
	}
	end(context, digest);
	bool failed = ferror(file);
	(void)fclose(file);
	return failed ? sluice_error_set(error, "%s: reading stopped before its end", path) : true;
}

void digest_hex(const uint8_t digest[SLUICE_DIGEST_SIZE], char text[DIGEST_HEX_SIZE])
{
	hex_write(digest, SLUICE_DIGEST_SIZE, text);
	text[DIGEST_HEX_SIZE - 1] = '\0';
}

void digest_content(struct sluice_bytes event_type, struct sluice_bytes stream, bool has_sequence, int64_t sequence,
                    struct sluice_bytes payload, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	EVP_MD_CTX *context = begin();
	struct sluice_bytes type = {event_type.size ? event_type.data : "",
	                            event_type.size}; /* no type is the empty type */
	add_text(context, type);
	add_text(context, stream);
	add_number(context, has_sequence);
	add_number(context, has_sequence ? (uint64_t)sequence : 0);
	if (payload.size)
		add(context, payload.data, payload.size);
	end(context, digest);
}

void digest_record(const struct sluice_record *record, uint8_t digest[SLUICE_DIGEST_SIZE])
{
	digest_content(record->event_type, record->stream, record->has_sequence, record->sequence, record->payload,
	               digest);
}

void digest_audit_row(const struct sluice_audit_row *row, uint8_t hash[SLUICE_DIGEST_SIZE])
{
	EVP_MD_CTX *context = begin();
	add(context, row->previous, SLUICE_DIGEST_SIZE);
	add_text(context, row->writer);
	add_number(context, (uint64_t)row->position);
	add_number(context, (uint64_t)row->written_at_ns);
	add_text(context, row->covers);
	end(context, hash);
}

void digest_random(void *buffer, size_t size)
{
	unsigned char *at = buffer;
	while (size > 0) {
		ssize_t got = getrandom(at, size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			(void)fputs("sluice: the system provides no random bytes\n", stderr);
			abort();
		}
		at += got;
		size -= (size_t)got;
	}
}

/* SipHash-1-3 (Aumasson and Bernstein), keyed per process. */
static uint64_t hash_key[2];
static pthread_once_t hash_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void)
{
	digest_random(hash_key, sizeof(hash_key));
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t digest_hash(const void *data, size_t size)
{
	(void)pthread_once(&hash_once, make_hash_key);
	const uint64_t *key = hash_key;
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
	                 key[1] ^ 0x7465646279746573};
	const unsigned char *at = data;
	size_t left = size;
	for (; left >= 8; left -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	uint64_t tail = (uint64_t)size << 56;
	for (size_t i = 0; i < left; i++)
		tail |= (uint64_t)at[i] << (8 * i);
	v[3] ^= tail;
	sip_round(v);
	v[0] ^= tail;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Random bytes by the hundred, so that a request id does not cost a system call. */
static void cheap_random(unsigned char *bytes, size_t size)
{
	static _Thread_local unsigned char pool[1024];
	static _Thread_local size_t left;
	if (left < size) {
		digest_random(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= size;
	memcpy(bytes, pool + left, size);
}

void digest_uuid7(int64_t wall_ns, char text[UUID_TEXT_SIZE])
{
	unsigned char bytes[16];
	cheap_random(bytes + 6, 10);
	uint64_t ms = (uint64_t)(wall_ns / 1000000);
	for (int i = 0; i < 6; i++)
		bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
	bytes[6] = (unsigned char)(0x70 | (bytes[6] & 0x0f));
	bytes[8] = (unsigned char)(0x80 | (bytes[8] & 0x3f));
	char *out = text;
	for (size_t i = 0; i < sizeof(bytes); i += 2) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		hex_write(bytes + i, 2, out);
		out += 4;
	}
	*out = '\0';
}
