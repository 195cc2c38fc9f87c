/*
 * A server by script: takes requests over keep-alive connections, each on a thread of its own, keeps what came, and
 * answers as a function of the test says.
 */
#ifndef TESTS_SCRIPTED_SERVER_H
#define TESTS_SCRIPTED_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCRIPTED_REQUESTS_MAX = 4096, SCRIPTED_CONNECTIONS_MAX = 256 };

struct scripted_request {
	size_t number;     /* in the order in which they came */
	size_t connection; /* in the order in which they were accepted */
	int64_t at_ns;     /* monotonic: when it had come */
	char *text;        /* head and body, a NUL behind them */
	size_t size;
	const char *body;
	size_t body_size;
};

struct scripted_server;

/* Writes to `fd` what it likes, or nothing; false: the connection is closed then. On the connection's thread, where no
 * assertion of a test may fail. */
typedef bool (*scripted_answer_fn)(struct scripted_server *server, const struct scripted_request *request, int fd);

struct scripted_server {
	scripted_answer_fn answer;
	bool answers_heads; /* asked when the head is there; the body is not read */
	void *context;      /* the test's */

	int listener, port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping;
	struct scripted_connection {
		struct scripted_server *server;
		size_t number;
		int fd;
		pthread_t thread;
	} connections[SCRIPTED_CONNECTIONS_MAX];
	size_t connection_count;
	struct scripted_request requests[SCRIPTED_REQUESTS_MAX];
	size_t count;
};

/* On a free port of 127.0.0.1. What is set of the first three members stays. Signals go to the threads of the test. */
void scripted_start(struct scripted_server *server);

/* Ends its threads; what came can be read from then on. */
void scripted_stop(struct scripted_server *server);
void scripted_free(struct scripted_server *server);

/* Waits until so many requests have come; false: not within some seconds. From any thread. */
bool scripted_wait(struct scripted_server *server, size_t count);

/* Lets that long a time pass: what a slow server takes. */
void scripted_take_ms(int ms);

/* Says "HTTP/1.1 STATUS x" with those header lines, each with its CRLF, and no body. */
void scripted_say(int fd, int status, const char *fields);

/* The same without header lines, and the end of the connection in one segment: who has read it has seen both. False: the
 * machine was so slow that they may have gone out one by one. */
bool scripted_say_last(int fd, int status);

/* The plainest script: 202, and the connection stays. */
bool scripted_accept(struct scripted_server *server, const struct scripted_request *request, int fd);

/* The value of a header, copied; "" if it is not there. */
const char *scripted_header(const struct scripted_request *request, const char *name, char value[256]);

#endif
