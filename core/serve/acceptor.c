/*
 * Accepting and ticking; see acceptor.h.
 */
#include "serve/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
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
	HANDSHAKE_MS = 50,    /* for connections that are half open when the listener is to close */
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

/* A classic BPF program that drops every SYN, but not the last packet of a handshake: byte 13 of the TCP header are its
 * flags. Who is dropped tries again after a second, when the port is closed. */
static void drop_newcomers(int listener)
{
	enum { FLAGS_AT = 13, SYN = 0x02, ACK = 0x10 };
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),   BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog filter = {sizeof(program) / sizeof(program[0]), program};
	if (setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0)
		log_event(SLUICE_LOG_DEBUG, NULL, "newcomers_not_dropped", sluice_text("reason", strerror(errno)));
}

static void close_listener(struct acceptor *acceptor)
{
	if (acceptor->listener < 0)
		return;
	(void)close(acceptor->listener);
	acceptor->listener = -1;
	(void)sem_post(&acceptor->closed);
}

/* Whom there is no room for is told so. */
static void reject_the_rest(struct acceptor *acceptor)
{
	int fd;
	while ((fd = accept4(acceptor->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		acceptor->reject(acceptor->context, fd);
}

static void begin_or_end_closing(struct acceptor *acceptor)
{
	if (acceptor->listener < 0)
		return;
	if (acceptor->close_at_ns == 0) {
		drop_newcomers(acceptor->listener);
		acceptor->close_at_ns = clock_now_ns() + HANDSHAKE_MS * NS_PER_MS;
	} else if (clock_now_ns() >= acceptor->close_at_ns) {
		accept_some(acceptor);
		reject_the_rest(acceptor);
		close_listener(acceptor);
	}
}

static int milliseconds_until(int64_t then_ns)
{
	int64_t left_ns = then_ns - clock_now_ns();
	return left_ns <= 0 ? 0 : (int)(left_ns / NS_PER_MS) + 1;
}

/* Until the next thing that has its time. */
static int wait_ms(const struct acceptor *acceptor, int64_t tick_at_ns, bool has_room)
{
	int64_t next_ns = tick_at_ns;
	if (acceptor->listener >= 0 && acceptor->close_at_ns != 0 && acceptor->close_at_ns < next_ns)
		next_ns = acceptor->close_at_ns;
	int ms = milliseconds_until(next_ns);
	return has_room || ms < ROOM_WAIT_MS ? ms : ROOM_WAIT_MS;
}

static void *run(void *context)
{
	struct acceptor *acceptor = context;
	int64_t tick_at_ns = clock_now_ns();
	while (atomic_load(&acceptor->stays)) {
		if (!atomic_load(&acceptor->accepts))
			begin_or_end_closing(acceptor);
		const bool has_room = acceptor->has_room(acceptor->context);
		struct pollfd watched[] = {
			{.fd = acceptor->wake, .events = POLLIN},
			{.fd = acceptor->paused || !has_room ? -1 : acceptor->listener, .events = POLLIN},
		};
		(void)poll(watched, 2, wait_ms(acceptor, tick_at_ns, has_room));
		eventfd_t woken;
		if (watched[0].revents && eventfd_read(acceptor->wake, &woken) == 0)
			acceptor->woken(acceptor->context);
		if (watched[1].revents)
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
	acceptor->close_at_ns = 0;
	(void)sem_init(&acceptor->closed, 0, 0);
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
	while (sem_wait(&acceptor->closed) != 0) {
	}
}

void acceptor_stop(struct acceptor *acceptor)
{
	atomic_store(&acceptor->stays, false);
	acceptor_wake(acceptor);
	(void)pthread_join(acceptor->thread, NULL);
	(void)sem_destroy(&acceptor->closed);
	(void)close(acceptor->wake);
}
