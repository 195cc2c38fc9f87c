/*
 * What the fuzz targets of the two listeners share: they send what they are given over a socket, close their side, and look
 * at what comes back.
 */
#ifndef TESTS_FUZZ_EXCHANGE_H
#define TESTS_FUZZ_EXCHANGE_H

#include <check.h>
#include <signal.h>
#include <stdlib.h>

/* Check counts what a test has asserted; here is no test. */
#define _mark_point(file, line) ((void)0)
#define _ck_assert_failed(...) abort()

#include "support/puppet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

/* A head of a response, and how much follows it; 0: it is none. */
static inline size_t response_size(const char *text, size_t size, int *status_out)
{
	char head[8192];
	const char *end = memmem(text, size, "\r\n\r\n", 4);
	if (!end || (size_t)(end - text) >= sizeof(head) || sscanf(text, "HTTP/1.1 %3d ", status_out) != 1)
		return 0;
	size_t length = (size_t)(end - text) + 4;
	memcpy(head, text, length - 2);
	head[length - 2] = '\0';
	const char *field = strcasestr(head, "\r\nContent-Length: ");
	bool has_body = *status_out >= 200 && *status_out != 204 && *status_out != 304;
	return length + (field && has_body ? strtoul(field + 18, NULL, 10) : 0);
}

/* libFuzzer's alarm would interrupt connect(). Each step has a deadline of its own. */
static inline void block_alarm(void)
{
	sigset_t alarm;
	(void)sigemptyset(&alarm);
	(void)sigaddset(&alarm, SIGALRM);
	(void)pthread_sigmask(SIG_BLOCK, &alarm, NULL);
}

/* From one loopback address after the other: a million connections need more ports than one has. */
static inline int connect_to(int at_port)
{
	static uint32_t count;
	const int on = 1;
	struct sockaddr_in from = {.sin_family = AF_INET},
			   to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)at_port)};
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + count++ % 250);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	require(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0, "bind()");
	require(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect()");
	return fd;
}

/* Everything that comes back is a response, none of them says that the server is broken, and the connection ends. */
static inline void exchange(int at_port, const void *data, size_t size, bool may_be_head)
{
	static char text[1 << 20];
	int fd = connect_to(at_port);
	size_t total = 0, got;
	(void)!send(fd, data, size, MSG_NOSIGNAL);
	(void)shutdown(fd, SHUT_WR);
	while (total < sizeof(text) - 1 && (got = wire_receive(fd, text + total, sizeof(text) - 1 - total)) > 0)
		total += got;
	text[total] = '\0';
	(void)close(fd);
	for (size_t at = 0; at < total;) {
		int status = 0;
		size_t one = response_size(text + at, total - at, &status);
		require(one > 0 && status != 500, text);
		if (may_be_head) /* whose response has a length and no body */
			return;
		require(one <= total - at, text);
		at += one;
	}
}

#endif
