/*
 * Forwarding fields; see forwarded.h.
 */
#include "serve/forwarded.h"

#include <string.h>
#include <strings.h>

enum {
	NODE_MAX = IP_ADDRESS_TEXT_SIZE + 24, /* bytes of an address with brackets and a port */
	AUTHORITY_MAX = 255 + sizeof(":65535") - 1,
};

#define ALPHANUMERIC "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* The entries of a list field, read from the last to the first. */
struct entries {
	const struct sluice_header *headers;
	size_t left; /* fields not yet looked at */
	const char *name;
	bool quotes;              /* a comma within quotes does not end an entry */
	struct sluice_bytes rest; /* of the field that is being read */
};

static struct sluice_bytes trimmed(struct sluice_bytes text)
{
	while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
		text = (struct sluice_bytes){text.data + 1, text.size - 1};
	while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
		text.size--;
	return text;
}

static bool is_named(struct sluice_bytes text, const char *name)
{
	return text.size == strlen(name) && strncasecmp(text.data, name, text.size) == 0;
}

static bool is_escaped(struct sluice_bytes text, size_t at)
{
	size_t backslashes = 0;
	while (backslashes < at && text.data[at - backslashes - 1] == '\\')
		backslashes++;
	return backslashes % 2 != 0;
}

/* Where the last entry begins. From the right: the last entry is a proxy's and in order, whatever stands before it. */
static size_t find_last(struct sluice_bytes list, bool quotes)
{
	bool quoted = false;
	for (size_t i = list.size; i-- > 0;) {
		if (quotes && list.data[i] == '"' && !is_escaped(list, i))
			quoted = !quoted;
		else if (list.data[i] == ',' && !quoted)
			return i + 1;
	}
	return 0;
}

/* Empty entries do not count (RFC 9110, section 5.6.1). */
static bool previous(struct entries *entries, struct sluice_bytes *entry_out)
{
	for (;;) {
		while (entries->rest.size) {
			struct sluice_bytes *rest = &entries->rest;
			size_t start = find_last(*rest, entries->quotes);
			struct sluice_bytes entry = {rest->data + start, rest->size - start};
			rest->size = start > 0 ? start - 1 : 0;
			*entry_out = trimmed(entry);
			if (entry_out->size)
				return true;
		}
		if (entries->left == 0)
			return false;
		const struct sluice_header *header = &entries->headers[--entries->left];
		if (is_named(header->name, entries->name))
			entries->rest = header->value;
	}
}

/* A port, or a word in its place (RFC 7239, section 6). */
static bool is_port(const char *text)
{
	static const char allowed[] = ALPHANUMERIC "._-";
	return *text == ':' && text[1] && text[1 + strspn(text + 1, allowed)] == '\0';
}

/* An address with or without a port: "192.0.2.1:80", "[2001:db8::1]:80"; also IPv6 without brackets, which has none. */
static bool read_node(struct sluice_bytes node, struct ip_address *out)
{
	char text[NODE_MAX + 1];
	size_t size = 0;
	for (size_t i = 0; i < node.size; i++) {
		if (node.data[i] == '\\' && ++i == node.size)
			return false;
		if (size == NODE_MAX || node.data[i] == '\0')
			return false;
		text[size++] = node.data[i];
	}
	text[size] = '\0';
	char *end = text[0] == '[' ? strchr(text, ']') : strchr(text, ':');
	if (text[0] == '[') {
		if (!end || (end[1] && !is_port(end + 1)))
			return false;
		*end = '\0';
		return strchr(text + 1, ':') && ip_address_parse(text + 1, out);
	}
	if (end && !strchr(end + 1, ':')) {
		if (!is_port(end))
			return false;
		*end = '\0';
	}
	return ip_address_parse(text, out);
}

static const char *read_scheme(struct sluice_bytes text)
{
	return is_named(text, "https") ? "https" : is_named(text, "http") ? "http" : NULL;
}

static struct sluice_bytes read_authority(struct sluice_bytes text)
{
	static const char allowed[] = ALPHANUMERIC "-._~%:[]";
	bool fits = text.size && text.size <= AUTHORITY_MAX;
	for (size_t i = 0; fits && i < text.size; i++)
		fits = memchr(allowed, text.data[i], sizeof(allowed) - 1) != NULL;
	return fits ? text : (struct sluice_bytes){NULL, 0};
}

/* What one proxy says of who it got the request from. */
struct hop {
	struct sluice_bytes by_name[3]; /* of enum parameter; absent: not said */
};
enum parameter { FOR, PROTO, HOST };
static const char *const parameter_names[] = {[FOR] = "for", [PROTO] = "proto", [HOST] = "host"};

/* Cuts a value off the front of `rest`: a word, or a text in quotes, which are left out. */
static bool cut_value(struct sluice_bytes *rest, struct sluice_bytes *value_out)
{
	size_t size = 0;
	bool quoted = rest->size && rest->data[0] == '"';
	if (quoted)
		*rest = (struct sluice_bytes){rest->data + 1, rest->size - 1};
	while (size < rest->size && rest->data[size] != (quoted ? '"' : ';'))
		size += quoted && rest->data[size] == '\\' ? 2 : 1;
	if (quoted ? size >= rest->size : memchr(rest->data, '"', size) != NULL)
		return false;
	*value_out = (struct sluice_bytes){rest->data, size};
	if (!quoted)
		*value_out = trimmed(*value_out);
	size += quoted;
	*rest = trimmed((struct sluice_bytes){rest->data + size, rest->size - size});
	return !rest->size || rest->data[0] == ';';
}

/* for=192.0.2.1;proto=https;host=example.com, RFC 7239, section 4. False: it is none of that kind. */
static bool read_element(struct sluice_bytes rest, struct hop *hop)
{
	while (rest.size) {
		if (rest.data[0] == ';') {
			rest = trimmed((struct sluice_bytes){rest.data + 1, rest.size - 1});
			continue;
		}
		const char *equals = memchr(rest.data, '=', rest.size);
		if (!equals)
			return false;
		struct sluice_bytes name = {rest.data, (size_t)(equals - rest.data)}, value;
		rest = (struct sluice_bytes){equals + 1, rest.size - name.size - 1};
		if (!cut_value(&rest, &value))
			return false;
		for (size_t i = 0; i < sizeof(parameter_names) / sizeof(parameter_names[0]); i++) {
			if (!is_named(name, parameter_names[i]))
				continue;
			if (hop->by_name[i].data)
				return false;
			hop->by_name[i] = value;
		}
	}
	return true;
}

static bool read_address(struct sluice_bytes entry, struct hop *hop)
{
	hop->by_name[FOR] = entry;
	return true;
}

/* What the fields of one kind say. */
struct chain {
	bool exists;
	bool breaks; /* at an entry that cannot be read: the client is not known */
	struct ip_address client;
	const char *scheme;
	struct sluice_bytes authority;
};

/* The scheme and the host are those of the entry farthest out that has them: the sender spoke with its writer. */
static struct chain walk(struct entries entries, bool (*read)(struct sluice_bytes entry, struct hop *hop),
                         const struct ip_address *peer, const struct network_list *proxies)
{
	struct chain chain = {.client = *peer};
	struct sluice_bytes entry;
	while (network_list_contains(proxies, &chain.client) && previous(&entries, &entry)) {
		struct hop hop = {0};
		chain.exists = chain.breaks = true;
		if (!read(entry, &hop))
			break;
		const char *scheme = read_scheme(hop.by_name[PROTO]);
		struct sluice_bytes authority = read_authority(hop.by_name[HOST]);
		chain.scheme = scheme ? scheme : chain.scheme;
		chain.authority = authority.data ? authority : chain.authority;
		if (!read_node(hop.by_name[FOR], &chain.client))
			break;
		chain.breaks = false;
	}
	return chain;
}

static struct sluice_bytes last_of(struct entries entries)
{
	struct sluice_bytes entry = {NULL, 0};
	return previous(&entries, &entry) ? entry : (struct sluice_bytes){NULL, 0};
}

static bool same_scheme(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

static bool same_authority(struct sluice_bytes a, struct sluice_bytes b)
{
	return a.size && a.size == b.size && strncasecmp(a.data, b.data, a.size) == 0;
}

/* Both kinds have come: one of them may be the client's own. */
static struct forwarded agree(const struct chain *a, const struct chain *b)
{
	struct forwarded out = {.client = a->exists ? a->client : b->client};
	out.has_client = !a->breaks && !b->breaks &&
	                 (!a->exists || !b->exists || memcmp(&a->client, &b->client, sizeof(a->client)) == 0);
	if (same_scheme(a->scheme, b->scheme))
		out.scheme = a->scheme;
	if (same_authority(a->authority, b->authority))
		out.authority = a->authority;
	return out;
}

struct forwarded forwarded_read(const struct sluice_header *headers, size_t count, const struct ip_address *peer,
                                const struct network_list *proxies)
{
	if (!network_list_contains(proxies, peer))
		return (struct forwarded){.client = *peer, .has_client = true};
	struct entries fields = {.headers = headers, .left = count, .name = "Forwarded", .quotes = true};
	struct chain standard = walk(fields, read_element, peer, proxies);
	fields = (struct entries){.headers = headers, .left = count, .name = "X-Forwarded-For"};
	struct chain common = walk(fields, read_address, peer, proxies);
	fields.name = "X-Forwarded-Proto";
	common.scheme = read_scheme(last_of(fields));
	fields.name = "X-Forwarded-Host";
	common.authority = read_authority(last_of(fields));
	if (standard.exists && (common.exists || common.scheme || common.authority.data))
		return agree(&standard, &common);
	const struct chain *only = standard.exists ? &standard : &common;
	return (struct forwarded){.client = only->client,
	                          .has_client = !only->breaks,
	                          .scheme = only->scheme,
	                          .authority = only->authority};
}
