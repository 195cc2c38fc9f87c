/*
 * Targets; see replay_target.h.
 */
#include "lab/load/replay_target.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_TIMEOUT_S = 10 };

/* Copies what comes before any of `stops`, and goes behind it. */
static bool take_part(const char **at, char *out, size_t room, const char *stops)
{
	size_t size = strcspn(*at, stops);
	if (size == 0 || size >= room)
		return false;
	memcpy(out, *at, size);
	out[size] = '\0';
	*at += size;
	return true;
}

static bool take_host(const char **at, struct replay_target *target)
{
	if (**at != '[')
		return take_part(at, target->host, sizeof(target->host), ":/");
	*at += 1;
	return take_part(at, target->host, sizeof(target->host), "]") && *(*at)++ == ']';
}

static bool take_port(const char **at, struct replay_target *target)
{
	if (**at != ':')
		return true;
	*at += 1;
	return take_part(at, target->port, sizeof(target->port), "/") &&
	       target->port[strspn(target->port, "0123456789")] == '\0';
}

static bool take_path(const char **at, struct replay_target *target)
{
	if (**at == '/' && (*at)[1])
		return take_part(at, target->path, sizeof(target->path), " \t\r\n#");
	*at += **at == '/';
	return true;
}

bool replay_target_from_url(const char *url, struct replay_target *target_out, struct sluice_error *error)
{
	static const char scheme[] = "http://";
	const char *at = url + strlen(scheme);
	*target_out = (struct replay_target){.port = "80", .path = "/webhooks", .id_prefix = ""};
	if (strncasecmp(url, scheme, strlen(scheme)) == 0 && take_host(&at, target_out) && take_port(&at, target_out) &&
	    take_path(&at, target_out) && *at == '\0')
		return true;
	return sluice_error_set(error, "expected a URL such as http://127.0.0.1:5000/webhooks, got \"%s\"", url);
}

static bool accepts(const struct addrinfo *address)
{
	struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	bool connected = connect(fd, address->ai_addr, address->ai_addrlen) == 0;
	int cause = errno;
	(void)close(fd);
	errno = cause;
	return connected;
}

const struct addrinfo *replay_target_find(const struct replay_target *target, struct addrinfo **addresses_out,
                                          struct sluice_error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	*addresses_out = NULL;
	int failure = getaddrinfo(target->host, target->port, &hints, addresses_out);
	if (failure) {
		(void)sluice_error_set(error, "%s:%s: %s", target->host, target->port, gai_strerror(failure));
		return NULL;
	}
	const struct addrinfo *address = *addresses_out;
	while (address && !accepts(address))
		address = address->ai_next;
	if (!address)
		(void)sluice_error_set(error, "%s:%s: cannot connect: %s; is the server running?", target->host,
		                       target->port, strerror(errno));
	return address;
}
