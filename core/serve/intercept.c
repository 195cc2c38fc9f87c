/*
 * recv() with a look at the bytes; see intercept.h.
 */
#include "serve/intercept.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"

enum {
	PAGE_SIZE = 1024,
	PAGES_MAX = 4096,      /* four million descriptors */
	DISCARD_MAX = 4 << 20, /* bytes behind a refusal that are read, so that the response is not lost to a reset */
};

/* Intercepts by descriptor. A page stays once it is there. */
struct page {
	_Atomic(struct intercept *) slots[PAGE_SIZE];
};
static _Atomic(struct page *) pages[PAGES_MAX];

static struct page *page_of(int fd)
{
	return fd >= 0 && fd / PAGE_SIZE < PAGES_MAX
	               ? atomic_load_explicit(&pages[fd / PAGE_SIZE], memory_order_acquire)
	               : NULL;
}

static struct intercept *find(int fd)
{
	struct page *page = page_of(fd);
	return page ? atomic_load_explicit(&page->slots[fd % PAGE_SIZE], memory_order_relaxed) : NULL;
}

bool intercept_begin(struct intercept *intercept, int fd)
{
	if (fd < 0 || fd / PAGE_SIZE >= PAGES_MAX)
		return false;
	struct page *page = page_of(fd);
	if (!page) {
		struct page *made = must_calloc(1, sizeof(*made));
		if (atomic_compare_exchange_strong(&pages[fd / PAGE_SIZE], &page, made))
			page = made;
		else
			free(made);
	}
	const int on = 1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof(on));
	atomic_store_explicit(&page->slots[fd % PAGE_SIZE], intercept, memory_order_relaxed);
	return true;
}

void intercept_end(int fd)
{
	struct page *page = page_of(fd);
	if (page)
		atomic_store_explicit(&page->slots[fd % PAGE_SIZE], NULL, memory_order_relaxed);
}

bool intercept_passed(struct intercept *intercept)
{
	return intercept->passed++ < intercept->framing.heads;
}

bool intercept_awaits_continue(const struct intercept *intercept)
{
	return intercept->passed == intercept->framing.heads && framing_awaits_continue(&intercept->framing);
}

/* What recv() was. The two that ThreadSanitizer knows to order threads; on a socket read() is recv() without flags. */
static ssize_t receive(int fd, void *data, size_t size, int flags)
{
	struct iovec part = {data, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	return flags ? recvmsg(fd, &message, flags) : read(fd, data, size);
}

/* Also tells whether there is more to read, be it the end: TCP_INQ, tcp(7). */
static ssize_t receive_hinted(int fd, void *data, size_t size, bool *more_out)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {data, size};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(fd, &message, 0);
	int queued = 0;
	const struct cmsghdr *hint = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (hint && hint->cmsg_level == IPPROTO_TCP && hint->cmsg_type == TCP_CM_INQ)
		memcpy(&queued, CMSG_DATA(hint), sizeof(queued));
	*more_out = queued > 0;
	return got;
}

/* As much as has come. libmicrohttpd waits for epoll after a read that was not full, and epoll does not report an end
 * again that it has reported with the bytes before it; so it is looked for here. */
static ssize_t receive_all(struct intercept *intercept, int fd, char *data, size_t size)
{
	size_t total = 0;
	bool more = true;
	while (more && total < size) {
		ssize_t got = receive_hinted(fd, data + total, size - total, &more);
		intercept->ended = got == 0;
		if (got <= 0)
			return total ? (ssize_t)total : got;
		total += (size_t)got;
	}
	return (ssize_t)total;
}

/* Until the sender has closed its side, or the sweeper the connection. */
static ssize_t discard(struct intercept *intercept, int fd, void *data, size_t size)
{
	while (intercept->discarded < DISCARD_MAX) {
		ssize_t got = receive(fd, data, size, 0);
		if (got <= 0)
			return got;
		intercept->discarded += (size_t)got;
	}
	return 0;
}

static ssize_t refuse(struct intercept *intercept, int fd, void *data, size_t size)
{
	intercept->refused = true;
	intercept->refuse(intercept->context, intercept->framing.fault);
	(void)shutdown(fd, SHUT_WR);
	return discard(intercept, fd, data, size);
}

/* Nothing more is handed on: because of a fault, or because there is nothing more. */
static bool is_over(const struct intercept *intercept)
{
	return intercept->framing.fault || intercept->ended;
}

static bool has_served_all(const struct intercept *intercept)
{
	return intercept->served >= intercept->framing.requests;
}

/* The requests before the end come first; libmicrohttpd would forget about them. */
static ssize_t conclude(struct intercept *intercept, int fd, void *data, size_t size)
{
	static const struct framing_fault incomplete = {400, "the request ended before it was complete"};
	if (!has_served_all(intercept)) {
		errno = EAGAIN;
		return -1;
	}
	if (!intercept->framing.fault && framing_is_inside(&intercept->framing))
		intercept->framing.fault = &incomplete;
	return intercept->framing.fault ? refuse(intercept, fd, data, size) : 0;
}

/* Makes epoll report the socket again, so that libmicrohttpd reads to the end. */
static void nudge(const struct intercept *intercept, int fd)
{
	if (is_over(intercept) && has_served_all(intercept))
		(void)shutdown(fd, SHUT_RD);
}

void intercept_served(struct intercept *intercept, int fd)
{
	intercept->served++;
	nudge(intercept, fd);
}

void intercept_suspended(struct intercept *intercept)
{
	intercept->suspended = true;
}

static bool is_first_since_suspended(struct intercept *intercept)
{
	bool suspended = intercept->suspended;
	intercept->suspended = false;
	return suspended;
}

static ssize_t receive_checked(struct intercept *intercept, int fd, char *data, size_t size)
{
	size_t kept = 0;
	bool first = is_first_since_suspended(intercept);
	if (intercept->refused)
		return discard(intercept, fd, data, size);
	if (first && !is_over(intercept)) {
		errno = EAGAIN;
		return -1;
	}
	while (!kept && !is_over(intercept)) {
		ssize_t got = receive_all(intercept, fd, data, size);
		if (got < 0)
			return got;
		kept = framing_read(&intercept->framing, data, (size_t)got);
	}
	if (!kept)
		return conclude(intercept, fd, data, size);
	nudge(intercept, fd);
	return (ssize_t)kept;
}

__attribute__((visibility("default"))) ssize_t recv(int fd, void *data, size_t size, int flags)
{
	struct intercept *intercept = flags ? NULL : find(fd);
	return intercept ? receive_checked(intercept, fd, data, size) : receive(fd, data, size, flags);
}
