/*
 * The acceptor: one thread that accepts connections on a listening socket and, every now and then, ticks.
 *
 * libmicrohttpd could accept by itself. But its way of stopping to (MHD_quiesce_daemon) races with its own threads, and
 * at its limit it leaves newcomers waiting where they should be told.
 */
#ifndef SERVE_ACCEPTOR_H
#define SERVE_ACCEPTOR_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include <sluice/error.h>

struct acceptor {
	int listener; /* the acceptor's to close, from acceptor_start() on */
	int tick_ms;
	/* All on the acceptor's thread. admit() and reject() own the socket, which does not block. */
	bool (*has_room)(void *context); /* false: newcomers wait a moment */
	void (*admit)(void *context, int fd, const struct sockaddr *address, socklen_t address_size);
	void (*reject)(void *context, int fd); /* there is no descriptor left to serve it with */
	void (*tick)(void *context, int64_t now_ns);
	void (*woken)(void *context); /* soon after acceptor_wake() */
	void *context;

	pthread_t thread;
	int wake;
	sem_t closed; /* posted when the socket is */
	atomic_bool accepts, stays;
	int64_t close_at_ns;   /* 0: not yet known */
	int64_t complained_ns; /* when a failing accept() was last logged */
	int spare;             /* a descriptor to accept with when no other is left; -1: it is in use */
	bool paused;           /* not even that: until the next tick */
};

/* The members above the blank line are set. False and a sentence if there is no thread to be had. */
bool acceptor_start(struct acceptor *acceptor, struct sluice_error *error);

/* From any thread. */
void acceptor_wake(struct acceptor *acceptor);

/* Closes the socket, once everybody whom the kernel has let in is accepted: closing it would reset them. That takes some
 * 50 ms, in which nobody else gets in. Ticks go on. */
void acceptor_close(struct acceptor *acceptor);

/* Ends the thread. */
void acceptor_stop(struct acceptor *acceptor);

#endif
