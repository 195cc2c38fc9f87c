/*
 * Listening sockets; see listener.h.
 */
#include "serve/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The kernel cuts this to net.core.somaxconn. */
enum { BACKLOG = 4096 };

union address {
	struct sockaddr any;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static int listen_on(const struct addrinfo *info)
{
	int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int on = 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int cause = errno;
	(void)close(fd);
	errno = cause;
	return -1;
}

/* Which setting it is about, and what to do. */
static const struct {
	int cause;
	const char *setting, *advice;
} advices[] = {
	{EADDRINUSE, "port", "; another program uses it: stop that program, or set another port; 0 picks a free one"},
	{EACCES, "port",
         "; ports below 1024 require the capability CAP_NET_BIND_SERVICE: grant it with AmbientCapabilities= in the "
         "systemd unit or with `setcap cap_net_bind_service=+ep` on the program, or set a port from 1024 and forward to it"},
	{EADDRNOTAVAIL, "address", "; this machine has no such address: 0.0.0.0 or :: listens on all it has"},
	{EAFNOSUPPORT, "address", "; this machine has no IPv6: use an IPv4 address"},
	{0, "address", ""},
};

static void explain(const char *section, const char *address, int64_t port, int cause, struct sluice_error *error)
{
	size_t row = 0;
	while (advices[row].cause && advices[row].cause != cause)
		row++;
	(void)sluice_error_set(error, "%s.%s: cannot listen on %s port %lld: %s%s", section, advices[row].setting,
	                       address, (long long)port, strerror(cause), advices[row].advice);
}

int listener_open(const char *section, const char *address, int64_t port, struct sluice_error *error)
{
	char service[24];
	(void)snprintf(service, sizeof(service), "%lld", (long long)port);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	int failure = getaddrinfo(address, service, &hints, &found);
	if (failure != 0) {
		(void)sluice_error_set(error, "%s.address: cannot listen on %s port %lld: %s", section, address,
		                       (long long)port, gai_strerror(failure));
		return -1;
	}
	int fd = listen_on(found);
	int cause = errno;
	freeaddrinfo(found);
	if (fd < 0)
		explain(section, address, port, cause, error);
	return fd;
}

static union address name_of(int fd)
{
	union address address = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t size = sizeof(address);
	(void)getsockname(fd, &address.any, &size);
	return address;
}

void listener_get_url(int fd, char url[LISTENER_URL_SIZE])
{
	const union address address = name_of(fd);
	char host[INET6_ADDRSTRLEN] = "";
	if (address.any.sa_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &address.in6.sin6_addr, host, sizeof(host));
		(void)snprintf(url, LISTENER_URL_SIZE, "http://[%s]:%u", host, ntohs(address.in6.sin6_port));
	} else {
		(void)inet_ntop(AF_INET, &address.in4.sin_addr, host, sizeof(host));
		(void)snprintf(url, LISTENER_URL_SIZE, "http://%s:%u", host, ntohs(address.in4.sin_port));
	}
}

bool listener_is_loopback(int fd)
{
	const union address address = name_of(fd);
	if (address.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address.in6.sin6_addr);
	return address.any.sa_family == AF_INET && (ntohl(address.in4.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
}
