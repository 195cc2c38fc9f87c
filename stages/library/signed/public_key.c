/*
 * Public keys; see public_key.h.
 */
#include "signed/public_key.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

#include "sign/encoding.h"

enum {
	MEMBER_MAX = 1024, /* bytes of a key's number: RSA of 8192 bits */
	RSA_BITS_MIN = 2048,
	ED25519_SIZE = 32,
};

#define WHPK "whpk_"

bool public_key_fits(const EVP_PKEY *key, enum algorithm algorithm, struct sluice_error *error)
{
	static const struct {
		const char *type, *name;
	} wanted[] = {
		[ALGORITHM_ED25519] = {"ED25519", "an Ed25519 key"},
		[ALGORITHM_ECDSA_SHA256] = {"EC", "an ECDSA key"},
		[ALGORITHM_RSA_SHA256] = {"RSA", "an RSA key"},
	};
	if (!EVP_PKEY_is_a(key, wanted[algorithm].type))
		return sluice_error_set(error, "expected %s, got one of type %s", wanted[algorithm].name,
		                        EVP_PKEY_get0_type_name(key));
	if (algorithm == ALGORITHM_RSA_SHA256 && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
		return sluice_error_set(error, "expected an RSA key of %d bits or more, got %d", RSA_BITS_MIN,
		                        EVP_PKEY_get_bits(key));
	return true;
}

bool public_key_verify(EVP_PKEY *key, enum algorithm algorithm, struct sluice_bytes text, struct sluice_bytes signature)
{
	const EVP_MD *digest = algorithm == ALGORITHM_ED25519 ? NULL : EVP_sha256();
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = context && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
	            EVP_DigestVerify(context, (const unsigned char *)signature.data, signature.size,
	                             (const unsigned char *)text.data, text.size) == 1;
	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good;
}

/* Hands the key on, if there is one. */
static bool give(EVP_PKEY *key, const char *flaw, public_key_fn each, void *context, struct sluice_error *error)
{
	ERR_clear_error();
	return key ? each(context, key, error) : sluice_error_set(error, "%s", flaw);
}

static bool read_pem(struct sluice_bytes text, public_key_fn each, void *context, struct sluice_error *error)
{
	BIO *bio = BIO_new_mem_buf(text.data, (int)text.size);
	char *name = NULL, *header = NULL;
	unsigned char *data = NULL;
	long size = 0;
	bool good = true;
	size_t count = 0;
	for (; good && PEM_read_bio(bio, &name, &header, &data, &size) == 1; count++) {
		const unsigned char *at = data;
		EVP_PKEY *key = NULL;
		if (strcmp(name, PEM_STRING_X509) == 0) {
			X509 *certificate = d2i_X509(NULL, &at, size);
			key = certificate ? X509_get_pubkey(certificate) : NULL;
			X509_free(certificate);
		} else if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
			key = d2i_PUBKEY(NULL, &at, size);
		}
		good = give(key, "expected PEM with a public key or a certificate", each, context, error);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(data);
	}
	BIO_free(bio);
	ERR_clear_error();
	return good && (count || sluice_error_set(error, "expected PEM with a public key or a certificate"));
}

/* The bytes of an Ed25519 key, as the SubjectPublicKeyInfo that it would be in (RFC 8410, section 4). */
static EVP_PKEY *from_raw(const uint8_t raw[ED25519_SIZE])
{
	uint8_t info[12 + ED25519_SIZE] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
	const unsigned char *at = info;
	memcpy(info + 12, raw, ED25519_SIZE);
	return d2i_PUBKEY(NULL, &at, sizeof(info));
}

/* base64 of the key's bytes, or of its SubjectPublicKeyInfo, as SendGrid shows it. */
static bool read_base64(struct sluice_bytes text, public_key_fn each, void *context, struct sluice_error *error)
{
	uint8_t bytes[MEMBER_MAX];
	size_t size = 0;
	EVP_PKEY *key = NULL;
	if (text.size <= sizeof(bytes) && encoding_read_key(KEY_BASE64, text, bytes, &size)) {
		const unsigned char *at = bytes;
		key = size == ED25519_SIZE ? from_raw(bytes) : d2i_PUBKEY(NULL, &at, (long)size);
	}
	return give(key, "expected PEM, a JSON Web Key, or a public key in base64 or hex", each, context, error);
}

static bool read_hex(struct sluice_bytes text, public_key_fn each, void *context, struct sluice_error *error)
{
	uint8_t bytes[ED25519_SIZE];
	size_t size = 0;
	EVP_PKEY *key = NULL;
	if (encoding_read_key(KEY_HEX, text, bytes, &size))
		key = from_raw(bytes);
	return give(key, "expected an Ed25519 key in hex", each, context, error);
}

/* A member of a JSON Web Key in base64url; its size, 0 if there is none. */
static size_t read_member(const json_t *jwk, const char *name, uint8_t bytes[MEMBER_MAX])
{
	const json_t *member = json_object_get(jwk, name);
	struct sluice_bytes text = {json_string_value(member), json_string_length(member)};
	size_t size = 0;
	if (!text.data || text.size > MEMBER_MAX || !encoding_read_key(KEY_BASE64, text, bytes, &size))
		return 0;
	return size;
}

static EVP_PKEY *from_parameters(const char *type, OSSL_PARAM_BLD *builder)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
	if (!context || !parameters || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
		key = NULL;
	OSSL_PARAM_free(parameters);
	EVP_PKEY_CTX_free(context);
	return key;
}

static EVP_PKEY *from_rsa(const json_t *jwk)
{
	uint8_t bytes[MEMBER_MAX];
	size_t size = read_member(jwk, "n", bytes);
	BIGNUM *n = BN_bin2bn(bytes, (int)size, NULL);
	BIGNUM *e = NULL;
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	if (size && (size = read_member(jwk, "e", bytes))) {
		e = BN_bin2bn(bytes, (int)size, NULL);
		if (builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
		    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
			key = from_parameters("RSA", builder);
	}
	OSSL_PARAM_BLD_free(builder);
	BN_free(e);
	BN_free(n);
	return key;
}

/* P-256, as an uncompressed point. */
static EVP_PKEY *from_ec(const json_t *jwk)
{
	enum { HALF = 32 };
	uint8_t x[MEMBER_MAX], y[MEMBER_MAX], point[1 + 2 * HALF] = {4};
	const char *curve = json_string_value(json_object_get(jwk, "crv"));
	if (!curve || strcmp(curve, "P-256") != 0 || read_member(jwk, "x", x) != HALF ||
	    read_member(jwk, "y", y) != HALF)
		return NULL;
	memcpy(point + 1, x, HALF);
	memcpy(point + 1 + HALF, y, HALF);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;
	if (builder && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
		key = from_parameters("EC", builder);
	OSSL_PARAM_BLD_free(builder);
	return key;
}

static EVP_PKEY *from_okp(const json_t *jwk)
{
	uint8_t bytes[MEMBER_MAX];
	const char *curve = json_string_value(json_object_get(jwk, "crv"));
	if (!curve || strcmp(curve, "Ed25519") != 0 || read_member(jwk, "x", bytes) != ED25519_SIZE)
		return NULL;
	return from_raw(bytes);
}

static const struct key_type {
	const char *kty;
	EVP_PKEY *(*make)(const json_t *jwk);
} key_types[] = {{"OKP", from_okp}, {"EC", from_ec}, {"RSA", from_rsa}};

static const struct key_type *type_of(const json_t *jwk)
{
	const char *kty = json_string_value(json_object_get(jwk, "kty"));
	const char *use = json_string_value(json_object_get(jwk, "use"));
	for (size_t i = 0; kty && (!use || strcmp(use, "sig") == 0) && i < sizeof(key_types) / sizeof(key_types[0]);
	     i++)
		if (strcmp(key_types[i].kty, kty) == 0)
			return &key_types[i];
	return NULL;
}

static bool read_set(const json_t *set, public_key_fn each, void *context, struct sluice_error *error)
{
	const json_t *keys = json_object_get(set, "keys");
	size_t count = 0, items = keys ? json_array_size(keys) : 1;
	for (size_t i = 0; i < items; i++) {
		const json_t *jwk = keys ? json_array_get(keys, i) : set;
		const struct key_type *type = type_of(jwk);
		if (!type)
			continue;
		count++;
		if (!give(type->make(jwk), "expected a JSON Web Key of Ed25519, P-256 or RSA", each, context, error))
			return false;
	}
	return count || sluice_error_set(error, "expected a JSON Web Key for signatures, or a set with one");
}

static bool read_json(struct sluice_bytes text, public_key_fn each, void *context, struct sluice_error *error)
{
	json_t *set = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, NULL);
	bool good = set ? read_set(set, each, context, error)
	                : sluice_error_set(error, "expected a JSON Web Key or a set of them: it is no JSON");
	json_decref(set);
	return good;
}

static struct sluice_bytes trimmed(struct sluice_bytes text)
{
	static const char blank[] = " \t\r\n";
	while (text.size && strchr(blank, text.data[0]) && text.data[0]) {
		text.data++;
		text.size--;
	}
	while (text.size && strchr(blank, text.data[text.size - 1]) && text.data[text.size - 1])
		text.size--;
	return text;
}

bool public_key_read(struct sluice_bytes text, public_key_fn each, void *context, struct sluice_error *error)
{
	const size_t prefix = strlen(WHPK);
	text = trimmed(text);
	if (text.size && text.data[0] == '{')
		return read_json(text, each, context, error);
	if (text.size && memmem(text.data, text.size, "-----BEGIN ", 11))
		return read_pem(text, each, context, error);
	if (text.size == (size_t)2 * ED25519_SIZE)
		return read_hex(text, each, context, error);
	if (text.size > prefix && memcmp(text.data, WHPK, prefix) == 0)
		text = (struct sluice_bytes){text.data + prefix, text.size - prefix};
	return read_base64(text, each, context, error);
}
