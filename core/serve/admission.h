/*
 * Admission: how many connections the webhook listener has, who gets a place when there are too many, and what gives way
 * when requests that are not complete hold too many bytes.
 *
 * At the limit a newcomer takes the place of who has waited longest (eviction.h). A share of the places is kept for
 * senders that are known (senders.h).
 */
#ifndef SERVE_ADMISSION_H
#define SERVE_ADMISSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#include "serve/connection.h"
#include "serve/senders.h"

struct generations;

struct admission {
	struct connection_table *table;
	struct generations *generations; /* whose requests being received are bounded; NULL: none are */
	_Atomic uint64_t *evicted;       /* counted */
	size_t limit;                    /* connections */
	size_t turnover;           /* as many give way at once; and as many more may be open until they have gone */
	atomic_size_t connections; /* not yet closed */
	struct senders senders;
	uint64_t logged; /* of the evicted */
	int64_t logged_ns;
};

/* `wanted` connections, or as many as the limit on open files allows. False and a sentence if that leaves too few. */
bool admission_init(struct admission *admission, int64_t wanted, struct sluice_error *error);
void admission_finish(struct admission *admission);

/* Whether there is a place for a connection from `address`, by eviction if need be; it is then counted. False: all others
 * are being served, or known while this one is not. On the acceptor's thread. */
bool admission_take(struct admission *admission, const struct ip_address *address);
void admission_give_back(struct admission *admission); /* on any thread: it is closed */

/* False, at the limit, while connections that gave way have not gone or newer ones have not been taken over yet: newcomers
 * wait that moment. */
bool admission_has_room(struct admission *admission);

/* On the connection's thread: it is open; a webhook that came on it was accepted. */
void admission_recognize(struct admission *admission, struct connection *connection);
void admission_remember(struct admission *admission, struct connection *connection, int64_t now_ns);

/* Whether admission_relieve() should be called, on the acceptor's thread: it ends the requests whose bodies have held most
 * for longest. */
bool admission_is_crowded(const struct admission *admission);
void admission_relieve(struct admission *admission);

/* Now and then: says in the log that there were evictions on the listener of that name. */
void admission_log(struct admission *admission, const char *listener, int64_t now_ns);

#endif
