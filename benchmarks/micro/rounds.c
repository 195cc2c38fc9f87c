/*
 * bench-rounds ROUNDS COUNT CONNECTIONS PORT:PID…: compares servers, in rounds. In each round every server in turn, in
 * an order that is drawn again, answers COUNT webhooks over CONNECTIONS keep-alive connections, each of which sends its
 * next request when it has the answer to the last. Prints a line per round: for each server, in the order given, the
 * time and the server's processor time per request in ns.
 *
 * The client does not sleep within a turn: a server that answers a sleeping client also pays for waking it, so it would
 * be charged for being quicker than the client. After each round it rests for as long as the round took, so that it may
 * be given precedence over everything else on the machine.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "client/response.h"

enum { SERVERS_MAX = 8, EVENTS_MAX = 64, PIECE_SIZE = 4096 };

static const char request[] = "POST /webhooks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
			      "Content-Length: 67\r\n\r\n"
			      "{\"messageId\":\"bench\",\"eventType\":\"order.created\",\"payload\":{\"a\":1}}";

struct connection {
	int fd;
	struct http_response response;
};

struct server {
	int port;
	clockid_t clock; /* its processor time */
	int epoll;
	struct connection *connections;
	double wall_ns, cpu_ns; /* per request, in the current round */
};

_Noreturn static void fail(const char *what)
{
	(void)fprintf(stderr, "bench-rounds: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		fail("connect");
	return fd;
}

static void open_server(struct server *server, const char *port_and_pid, size_t connections)
{
	int pid;
	if (sscanf(port_and_pid, "%d:%d", &server->port, &pid) != 2 || clock_getcpuclockid(pid, &server->clock) != 0)
		fail(port_and_pid);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->connections = must_calloc(connections, sizeof(*server->connections));
	for (size_t i = 0; i < connections; i++) {
		struct connection *connection = &server->connections[i];
		connection->fd = connect_to(server->port);
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
		if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
			fail("epoll_ctl");
	}
}

static void send_request(struct connection *connection)
{
	http_response_begin(&connection->response);
	if (send(connection->fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != sizeof(request) - 1)
		fail("send");
}

/* Whether the answer is complete. */
static bool receive(struct connection *connection)
{
	char piece[PIECE_SIZE];
	ssize_t got = recv(connection->fd, piece, sizeof(piece), 0);
	if (got <= 0)
		fail("recv");
	(void)http_response_take(&connection->response, piece, (size_t)got);
	if (connection->response.state < RESPONSE_DONE)
		return false;
	if (connection->response.state != RESPONSE_DONE || connection->response.status != 202)
		fail("an answer that is not 202");
	return true;
}

static void exchange(struct server *server, size_t connections, size_t count)
{
	size_t sent = 0, answered = 0;
	for (; sent < connections && sent < count; sent++)
		send_request(&server->connections[sent]);
	while (answered < count) {
		struct epoll_event events[EVENTS_MAX];
		int ready = epoll_wait(server->epoll, events, EVENTS_MAX, 0);
		for (int i = 0; i < ready; i++) {
			struct connection *connection = events[i].data.ptr;
			if (!receive(connection))
				continue;
			answered++;
			if (sent < count) {
				send_request(connection);
				sent++;
			}
		}
	}
}

static int64_t cpu_ns(const struct server *server)
{
	struct timespec spent;
	if (clock_gettime(server->clock, &spent) != 0)
		fail("the server's processor time");
	return (int64_t)spent.tv_sec * NS_PER_S + spent.tv_nsec;
}

static void measure(struct server *server, size_t connections, size_t count)
{
	int64_t cpu = cpu_ns(server), start = clock_now_ns();
	exchange(server, connections, count);
	server->wall_ns = (double)(clock_now_ns() - start) / (double)count;
	server->cpu_ns = (double)(cpu_ns(server) - cpu) / (double)count;
}

static void shuffle(struct server **order, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = (size_t)random() % i;
		struct server *other = order[i - 1];
		order[i - 1] = order[j];
		order[j] = other;
	}
}

/* A turn for each server, and a rest. */
static void play_round(struct server **order, size_t server_count, size_t connections, size_t count)
{
	int64_t start = clock_now_ns();
	shuffle(order, server_count);
	for (size_t i = 0; i < server_count; i++)
		measure(order[i], connections, count);
	int64_t rest = clock_now_ns() - start;
	struct timespec pause = {.tv_sec = (time_t)(rest / NS_PER_S), .tv_nsec = (long)(rest % NS_PER_S)};
	(void)nanosleep(&pause, NULL);
}

int main(int argc, char **argv)
{
	if (argc < 5 || argc > 4 + SERVERS_MAX) {
		(void)fprintf(stderr, "usage: %s ROUNDS COUNT CONNECTIONS PORT:PID…\n", argv[0]);
		return 2;
	}
	size_t rounds = strtoul(argv[1], NULL, 10), count = strtoul(argv[2], NULL, 10);
	size_t connections = strtoul(argv[3], NULL, 10), server_count = (size_t)argc - 4;
	struct server servers[SERVERS_MAX], *order[SERVERS_MAX];
	srandom((unsigned)clock_now_ns());
	for (size_t i = 0; i < server_count; i++) {
		open_server(&servers[i], argv[4 + i], connections);
		order[i] = &servers[i];
		measure(&servers[i], connections, count); /* warm */
	}
	for (size_t round = 0; round < rounds; round++) {
		play_round(order, server_count, connections, count);
		for (size_t i = 0; i < server_count; i++)
			(void)printf("%.1f %.1f%c", servers[i].wall_ns, servers[i].cpu_ns,
			             i + 1 < server_count ? ' ' : '\n');
	}
	return 0;
}
