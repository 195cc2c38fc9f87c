/*
 * A sender: one keep-alive connection that carries one request at a time, without blocking.
 *
 *     sender_open()  →  CONNECTING  →  (sender_work)  →  IDLE
 *     sender_send()  →  BUSY        →  (sender_work)  →  ANSWERED or FAILED; sender_release() → IDLE or CLOSED
 *
 * A request may also be given to a sender that is CLOSED: it connects first. Registered edge-triggered with an epoll
 * instance, data.ptr being the sender; call sender_work() whenever that reports it.
 */
#ifndef LAB_LOAD_SENDER_H
#define LAB_LOAD_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netdb.h>
#include <sluice/error.h>

#include "base/buffer.h"
#include "client/response.h"

enum sender_state {
	SENDER_CLOSED,
	SENDER_CONNECTING, /* with a request to send as soon as it is connected, if `out` has one */
	SENDER_IDLE,
	SENDER_BUSY,
	SENDER_ANSWERED, /* response.status is known */
	SENDER_FAILED,   /* the connection broke before the answer was complete */
};

struct sender {
	int fd; /* -1: none */
	int epoll;
	const struct addrinfo *address;
	enum sender_state state;
	struct buffer out;
	size_t out_at; /* sent of it */
	struct http_response response;
	int64_t came_ns; /* monotonic: when its last bytes had come, whether anybody looked or not; 0: not known */
	int failure;     /* errno of a connection that could not be made; 0: none */

	/* The caller's. */
	uint32_t request;
	int64_t since_ns, free_ns, late_ns;
	uint8_t target;
	struct sender *next, *previous; /* in a list of the caller's */
};

/* `address` is borrowed until sender_finish(). */
void sender_init(struct sender *sender, int epoll, const struct addrinfo *address);
void sender_finish(struct sender *sender);

/* Begins to connect; false, with `failure`, if it cannot. */
bool sender_open(struct sender *sender);

/* Sends what the caller has put into sender->out. IDLE or CLOSED before; BUSY, CONNECTING or FAILED after. */
void sender_send(struct sender *sender);

/* Goes on as far as the socket allows. `ended`: epoll has also seen the end of the connection. */
void sender_work(struct sender *sender, bool ended);

/* After ANSWERED or FAILED: ready for the next request. */
void sender_release(struct sender *sender);

/* Gives the request up: FAILED. */
void sender_abandon(struct sender *sender);

#endif
