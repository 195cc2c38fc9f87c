/*
 * A server by script; see scripted_server.h.
 */
#include "support/scripted_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"

enum { TIMEOUT_S = 60 };

const char *scripted_header(const struct scripted_request *request, const char *name, char value[256])
{
	size_t length = strlen(name);
	value[0] = '\0';
	for (const char *line = request->text; line && line < request->body; line = strstr(line, "\r\n")) {
		line += strncmp(line, "\r\n", 2) == 0 ? 2 : 0;
		if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
			(void)sscanf(line + length + 1, " %255[^\r]", value);
			return value;
		}
	}
	return value;
}

/* Whether the bytes are a whole request, or its head where that is enough. */
static bool is_complete(const struct scripted_server *server, struct scripted_request *request)
{
	char length[256];
	const char *end = strstr(request->text, "\r\n\r\n");
	if (!end)
		return false;
	request->body = end + 4;
	request->body_size = request->size - (size_t)(request->body - request->text);
	return server->answers_heads ||
	       request->body_size >= strtoul(scripted_header(request, "Content-Length", length), NULL, 10);
}

/* False: the connection has ended before one was there. */
static bool receive(const struct scripted_connection *connection, struct scripted_request *request)
{
	struct buffer text = {0};
	char data[65536];
	*request = (struct scripted_request){.connection = connection->number};
	for (;;) {
		ssize_t got = recv(connection->fd, data, sizeof(data), 0);
		if (got <= 0)
			break;
		buffer_add(&text, data, (size_t)got);
		request->text = text.data;
		request->size = text.size;
		if (is_complete(connection->server, request))
			return true;
	}
	buffer_finish(&text);
	return false;
}

static bool keep(struct scripted_server *server, struct scripted_request *request)
{
	(void)pthread_mutex_lock(&server->lock);
	bool kept = server->count < SCRIPTED_REQUESTS_MAX;
	if (kept) {
		request->number = server->count;
		request->at_ns = clock_now_ns();
		server->requests[server->count++] = *request;
	}
	(void)pthread_cond_broadcast(&server->changed);
	(void)pthread_mutex_unlock(&server->lock);
	return kept;
}

/* The end is said, then what still comes is read, so that nothing unread resets the connection. */
static void close_in_order(int fd)
{
	char data[4096];
	(void)shutdown(fd, SHUT_WR);
	while (recv(fd, data, sizeof(data), 0) > 0)
		;
}

static void *serve(void *context)
{
	struct scripted_connection *connection = context;
	struct scripted_server *server = connection->server;
	struct scripted_request request;
	while (receive(connection, &request)) {
		if (!keep(server, &request) || !server->answer(server, &request, connection->fd)) {
			close_in_order(connection->fd);
			break;
		}
	}
	(void)shutdown(connection->fd, SHUT_RDWR);
	return NULL;
}

static void take_connection(struct scripted_server *server, int fd)
{
	(void)pthread_mutex_lock(&server->lock);
	struct scripted_connection *connection = &server->connections[server->connection_count];
	*connection = (struct scripted_connection){.server = server, .number = server->connection_count, .fd = fd};
	bool runs = server->connection_count < SCRIPTED_CONNECTIONS_MAX - 1 &&
	            pthread_create(&connection->thread, NULL, serve, connection) == 0;
	server->connection_count += runs;
	(void)pthread_mutex_unlock(&server->lock);
	if (!runs)
		(void)close(fd);
}

static void *accept_all(void *context)
{
	struct scripted_server *server = context;
	for (int fd; (fd = accept(server->listener, NULL, NULL)) >= 0;)
		take_connection(server, fd);
	return NULL;
}

static void listen_somewhere(struct scripted_server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(server->listener, 0);
	ck_assert_int_eq(bind(server->listener, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(server->listener, SCRIPTED_CONNECTIONS_MAX), 0);
	ck_assert_int_eq(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
	server->port = ntohs(address.sin_port);
}

void scripted_start(struct scripted_server *server)
{
	sigset_t all, before;
	pthread_condattr_t attributes;
	listen_somewhere(server);
	(void)pthread_mutex_init(&server->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&server->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	ck_assert_int_eq(pthread_create(&server->thread, NULL, accept_all, server), 0);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void scripted_stop(struct scripted_server *server)
{
	(void)shutdown(server->listener, SHUT_RDWR);
	(void)pthread_join(server->thread, NULL);
	for (size_t i = 0; i < server->connection_count; i++)
		(void)shutdown(server->connections[i].fd, SHUT_RDWR);
	for (size_t i = 0; i < server->connection_count; i++) {
		(void)pthread_join(server->connections[i].thread, NULL);
		(void)close(server->connections[i].fd);
	}
	(void)close(server->listener);
}

void scripted_free(struct scripted_server *server)
{
	for (size_t i = 0; i < server->count; i++)
		free(server->requests[i].text);
	(void)pthread_mutex_destroy(&server->lock);
	(void)pthread_cond_destroy(&server->changed);
}

bool scripted_wait(struct scripted_server *server, size_t count)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += TIMEOUT_S;
	(void)pthread_mutex_lock(&server->lock);
	while (server->count < count && pthread_cond_timedwait(&server->changed, &server->lock, &until) == 0)
		;
	bool came = server->count >= count;
	(void)pthread_mutex_unlock(&server->lock);
	return came;
}

void scripted_take_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

enum { HELD_BACK_MS = 150 };

static void say(int fd, int status, const char *fields, int flags)
{
	char text[512];
	int size = snprintf(text, sizeof(text), "HTTP/1.1 %d x\r\nContent-Length: 0\r\n%s\r\n", status, fields);
	(void)send(fd, text, (size_t)size, MSG_NOSIGNAL | flags);
}

void scripted_say(int fd, int status, const char *fields)
{
	say(fd, status, fields, 0);
}

bool scripted_say_last(int fd, int status)
{
	int64_t began_ns = clock_now_ns();
	say(fd, status, "", MSG_MORE); /* held back, until the FIN goes out with it: for 200 ms at most */
	(void)shutdown(fd, SHUT_WR);
	return clock_now_ns() - began_ns < HELD_BACK_MS * NS_PER_MS;
}

bool scripted_accept(struct scripted_server *server, const struct scripted_request *request, int fd)
{
	(void)server;
	(void)request;
	scripted_say(fd, 202, "");
	return true;
}
