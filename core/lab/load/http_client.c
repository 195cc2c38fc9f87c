/*
 * HTTP clients; see http_client.h.
 */
#include "lab/load/http_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

void http_client_init(struct http_client *client, int epoll, const struct addrinfo *address)
{
	*client = (struct http_client){.fd = -1, .epoll = epoll, .address = address};
}

static void shut(struct http_client *client, enum http_client_state state)
{
	if (client->fd >= 0)
		(void)close(client->fd);
	client->fd = -1;
	client->state = state;
}

void http_client_finish(struct http_client *client)
{
	shut(client, HTTP_CLIENT_CLOSED);
	buffer_finish(&client->out);
}

bool http_client_open(struct http_client *client)
{
	const struct addrinfo *address = client->address;
	int on = 1;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = client};
	client->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	client->state = HTTP_CLIENT_CONNECTING;
	client->failure = 0;
	if (client->fd < 0)
		goto fail;
	(void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(client->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (connect(client->fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS)
		goto fail;
	if (epoll_ctl(client->epoll, EPOLL_CTL_ADD, client->fd, &event) == 0)
		return true;
fail:
	client->failure = errno;
	shut(client, HTTP_CLIENT_CLOSED);
	return false;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* What the end of the connection means where it stands. A reset one ends no answer: RFC 9112, section 8. */
static void take_end(struct http_client *client, bool in_order)
{
	if (client->state == HTTP_CLIENT_IDLE) {
		shut(client, HTTP_CLIENT_CLOSED);
		return;
	}
	if (in_order)
		http_response_end(&client->response);
	shut(client, client->response.state == RESPONSE_DONE ? HTTP_CLIENT_ANSWERED : HTTP_CLIENT_FAILED);
}

static void take_bytes(struct http_client *client, const char *data, size_t size)
{
	if (client->state != HTTP_CLIENT_BUSY) { /* nobody asked: what follows cannot be told apart from an answer */
		shut(client, client->state == HTTP_CLIENT_ANSWERED ? HTTP_CLIENT_ANSWERED : HTTP_CLIENT_CLOSED);
		return;
	}
	size_t taken = http_response_take(&client->response, data, size);
	bool is_clean = taken == size && client->out_at == client->out.size;
	if (client->response.state == RESPONSE_BROKEN)
		shut(client, HTTP_CLIENT_FAILED);
	else if (client->response.state == RESPONSE_DONE && is_clean)
		client->state = HTTP_CLIENT_ANSWERED;
	else if (client->response.state == RESPONSE_DONE) /* answered too early, or more than once */
		shut(client, HTTP_CLIENT_ANSWERED);
}

/* The system's stamp on what was received, moved from the wall clock to the monotonic one. */
static int64_t stamp_of(struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		struct timespec at;
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&at, CMSG_DATA(part), sizeof(at));
		return clock_now_ns() - (clock_wall_ns() - (at.tv_sec * NS_PER_S + at.tv_nsec));
	}
	return 0;
}

static ssize_t receive(struct http_client *client, char *data, size_t room)
{
	_Alignas(struct cmsghdr) char parts[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec into = {.iov_base = data, .iov_len = room};
	struct msghdr message = {
		.msg_iov = &into, .msg_iovlen = 1, .msg_control = parts, .msg_controllen = sizeof(parts)};
	ssize_t got = recvmsg(client->fd, &message, 0);
	if (got > 0)
		client->came_ns = stamp_of(&message);
	return got;
}

/* A read that does not fill the room has emptied the socket: see epoll(7), on edges and streams. */
static void read_in(struct http_client *client, bool to_the_end)
{
	enum { ROOM = 16384 };
	char data[ROOM];
	while (client->fd >= 0) {
		ssize_t got = receive(client, data, sizeof(data));
		if (got < 0 && would_block())
			return;
		if (got <= 0) {
			take_end(client, got == 0);
			return;
		}
		take_bytes(client, data, (size_t)got);
		if (got < ROOM && !to_the_end)
			return;
	}
}

/* A server that refuses early may close before it has read everything: its answer counts. */
static void write_out(struct http_client *client)
{
	while (client->out_at < client->out.size) {
		ssize_t sent = send(client->fd, client->out.data + client->out_at, client->out.size - client->out_at,
		                    MSG_NOSIGNAL);
		if (sent < 0 && would_block())
			return;
		if (sent < 0) {
			read_in(client, true);
			return;
		}
		client->out_at += (size_t)sent;
	}
}

void http_client_send(struct http_client *client)
{
	client->out_at = 0;
	client->came_ns = 0;
	http_response_begin(&client->response);
	if (client->state == HTTP_CLIENT_CLOSED) {
		if (!http_client_open(client))
			client->state = HTTP_CLIENT_FAILED;
		return;
	}
	client->state = HTTP_CLIENT_BUSY;
	write_out(client);
}

static void finish_connecting(struct http_client *client)
{
	socklen_t size = sizeof(client->failure);
	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &client->failure, &size) != 0)
		client->failure = errno;
	bool has_request = client->out.size > 0;
	if (client->failure)
		shut(client, has_request ? HTTP_CLIENT_FAILED : HTTP_CLIENT_CLOSED);
	else
		client->state = has_request ? HTTP_CLIENT_BUSY : HTTP_CLIENT_IDLE;
}

void http_client_work(struct http_client *client, bool ended)
{
	if (client->state == HTTP_CLIENT_CONNECTING)
		finish_connecting(client);
	if (client->state == HTTP_CLIENT_BUSY)
		write_out(client);
	if (client->state == HTTP_CLIENT_BUSY || client->state == HTTP_CLIENT_IDLE)
		read_in(client, ended);
}

void http_client_release(struct http_client *client)
{
	buffer_empty(&client->out);
	if (client->fd >= 0 && !client->response.closes && client->state == HTTP_CLIENT_ANSWERED)
		client->state = HTTP_CLIENT_IDLE;
	else
		shut(client, HTTP_CLIENT_CLOSED);
}

void http_client_abandon(struct http_client *client)
{
	shut(client, HTTP_CLIENT_FAILED);
}
