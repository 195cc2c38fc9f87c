/*
 * A sender that writes what it likes: HTTP by hand over a socket, each step with a deadline that fails the running
 * test.
 */
#ifndef TESTS_WIRE_H
#define TESTS_WIRE_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WIRE_PATIENCE_MS = 10000, WIRE_ANSWER_SIZE = 1 << 18 };

/* One answer: all of it as text, and its parts. */
struct wire_answer {
	int status; /* 0: the connection ended without one */
	size_t size;
	const char *body;
	size_t body_size;
	char text[WIRE_ANSWER_SIZE];
};

/* The port in "http://127.0.0.1:5000". */
static inline int wire_port(const char *url)
{
	return atoi(strrchr(url, ':') + 1);
}

static inline int wire_connect(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	int on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void wire_send(int fd, const void *data, size_t size)
{
	const char *at = data;
	while (size > 0) {
		ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
		if (sent <= 0)
			return; /* the server has closed: what it said first is to be read */
		at += sent;
		size -= (size_t)sent;
	}
}

static inline void wire_say(int fd, const char *text)
{
	wire_send(fd, text, strlen(text));
}

/* Some bytes; 0 when the connection has ended. */
static inline size_t wire_receive(int fd, char *buffer, size_t room)
{
	struct pollfd watched = {.fd = fd, .events = POLLIN};
	int ready;
	while ((ready = poll(&watched, 1, WIRE_PATIENCE_MS)) < 0 && errno == EINTR)
		;
	ck_assert_msg(ready == 1, "nothing came in time");
	ssize_t received = recv(fd, buffer, room, 0);
	return received > 0 ? (size_t)received : 0;
}

static inline bool wire_is_closed(int fd)
{
	char byte;
	return wire_receive(fd, &byte, 1) == 0;
}

static inline bool wire_has_nothing(int fd, int within_ms)
{
	struct pollfd watched = {.fd = fd, .events = POLLIN};
	return poll(&watched, 1, within_ms) == 0;
}

/* The value of a header field, copied into `value`; "" if it is not there. */
static inline const char *wire_header(const struct wire_answer *answer, const char *name, char value[256])
{
	size_t length = strlen(name);
	value[0] = '\0';
	for (const char *line = answer->text; line && line < answer->body; line = strstr(line, "\r\n")) {
		line += strncmp(line, "\r\n", 2) == 0 ? 2 : 0;
		if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
			(void)sscanf(line + length + 1, " %255[^\r]", value);
			return value;
		}
	}
	return value;
}

static inline bool wire_is_complete(struct wire_answer *answer)
{
	char length[256];
	const char *end = strstr(answer->text, "\r\n\r\n");
	if (!end)
		return false;
	answer->body = end + 4;
	answer->body_size = answer->size - (size_t)(answer->body - answer->text);
	wire_header(answer, "Content-Length", length);
	return answer->body_size >= (size_t)atoi(length);
}

/* Reads one answer; 100 Continue is passed over. Bytes of a further answer must not be there yet. */
static inline void wire_read(int fd, struct wire_answer *answer)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	memset(answer, 0, offsetof(struct wire_answer, text));
	answer->text[0] = '\0';
	for (;;) {
		size_t received = wire_receive(fd, answer->text + answer->size,
		                               sizeof(answer->text) - answer->size - 1);
		if (received == 0)
			return;
		answer->size += received;
		answer->text[answer->size] = '\0';
		if (strncmp(answer->text, go_on, strlen(go_on)) == 0) {
			answer->size -= strlen(go_on);
			memmove(answer->text, answer->text + strlen(go_on), answer->size + 1);
		}
		if (!wire_is_complete(answer))
			continue;
		answer->status = atoi(answer->text + strlen("HTTP/1.1 "));
		return;
	}
}

/* POST of a body; `fields` are further header lines, each with its CRLF. */
static inline void wire_post(int fd, const char *path, const char *fields, const void *body, size_t size)
{
	char head[4096];
	(void)snprintf(
		head, sizeof(head),
		"POST %s HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
		path, fields, size);
	wire_say(fd, head);
	wire_send(fd, body, size);
}

#endif
