/*
 * Signing with OpenSSL; see signature.h.
 */
#include "lab/report/signature.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "lab/run/run.h"

enum { SIGNATURE_SIZE = 64, FILE_MAX = 1024 * 1024 };

/* Nobody is asked for a passphrase. */
static int no_passphrase(char *text, int room, int writing, void *context)
{
	(void)text, (void)room, (void)writing, (void)context;
	return -1;
}

static EVP_PKEY *read_key(const char *path, bool is_private, struct sluice_error *error)
{
	FILE *file = file_open(path, error);
	if (!file)
		return NULL;
	EVP_PKEY *key = is_private ? PEM_read_PrivateKey(file, NULL, no_passphrase, NULL)
	                           : PEM_read_PUBKEY(file, NULL, no_passphrase, NULL);
	(void)fclose(file);
	if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
		return key;
	EVP_PKEY_free(key);
	(void)sluice_error_set(
		error,
		"%s: expected %s of ed25519 as PEM, without a passphrase; `openssl genpkey -algorithm ed25519%s` makes one",
		path, is_private ? "a private key" : "a public key", is_private ? "" : " | openssl pkey -pubout");
	return NULL;
}

static bool read_file(const char *directory, const char *name, struct buffer *bytes, struct sluice_error *error)
{
	char piece[4096];
	size_t got;
	char *path = run_file(directory, name);
	FILE *file = file_open(path, error);
	while (file && bytes->size <= FILE_MAX && (got = fread(piece, 1, sizeof(piece), file)) > 0)
		buffer_add(bytes, piece, got);
	if (file)
		(void)fclose(file);
	free(path);
	return file != NULL;
}

static bool write_signature(const char *directory, const unsigned char *signature, size_t size,
                            struct sluice_error *error)
{
	char *path = run_file(directory, RUN_SIGNATURE);
	FILE *file = file_create(path);
	bool ok = file && fwrite(signature, 1, size, file) == size;
	ok = (!file || fclose(file) == 0) && ok;
	if (!ok)
		(void)sluice_error_set(error, "%s: cannot be written: %s", path, strerror(errno));
	free(path);
	return ok;
}

bool signature_write(const char *directory, const char *key_file, struct sluice_error *error)
{
	unsigned char signature[SIGNATURE_SIZE];
	size_t size = sizeof(signature);
	struct buffer manifest = {0};
	EVP_PKEY *key = read_key(key_file, true, error);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok = key && read_file(directory, RUN_MANIFEST, &manifest, error);
	if (ok && (EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
	           EVP_DigestSign(context, signature, &size, (const unsigned char *)manifest.data, manifest.size) != 1))
		ok = sluice_error_set(error, "%s: OpenSSL could not sign with it", key_file);
	ok = ok && write_signature(directory, signature, size, error);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	buffer_finish(&manifest);
	return ok;
}

static bool is_good(EVP_PKEY *key, const struct buffer *signature, const struct buffer *manifest)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
	            EVP_DigestVerify(context, (const unsigned char *)signature->data, signature->size,
	                             (const unsigned char *)manifest->data, manifest->size) == 1;
	EVP_MD_CTX_free(context);
	return good;
}

bool signature_check(const char *directory, const char *key_file, enum signature *signature_out,
                     struct sluice_error *error)
{
	struct sluice_error absent = {0};
	struct buffer signature = {0}, manifest = {0};
	EVP_PKEY *key = read_key(key_file, false, error);
	bool ok = key && read_file(directory, RUN_MANIFEST, &manifest, error);
	if (ok && !read_file(directory, RUN_SIGNATURE, &signature, &absent))
		*signature_out = SIGNATURE_MISSING;
	else if (ok)
		*signature_out = is_good(key, &signature, &manifest) ? SIGNATURE_GOOD : SIGNATURE_WRONG;
	EVP_PKEY_free(key);
	buffer_finish(&signature);
	buffer_finish(&manifest);
	return ok;
}
