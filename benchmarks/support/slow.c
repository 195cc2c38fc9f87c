/*
 * bench-slow PORT COUNT: keeps COUNT connections to a webhook listener open that never complete a request, in equal parts
 * silent from the start, idle after a response, slow in the head, slow in the body. Each is looked at once a second: it
 * sends a byte, or is opened again where the server has closed it. Prints `ready` when all have been opened once, and
 * ends with its standard input.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROUNDS_A_SECOND = 100, ROUND_MS = 1000 / ROUNDS_A_SECOND };

static const struct kind {
	const char *beginning;
	bool goes_on; /* a byte a second */
} kinds[] = {
	{"", false},
	{"GET /nothing HTTP/1.1\r\nHost: slow\r\n\r\n", false},
	{"POST /webhooks HTTP/1.1\r\nHost: slow\r\nX-Slow: ", true},
	{"POST /webhooks HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n\r\n{", true},
};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

static struct sockaddr_in address;
static size_t opened;

static int open_one(const struct kind *kind)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    send(fd, kind->beginning, strlen(kind->beginning), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		(void)close(fd);
		return -1;
	}
	opened++;
	return fd;
}

static bool is_closed(int fd)
{
	char ignored[1024];
	ssize_t got;
	while ((got = recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT)) > 0)
		;
	return got == 0;
}

static void visit(int *fd, const struct kind *kind)
{
	if (*fd >= 0 && (is_closed(*fd) || (kind->goes_on && send(*fd, "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0))) {
		(void)close(*fd);
		*fd = -1;
	}
	if (*fd < 0)
		*fd = open_one(kind);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		(void)fprintf(stderr, "usage: %s PORT COUNT\n", argv[0]);
		return 2;
	}
	const size_t count = (size_t)strtoul(argv[2], NULL, 10);
	address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct rlimit limit;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	int *fds = malloc((count + 1) * sizeof(*fds));
	if (!fds)
		return 2;
	for (size_t i = 0; i < count; i++)
		fds[i] = -1;
	struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
	for (size_t round = 0; poll(&end, 1, ROUND_MS) == 0; round++) {
		const size_t part = round % ROUNDS_A_SECOND;
		for (size_t i = part; i < count; i += ROUNDS_A_SECOND)
			visit(&fds[i], &kinds[i % KIND_COUNT]);
		if (round == ROUNDS_A_SECOND) {
			(void)printf("ready http://127.0.0.1:%s\n", argv[1]);
			(void)fflush(stdout);
		}
	}
	(void)fprintf(stderr, "opened=%zu\n", opened);
	free(fds);
	return 0;
}
