/*
 * recv() with a look at the bytes; see intercept.h.
 */
#include "serve/intercept.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"

enum {
	PAGE_SIZE = 1024,
	PAGES_MAX = 4096, /* four million descriptors */
	DISCARD_MAX = 4 * 1024 *
	              1024, /* bytes behind a refusal that are read, so that the response is not lost to a reset */
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

/* What recv() was. The two that ThreadSanitizer knows to order threads; on a socket read() is recv() without flags. */
static ssize_t receive(int fd, void *data, size_t size, int flags)
{
	struct iovec part = {data, size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	return flags ? recvmsg(fd, &message, flags) : read(fd, data, size);
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

static ssize_t receive_checked(struct intercept *intercept, int fd, void *data, size_t size, int flags)
{
	if (intercept->refused)
		return discard(intercept, fd, data, size);
	if (intercept->framing.fault)
		return refuse(intercept, fd, data, size);
	size_t kept = 0;
	while (!kept && !intercept->framing.fault) {
		ssize_t got = receive(fd, data, size, flags);
		if (got <= 0)
			return got;
		kept = framing_read(&intercept->framing, data, (size_t)got);
	}
	if (!intercept->framing.fault)
		return (ssize_t)kept;
	if (!kept)
		return refuse(intercept, fd, data, size);
	/* The requests before the fault come first. The end of input makes epoll report the socket again after them. */
	(void)shutdown(fd, SHUT_RD);
	return (ssize_t)kept;
}

__attribute__((visibility("default"))) ssize_t recv(int fd, void *data, size_t size, int flags)
{
	struct intercept *intercept = find(fd);
	return intercept ? receive_checked(intercept, fd, data, size, flags) : receive(fd, data, size, flags);
}
