/*
 * Keys by what they verify with; see ring.h.
 */
#include "ring.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "signed/public_key.h"

enum { KEY_FILE_MAX = 1024 * 1024, LABEL_SIZE = 64, KEYS_MAX = 64 };

struct label {
	char text[LABEL_SIZE];
};

struct ring {
	const struct ring_sources *sources;
	struct scheme schemes[RING_KINDS];
	struct verifier *verifiers[RING_KINDS];
	struct label labels[RING_KINDS][KEYS_MAX];
	struct stat *files; /* as they were read */
};

/* Each signs one text, in base64. */
static const struct scheme any[RING_KINDS] = {
	[RING_ED25519] = {.algorithm = ALGORITHM_ED25519},
	[RING_ECDSA] = {.algorithm = ALGORITHM_ECDSA_SHA256},
	[RING_RSA] = {.algorithm = ALGORITHM_RSA_SHA256},
	[RING_HMAC] = {.algorithm = ALGORITHM_HMAC, .digest = "sha256"},
};

enum ring_kind ring_kind_of(enum algorithm algorithm)
{
	for (int kind = 0; kind < RING_KINDS; kind++)
		if (any[kind].algorithm == algorithm)
			return (enum ring_kind)kind;
	return RING_RSA; /* of SNS */
}

const struct verifier *ring_get(const struct ring *ring, enum ring_kind kind)
{
	const struct verifier *verifier = ring->verifiers[kind];
	return verifier && verifier_key_count(verifier) ? verifier : NULL;
}

const char *ring_label(const struct ring *ring, enum ring_kind kind, size_t key)
{
	return ring->labels[kind][key].text;
}

static enum ring_kind kind_of(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") ? RING_ED25519 : EVP_PKEY_is_a(key, "EC") ? RING_ECDSA : RING_RSA;
}

static struct verifier *get_verifier(struct ring *ring, enum ring_kind kind, struct sluice_error *error)
{
	const struct scheme *scheme = ring->sources->scheme;
	if (ring->verifiers[kind])
		return ring->verifiers[kind];
	ring->schemes[kind] = scheme ? *scheme : any[kind];
	if (!scheme) {
		ring->schemes[kind].name = "any";
		ring->schemes[kind].signed_text = "{body}";
		ring->schemes[kind].prefix = "";
		ring->schemes[kind].encoding = ENCODING_BASE64;
		ring->schemes[kind].key_encoding = ring->sources->secret_encoding;
	}
	ring->verifiers[kind] = verifier_create(&ring->schemes[kind], error);
	return ring->verifiers[kind];
}

/* Where a key comes from, while it is read. */
struct reading {
	struct ring *ring;
	const char *label;
};

static bool name_last(struct ring *ring, enum ring_kind kind, const char *label, struct sluice_error *error)
{
	size_t count = verifier_key_count(ring->verifiers[kind]);
	if (count > KEYS_MAX)
		return sluice_error_set(error, "expected at most %d keys", KEYS_MAX);
	(void)snprintf(ring->labels[kind][count - 1].text, LABEL_SIZE, "%s", label);
	return true;
}

static bool take_key(void *context, EVP_PKEY *key, struct sluice_error *error)
{
	struct reading *reading = context;
	const struct scheme *scheme = reading->ring->sources->scheme;
	enum ring_kind kind = scheme ? ring_kind_of(scheme->algorithm) : kind_of(key);
	struct verifier *verifier = get_verifier(reading->ring, kind, error);
	if (!verifier) {
		EVP_PKEY_free(key);
		return false;
	}
	return verifier_take_public(verifier, key, error) && name_last(reading->ring, kind, reading->label, error);
}

static bool add_keys(struct ring *ring, struct sluice_error *error)
{
	const struct sluice_strings *keys = ring->sources->keys;
	for (size_t i = 0; i < keys->count; i++) {
		char label[LABEL_SIZE];
		struct sluice_error cause = {0};
		(void)snprintf(label, sizeof(label), "key-%zu", i + 1);
		struct reading reading = {ring, label};
		struct sluice_bytes text = {keys->items[i], strlen(keys->items[i])};
		if (!public_key_read(text, take_key, &reading, &cause))
			return sluice_error_set(error, "keys: item %zu: %s", i + 1, cause.text);
	}
	return true;
}

/* The caller frees it. */
static char *read_file(const char *path, size_t *size_out, struct stat *stat_out, struct sluice_error *error)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(KEY_FILE_MAX) : NULL;
	errno = file && !text ? ENOMEM : errno;
	bool good = text && fstat(fileno(file), stat_out) == 0;
	*size_out = good ? fread(text, 1, KEY_FILE_MAX, file) : 0;
	if (!good || ferror(file))
		sluice_error_set(error, "%s", strerror(errno));
	else if (*size_out == KEY_FILE_MAX)
		sluice_error_set(error, "expected a file of less than %d bytes", KEY_FILE_MAX);
	if (file)
		(void)fclose(file);
	if (!error->text[0])
		return text;
	free(text);
	return NULL;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool add_files(struct ring *ring, struct sluice_error *error)
{
	const struct sluice_strings *files = ring->sources->key_files;
	for (size_t i = 0; i < files->count; i++) {
		struct sluice_error cause = {0};
		struct reading reading = {ring, base_of(files->items[i])};
		size_t size;
		char *text = read_file(files->items[i], &size, &ring->files[i], &cause);
		bool good = text && public_key_read((struct sluice_bytes){text, size}, take_key, &reading, &cause);
		free(text);
		if (!good)
			return sluice_error_set(error, "key_files: %s: %s", files->items[i], cause.text);
	}
	return true;
}

static bool add_secrets(struct ring *ring, struct sluice_error *error)
{
	const struct sluice_strings *secrets = ring->sources->secrets;
	for (size_t i = 0; i < secrets->count; i++) {
		char label[LABEL_SIZE];
		struct sluice_error cause = {0};
		struct verifier *verifier = get_verifier(ring, RING_HMAC, error);
		(void)snprintf(label, sizeof(label), "secret-%zu", i + 1);
		struct sluice_bytes text = {secrets->items[i], strlen(secrets->items[i])};
		if (!verifier)
			return false;
		if (!verifier_add_secret(verifier, text, &cause) || !name_last(ring, RING_HMAC, label, &cause))
			return sluice_error_set(error, "secrets: item %zu: %s", i + 1, cause.text);
	}
	return true;
}

struct ring *ring_create(const struct ring_sources *sources, struct sluice_error *error)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	if (!ring) {
		sluice_error_set(error, "no memory");
		return NULL;
	}
	ring->sources = sources;
	ring->files = calloc(sources->key_files->count + 1, sizeof(*ring->files));
	if (!ring->files)
		sluice_error_set(error, "no memory");
	else if (add_keys(ring, error) && add_files(ring, error) && add_secrets(ring, error))
		return ring;
	ring_destroy(ring);
	return NULL;
}

void ring_destroy(struct ring *ring)
{
	if (!ring)
		return;
	for (int kind = 0; kind < RING_KINDS; kind++)
		verifier_destroy(ring->verifiers[kind]);
	free(ring->files);
	free(ring);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool ring_is_stale(const struct ring *ring)
{
	for (size_t i = 0; i < ring->sources->key_files->count; i++) {
		struct stat now;
		if (stat(ring->sources->key_files->items[i], &now) == 0 && !is_same(&now, &ring->files[i]))
			return true;
	}
	return false;
}
