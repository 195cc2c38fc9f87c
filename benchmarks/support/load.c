/*
 * An epoll loop over keep-alive connections; see load.h.
 */
#include "support/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"

enum { NONE = -1, EVENTS_MAX = 256, ANSWER_MAX = 8192 };

struct connection {
	int fd;
	ssize_t request; /* in flight; NONE: free */
	int64_t since_ns;
	size_t got;
	char answer[ANSWER_MAX];
	struct connection *next_free;
};

struct loop {
	const struct load *load;
	struct load_result *result;
	int epoll;
	struct connection *connections;
	struct connection *free;
	size_t sent, answered;
	int64_t start_ns;
	struct buffer request;
};

static bool fail(const char *what)
{
	(void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	return false;
}

int load_connect(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	int on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool open_connections(struct loop *loop)
{
	loop->connections = must_calloc(loop->load->connections, sizeof(*loop->connections));
	for (size_t i = 0; i < loop->load->connections; i++)
		loop->connections[i].fd = -1;
	for (size_t i = 0; i < loop->load->connections; i++) {
		struct connection *connection = &loop->connections[i];
		connection->fd = load_connect(loop->load->port);
		if (connection->fd < 0)
			return fail("connect");
		connection->request = NONE;
		connection->next_free = loop->free;
		loop->free = connection;
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
		if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
			return fail("epoll_ctl");
	}
	return true;
}

static int64_t due_ns(const struct loop *loop, size_t i)
{
	return loop->start_ns + (int64_t)((double)i * 1e9 / loop->load->rate);
}

/* A request fits the socket's buffer: what does not is an error, not a case. */
static bool send_next(struct loop *loop, int64_t now)
{
	struct connection *connection = loop->free;
	loop->free = connection->next_free;
	size_t i = loop->sent++;
	bool open_loop = loop->load->rate > 0;
	buffer_empty(&loop->request);
	loop->load->write_request(loop->load->context, i, &loop->request);
	connection->request = (ssize_t)i;
	connection->since_ns = open_loop ? due_ns(loop, i) : now;
	connection->got = 0;
	loop->result->lag_ns[i] = open_loop ? now - connection->since_ns : 0;
	if (send(connection->fd, loop->request.data, loop->request.size, MSG_NOSIGNAL) != (ssize_t)loop->request.size)
		return fail("send");
	return true;
}

size_t load_answer_size(const char *answer, size_t size)
{
	const char *end = memmem(answer, size, "\r\n\r\n", 4);
	if (!end)
		return 0;
	const char *length = strcasestr(answer, "content-length:");
	size_t head = (size_t)(end - answer) + 4;
	size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
	return size >= head + body ? head + body : 0;
}

static bool receive(struct loop *loop, struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->answer + connection->got, ANSWER_MAX - 1 - connection->got, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0)
		return fail(got == 0 ? "the server closed a connection" : "recv");
	connection->got += (size_t)got;
	connection->answer[connection->got] = '\0';
	if (connection->request == NONE || load_answer_size(connection->answer, connection->got) == 0)
		return true;
	size_t i = (size_t)connection->request;
	loop->result->latency_ns[i] = clock_now_ns() - connection->since_ns;
	loop->result->status[i] = atoi(connection->answer + 9);
	connection->request = NONE;
	connection->next_free = loop->free;
	loop->free = connection;
	loop->answered++;
	return true;
}

static bool send_what_is_due(struct loop *loop)
{
	int64_t now = clock_now_ns();
	while (loop->sent < loop->load->count && loop->free &&
	       (loop->load->rate == 0 || due_ns(loop, loop->sent) <= now)) {
		if (!send_next(loop, now))
			return false;
		now = clock_now_ns();
	}
	return true;
}

static bool turn(struct loop *loop)
{
	struct epoll_event events[EVENTS_MAX];
	struct timespec wait = {.tv_sec = 30};
	if (loop->load->rate > 0 && loop->sent < loop->load->count && loop->free) {
		int64_t left = due_ns(loop, loop->sent) - clock_now_ns();
		left = left > 0 ? left : 0;
		wait = (struct timespec){.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};
	}
	int count = epoll_pwait2(loop->epoll, events, EVENTS_MAX, &wait, NULL);
	if (count < 0 && errno != EINTR)
		return fail("epoll_pwait2");
	if (count == 0 && wait.tv_sec == 30) {
		errno = ETIMEDOUT;
		return fail("no answer");
	}
	for (int i = 0; i < count; i++)
		if (!receive(loop, events[i].data.ptr))
			return false;
	return true;
}

bool load_run(const struct load *load, struct load_result *result_out)
{
	*result_out = (struct load_result){
		.latency_ns = must_calloc(load->count, sizeof(int64_t)),
		.lag_ns = must_calloc(load->count, sizeof(int64_t)),
		.status = must_calloc(load->count, sizeof(int)),
	};
	struct loop loop = {.load = load, .result = result_out, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	bool ok = loop.epoll >= 0 && open_connections(&loop);
	loop.start_ns = clock_now_ns();
	while (ok && loop.answered < load->count)
		ok = send_what_is_due(&loop) && turn(&loop);
	result_out->seconds = (double)(clock_now_ns() - loop.start_ns) / 1e9;
	for (size_t i = 0; loop.connections && i < load->connections; i++)
		if (loop.connections[i].fd >= 0)
			(void)close(loop.connections[i].fd);
	free(loop.connections);
	buffer_finish(&loop.request);
	if (loop.epoll >= 0)
		(void)close(loop.epoll);
	return ok;
}

void load_free(struct load_result *result)
{
	free(result->latency_ns);
	free(result->lag_ns);
	free(result->status);
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

int64_t load_quantile(int64_t *values, size_t count, double fraction)
{
	qsort(values, count, sizeof(*values), compare);
	size_t rank = (size_t)((double)count * fraction + 0.9999999);
	return values[rank > 0 ? rank - 1 : 0];
}
