/*
 * bench-relay PORT MS: a line as long as MS milliseconds each way, to 127.0.0.1:PORT. Passes every byte on in its
 * order, MS after it came, with no bound on the bytes on their way; says `ready http://127.0.0.1:PORT` with the port it
 * listens on. What it does not delay is the TCP handshake: making a connection is one round trip cheaper than on a real
 * line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

enum { PIECE_SIZE = 16384, EVENTS_MAX = 64 };

/* Bytes on their way; none: the sender has closed its side. */
struct piece {
	int64_t due_ns;
	size_t size, at;
	struct piece *next;
	char data[];
};

/* One end of a connection; what is read from it goes to its peer. */
struct end {
	int fd;
	struct end *peer;
	struct piece *first, *last; /* for this end, in the order of their time */
	bool stuck;                 /* its socket takes no more at present */
	struct end *next;           /* of all ends */
};

struct relay {
	int epoll, listener;
	int64_t delay_ns;
	struct sockaddr_in target;
	struct end *ends;
};

_Noreturn static void fail(const char *what)
{
	(void)fprintf(stderr, "bench-relay: %s: %s\n", what, strerror(errno));
	exit(2);
}

static struct end *add_end(struct relay *relay, int fd)
{
	int on = 1;
	struct end *end = must_calloc(1, sizeof(*end));
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = end};
	end->fd = fd;
	end->next = relay->ends;
	relay->ends = end;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(relay->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("epoll_ctl");
	return end;
}

static void accept_all(struct relay *relay)
{
	int near;
	while ((near = accept4(relay->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (far < 0 || connect(far, (struct sockaddr *)&relay->target, sizeof(relay->target)) != 0 ||
		    fcntl(far, F_SETFL, O_NONBLOCK) != 0)
			fail("connect");
		struct end *a = add_end(relay, near), *b = add_end(relay, far);
		a->peer = b;
		b->peer = a;
	}
}

static void keep(struct relay *relay, struct end *end, const char *data, size_t size)
{
	struct piece *piece = must_alloc(sizeof(*piece) + size);
	*piece = (struct piece){.due_ns = clock_now_ns() + relay->delay_ns, .size = size};
	memcpy(piece->data, data, size);
	if (end->last)
		end->last->next = piece;
	else
		end->first = piece;
	end->last = piece;
}

static void read_all(struct relay *relay, struct end *end)
{
	char data[PIECE_SIZE];
	ssize_t got;
	while ((got = recv(end->fd, data, sizeof(data), 0)) > 0)
		keep(relay, end->peer, data, (size_t)got);
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		keep(relay, end->peer, NULL, 0);
}

/* False when the socket takes no more. */
static bool pass_on(struct end *end, struct piece *piece)
{
	while (piece->at < piece->size) {
		ssize_t sent = send(end->fd, piece->data + piece->at, piece->size - piece->at, MSG_NOSIGNAL);
		if (sent < 0 && errno == EAGAIN)
			return false;
		if (sent < 0)
			return true; /* the other side is gone, and these bytes with it */
		piece->at += (size_t)sent;
	}
	if (piece->size == 0)
		(void)shutdown(end->fd, SHUT_WR);
	return true;
}

/* Passes on what is due; returns when the next is, INT64_MAX for never. */
static int64_t pass_on_due(struct relay *relay)
{
	int64_t next_ns = INT64_MAX;
	int64_t now_ns = clock_now_ns();
	for (struct end *end = relay->ends; end; end = end->next) {
		struct piece *piece;
		while (!end->stuck && (piece = end->first) != NULL && piece->due_ns <= now_ns) {
			end->stuck = !pass_on(end, piece);
			if (end->stuck)
				break;
			end->first = piece->next;
			if (!end->first)
				end->last = NULL;
			free(piece);
		}
		if (!end->stuck && end->first && end->first->due_ns < next_ns)
			next_ns = end->first->due_ns;
	}
	return next_ns;
}

static void wait_and_read(struct relay *relay, int64_t until_ns)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t left_ns = until_ns == INT64_MAX ? -1 : until_ns > clock_now_ns() ? until_ns - clock_now_ns() : 0;
	struct timespec left = {.tv_sec = (time_t)(left_ns / NS_PER_S), .tv_nsec = (long)(left_ns % NS_PER_S)};
	int count = epoll_pwait2(relay->epoll, events, EVENTS_MAX, left_ns < 0 ? NULL : &left, NULL);
	for (int i = 0; i < count; i++) {
		struct end *end = events[i].data.ptr;
		if (!end) {
			accept_all(relay);
			continue;
		}
		end->stuck = false;
		if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			read_all(relay, end);
	}
}

static void start(struct relay *relay)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(own);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	relay->epoll = epoll_create1(EPOLL_CLOEXEC);
	relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (relay->epoll < 0 || relay->listener < 0 || bind(relay->listener, (struct sockaddr *)&own, size) != 0 ||
	    listen(relay->listener, SOMAXCONN) != 0 ||
	    getsockname(relay->listener, (struct sockaddr *)&own, &size) != 0 ||
	    epoll_ctl(relay->epoll, EPOLL_CTL_ADD, relay->listener, &event) != 0)
		fail("listen");
	(void)printf("ready http://127.0.0.1:%d\n", ntohs(own.sin_port));
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		(void)fprintf(stderr, "usage: %s PORT MS\n", argv[0]);
		return 2;
	}
	struct relay relay = {.delay_ns = (int64_t)(strtod(argv[2], NULL) * 1e6)};
	relay.target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
	relay.target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	start(&relay);
	for (;;)
		wait_and_read(&relay, pass_on_due(&relay));
}
