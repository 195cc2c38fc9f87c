/*
 * Secrets; see secret.h.
 */
#include "base/secret.h"

#include <openssl/crypto.h>
#include <string.h>

bool secret_equal(const void *a, const void *b, size_t size)
{
	return CRYPTO_memcmp(a, b, size) == 0;
}

/* White space and what has no width: ASCII, then the others of Unicode as UTF-8. */
static const char *const blanks[] = {
	" ",
	"\t",
	"\n",
	"\v",
	"\f",
	"\r",
	"\xc2\x85",     /* U+0085, next line */
	"\xc2\xa0",     /* U+00A0, no-break space */
	"\xe1\x9a\x80", /* U+1680 */
	"\xe2\x80\x80", /* U+2000 and those up to U+200A, spaces of some width */
	"\xe2\x80\x81",
	"\xe2\x80\x82",
	"\xe2\x80\x83",
	"\xe2\x80\x84",
	"\xe2\x80\x85",
	"\xe2\x80\x86",
	"\xe2\x80\x87",
	"\xe2\x80\x88",
	"\xe2\x80\x89",
	"\xe2\x80\x8a",
	"\xe2\x80\x8b", /* U+200B, zero width space */
	"\xe2\x80\xa8", /* U+2028, line separator */
	"\xe2\x80\xa9", /* U+2029, paragraph separator */
	"\xe2\x80\xaf", /* U+202F */
	"\xe2\x81\x9f", /* U+205F */
	"\xe3\x80\x80", /* U+3000, ideographic space */
	"\xef\xbb\xbf", /* U+FEFF, byte order mark */
};

static bool starts_with(struct sluice_bytes text, const char *part)
{
	size_t size = strlen(part);
	return text.size >= size && memcmp(text.data, part, size) == 0;
}

static bool ends_with(struct sluice_bytes text, const char *part)
{
	size_t size = strlen(part);
	return text.size >= size && memcmp(text.data + text.size - size, part, size) == 0;
}

bool secret_trim(struct sluice_bytes *text, struct sluice_error *error)
{
	static const char mark[] = "\xef\xbb\xbf";
	if (starts_with(*text, mark)) {
		text->data += sizeof(mark) - 1;
		text->size -= sizeof(mark) - 1;
	}
	while (ends_with(*text, "\n") || ends_with(*text, "\r"))
		text->size--;
	for (size_t i = 0; i < sizeof(blanks) / sizeof(blanks[0]); i++) {
		bool at_start = starts_with(*text, blanks[i]);
		if (at_start || ends_with(*text, blanks[i]))
			return sluice_error_set(error, "%s white space: remove it; the value is secret and not shown",
			                        at_start ? "begins with" : "ends in");
	}
	return true;
}
