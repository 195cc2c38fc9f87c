/* Where PostgreSQL is. */
#include "address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HINT                                                                                                           \
	"in a URI, characters such as @ / ? # in a password must be percent-encoded; in a conninfo string, quote it"

enum { TIMEOUT_MAX_S = 3600 };

static const char *option_of(const PQconninfoOption *options, const char *keyword)
{
	for (; options && options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val && options->val[0] ? options->val : NULL;
	return NULL;
}

/* How many there are in a list with commas; 0: it is NULL. */
static int count_of(const char *list)
{
	int count = list != NULL;
	for (; list && *list; list++)
		count += *list == ',';
	return count;
}

/* Entry number `index` of a list with commas; "" where there is none. False: it does not fit. */
static bool entry_of(const char *list, int index, char *entry, size_t room)
{
	for (; list && index > 0; index--) {
		list = strchr(list, ',');
		list = list ? list + 1 : NULL;
	}
	size_t size = list ? strcspn(list, ",") : 0;
	bool fits = size < room;
	if (!fits)
		size = 0;
	if (size)
		memcpy(entry, list, size);
	entry[size] = '\0';
	return fits;
}

/* libpq ends the user and password at the first @, unless a slash comes before it. An @ anywhere else up to the question
 * mark is the rest of a password. */
static bool is_cut_in_the_password(const char *url)
{
	const char *start = strstr(url, "://");
	if (strncmp(url, "postgres", 8) != 0 || !start)
		return false;
	start += 3;
	const char *at = start + strcspn(start, "@/");
	if (*at == '@')
		start = at + 1;
	at = start + strcspn(start, "@?");
	return *at == '@';
}

static bool is_port(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);
	return !*text || (*text >= '0' && *text <= '9' && !*end && port >= 1 && port <= 65535);
}

static bool check_hosts(const PQconninfoOption *options, struct sluice_error *error)
{
	const char *host = option_of(options, "host"), *hostaddr = option_of(options, "hostaddr");
	const char *ports = option_of(options, "port");
	int count = hostaddr ? count_of(hostaddr) : count_of(host);
	char port[PORT_SIZE], entry[ADDRESS_SIZE];
	if (host && strpbrk(host, "@?# \t\r\n") && host[0] != '/' && host[0] != '@')
		return sluice_error_set(error, "url: a host has characters that no host has; " HINT);
	for (int i = 0; i < count_of(ports); i++) {
		if (!entry_of(ports, i, port, sizeof(port)) || !is_port(port))
			return sluice_error_set(error, "url: a port is not a number from 1 to 65535; " HINT);
	}
	for (int i = 0; i < count_of(host); i++) {
		if (!entry_of(host, i, entry, sizeof(entry)))
			return sluice_error_set(error, "url: a host is longer than %d characters", ADDRESS_SIZE - 1);
	}
	if (count > ADDRESSES_MAX || count_of(ports) > ADDRESSES_MAX)
		return sluice_error_set(error, "url: expected at most %d hosts, got %d", ADDRESSES_MAX, count);
	if ((host && hostaddr && count_of(host) != count) || (count_of(ports) > 1 && count_of(ports) != count))
		return sluice_error_set(error, "url: there are %d hosts and %d ports or addresses", count_of(host),
		                        count_of(ports) > 1 ? count_of(ports) : count);
	return true;
}

bool address_check(const char *url, struct sluice_error *error)
{
	char *message = NULL; /* it quotes the url */
	PQconninfoOption *options = PQconninfoParse(url, &message);
	PQfreemem(message);
	bool ok = options != NULL;
	if (!ok)
		(void)sluice_error_set(
			error,
			"url: neither a libpq URI (postgresql://user@host:port/database) nor a conninfo string (host=… dbname=…); it is not shown, as it may hold a password; " HINT);
	else if (is_cut_in_the_password(url))
		ok = sluice_error_set(error,
		                      "url: there is an @ too many; it is not shown, as it may hold a password; " HINT);
	else
		ok = check_hosts(options, error);
	PQconninfoFree(options);
	return ok;
}

static void add(struct addresses *addresses, const struct address *address)
{
	if (addresses->count < ADDRESSES_MAX)
		addresses->each[addresses->count++] = *address;
}

/* One attempt for each address of the host's name. A name that cannot be resolved is left for libpq to say so. */
static void add_host(struct addresses *addresses, struct address *address)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
	bool has_name = address->host[0] && address->host[0] != '/' && address->host[0] != '@';
	if (address->hostaddr[0] || !has_name || getaddrinfo(address->host, NULL, &hints, &found) != 0) {
		add(addresses, address);
		return;
	}
	for (const struct addrinfo *each = found; each; each = each->ai_next) {
		if (getnameinfo(each->ai_addr, each->ai_addrlen, address->hostaddr, sizeof(address->hostaddr), NULL, 0,
		                NI_NUMERICHOST) == 0)
			add(addresses, address);
	}
	freeaddrinfo(found);
}

static void add_hosts(struct addresses *addresses, const PQconninfoOption *options, int first)
{
	const char *hosts = option_of(options, "host"), *hostaddrs = option_of(options, "hostaddr");
	const char *ports = option_of(options, "port");
	int count = hostaddrs ? count_of(hostaddrs) : count_of(hosts);
	for (int i = 0; i < count; i++) {
		struct address address = {.number = (first + i) % count};
		(void)entry_of(hosts, address.number, address.host, sizeof(address.host));
		(void)entry_of(hostaddrs, address.number, address.hostaddr, sizeof(address.hostaddr));
		(void)entry_of(ports, count_of(ports) > 1 ? address.number : 0, address.port, sizeof(address.port));
		if (!address.host[0] && !address.hostaddr[0]) { /* libpq's default, which cannot be said */
			addresses->count = 0;
			return;
		}
		add_host(addresses, &address);
	}
}

/* The url's own options, and for a url without hosts those of the environment. */
static PQconninfoOption *read_options(const char *url)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);
	if (option_of(options, "host") || option_of(options, "hostaddr") || option_of(options, "service"))
		return options;
	PQconninfoFree(options);
	return PQconndefaults();
}

void addresses_find(const char *url, int first, struct addresses *addresses)
{
	PQconninfoOption *parsed = PQconninfoParse(url, NULL), *options = read_options(url);
	const char *timeout = option_of(parsed, "connect_timeout");
	long timeout_s = timeout ? strtol(timeout, NULL, 10) : 0;
	addresses->count = 0;
	addresses->connect_timeout_s = timeout_s > 0 && timeout_s <= TIMEOUT_MAX_S ? (int)timeout_s : 0;
	add_hosts(addresses, options, first);
	PQconninfoFree(parsed);
	PQconninfoFree(options);
	if (addresses->count <= 1) { /* nothing to choose from */
		addresses->each[0] = (struct address){0};
		addresses->count = 1;
	}
}

void address_describe(const char *url, char text[ADDRESS_SIZE])
{
	PQconninfoOption *options = read_options(url);
	const char *hosts = option_of(options, "host"), *ports = option_of(options, "port");
	if (!hosts)
		hosts = option_of(options, "hostaddr");
	size_t used = 0;
	text[0] = '\0';
	for (int i = 0; i < count_of(hosts) && used < ADDRESS_SIZE; i++) {
		char host[ADDRESS_SIZE], port[PORT_SIZE];
		(void)entry_of(hosts, i, host, sizeof(host));
		(void)entry_of(ports, count_of(ports) > 1 ? i : 0, port, sizeof(port));
		int written = snprintf(text + used, ADDRESS_SIZE - used, "%s%s%s%s", i ? ", " : "", host,
		                       port[0] ? ":" : "", port);
		used += written > 0 ? (size_t)written : 0;
	}
	PQconninfoFree(options);
}
