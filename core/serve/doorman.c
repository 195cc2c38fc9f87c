/*
 * Accepting and ticking; see doorman.h.
 */
#include "serve/doorman.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Connections accepted between two looks at the clock. */
enum { ACCEPT_AT_ONCE = 256 };

static void complain(struct doorman *doorman, int cause)
{
	int64_t now_ns = clock_now_ns();
	doorman->paused = cause == EMFILE || cause == ENFILE || cause == ENOBUFS || cause == ENOMEM;
	if (!doorman->paused || now_ns - doorman->complained_ns < NS_PER_S)
		return;
	doorman->complained_ns = now_ns;
	log_event(SLUICE_LOG_WARN, NULL, "accept_failed", sluice_text("reason", strerror(cause)));
}

static void accept_some(struct doorman *doorman)
{
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		union {
			struct sockaddr any;
			struct sockaddr_in6 in6;
		} address;
		socklen_t size = sizeof(address);
		int fd = accept4(doorman->listener, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			complain(doorman, errno);
			return;
		}
		doorman->admit(doorman->context, fd, &address.any, size);
	}
}

static void close_listener(struct doorman *doorman)
{
	if (doorman->listener >= 0)
		(void)close(doorman->listener);
	doorman->listener = -1;
}

static int milliseconds_until(int64_t then_ns)
{
	int64_t left_ns = then_ns - clock_now_ns();
	return left_ns <= 0 ? 0 : (int)(left_ns / NS_PER_MS) + 1;
}

static void *keep_door(void *context)
{
	struct doorman *doorman = context;
	int64_t tick_at_ns = clock_now_ns();
	while (atomic_load(&doorman->stays)) {
		if (!atomic_load(&doorman->accepts))
			close_listener(doorman);
		struct pollfd watched[] = {
			{.fd = doorman->wake, .events = POLLIN},
			{.fd = doorman->paused ? -1 : doorman->listener, .events = POLLIN},
		};
		(void)poll(watched, 2, milliseconds_until(tick_at_ns));
		eventfd_t woken;
		if (watched[0].revents)
			(void)eventfd_read(doorman->wake, &woken);
		if (watched[1].revents && atomic_load(&doorman->accepts))
			accept_some(doorman);
		int64_t now_ns = clock_now_ns();
		if (now_ns < tick_at_ns)
			continue;
		doorman->tick(doorman->context, now_ns);
		doorman->paused = false;
		tick_at_ns = now_ns + doorman->tick_ms * NS_PER_MS;
	}
	close_listener(doorman);
	return NULL;
}

bool doorman_start(struct doorman *doorman, struct sluice_error *error)
{
	atomic_init(&doorman->accepts, true);
	atomic_init(&doorman->stays, true);
	doorman->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (doorman->wake < 0)
		return sluice_error_set(error, "cannot watch the door: %s", strerror(errno));
	int failure = pthread_create(&doorman->thread, NULL, keep_door, doorman);
	if (failure == 0)
		return true;
	(void)close(doorman->wake);
	return sluice_error_set(error, "cannot start the thread that accepts connections: %s", strerror(failure));
}

void doorman_close(struct doorman *doorman)
{
	atomic_store(&doorman->accepts, false);
	(void)eventfd_write(doorman->wake, 1);
}

void doorman_stop(struct doorman *doorman)
{
	atomic_store(&doorman->stays, false);
	(void)eventfd_write(doorman->wake, 1);
	(void)pthread_join(doorman->thread, NULL);
	(void)close(doorman->wake);
}
