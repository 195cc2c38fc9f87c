/*
 * An HTTP client: one keep-alive connection that carries one request at a time, without blocking.
 *
 *     http_client_open()  →  CONNECTING  →  (http_client_work)  →  IDLE
 *     http_client_send()  →  BUSY        →  (http_client_work)  →  ANSWERED or FAILED; http_client_release() → IDLE or CLOSED
 *
 * A request may also be given to one that is CLOSED: it connects first. Registered edge-triggered with an epoll
 * instance, data.ptr being the client; call http_client_work() whenever that reports it.
 */
#ifndef LAB_LOAD_HTTP_CLIENT_H
#define LAB_LOAD_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netdb.h>
#include <sluice/error.h>

#include "base/buffer.h"
#include "client/response.h"

enum http_client_state {
	HTTP_CLIENT_CLOSED,
	HTTP_CLIENT_CONNECTING, /* with a request to send as soon as it is connected, if `out` has one */
	HTTP_CLIENT_IDLE,
	HTTP_CLIENT_BUSY,
	HTTP_CLIENT_ANSWERED, /* response.status is known */
	HTTP_CLIENT_FAILED,   /* the connection broke before the response was complete */
};

struct http_client {
	int fd; /* -1: none */
	int epoll;
	const struct addrinfo *address;
	enum http_client_state state;
	struct buffer out;
	size_t out_at; /* sent of it */
	struct http_response response;
	int64_t came_ns; /* monotonic: when the kernel received the last bytes of the response; 0: not known */
	int failure;     /* errno of a connection that could not be made; 0: none */

	/* The caller's. */
	uint32_t request;
	int64_t since_ns, free_ns, late_ns;
	uint8_t target;
	struct http_client *next, *previous; /* in a list of the caller's */
};

/* `address` is borrowed until http_client_finish(). */
void http_client_init(struct http_client *client, int epoll, const struct addrinfo *address);
void http_client_finish(struct http_client *client);

/* Begins to connect; false, with `failure`, if it cannot. */
bool http_client_open(struct http_client *client);

/* Sends what the caller has put into client->out. IDLE or CLOSED before; BUSY, CONNECTING or FAILED after. */
void http_client_send(struct http_client *client);

/* Goes on as far as the socket allows. `ended`: epoll has also seen the end of the connection. */
void http_client_work(struct http_client *client, bool ended);

/* After ANSWERED or FAILED: ready for the next request. */
void http_client_release(struct http_client *client);

/* Gives the request up: FAILED. */
void http_client_abandon(struct http_client *client);

#endif
