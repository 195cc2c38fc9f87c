/*
 * bench-hostile PORT KIND SIZE MIB_PER_S SECONDS: sends bodies of SIZE bytes that are cheap to make and dear to parse, as
 * many as fit the rate, on four connections, and prints one line of names and values.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"

enum { CONNECTIONS = 4 };

#define OPEN_60 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
#define CLOSE_60 "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"

static const struct kind {
	const char *name, *open;
	const char *part; /* again and again; NULL: members with different keys */
	const char *close;
} kinds[] = {
	{"objects", "\"payload\":[{}", ",{}", "]"},
	{"arrays", "\"payload\":[[]", ",[]", "]"},
	{"ones", "\"payload\":[1", ",1", "]"},
	{"numbers", "\"payload\":[1", ",1e308", "]"},
	{"escapes", "\"payload\":\"", "\\u00e9", "\""},
	{"deep", "\"payload\":[1", "," OPEN_60 "1" CLOSE_60, "]"},
	{"keys", "\"payload\":1", NULL, ""},
	{"unstored", "\"payload\":1,\"more\":[{}", ",{}", "]"},
	{"cut", "\"payload\":[{}", ",{}", ""}, /* not JSON, as is seen at its very end */
};

struct flood {
	const struct kind *kind;
	size_t size;
	int port;
	int64_t start_ns, end_ns, pause_ns; /* between two bodies of one connection */
	unsigned number;
	size_t sent, kept, refused;
};

static void make_body(const struct flood *flood, struct buffer *body)
{
	buffer_empty(body);
	buffer_printf(body, "{\"messageId\":\"%s-%u-%zu\",\"eventType\":\"t\",%s", flood->kind->name, flood->number,
	              flood->sent, flood->kind->open);
	for (size_t i = 0; body->size + 160 < flood->size; i++) {
		if (flood->kind->part)
			buffer_add_text(body, flood->kind->part);
		else
			buffer_printf(body, ",\"%zx\":1", i);
	}
	buffer_printf(body, "%s}", flood->kind->close);
	while (body->size < flood->size)
		buffer_add_text(body, " ");
}

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		perror("bench-hostile");
		exit(2);
	}
	return fd;
}

static bool send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		data += sent;
		size -= (size_t)sent;
	}
	return true;
}

/* The status, or 0. */
static int post(const struct flood *flood, const struct buffer *body)
{
	char head[256], response[4096] = "";
	int size = snprintf(head, sizeof(head),
	                    "POST /webhooks HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: "
	                    "application/json\r\nContent-Length: %zu\r\n\r\n",
	                    body->size);
	int fd = connect_to(flood->port), status = 0;
	if (send_all(fd, head, (size_t)size) && send_all(fd, body->data, body->size) &&
	    recv(fd, response, sizeof(response) - 1, 0) > 12)
		status = (int)strtol(response + 9, NULL, 10);
	(void)close(fd);
	return status;
}

static void sleep_until(int64_t ns)
{
	struct timespec time = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		continue;
}

static void *flood_one(void *context)
{
	struct flood *flood = context;
	struct buffer body = {0};
	for (;;) {
		int64_t due_ns = flood->start_ns + (int64_t)flood->sent * flood->pause_ns;
		if (due_ns >= flood->end_ns)
			break;
		make_body(flood, &body);
		sleep_until(due_ns);
		int status = post(flood, &body);
		flood->sent++;
		flood->kept += status / 100 == 2;
		flood->refused += status / 100 == 4;
	}
	buffer_finish(&body);
	return NULL;
}

int main(int argc, char **argv)
{
	const struct kind *kind = NULL;
	for (size_t i = 0; argc == 6 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		kind = strcmp(argv[2], kinds[i].name) == 0 ? &kinds[i] : kind;
	if (!kind) {
		(void)fprintf(stderr, "usage: %s PORT KIND SIZE MIB_PER_S SECONDS\n", argv[0]);
		return 2;
	}
	struct flood floods[CONNECTIONS];
	pthread_t threads[CONNECTIONS];
	int64_t start_ns = clock_now_ns();
	size_t size = strtoul(argv[3], NULL, 10), sent = 0, kept = 0, refused = 0;
	int64_t pause_ns = (int64_t)((double)CONNECTIONS * (double)size * 1e9 / 1048576 / strtod(argv[4], NULL));
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		floods[i] = (struct flood){
			.kind = kind,
			.size = size,
			.port = (int)strtol(argv[1], NULL, 10),
			.start_ns = start_ns + i * pause_ns / CONNECTIONS,
			.end_ns = start_ns + strtol(argv[5], NULL, 10) * NS_PER_S,
			.pause_ns = pause_ns,
			.number = i,
		};
		if (pthread_create(&threads[i], NULL, flood_one, &floods[i]) != 0)
			return 2;
	}
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		(void)pthread_join(threads[i], NULL);
		sent += floods[i].sent;
		kept += floods[i].kept;
		refused += floods[i].refused;
	}
	double seconds = (double)(clock_now_ns() - start_ns) / 1e9;
	(void)printf("sent=%zu kept=%zu refused=%zu mib_per_s=%.1f\n", sent, kept, refused,
	             (double)sent * (double)size / 1048576 / seconds);
	return 0;
}
