/*
 * The table of schemes, and the one place that knows what a signed text may hold.
 */
#include "sign/scheme.h"

#include <string.h>

#include "base/secret.h"
#include "sign/forms.h"

const char *const scheme_names[] = {
#define SCHEME(title, ...) title,
#include "sign/schemes.inc"
#undef SCHEME
	"template",
	NULL,
};

const struct scheme schemes[SCHEME_COUNT] = {
#define SCHEME(title, ...) {.name = title, __VA_ARGS__},
#include "sign/schemes.inc"
#undef SCHEME
};

const char *const scheme_digest_names[] = {"sha256", "sha512", "sha1", NULL};
const char *const scheme_unit_names[] = {"s", "ms", "us", "rfc3339", NULL};
const int64_t scheme_units_ns[] = {SCHEME_SECOND_NS, SCHEME_SECOND_NS / 1000, SCHEME_SECOND_NS / 1000000,
                                   SCHEME_DATE_NS};

bool algorithm_is_shared(enum algorithm algorithm)
{
	return algorithm == ALGORITHM_HMAC || algorithm == ALGORITHM_SECRET || algorithm == ALGORITHM_BASIC;
}

bool algorithm_is_public(enum algorithm algorithm)
{
	return !algorithm_is_shared(algorithm) && algorithm != ALGORITHM_NONE;
}

bool scheme_trim_secret(struct sluice_bytes *secret, struct sluice_error *error)
{
	return secret_trim(secret, error);
}

static bool cut(struct sluice_bytes *text, const char *prefix)
{
	size_t size = strlen(prefix);
	if (text->size < size || memcmp(text->data, prefix, size) != 0)
		return false;
	text->data += size;
	text->size -= size;
	return true;
}

struct sluice_bytes scheme_key_text(const struct scheme *scheme, struct sluice_bytes secret)
{
	struct sluice_bytes bare = secret;
	if (!scheme->key_prefix)
		return secret;
	/* Some senders show the secret with the version of the signatures in front: "v1,whsec_…". */
	if (scheme->prefix)
		(void)cut(&bare, scheme->prefix);
	return cut(&bare, scheme->key_prefix) ? bare : secret;
}

static const struct placeholder {
	const char *text;
	enum part_kind kind;
} placeholders[] = {
	{"{id}", PART_ID},   {"{timestamp}", PART_TIMESTAMP}, {"{body}", PART_BODY}, {"{method}", PART_METHOD},
	{"{url}", PART_URL}, {"{form}", PART_FORM},
};

/* The part that `text` begins with; a literal of size 0 if it is a brace that begins no placeholder. */
static struct part first_part(const char *text)
{
	if (*text != '{')
		return (struct part){PART_LITERAL, text, strcspn(text, "{")};
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
		size_t size = strlen(placeholders[i].text);
		if (strncmp(text, placeholders[i].text, size) == 0)
			return (struct part){placeholders[i].kind, text, size};
	}
	return (struct part){PART_LITERAL, text, 0};
}

size_t scheme_split(const char *text, struct part parts[PARTS_MAX], struct sluice_error *error)
{
	size_t count = 0;
	for (const char *rest = text; *rest; rest += parts[count++].size) {
		if (count == PARTS_MAX) {
			sluice_error_set(error, "expected at most %d parts", PARTS_MAX);
			return 0;
		}
		parts[count] = first_part(rest);
		if (parts[count].size == 0) {
			sluice_error_set(
				error, "expected {id}, {timestamp}, {body}, {method}, {url} or {form} at \"%s\"", rest);
			return 0;
		}
		for (size_t i = 0; i < count; i++) {
			if (parts[count].kind != PART_LITERAL && parts[i].kind == parts[count].kind) {
				sluice_error_set(error, "expected each placeholder once, got \"%s\"", text);
				return 0;
			}
		}
	}
	if (!strstr(text, "{body}") && !strstr(text, "{form}")) {
		sluice_error_set(error, "expected {body} or {form} in it, got \"%s\"", text);
		return 0;
	}
	return count;
}
