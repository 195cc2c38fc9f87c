/*
 * Accepting and ticking; see acceptor.h.
 */
#include "serve/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
	ACCEPT_AT_ONCE = 256, /* connections between two looks at the clock */
	ROOM_WAIT_MS = 2,     /* until the next look for room */
};

static void open_spare(struct acceptor *acceptor)
{
	if (acceptor->spare < 0)
		acceptor->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool is_exhaustion(int cause)
{
	return cause == EMFILE || cause == ENFILE || cause == ENOBUFS || cause == ENOMEM;
}

static void complain(struct acceptor *acceptor, int cause)
{
	int64_t now_ns = clock_now_ns();
	if (now_ns - acceptor->complained_ns < NS_PER_S)
		return;
	acceptor->complained_ns = now_ns;
	log_event(SLUICE_LOG_WARN, NULL, "accept_failed", sluice_text("reason", strerror(cause)));
}

/* No descriptor is left. With the spare one the next in line is told so, instead of waiting. */
static void reject_one(struct acceptor *acceptor)
{
	int fd = -1;
	if (acceptor->spare >= 0) {
		(void)close(acceptor->spare);
		acceptor->spare = -1;
		fd = accept4(acceptor->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	if (fd >= 0)
		acceptor->reject(acceptor->context, fd);
	open_spare(acceptor);
	acceptor->paused = fd < 0 || acceptor->spare < 0;
}

static void accept_some(struct acceptor *acceptor)
{
	for (int i = 0; i < ACCEPT_AT_ONCE && !acceptor->paused && acceptor->has_room(acceptor->context); i++) {
		union {
			struct sockaddr any;
			struct sockaddr_in6 in6;
		} address;
		socklen_t size = sizeof(address);
		int fd = accept4(acceptor->listener, &address.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			acceptor->admit(acceptor->context, fd, &address.any, size);
		} else if (is_exhaustion(errno)) {
			complain(acceptor, errno);
			reject_one(acceptor);
		} else {
			return;
		}
	}
}
static void close_listener(struct acceptor *acceptor)
{
	if (acceptor->listener >= 0)
		(void)close(acceptor->listener);
	acceptor->listener = -1;
}

static int milliseconds_until(int64_t then_ns)
{
	int64_t left_ns = then_ns - clock_now_ns();
	return left_ns <= 0 ? 0 : (int)(left_ns / NS_PER_MS) + 1;
}

static void *run(void *context)
{
	struct acceptor *acceptor = context;
	int64_t tick_at_ns = clock_now_ns();
	while (atomic_load(&acceptor->stays)) {
		if (!atomic_load(&acceptor->accepts))
			close_listener(acceptor);
		const bool has_room = acceptor->has_room(acceptor->context);
		struct pollfd watched[] = {
			{.fd = acceptor->wake, .events = POLLIN},
			{.fd = acceptor->paused || !has_room ? -1 : acceptor->listener, .events = POLLIN},
		};
		int wait_ms = milliseconds_until(tick_at_ns);
		(void)poll(watched, 2, has_room || wait_ms < ROOM_WAIT_MS ? wait_ms : ROOM_WAIT_MS);
		eventfd_t woken;
		if (watched[0].revents && eventfd_read(acceptor->wake, &woken) == 0)
			acceptor->woken(acceptor->context);
		if (watched[1].revents && atomic_load(&acceptor->accepts))
			accept_some(acceptor);
		int64_t now_ns = clock_now_ns();
		if (now_ns < tick_at_ns)
			continue;
		acceptor->tick(acceptor->context, now_ns);
		open_spare(acceptor);
		acceptor->paused = false;
		tick_at_ns = now_ns + acceptor->tick_ms * NS_PER_MS;
	}
	close_listener(acceptor);
	if (acceptor->spare >= 0)
		(void)close(acceptor->spare);
	return NULL;
}
bool acceptor_start(struct acceptor *acceptor, struct sluice_error *error)
{
	atomic_init(&acceptor->accepts, true);
	atomic_init(&acceptor->stays, true);
	acceptor->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	acceptor->spare = -1;
	if (acceptor->wake < 0)
		return sluice_error_set(error, "cannot create an eventfd: %s", strerror(errno));
	int failure = pthread_create(&acceptor->thread, NULL, run, acceptor);
	if (failure == 0)
		return true;
	(void)close(acceptor->wake);
	return sluice_error_set(error, "cannot start the thread that accepts connections: %s", strerror(failure));
}

void acceptor_wake(struct acceptor *acceptor)
{
	(void)eventfd_write(acceptor->wake, 1);
}

void acceptor_close(struct acceptor *acceptor)
{
	atomic_store(&acceptor->accepts, false);
	acceptor_wake(acceptor);
}
void acceptor_stop(struct acceptor *acceptor)
{
	atomic_store(&acceptor->stays, false);
	acceptor_wake(acceptor);
	(void)pthread_join(acceptor->thread, NULL);
	(void)close(acceptor->wake);
}
