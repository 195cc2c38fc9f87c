/*
 * Signing; see key.h. The context is keyed once and duplicated for each text: fetching and keying cost more than hashing a
 * small request.
 */
#include "sign/key.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

struct signing_key {
	EVP_MAC_CTX *context;
};

struct signing_key *signing_key_create(const char *digest, const uint8_t *bytes, size_t size)
{
	char name[16];
	(void)snprintf(name, sizeof(name), "%s", digest);
	const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
	                                 OSSL_PARAM_construct_end()};
	struct signing_key *key = calloc(1, sizeof(*key));
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (key)
		key->context = EVP_MAC_CTX_new(hmac);
	EVP_MAC_free(hmac); /* the context holds it */
	if (key && key->context && EVP_MAC_init(key->context, bytes, size, parameters) == 1)
		return key;
	signing_key_free(key);
	return NULL;
}

void signing_key_free(struct signing_key *key)
{
	if (!key)
		return;
	EVP_MAC_CTX_free(key->context);
	free(key);
}

size_t signing_key_sign(const struct signing_key *key, const struct part *parts, size_t part_count,
                        const struct signed_values *values, enum encoding encoding, char text[ENCODED_MAX])
{
	EVP_MAC_CTX *context = EVP_MAC_CTX_dup(key->context);
	bool done = context != NULL;
	for (size_t i = 0; i < part_count && done; i++) {
		const struct part *part = &parts[i];
		struct sluice_bytes bytes = {part->text, part->size};
		if (part->kind != PART_LITERAL)
			bytes = values->of[part->kind];
		done = bytes.size == 0 || EVP_MAC_update(context, (const uint8_t *)bytes.data, bytes.size) == 1;
	}
	uint8_t mac[EVP_MAX_MD_SIZE];
	size_t size = 0;
	done = done && EVP_MAC_final(context, mac, &size, sizeof(mac)) == 1;
	EVP_MAC_CTX_free(context);
	return done ? encoding_write(encoding, mac, size, text) : 0;
}

bool signature_equals(struct sluice_bytes given, const char *expected, size_t size)
{
	return given.size == size && size > 0 && secret_equal(given.data, expected, size);
}
