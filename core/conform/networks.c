/* See networks.h. */
#include "conform/networks.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conform/sample.h"

enum { NETWORKS_MAX = 32 };

struct network {
	int family;
	unsigned char base[16];
	unsigned bits, most;
};

static struct network networks[NETWORKS_MAX];
static size_t network_count;

static bool parse(const char *text, struct network *network)
{
	char address[INET6_ADDRSTRLEN + 8];
	size_t size = strcspn(text, "/");
	if (size >= sizeof(address))
		return false;
	(void)snprintf(address, sizeof(address), "%.*s", (int)size, text);
	*network = (struct network){.family = strchr(address, ':') ? AF_INET6 : AF_INET};
	network->most = network->family == AF_INET6 ? 128 : 32;
	network->bits = text[size] ? (unsigned)strtoul(text + size + 1, NULL, 10) : network->most;
	return inet_pton(network->family, address, network->base) == 1 && network->bits <= network->most;
}

static void note_option(struct check *check, const struct sluice_option *option)
{
	const char *given = check_option(check, option->name);
	char *copy = given ? strdup(given) : NULL, *rest = copy;
	for (char *item; (item = strsep(&rest, ",")) && network_count < NETWORKS_MAX;)
		network_count += parse(item, &networks[network_count]);
	free(copy);
}

static bool bit_of(const unsigned char *address, unsigned bit)
{
	return address[bit / 8] >> (7 - bit % 8) & 1;
}

static void set_bit(unsigned char *address, unsigned bit, bool value)
{
	unsigned char mask = (unsigned char)(0x80 >> bit % 8);
	address[bit / 8] = (unsigned char)(value ? address[bit / 8] | mask : address[bit / 8] & ~mask);
}

static bool is_in_any(int family, const unsigned char *address)
{
	for (size_t i = 0; i < network_count; i++) {
		unsigned bit = 0;
		while (bit < networks[i].bits && bit_of(networks[i].base, bit) == bit_of(address, bit))
			bit++;
		if (networks[i].family == family && bit == networks[i].bits)
			return true;
	}
	return false;
}

static enum sluice_verdict ask(struct check *check, struct bench *bench, const char *address, const char *header,
                               const char *value)
{
	struct sluice_event *event = sample_event(check, bench, 0);
	bench_set_client(event, address);
	if (header)
		bench_add_header(event, header, value);
	return sample_run(check, bench, event);
}

struct asking {
	struct check *check;
	struct bench *bench;
	enum sluice_verdict inside, outside;
};

static void expect_by_address(const struct asking *asking, int family, const unsigned char *address)
{
	char text[INET6_ADDRSTRLEN];
	bool is_inside = is_in_any(family, address);
	enum sluice_verdict expected = is_inside ? asking->inside : asking->outside;
	(void)inet_ntop(family, address, text, sizeof(text));
	enum sluice_verdict verdict = ask(asking->check, asking->bench, text, NULL, NULL);
	check_that(asking->check, verdict == expected, "%s is %s the networks given: expected %s, got %s", text,
	           is_inside ? "in" : "outside", verdict_name(expected), verdict_name(verdict));
}

/* Its ends; and each bit of the prefix changed, with the other end of the rest. */
static void expect_each_bit(const struct asking *asking, const struct network *network)
{
	for (int end = 0; end < 2; end++) {
		unsigned char address[16];
		memcpy(address, network->base, sizeof(address));
		for (unsigned bit = network->bits; bit < network->most; bit++)
			set_bit(address, bit, end);
		expect_by_address(asking, network->family, address);
		for (unsigned bit = 0; bit < network->bits; bit++) {
			set_bit(address, bit, !bit_of(network->base, bit));
			expect_by_address(asking, network->family, address);
			set_bit(address, bit, bit_of(network->base, bit));
		}
	}
}

static void expect_no_forgery(const struct asking *asking, const char *inside, const char *outside)
{
	static const struct {
		const char *header, *value; /* I: an address inside, O: outside */
	} forgeries[] = {{"X-Forwarded-For", "I"},  {"X-Forwarded-For", "I, O"}, {"X-Forwarded-For", "O, I"},
	                 {"Forwarded", "for=I"},    {"X-Real-IP", "I"},          {"True-Client-IP", "I"},
	                 {"CF-Connecting-IP", "I"}, {"X-Client-IP", "I"}};
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(forgeries[0]); i++) {
		char value[256] = "";
		for (const char *c = forgeries[i].value; *c; c++) {
			size_t used = strlen(value);
			(void)snprintf(value + used, sizeof(value) - used,
			               *c == 'I'   ? "%s"
			               : *c == 'O' ? "%s"
			                           : "%.1s",
			               *c == 'I'   ? inside
			               : *c == 'O' ? outside
			                           : c);
		}
		enum sluice_verdict verdict = ask(asking->check, asking->bench, outside, forgeries[i].header, value);
		check_that(
			asking->check, verdict == asking->outside,
			"a request from %s with the header %s: %s, which anybody can write: expected %s, got %s: go by "
			"event->client_address",
			outside, forgeries[i].header, value, verdict_name(asking->outside), verdict_name(verdict));
	}
}

void networks_are_exact(struct check *check)
{
	const struct sluice_option *option = check_ops(check)->options;
	for (; option->type != SLUICE_TYPE_END; option++)
		note_option(check, option);
	if (network_count == 0)
		check_skip(check, "no option given names a network");
	struct asking asking = {.check = check, .bench = check_open(check)};
	char inside[INET6_ADDRSTRLEN], outside[INET6_ADDRSTRLEN];
	unsigned char other[16];
	(void)inet_ntop(networks[0].family, networks[0].base, inside, sizeof(inside));
	memcpy(other, networks[0].base, sizeof(other));
	for (unsigned bit = 0; is_in_any(networks[0].family, other) && bit < networks[0].bits; bit++)
		set_bit(other, bit, !bit_of(other, bit));
	(void)inet_ntop(networks[0].family, other, outside, sizeof(outside));
	asking.inside = ask(check, asking.bench, inside, NULL, NULL);
	asking.outside = ask(check, asking.bench, outside, NULL, NULL);
	if (asking.inside == asking.outside)
		check_skip(check, "a request from %s gets %s, and so does one from %s", inside,
		           verdict_name(asking.inside), outside);
	for (size_t i = 0; i < network_count; i++)
		expect_each_bit(&asking, &networks[i]);
	expect_no_forgery(&asking, inside, outside);
	check_that(check, ask(check, asking.bench, NULL, NULL, NULL) != SLUICE_PASS,
	           "a request from an unknown address passed: it is on no list of those that may, and on every list of "
	           "those that may not");
	bench_close(asking.bench);
}
