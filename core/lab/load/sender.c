/*
 * Senders; see sender.h.
 */
#include "lab/load/sender.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

void sender_init(struct sender *sender, int epoll, const struct addrinfo *address)
{
	*sender = (struct sender){.fd = -1, .epoll = epoll, .address = address};
}

static void shut(struct sender *sender, enum sender_state state)
{
	if (sender->fd >= 0)
		(void)close(sender->fd);
	sender->fd = -1;
	sender->state = state;
}

void sender_finish(struct sender *sender)
{
	shut(sender, SENDER_CLOSED);
	buffer_finish(&sender->out);
}

bool sender_open(struct sender *sender)
{
	const struct addrinfo *address = sender->address;
	int on = 1;
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = sender};
	sender->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	sender->state = SENDER_CONNECTING;
	sender->failure = 0;
	if (sender->fd < 0)
		goto fail;
	(void)setsockopt(sender->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(sender->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (connect(sender->fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS)
		goto fail;
	if (epoll_ctl(sender->epoll, EPOLL_CTL_ADD, sender->fd, &event) == 0)
		return true;
fail:
	sender->failure = errno;
	shut(sender, SENDER_CLOSED);
	return false;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* What the end of the connection means where it stands. A reset one ends no answer: RFC 9112, section 8. */
static void take_end(struct sender *sender, bool in_order)
{
	if (sender->state == SENDER_IDLE) {
		shut(sender, SENDER_CLOSED);
		return;
	}
	if (in_order)
		http_response_end(&sender->response);
	shut(sender, sender->response.state == RESPONSE_DONE ? SENDER_ANSWERED : SENDER_FAILED);
}

static void take_bytes(struct sender *sender, const char *data, size_t size)
{
	if (sender->state != SENDER_BUSY) { /* nobody asked: what follows cannot be told apart from an answer */
		shut(sender, sender->state == SENDER_ANSWERED ? SENDER_ANSWERED : SENDER_CLOSED);
		return;
	}
	size_t taken = http_response_take(&sender->response, data, size);
	bool is_clean = taken == size && sender->out_at == sender->out.size;
	if (sender->response.state == RESPONSE_BROKEN)
		shut(sender, SENDER_FAILED);
	else if (sender->response.state == RESPONSE_DONE && is_clean)
		sender->state = SENDER_ANSWERED;
	else if (sender->response.state == RESPONSE_DONE) /* answered too early, or more than once */
		shut(sender, SENDER_ANSWERED);
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

static ssize_t receive(struct sender *sender, char *data, size_t room)
{
	_Alignas(struct cmsghdr) char parts[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec into = {.iov_base = data, .iov_len = room};
	struct msghdr message = {
		.msg_iov = &into, .msg_iovlen = 1, .msg_control = parts, .msg_controllen = sizeof(parts)};
	ssize_t got = recvmsg(sender->fd, &message, 0);
	if (got > 0)
		sender->came_ns = stamp_of(&message);
	return got;
}

/* A read that does not fill the room has emptied the socket: see epoll(7), on edges and streams. */
static void read_in(struct sender *sender, bool to_the_end)
{
	enum { ROOM = 16384 };
	char data[ROOM];
	while (sender->fd >= 0) {
		ssize_t got = receive(sender, data, sizeof(data));
		if (got < 0 && would_block())
			return;
		if (got <= 0) {
			take_end(sender, got == 0);
			return;
		}
		take_bytes(sender, data, (size_t)got);
		if (got < ROOM && !to_the_end)
			return;
	}
}

/* A server that refuses early may close before it has read everything: its answer counts. */
static void write_out(struct sender *sender)
{
	while (sender->out_at < sender->out.size) {
		ssize_t sent = send(sender->fd, sender->out.data + sender->out_at, sender->out.size - sender->out_at,
		                    MSG_NOSIGNAL);
		if (sent < 0 && would_block())
			return;
		if (sent < 0) {
			read_in(sender, true);
			return;
		}
		sender->out_at += (size_t)sent;
	}
}

void sender_send(struct sender *sender)
{
	sender->out_at = 0;
	sender->came_ns = 0;
	http_response_begin(&sender->response);
	if (sender->state == SENDER_CLOSED) {
		if (!sender_open(sender))
			sender->state = SENDER_FAILED;
		return;
	}
	sender->state = SENDER_BUSY;
	write_out(sender);
}

static void finish_connecting(struct sender *sender)
{
	socklen_t size = sizeof(sender->failure);
	if (getsockopt(sender->fd, SOL_SOCKET, SO_ERROR, &sender->failure, &size) != 0)
		sender->failure = errno;
	bool has_request = sender->out.size > 0;
	if (sender->failure)
		shut(sender, has_request ? SENDER_FAILED : SENDER_CLOSED);
	else
		sender->state = has_request ? SENDER_BUSY : SENDER_IDLE;
}

void sender_work(struct sender *sender, bool ended)
{
	if (sender->state == SENDER_CONNECTING)
		finish_connecting(sender);
	if (sender->state == SENDER_BUSY)
		write_out(sender);
	if (sender->state == SENDER_BUSY || sender->state == SENDER_IDLE)
		read_in(sender, ended);
}

void sender_release(struct sender *sender)
{
	buffer_empty(&sender->out);
	if (sender->fd >= 0 && !sender->response.closes && sender->state == SENDER_ANSWERED)
		sender->state = SENDER_IDLE;
	else
		shut(sender, SENDER_CLOSED);
}

void sender_abandon(struct sender *sender)
{
	shut(sender, SENDER_FAILED);
}
