#include "base/secret.h"

#include <openssl/crypto.h>

bool secret_equal(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}
