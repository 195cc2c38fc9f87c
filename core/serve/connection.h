/*
 * Connections and how long each may take.
 *
 * libmicrohttpd's own timeout counts inactivity only, so a sender of one byte a second stays forever; and a suspended
 * connection never times out. Here every connection has one phase and one deadline for the whole of it. The HTTP thread
 * moves it from phase to phase; a sweeper looks at all of them now and then and ends what is overdue.
 *
 * The phase is also the lock between the two. To look closer the sweeper takes the connection out of its phase for a
 * moment (HELD); the HTTP thread's next step waits that moment out. So neither needs a mutex, and what the sweeper
 * finds in a connection that it holds stays there. The lock of the list is free meanwhile: nobody who opens or closes
 * another connection waits for a system call.
 */
#ifndef SERVE_CONNECTION_H
#define SERVE_CONNECTION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/network.h"
#include "serve/intercept.h"

enum connection_phase {
	CONNECTION_IDLE,    /* no request line yet: opened, or kept open after a response */
	CONNECTION_HEADERS, /* the request line is there */
	CONNECTION_BODY,    /* the headers are there */
	CONNECTION_BUSY,    /* the request is complete: being worked on or responded to */
	CONNECTION_HELD,    /* the sweeper looks at it */
	CONNECTION_EXPIRED, /* the sweeper has given it up and shut its socket down */
};

/* What is known of who is at the other end. */
enum connection_trust {
	CONNECTION_UNKNOWN,
	CONNECTION_KNOWN,   /* a webhook from the same address was accepted recently */
	CONNECTION_TRUSTED, /* one on this very connection was */
	TRUST_LEVELS,
};

/* Why a request that is not complete gets no further. */
enum dismissal {
	DISMISSED_LATE,       /* its time is over: 408 */
	DISMISSED_FOR_OTHERS, /* its place is needed: 503 */
};

struct exchange;
struct connection_table;

struct connection {
	struct connection_table *table;
	struct connection *next, *previous; /* under the table's lock */
	int fd;
	struct intercept intercept; /* HTTP thread only */
	struct ip_address peer;
	int64_t remembered_ns; /* when its sender was last noted as known; HTTP thread only */
	struct buffer target;  /* of the current request, as its request line has it; HTTP thread only */
	atomic_int phase;
	_Atomic int64_t deadline_ns, since_ns; /* the end and the beginning of its phase */
	atomic_size_t held;                    /* bytes of the request that is being received */
	atomic_int trust;
	size_t condemned; /* its part of the table's; set before it is EXPIRED */
	bool served;      /* it has had a request; HTTP thread, and the sweeper while it holds it out of IDLE */
	bool overdue;     /* its response was due and is not sent; the sweeper while HELD */
	struct exchange *exchange; /* of the current request; stays while BUSY */
	struct exchange *spare;    /* for the next request; HTTP thread only */
	void *request;             /* in the place of an exchange on the admin listener; HTTP thread only */
};

/* All connections of a listener. */
struct connection_table {
	pthread_mutex_t lock;
	struct connection *first;
	size_t count;
	atomic_size_t unknown;   /* of these, CONNECTION_UNKNOWN */
	atomic_size_t condemned; /* bytes of bodies whose connections were ended and have not gone yet */
	_Atomic int64_t now_ns;  /* monotonic, as of the last sweep: exact enough for deadlines, and free */

	/* What ends a request that is BUSY past its deadline: completes its exchange and returns true, or returns false
	 * when that has happened already. Called with the connection HELD, on the sweeper's thread. */
	bool (*expire)(void *context, struct connection *connection);
	/* Responds on the socket of a request that will never be complete. `begun`: its request line is there;
	 * otherwise it is a new connection, on which nothing may have been sent. */
	void (*dismiss)(void *context, struct connection *connection, bool begun, enum dismissal why);
	void *context;
	int64_t grace_ns; /* for sending the response of a request that has expired */
};

enum {
	SWEEP_EVERY_MS = 50,
	UNREAD_GRACE_S = 30, /* how long a server that is behind keeps a connection whose bytes it has not read */
};

void connection_table_init(struct connection_table *table);
void connection_table_finish(struct connection_table *table); /* empty again */

/* On the HTTP thread. The first deadline is `timeout_ns` from now. */
struct connection *connection_open(struct connection_table *table, int fd, const struct ip_address *peer,
                                   int64_t timeout_ns);

/* On the HTTP thread: more is known of the sender than before. */
void connection_trust(struct connection *connection, enum connection_trust trust);

/* On the HTTP thread, before the socket is closed. */
void connection_close(struct connection *connection);

/* On the HTTP thread: goes on to `phase`, which may last `timeout_ns`. False: the sweeper has given the connection up.
 */
bool connection_enter(struct connection *connection, enum connection_phase phase, int64_t timeout_ns);

/* Shuts down the socket of a connection that is HELD, which is EXPIRED then and no longer the caller's. */
void connection_end(struct connection *connection);

/* Ends what is overdue at `now_ns`. One thread at a time. */
void connection_table_sweep(struct connection_table *table, int64_t now_ns);

/* Shuts down what waits for a request. */
void connection_table_close_idle(struct connection_table *table);

/* Shuts down what is not BUSY: a request that has come in part will not be complete. */
void connection_table_close_unfinished(struct connection_table *table);

/* Expires all that is BUSY, whatever its deadline. */
void connection_table_expire_all(struct connection_table *table);

size_t connection_table_count(struct connection_table *table);
size_t connection_table_count_in(struct connection_table *table, enum connection_phase phase);

#endif
