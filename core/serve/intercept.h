/*
 * The look at what a connection receives before libmicrohttpd has it.
 *
 * libmicrohttpd reads sockets with recv(), and offers no place to look at the bytes. So this library defines recv()
 * itself, which the dynamic linker gives to libmicrohttpd (and to all else that is loaded, for which nothing changes: a
 * descriptor that is not intercepted is read as ever). No system call and no copy is added.
 *
 * What does not pass framing_read() never reaches libmicrohttpd: the sender gets one response, after those of the
 * requests before it, and the connection ends. Should a libmicrohttpd ever read in another way, intercept_passed() fails
 * for every request, and none is served.
 */
#ifndef SERVE_INTERCEPT_H
#define SERVE_INTERCEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/framing.h"

/* Of one connection; all on its HTTP thread. The first two members are set, the others start zeroed. */
struct intercept {
	/* Says on the socket what is wrong; nothing else is being sent there. Called once. */
	void (*refuse)(void *context, const struct framing_fault *fault);
	void *context;

	struct framing framing;
	uint64_t passed;  /* heads that handlers have asked about */
	uint64_t served;  /* requests that are over */
	size_t discarded; /* bytes that came after the refusal */
	bool refused;
	bool suspended; /* since the last read */
	bool ended; /* the sender has closed its side, which libmicrohttpd is not told before all requests are served */
};

/* From here on, until intercept_end(), the socket is read through `intercept`. False: it has too high a number. */
bool intercept_begin(struct intercept *intercept, int fd);
void intercept_end(int fd);

/* A request is over: its response is sent. */
void intercept_served(struct intercept *intercept, int fd);

/* The connection is suspended, which also takes its socket out of epoll. When it is resumed, libmicrohttpd reads as if something
 * had come; that read is spared, as epoll tells at once what there is when the socket is put in again. */
void intercept_suspended(struct intercept *intercept);

/* Once for each request whose head libmicrohttpd has read: whether it came through here. */
bool intercept_passed(struct intercept *intercept);

/* Whether the request that intercept_passed() was last asked about waits for 100 Continue. */
bool intercept_awaits_continue(const struct intercept *intercept);

#endif
