/*
 * IP addresses and networks, IPv4 and IPv6 alike: which client stands behind a proxy that is trusted.
 *
 * IPv4 is kept as IPv6 maps it (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), so a client of a dual-stack socket matches
 * the IPv4 network it belongs to. An IPv6 network as wide as ::/0 has no IPv4 address all the same.
 */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

enum { IP_ADDRESS_TEXT_SIZE = 46 }; /* with the NUL */

struct sockaddr;

struct ip_address {
	uint8_t bytes[16];
};

struct network {
	struct ip_address address; /* all bits after the prefix are 0 */
	unsigned prefix;           /* 0..128, of the 16 bytes: 96 + n for an IPv4 /n */
};

struct network_list {
	const struct network *items;
	size_t count;
};

/* "192.0.2.1" or "2001:db8::1"; no name, no port, no brackets, no zone. */
bool ip_address_parse(const char *text, struct ip_address *out);
/* As the peer of a socket; false if it is of another family. */
bool ip_address_from_socket(const struct sockaddr *socket_address, struct ip_address *out);
/* As text that ip_address_parse() reads: IPv4 with dots, IPv6 in the short form of RFC 5952. */
void ip_address_format(const struct ip_address *address, char text[IP_ADDRESS_TEXT_SIZE]);
bool ip_address_is_ipv4(const struct ip_address *address);
bool ip_address_is_loopback(const struct ip_address *address); /* 127.0.0.0/8 and ::1 */
/* What stands for who is behind an address: itself, or the /64 of IPv6, whose other bits its owner chooses. */
struct ip_address ip_address_network(const struct ip_address *address);

/* An address, or CIDR (RFC 4632, RFC 4291 section 2.3): "10.0.0.0/8", "2001:db8::/32". An address alone is the network
 * of itself. Bits set after the prefix are refused: 10.1.0.0/8 might mean 10.0.0.0/8 or 10.1.0.0/16. The sentence has
 * no name in front. */
bool network_parse(const char *text, struct network *out, struct sluice_error *error);

bool network_contains(const struct network *network, const struct ip_address *address);
bool network_list_contains(const struct network_list *list, const struct ip_address *address);

#endif
