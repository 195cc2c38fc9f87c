/* write() within MHD_resume_connection(), and epoll_wait(); see wakeup.h. */
#include "serve/wakeup.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/deferred.h"

static _Thread_local bool resuming;
static _Thread_local bool full; /* the last epoll_wait() */
static atomic_int pending;      /* wake-ups that are put off, of all threads */

/* What write() was, in a form that sanitizers know, too. */
static ssize_t write_now(int fd, const void *data, size_t size)
{
	struct iovec part = {(void *)(uintptr_t)data, size};
	return writev(fd, &part, 1);
}

static void wake(int fd)
{
	static const uint64_t one = 1;
	(void)write_now(fd, &one,
	                sizeof(one)); /* it fails only where the counter is at its end, and so the thread awake */
	(void)atomic_fetch_sub(&pending, 1);
}

/* An event descriptor takes 8 bytes. */
static bool put_off(int fd, size_t size)
{
	if (!resuming || size != sizeof(uint64_t))
		return false;
	(void)atomic_fetch_add(&pending, 1);
	enum deferral deferral = deferred_add(wake, fd);
	if (deferral != DEFERRED_NEW)
		(void)atomic_fetch_sub(&pending, 1);
	return deferral != DEFERRED_NOT;
}

void wakeup_resume(struct MHD_Connection *connection)
{
	resuming = true;
	MHD_resume_connection(connection);
	resuming = false;
}

void wakeup_wait(void)
{
	while (atomic_load(&pending) > 0)
		(void)sched_yield();
}

__attribute__((visibility("default"))) ssize_t write(int fd, const void *data, size_t size)
{
	return put_off(fd, size) ? (ssize_t)size : write_now(fd, data, size);
}

__attribute__((visibility("default"))) int epoll_wait(int fd, struct epoll_event *events, int room, int timeout_ms)
{
	int count = epoll_pwait(fd, events, room, full ? 0 : timeout_ms, NULL);
	full = count == room;
	return count;
}
