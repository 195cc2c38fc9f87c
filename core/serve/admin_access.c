/*
 * Access to the admin listener; see admin_access.h.
 */
#include "serve/admin_access.h"

#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/network.h"
#include "base/secret.h"

static const struct admin_denial no_token = {401, "expected the bearer token of the admin listener"};
static const struct admin_denial two_tokens = {400, "expected one Authorization header field, got several"};
static const struct admin_denial too_many = {429, "too many wrong tokens from this address: try again later"};
static const struct admin_denial other_host = {
	421,
	"Host must be localhost or a loopback address, since this listener has no token: set admin.token to use another"};
static const struct admin_denial other_site = {403, "this request comes from a page of another site"};

void admin_access_init(struct admin_access *access, const char *token)
{
	*access = (struct admin_access){.guarded = token != NULL};
	if (token)
		digest_bytes(token, strlen(token), access->token);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_token(const struct admin_access *access, const char *given)
{
	uint8_t token[SLUICE_DIGEST_SIZE];
	size_t size = strlen(given);
	while (size > 0 && is_blank(given[size - 1]))
		size--;
	digest_bytes(given, size, token);
	return secret_equal(token, access->token, sizeof(token));
}

/* The right token is let in whatever was guessed before: whoever has it must not be kept out by who has not. */
static const struct admin_denial *check_token(struct admin_access *access, const char *given,
                                              const struct ip_address *peer, int64_t now_ns)
{
	static const char scheme[] = "Bearer ";
	if (!given || strncasecmp(given, scheme, strlen(scheme)) != 0)
		return &no_token;
	if (is_token(access, given + strlen(scheme)))
		return NULL;
	if (!guesses_may(&access->guesses, peer, now_ns))
		return &too_many;
	guesses_add(&access->guesses, peer, now_ns);
	return &no_token;
}

static bool is_local_name(const char *name)
{
	struct ip_address address;
	return strcasecmp(name, "localhost") == 0 ||
	       (ip_address_parse(name, &address) && ip_address_is_loopback(&address));
}

static bool is_port_or_nothing(const char *text)
{
	return text[0] == '\0' || (text[0] == ':' && strspn(text + 1, "0123456789") == strlen(text + 1));
}

/* A name or an address, one of IPv6 in brackets, then nothing or a port. */
static bool is_local(const char *host)
{
	char name[IP_ADDRESS_TEXT_SIZE];
	const bool bracketed = *host == '[';
	const size_t size = strcspn(host += bracketed, bracketed ? "]" : ":");
	const char *rest = host + size;
	if (size >= sizeof(name) || (bracketed && *rest++ != ']') || !is_port_or_nothing(rest))
		return false;
	memcpy(name, host, size);
	name[size] = '\0';
	return bracketed == (strchr(name, ':') != NULL) && is_local_name(name);
}

static bool changes_nothing(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* A browser sends Origin with every POST, and Sec-Fetch-Site with every request; other clients send neither. */
static bool is_same_site(const struct admin_credentials *credentials)
{
	static const char scheme[] = "http://";
	const char *site = credentials->fetch_site, *origin = credentials->origin;
	if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return false;
	return !origin || (credentials->host && strncasecmp(origin, scheme, strlen(scheme)) == 0 &&
	                   strcasecmp(origin + strlen(scheme), credentials->host) == 0);
}

const struct admin_denial *admin_access_check(struct admin_access *access, const struct admin_credentials *credentials,
                                              const struct ip_address *peer, int64_t now_ns)
{
	if (!access->guarded && credentials->host && !is_local(credentials->host))
		return &other_host;
	if (!changes_nothing(credentials->method) && !is_same_site(credentials))
		return &other_site;
	if (credentials->several)
		return &two_tokens;
	return access->guarded ? check_token(access, credentials->authorization, peer, now_ns) : NULL;
}
