#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { MAPPED_PREFIX = 96, GOT_MAX = 60 /* bytes of a text that an error shows */ };

enum { NETWORK_TEXT_SIZE = IP_ADDRESS_TEXT_SIZE + 4 };

static const uint8_t mapped[MAPPED_PREFIX / 8] = {[10] = 0xff, [11] = 0xff};

bool ip_address_parse(const char *text, struct ip_address *out)
{
	struct ip_address address;
	memcpy(address.bytes, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, address.bytes + sizeof(mapped)) != 1 &&
	    inet_pton(AF_INET6, text, address.bytes) != 1)
		return false;
	*out = address;
	return true;
}

bool ip_address_from_socket(const struct sockaddr *socket_address, struct ip_address *out)
{
	switch (socket_address->sa_family) {
	case AF_INET:
		memcpy(out->bytes, mapped, sizeof(mapped));
		memcpy(out->bytes + sizeof(mapped),
		       &((const struct sockaddr_in *)(const void *)socket_address)->sin_addr, sizeof(struct in_addr));
		return true;
	case AF_INET6:
		memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)socket_address)->sin6_addr,
		       sizeof(out->bytes));
		return true;
	default:
		return false;
	}
}

void ip_address_format(const struct ip_address *address, char text[IP_ADDRESS_TEXT_SIZE])
{
	bool four = ip_address_is_ipv4(address);
	(void)inet_ntop(four ? AF_INET : AF_INET6, address->bytes + (four ? sizeof(mapped) : 0), text,
	                IP_ADDRESS_TEXT_SIZE);
}

bool ip_address_is_ipv4(const struct ip_address *address)
{
	return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

struct ip_address ip_address_network(const struct ip_address *address)
{
	struct ip_address network = *address;
	if (!ip_address_is_ipv4(address))
		memset(network.bytes + 8, 0, 8);
	return network;
}

bool ip_address_is_loopback(const struct ip_address *address)
{
	static const struct ip_address six = {.bytes = {[15] = 1}};
	return ip_address_is_ipv4(address) ? address->bytes[sizeof(mapped)] == 127
	                                   : memcmp(address, &six, sizeof(six)) == 0;
}

static void clear_after(struct ip_address *address, unsigned prefix)
{
	for (unsigned i = 0; i < sizeof(address->bytes); i++) {
		unsigned kept = prefix > 8 * i ? prefix - 8 * i : 0;
		if (kept < 8)
			address->bytes[i] &= (uint8_t)(0xff00 >> kept);
	}
}

/* Digits only, no leading zero, at most `most`. */
static bool parse_prefix(const char *text, unsigned most, unsigned *out)
{
	size_t size = strspn(text, "0123456789");
	if (size == 0 || size > 3 || text[size] || (*text == '0' && size > 1))
		return false;
	*out = (unsigned)strtoul(text, NULL, 10);
	return *out <= most;
}

/* The network of that many bits, as text; the address alone where there are none, since nobody means all of them. */
static void suggest(struct ip_address address, unsigned written, char text[NETWORK_TEXT_SIZE])
{
	bool four = ip_address_is_ipv4(&address);
	if (four && written >= MAPPED_PREFIX)
		written -= MAPPED_PREFIX;
	if (written > 0)
		clear_after(&address, four ? MAPPED_PREFIX + written : written);
	ip_address_format(&address, text);
	if (written > 0)
		(void)snprintf(text + strlen(text), 5, "/%u", written);
}

static bool refuse_bits(const struct ip_address *address, unsigned written, const char *text,
                        struct sluice_error *error)
{
	char better[NETWORK_TEXT_SIZE];
	suggest(*address, written, better);
	return sluice_error_set(error, "%s has bits set after its prefix; did you mean %s?", text, better);
}

bool network_parse(const char *text, struct network *out, struct sluice_error *error)
{
	struct network network = {.prefix = 128};
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t size = slash ? (size_t)(slash - text) : strlen(text);
	bool fits = size < sizeof(address);
	if (fits) {
		memcpy(address, text, size);
		address[size] = '\0';
		fits = ip_address_parse(address, &network.address);
	}
	if (!fits)
		return sluice_error_set(
			error, "expected an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32, got %.*s",
			GOT_MAX, *text ? text : "an empty text");
	if (slash) {
		bool four = !strchr(address, ':');
		unsigned most = four ? 32 : 128, written;
		if (!parse_prefix(slash + 1, most, &written))
			return sluice_error_set(error, "expected a prefix of 0..%u after the slash, got %.*s", most,
			                        GOT_MAX, text);
		network.prefix = four ? MAPPED_PREFIX + written : written;
		struct ip_address before = network.address;
		clear_after(&network.address, network.prefix);
		if (memcmp(&before, &network.address, sizeof(before)) != 0)
			return refuse_bits(&before, written, text, error);
	}
	*out = network;
	return true;
}

bool network_contains(const struct network *network, const struct ip_address *address)
{
	struct ip_address start = *address;
	if (network->prefix < MAPPED_PREFIX && ip_address_is_ipv4(address))
		return false;
	clear_after(&start, network->prefix);
	return memcmp(&start, &network->address, sizeof(start)) == 0;
}

bool network_list_contains(const struct network_list *list, const struct ip_address *address)
{
	for (size_t i = 0; i < list->count; i++) {
		if (network_contains(&list->items[i], address))
			return true;
	}
	return false;
}
