/* A TCP proxy before a PostgreSQL. */
#include "support/proxy.h"

#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 65536, ROUND_MS = 20 };

struct link {
	struct proxy *proxy;
	int client, server;
};

static bool pass_on(int from, int to, char *data, ssize_t *size_out)
{
	*size_out = read(from, data, PIECE);
	for (ssize_t at = 0; at < *size_out;) {
		ssize_t written = write(to, data + at, (size_t)(*size_out - at));
		if (written <= 0)
			return false;
		at += written;
	}
	return *size_out > 0;
}

static bool contains(const char *data, ssize_t size, const void *part, size_t part_size)
{
	return memmem(data, (size_t)size, part, part_size) != NULL;
}

/* "COMMIT" with its final NUL is the whole of a statement. A prepared one of Sluice's is a transaction of its own; its name
 * is in the message that binds parameters, behind the empty name of a portal. */
static bool commits(const char *data, ssize_t size)
{
	static const char prepared[] = "\0sluice_";
	return contains(data, size, "COMMIT", sizeof("COMMIT")) || contains(data, size, prepared, sizeof(prepared) - 1);
}

static bool is_cut(struct proxy *proxy)
{
	if (atomic_load(&proxy->cut_commits) <= 0)
		return false;
	atomic_fetch_sub(&proxy->cut_commits, 1);
	return true;
}

/* NoticeResponse, which a server may send at any time: its type, its length without that, fields, a NUL. */
static bool warn(int client, const char *function)
{
	char notice[256] = "N";
	int size = 5 +
	           snprintf(notice + 5, sizeof(notice) - 5, "SWARNING%cVWARNING%cC01000%cMwords%cR%s%c", 0, 0, 0, 0,
	                    function, 0) +
	           1;
	uint32_t length = htonl((uint32_t)size - 1);
	memcpy(notice + 1, &length, sizeof(length));
	return write(client, notice, (size_t)size) == size;
}

/* What was let through is a COMMIT: false if that is the end of the link. */
static bool harm(struct link *link, char *data)
{
	const char *function = atomic_load(&link->proxy->warning);
	if (is_cut(link->proxy))
		return read(link->server, data, PIECE) < 0;
	return !function || warn(link->client, function);
}

static void *serve_link(void *context)
{
	struct link *link = context;
	char *data = malloc(PIECE);
	struct pollfd ends[] = {{.fd = link->client, .events = POLLIN}, {.fd = link->server, .events = POLLIN}};
	bool open = true;
	while (open && !atomic_load(&link->proxy->stopping)) {
		ssize_t size = 0;
		if (atomic_load(&link->proxy->frozen)) {
			(void)usleep(ROUND_MS * 1000);
			continue;
		}
		if (poll(ends, 2, ROUND_MS) <= 0)
			continue;
		if (ends[0].revents) {
			open = pass_on(link->client, link->server, data, &size);
			if (open && commits(data, size))
				open = harm(link, data);
		} else if (ends[1].revents) {
			open = pass_on(link->server, link->client, data, &size);
		}
	}
	(void)close(link->client);
	(void)close(link->server);
	atomic_fetch_sub(&link->proxy->links, 1);
	free(data);
	free(link);
	return NULL;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int listen_silently(int *port_out)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	*port_out = ntohs(address.sin_port);
	return listener;
}

/* A server that is away refuses: then so does the proxy. */
static void add_link(struct proxy *proxy, int client)
{
	pthread_t thread;
	struct link *link = malloc(sizeof(*link));
	struct sockaddr_in address = loopback(atomic_load(&proxy->server_port));
	*link = (struct link){.proxy = proxy, .client = client, .server = socket(AF_INET, SOCK_STREAM, 0)};
	if (connect(link->server, (struct sockaddr *)&address, sizeof(address)) != 0) {
		(void)close(link->server);
		(void)close(client);
		free(link);
		return;
	}
	atomic_fetch_add(&proxy->links, 1);
	if (pthread_create(&thread, NULL, serve_link, link) != 0)
		abort();
	(void)pthread_detach(thread);
}

static void *accept_links(void *context)
{
	struct proxy *proxy = context;
	struct pollfd listener = {.fd = proxy->listener, .events = POLLIN};
	while (!atomic_load(&proxy->stopping)) {
		if (poll(&listener, 1, ROUND_MS) <= 0)
			continue;
		int client = accept(proxy->listener, NULL, NULL);
		if (client >= 0)
			add_link(proxy, client);
	}
	return NULL;
}

void proxy_start(struct proxy *proxy, int server_port)
{
	*proxy = (struct proxy){.server_port = server_port};
	proxy->listener = listen_silently(&proxy->port);
	ck_assert_int_eq(pthread_create(&proxy->thread, NULL, accept_links, proxy), 0);
}

void proxy_stop(struct proxy *proxy)
{
	atomic_store(&proxy->stopping, true);
	(void)pthread_join(proxy->thread, NULL);
	(void)close(proxy->listener);
	while (atomic_load(&proxy->links) > 0)
		(void)usleep(1000);
}
