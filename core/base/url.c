#include "base/url.h"

#include <string.h>
#include <strings.h>

#include "base/network.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define UNRESERVED LETTERS DIGITS "-._~"

enum { HOST_MAX = 255, GOT_MAX = 200 };

static const char *const schemes[] = {"http", "https", NULL};

/* The scheme that `*text` begins with, which is then passed over; NULL: neither. */
static const char *take_scheme(const char **text)
{
	for (const char *const *scheme = schemes; *scheme; scheme++) {
		size_t size = strlen(*scheme);
		if (strncasecmp(*text, *scheme, size) == 0 && strncmp(*text + size, "://", 3) == 0) {
			*text += size + 3;
			return *scheme;
		}
	}
	return NULL;
}

static bool port_fits(const char *text)
{
	size_t size = strspn(text, DIGITS);
	unsigned port = 0;
	for (size_t i = 0; i < size && port <= 65535; i++)
		port = 10 * port + (unsigned)(text[i] - '0');
	return size && !text[size] && port >= 1 && port <= 65535;
}

/* host or host:port, an IPv6 address in brackets. */
static bool authority_fits(const char *authority, struct arena *arena)
{
	struct ip_address ignored;
	size_t size = strspn(authority, UNRESERVED);
	if (*authority == '[') {
		size = strcspn(authority, "]");
		const char *address = authority[size] ? arena_strndup(arena, authority + 1, size - 1) : "";
		if (!strchr(address, ':') || !ip_address_parse(address, &ignored))
			return false;
		size++;
	}
	if (size == 0 || size > HOST_MAX)
		return false;
	return !authority[size] || (authority[size] == ':' && port_fits(authority + size + 1));
}

bool url_parse(const char *text, struct arena *arena, struct url *out, struct sluice_error *error)
{
	const char *rest = text;
	struct url url = {.scheme = take_scheme(&rest)};
	size_t size = strcspn(rest, "/?#");
	if (memchr(rest, '@', size))
		return sluice_error_set(error, "expected a URL without user and password");
	if (strpbrk(rest, "?#"))
		return sluice_error_set(error, "expected a URL without query and fragment, got %.*s", GOT_MAX, text);
	url.authority = arena_strndup(arena, rest, size);
	const char *path = rest + size;
	size_t path_size = strlen(path);
	if (!url.scheme || !authority_fits(url.authority, arena) ||
	    strspn(path, UNRESERVED "/%!$&'()*+,;=:@") != path_size)
		return sluice_error_set(error, "expected a URL such as https://hooks.example.com, got %.*s", GOT_MAX,
		                        *text ? text : "an empty text");
	while (path_size && path[path_size - 1] == '/')
		path_size--;
	url.path = arena_strndup(arena, path, path_size);
	*out = url;
	return true;
}
