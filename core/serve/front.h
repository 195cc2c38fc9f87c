/*
 * The front of a listener: its socket, its connections, their places and deadlines, and libmicrohttpd, which parses and
 * sends on its own threads. What requests are about is told by the functions of who owns it.
 *
 * libmicrohttpd neither listens nor times anything, and sees only bytes that are framed strictly.
 */
#ifndef SERVE_FRONT_H
#define SERVE_FRONT_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "serve/acceptor.h"
#include "serve/admission.h"
#include "serve/connection.h"
#include "serve/listener.h"
#include "serve/refusals.h"

struct generations;
struct listen_config;

/* All but handle() and finish() may be NULL. On HTTP threads but for expire(). */
struct front_functions {
	/* As libmicrohttpd calls it; the request's context is its `struct connection`, in phase HEADERS at first. */
	MHD_AccessHandlerCallback handle;
	/* The request is over; its connection is IDLE. */
	void (*finish)(void *context, struct connection *connection);
	/* The request will get no further: gives back what it has taken. */
	void (*abandon)(void *context, struct connection *connection);
	/* The connection is over. */
	void (*close)(void *context, struct connection *connection);
	/* See connection_table. */
	bool (*expire)(void *context, struct connection *connection);
	/* A request, or a connection, was refused past handle(). */
	void (*refused)(void *context, const struct refused *refused);
};

struct front {
	/* Set by its owner. */
	const struct front_functions *functions;
	void *context;
	_Atomic(const struct listen_config *) listen; /* for Retry-After */
	const char *name;                             /* in the log */
	struct generations *generations;              /* whose requests being received are bounded; NULL: none are */
	_Atomic uint64_t *evicted;                    /* counts connections that gave way */
	_Atomic int64_t header_timeout_ns, keep_alive_ns; /* these two and `listen` may change while it serves */
	int64_t max_connections;
	size_t max_header;
	unsigned threads;

	struct MHD_Daemon *daemon;
	struct connection_table table;
	struct acceptor acceptor;
	struct admission admission;
	atomic_bool relieving; /* the acceptor has been told that unfinished bodies hold too much */
	char url[LISTENER_URL_SIZE];
};

/* Serves on the listening socket, which is the front's from here on. False and a sentence if it cannot; the front is then
 * finished. */
bool front_start(struct front *front, int listener, struct sluice_error *error);

/* After acceptor_close(): ends the threads. No connection is suspended. */
void front_stop(struct front *front);
void front_finish(struct front *front); /* after front_stop() */

/* Before the first part of a body is taken: says 100 Continue to a sender that waits for it. libmicrohttpd, which never sees
 * the Expect field, has sent every response before. False: it was cut short, and the connection cannot go on. */
bool front_invite_body(struct connection *connection);

/* After a part of a body was taken: whatever others are receiving, there should be room for more. */
void front_make_room(struct front *front);

#endif
